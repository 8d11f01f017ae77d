package whatsappcloud

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/provider"
)

// Formats of a template's header.
const (
	headerNone = ""
	headerText = "text"
	headerFile = "image video document" // those that are files
)

// Formats of variables.
const (
	formatNamed      = "named"
	formatPositional = "positional"
)

// shape is what a template takes.
type shape struct {
	named      bool
	header     string   // its format, in lower case
	headerVars []string // of a text
	bodyVars   []string
	noBody     bool // the catalogue does not tell its text
	buttons    []buttonShape
}

// buttonShape is what a button takes: a parameter of this type; none where it is empty; whatever is given where it is any.
type buttonShape struct {
	takes    string
	required bool
}

// buttonAny is of buttons that are not known here: what they take is not checked.
const buttonAny = "any"

var variables = regexp.MustCompile(`\{\{\s*([a-zA-Z0-9_]+)\s*\}\}`)

func variablesOf(text string) (names []string) {
	for _, m := range variables.FindAllStringSubmatch(text, -1) {
		if !slices.Contains(names, m[1]) {
			names = append(names, m[1])
		}
	}
	return names
}

// Shape reads a template's components. Those that are not known, such as carousels and limited-time offers, are not checked.
func (Kind) Shape(t *peal.Template) provider.Shape {
	var components []struct {
		Type    string `json:"type"`
		Format  string `json:"format"`
		Text    string `json:"text"`
		Buttons []struct {
			Type string `json:"type"`
			URL  string `json:"url"`
		} `json:"buttons"`
	}
	s := &shape{noBody: true}
	if json.Unmarshal(t.Components, &components) != nil || len(components) == 0 {
		return nothing{}
	}
	for i := range components {
		c := &components[i]
		switch strings.ToUpper(c.Type) {
		case "HEADER":
			s.header = strings.ToLower(c.Format)
			if s.header == headerNone {
				s.header = headerText
			}
			s.headerVars = variablesOf(c.Text)
		case "BODY":
			s.bodyVars, s.noBody = variablesOf(c.Text), c.Text == ""
		case "BUTTONS":
			for _, b := range c.Buttons {
				s.buttons = append(s.buttons, buttonOf(strings.ToUpper(b.Type), b.URL))
			}
		}
	}
	s.named = t.Format == formatNamed
	if t.Format != formatNamed && t.Format != formatPositional {
		s.named = slices.ContainsFunc(slices.Concat(s.headerVars, s.bodyVars), func(v string) bool { return !digits(v) })
	}
	return s
}

func buttonOf(kind, address string) buttonShape {
	switch kind {
	case "URL":
		if len(variablesOf(address)) > 0 {
			return buttonShape{takes: buttonURL, required: true}
		}
		return buttonShape{}
	case "OTP": // it copies the code, or fills it in
		return buttonShape{takes: buttonURL, required: true}
	case "COPY_CODE":
		return buttonShape{takes: buttonCode, required: true}
	case "QUICK_REPLY":
		return buttonShape{takes: buttonReply}
	case "PHONE_NUMBER":
		return buttonShape{}
	default: // CATALOG, MPM, FLOW and what comes new
		return buttonShape{takes: buttonAny}
	}
}

// nothing is the shape of a template of which nothing is known: all is let through.
type nothing struct{}

// Check finds nothing.
func (nothing) Check(*api.Template) []peal.Field { return nil }

// Check compares a message's parameters with what the template takes.
func (s *shape) Check(t *api.Template) []peal.Field {
	var k checker
	s.checkHeader(&k, t.Header)
	if !s.noBody {
		s.checkVars(&k, "template.body", "body", s.bodyVars, t.Body)
	}
	s.checkButtons(&k, t.Buttons)
	return k.fields
}

func (s *shape) checkHeader(k *checker, given []api.TemplateParameter) {
	const path = "template.header"
	switch {
	case s.header == headerNone && len(given) > 0:
		k.add(path, "unsupported", "the template has no header; leave it out")
	case s.header == headerNone:
	case s.header == headerText:
		for i := range given {
			if kind := mediaOf(&given[i]); kind != "" {
				k.add(fmt.Sprintf("%s[%d]", path, i), "invalid", "the template's header is text, and takes no "+kind)
				return
			}
		}
		s.checkVars(k, path, "header", s.headerVars, given)
	case !slices.Contains(strings.Fields(headerFile), s.header): // such as a location: not to be told here
	case len(given) == 0:
		k.add(path, "required", "give one "+s.header+": it is the template's header")
	case len(given) > 1:
		k.add(path, "count", fmt.Sprintf("the template's header takes 1 %s; %d parameters are given", s.header, len(given)))
	case mediaOf(&given[0]) != s.header:
		k.add(path+"[0]", "invalid", "the template's header is "+article(s.header)+"; give its "+s.header)
	}
}

func article(noun string) string {
	if noun[0] == 'i' {
		return "an " + noun
	}
	return "a " + noun
}

// mediaOf is what file a parameter is; empty: none.
func mediaOf(p *api.TemplateParameter) string {
	switch {
	case p.Image != nil:
		return "image"
	case p.Video != nil:
		return "video"
	case p.Document != nil:
		return "document"
	default:
		return ""
	}
}

// checkVars compares variables with what is given for them.
func (s *shape) checkVars(k *checker, path, part string, want []string, given []api.TemplateParameter) {
	if len(want) != len(given) {
		names := ""
		if s.named && len(want) > 0 {
			names = " (" + strings.Join(want, ", ") + ")"
		}
		k.add(path, "count", fmt.Sprintf("the template's %s takes %s%s; %d given", part, counted(len(want), "parameter"), names, len(given)))
		return
	}
	seen := map[string]bool{}
	for i := range given {
		at, name := fmt.Sprintf("%s[%d].name", path, i), given[i].Name
		switch {
		case !s.named && name != "":
			k.add(at, "unsupported", "the template's variables have no names; leave it out, and give them in order")
		case !s.named:
		case name == "":
			k.add(at, "required", "the template's variables have names; give one of "+strings.Join(want, ", "))
		case !slices.Contains(want, name):
			k.add(at, "invalid", "the template has no such variable; give one of "+strings.Join(want, ", "))
		case seen[name]:
			k.add(at, "duplicate", "give each variable once: "+strings.Join(want, ", "))
		}
		seen[name] = true
	}
}

func counted(n int, noun string) string {
	switch n {
	case 0:
		return "no " + noun + "s"
	case 1:
		return "1 " + noun
	default:
		return strconv.Itoa(n) + " " + noun + "s"
	}
}

func (s *shape) checkButtons(k *checker, given []api.TemplateButton) {
	got := map[int]bool{}
	for i, b := range given {
		path := fmt.Sprintf("template.buttons[%d]", i)
		if b.Index < 0 || b.Index >= len(s.buttons) {
			k.add(path+".index", "invalid", "there is no such button: the template has "+counted(len(s.buttons), "button"))
			continue
		}
		got[b.Index] = true
		switch want := s.buttons[b.Index].takes; want {
		case b.Type, buttonAny:
		case "":
			k.add(path, "unsupported", fmt.Sprintf("the template's button %d takes no parameter; leave it out", b.Index))
		default:
			k.add(path+".type", "invalid", fmt.Sprintf("the template's button %d takes %s", b.Index, want))
		}
	}
	for i, b := range s.buttons {
		if b.required && !got[i] {
			k.add("template.buttons", "required", fmt.Sprintf("give the parameter of button %d, of type %s", i, b.takes))
		}
	}
}
