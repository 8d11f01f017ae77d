package whatsappcloud

import (
	"strconv"

	"peal/api"
)

// Types of a template's buttons.
const (
	buttonURL   = "url"
	buttonReply = "quick_reply"
	buttonCode  = "copy_code"
)

// template writes a template with its parameters. A component without any is left out.
func (w *writer) template(t *api.Template) {
	w.field("name", t.Name)
	w.object("language", func() { w.field("code", t.Language) })
	if len(t.Header)+len(t.Body)+len(t.Buttons) == 0 {
		return
	}
	w.list("components", func() {
		w.component("header", t.Header)
		w.component("body", t.Body)
		for _, b := range t.Buttons {
			w.item(func() { w.button(&b) })
		}
	})
}

func (w *writer) component(kind string, params []api.TemplateParameter) {
	if len(params) == 0 {
		return
	}
	w.item(func() {
		w.field("type", kind)
		w.list("parameters", func() {
			for i := range params {
				w.item(func() { w.parameter(&params[i]) })
			}
		})
	})
}

func (w *writer) parameter(p *api.TemplateParameter) {
	kind := func(name string, fields func()) {
		w.field("type", name)
		w.object(name, fields)
	}
	w.optional("parameter_name", p.Name)
	switch {
	case p.Text != nil:
		w.field("type", "text")
		w.field("text", *p.Text)
	case p.Currency != nil:
		kind("currency", func() {
			w.field("fallback_value", p.Currency.Fallback)
			w.field("code", p.Currency.Code)
			w.key("amount_1000")
			w.b = strconv.AppendInt(w.b, p.Currency.Amount1000, 10)
		})
	case p.DateTime != nil:
		kind("date_time", func() { w.field("fallback_value", *p.DateTime) })
	case p.Image != nil:
		kind("image", func() { w.media(p.Image.URL, p.Image.MediaID, "", "") })
	case p.Video != nil:
		kind("video", func() { w.media(p.Video.URL, p.Video.MediaID, "", "") })
	case p.Document != nil:
		kind("document", func() { w.media(p.Document.URL, p.Document.MediaID, "", p.Document.Filename) })
	}
}

func (w *writer) button(b *api.TemplateButton) {
	w.field("type", "button")
	w.field("sub_type", b.Type)
	w.field("index", strconv.Itoa(b.Index))
	kind := map[string]string{buttonURL: "text", buttonReply: "payload", buttonCode: "coupon_code"}[b.Type]
	w.list("parameters", func() {
		w.item(func() {
			w.field("type", kind)
			w.field(kind, b.Text)
		})
	})
}
