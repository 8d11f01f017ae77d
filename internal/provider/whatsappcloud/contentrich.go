package whatsappcloud

import (
	"strconv"
	"strings"

	"peal/api"
)

// What fits into a template and into an interactive message, by Meta's description.
const (
	maxTemplate      = 512
	maxLanguage      = 15
	maxHeaderParams  = 10
	maxBodyParams    = 100
	maxParameter     = 32768
	maxFallback      = 64
	maxButtonText    = 2048
	maxCode          = 20
	maxTemplateIndex = 9
	maxBody          = 1024
	maxLine          = 60 // of a header or a footer
	maxButtons       = 3
	maxButtonID      = 256
	maxTitle         = 20
	maxSections      = 10
	maxRows          = 10 // in all sections together
	maxRowID         = 200
	maxRowTitle      = 24
	maxDescription   = 72
)

// template checks what can be known without the account's catalogue.
func (k *checker) template(path string, t *api.Template) {
	k.text(path+".name", t.Name, true, maxTemplate)
	if strings.Trim(t.Name, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
		k.add(path+".name", "invalid", "give the name as in the catalogue: lower case letters, digits and _")
	}
	if l := strings.Trim(t.Language, "_"); l == "" || len(l) > maxLanguage || strings.ContainsFunc(l, notHeader) {
		k.add(path+".language", "invalid", "give the code of the translation, such as en_US")
	}
	k.parameters(path+".header", t.Header, maxHeaderParams, true)
	k.parameters(path+".body", t.Body, maxBodyParams, false)
	seen := map[int]bool{}
	for i, b := range t.Buttons {
		at := path + ".buttons[" + strconv.Itoa(i) + "]"
		if b.Index < 0 || b.Index > maxTemplateIndex || seen[b.Index] {
			k.add(at+".index", "invalid", "give each button once, from 0 to "+strconv.Itoa(maxTemplateIndex))
		}
		seen[b.Index] = true
		switch b.Type {
		case buttonURL, buttonReply:
			k.text(at+".text", b.Text, true, maxButtonText)
		case buttonCode:
			k.text(at+".text", b.Text, true, maxCode)
		default:
			k.add(at+".type", "invalid", "give url, quick_reply or copy_code")
		}
	}
}

func (k *checker) parameters(path string, list []api.TemplateParameter, most int, header bool) {
	if len(list) > most {
		k.add(path, "too_long", "give at most "+strconv.Itoa(most))
		return
	}
	for i := range list {
		k.parameter(path+"["+strconv.Itoa(i)+"]", &list[i], header)
	}
}

func (k *checker) parameter(path string, p *api.TemplateParameter, header bool) {
	set := 0
	for _, is := range []bool{p.Text != nil, p.Currency != nil, p.DateTime != nil, p.Image != nil, p.Video != nil, p.Document != nil} {
		if is {
			set++
		}
	}
	switch {
	case set != 1:
		k.add(path, "invalid", "set exactly one of text, currency, date_time, image, video and document")
		return
	case !header && (p.Image != nil || p.Video != nil || p.Document != nil):
		k.add(path, "unsupported", "a file goes into the header only")
		return
	}
	k.text(path+".name", p.Name, false, maxTemplate)
	switch {
	case p.Text != nil:
		k.variable(path+".text", *p.Text, maxParameter)
	case p.Currency != nil:
		k.variable(path+".currency.fallback", p.Currency.Fallback, maxFallback)
		if c := p.Currency.Code; len(c) != 3 || strings.Trim(c, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
			k.add(path+".currency.code", "invalid", "give the code of ISO 4217, such as USD")
		}
	case p.DateTime != nil:
		k.variable(path+".date_time", *p.DateTime, maxFallback)
	case p.Image != nil:
		k.media(path+".image", p.Image, false)
	case p.Video != nil:
		k.media(path+".video", p.Video, false)
	case p.Document != nil:
		k.document(path+".document", p.Document, false)
	}
}

// variable checks a text for a place in a template: it has to stay on its line.
func (k *checker) variable(path, s string, most int) {
	k.text(path, s, true, most)
	if strings.ContainsAny(s, "\n\r\t") || strings.Contains(s, "     ") {
		k.add(path, "invalid", "leave out line breaks, tabs and more than 4 spaces in a row; Meta refuses them in a template's variables")
	}
}

func (k *checker) interactive(i *api.Interactive) {
	k.text("interactive.body", i.Body, true, maxBody)
	k.text("interactive.footer", i.Footer, false, maxLine)
	if i.Header != nil {
		k.header(i.Header, i.List != nil)
	}
	switch {
	case (i.List == nil) == (len(i.Buttons) == 0):
		k.add("interactive", "invalid", "give buttons or a list")
	case i.List != nil:
		k.list(i.List)
	default:
		k.buttons(i.Buttons)
	}
}

func (k *checker) header(h *api.InteractiveHeader, list bool) {
	const path = "interactive.header"
	set := 0
	for _, is := range []bool{h.Text != "", h.Image != nil, h.Video != nil, h.Document != nil} {
		if is {
			set++
		}
	}
	switch {
	case set != 1:
		k.add(path, "invalid", "set exactly one of text, image, video and document")
	case list && h.Text == "":
		k.add(path, "unsupported", "above a list there can only be text")
	case h.Image != nil:
		k.media(path+".image", h.Image, false)
	case h.Video != nil:
		k.media(path+".video", h.Video, false)
	case h.Document != nil:
		k.document(path+".document", h.Document, false)
	default:
		k.text(path+".text", h.Text, true, maxLine)
	}
}

func (k *checker) buttons(list []api.ReplyButton) {
	const path = "interactive.buttons"
	if len(list) > maxButtons {
		k.add(path, "too_long", "give at most "+strconv.Itoa(maxButtons)+"; a list takes more")
		return
	}
	ids, titles := map[string]bool{}, map[string]bool{}
	for i, b := range list {
		at := path + "[" + strconv.Itoa(i) + "]"
		k.text(at+".id", b.ID, true, maxButtonID)
		k.text(at+".title", b.Title, true, maxTitle)
		if ids[b.ID] || titles[b.Title] {
			k.add(at, "invalid", "give each button an id and a title of its own")
		}
		ids[b.ID], titles[b.Title] = true, true
	}
}

func (k *checker) list(l *api.ReplyList) {
	const path = "interactive.list"
	k.text(path+".button", l.Button, true, maxTitle)
	if n := len(l.Sections); n < 1 || n > maxSections {
		k.add(path+".sections", "out_of_range", "give 1 to "+strconv.Itoa(maxSections)+" sections")
		return
	}
	ids, rows := map[string]bool{}, 0
	for i, s := range l.Sections {
		at := path + ".sections[" + strconv.Itoa(i) + "]"
		k.text(at+".title", s.Title, len(l.Sections) > 1, maxRowTitle)
		if len(s.Rows) == 0 {
			k.add(at+".rows", "required", "give at least one row")
		}
		if rows += len(s.Rows); rows > maxRows {
			k.add(path+".sections", "too_long", "give at most "+strconv.Itoa(maxRows)+" rows in all sections together")
			return
		}
		for j, r := range s.Rows {
			row := at + ".rows[" + strconv.Itoa(j) + "]"
			k.text(row+".id", r.ID, true, maxRowID)
			k.text(row+".title", r.Title, true, maxRowTitle)
			k.text(row+".description", r.Description, false, maxDescription)
			if ids[r.ID] {
				k.add(row+".id", "invalid", "give each row an id of its own")
			}
			ids[r.ID] = true
		}
	}
}
