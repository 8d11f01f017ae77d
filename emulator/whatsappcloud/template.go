package whatsappcloud

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Template of the catalogue. Components are as Meta lists them.
type Template struct {
	ID         string      `json:"id"`
	Name       string      `json:"name"`
	Language   string      `json:"language"`
	Category   string      `json:"category"` // MARKETING, UTILITY (default), AUTHENTICATION
	Status     string      `json:"status"`   // APPROVED (default), PENDING, REJECTED, PAUSED, DISABLED, ...
	Format     string      `json:"parameter_format,omitempty"`
	Quality    string      `json:"quality,omitempty"` // GREEN, YELLOW, RED, UNKNOWN
	Reason     string      `json:"rejected_reason,omitempty"`
	Components []Component `json:"components"`
}

// Component of a template.
type Component struct {
	Type    string          `json:"type"`             // HEADER, BODY, FOOTER, BUTTONS
	Format  string          `json:"format,omitempty"` // of a header: TEXT, IMAGE, VIDEO, DOCUMENT, LOCATION
	Text    string          `json:"text,omitempty"`
	Buttons []Button        `json:"buttons,omitempty"`
	Example json.RawMessage `json:"example,omitempty"`
}

// Button of a template.
type Button struct {
	Type        string   `json:"type"` // QUICK_REPLY, URL, PHONE_NUMBER, COPY_CODE, OTP
	Text        string   `json:"text"`
	URL         string   `json:"url,omitempty"`
	PhoneNumber string   `json:"phone_number,omitempty"`
	Example     []string `json:"example,omitempty"`
	OTPType     string   `json:"otp_type,omitempty"`
}

// variable finds {{1}} and {{name}}.
var variable = regexp.MustCompile(`\{\{\s*([a-zA-Z0-9_]+)\s*\}\}`)

func variables(text string) []string {
	var names []string
	for _, m := range variable.FindAllStringSubmatch(text, -1) {
		if !slices.Contains(names, m[1]) {
			names = append(names, m[1])
		}
	}
	return names
}

func (t *Template) component(kind string) *Component {
	for i := range t.Components {
		if t.Components[i].Type == kind {
			return &t.Components[i]
		}
	}
	return nil
}

func (a *account) template(name, language string) (t *Template, named bool) {
	for _, t := range a.catalogue {
		if t.Name != name {
			continue
		}
		named = true
		if t.Language == language {
			return t, true
		}
	}
	return nil, named
}

// putTemplate adds a template or replaces the one of its name and language.
func (a *account) putTemplate(t Template) (old Template, err error) {
	orDefault := func(s *string, def string) {
		if *s == "" {
			*s = def
		}
	}
	orDefault(&t.Category, "UTILITY")
	orDefault(&t.Status, "APPROVED")
	orDefault(&t.Format, "POSITIONAL")
	orDefault(&t.Quality, "UNKNOWN")
	switch {
	case t.Name == "" || strings.Trim(t.Name, "abcdefghijklmnopqrstuvwxyz0123456789_") != "":
		return old, errors.New("name: must be of lower case letters, digits and _")
	case t.Language == "":
		return old, errors.New("language: is required")
	case !slices.Contains([]string{"MARKETING", "UTILITY", "AUTHENTICATION"}, t.Category):
		return old, fmt.Errorf("category: %q is none of MARKETING, UTILITY, AUTHENTICATION", t.Category)
	}
	if now, _ := a.template(t.Name, t.Language); now != nil {
		old = *now
		orDefault(&t.ID, old.ID)
		if t.Components == nil {
			t.Components = old.Components
		}
		*now = t
		return old, nil
	}
	if t.component("BODY") == nil {
		t.Components = append(t.Components, Component{Type: "BODY", Text: t.Name})
	}
	orDefault(&t.ID, strconv.Itoa(800_000_000_000_000+len(a.catalogue)+1))
	a.catalogue = append(a.catalogue, &t)
	return old, nil
}

// checkTemplate checks a template message against the catalogue.
func (s *Server) checkTemplate(a *account, m *Message, e *envelope) *refusal {
	content, _ := e.content.(map[string]any)
	m.Template, _ = content["name"].(string)
	language, _ := content["language"].(map[string]any)
	m.Language, _ = language["code"].(string)
	t, named := a.template(m.Template, m.Language)
	if t == nil {
		details := "template name (" + m.Template + ") does not exist in " + m.Language
		if !named {
			details = "template name (" + m.Template + ") does not exist"
		}
		return s.refuse(132001, details)
	}
	m.Category = strings.ToLower(t.Category)
	switch t.Status {
	case "APPROVED":
	case "PAUSED":
		return s.refuse(132015, "")
	case "DISABLED":
		return s.refuse(132016, "")
	default: // never approved is like not there
		return s.refuse(132001, "template name ("+m.Template+") has status "+t.Status)
	}
	if m.Category == "authentication" && e.to == "" {
		return s.refuse(131062, "")
	}
	components, _ := content["components"].([]any)
	if p := t.check(components); p != nil {
		return s.refuse(p.code, p.details)
	}
	return nil
}

const (
	codeCount  = 132000
	codeLong   = 132005
	codeFormat = 132012
)

// check compares a message's components with the template's.
func (t *Template) check(components []any) *problem {
	header, body := []any{}, []any{}
	buttons := map[int]map[string]any{}
	for _, c := range components {
		m, _ := c.(map[string]any)
		params, _ := m["parameters"].([]any)
		switch m["type"] {
		case "header":
			header = append(header, params...)
		case "body":
			body = append(body, params...)
		case "button":
			i, err := strconv.Atoi(fmt.Sprint(m["index"]))
			if err != nil || buttons[i] != nil {
				return wrong(codeValue, "Button index %v is not a number or was given twice.", m["index"])
			}
			buttons[i] = m
		}
	}
	if p := t.checkHeader(header); p != nil {
		return p
	}
	text := ""
	if c := t.component("BODY"); c != nil {
		text = c.Text
	}
	if p := t.checkTexts("body", text, body, 1024); p != nil {
		return p
	}
	return t.checkButtons(buttons)
}

func (t *Template) checkHeader(params []any) *problem {
	c := t.component("HEADER")
	switch {
	case c == nil && len(params) > 0:
		return wrong(codeCount, "header: number of localizable_params (%d) does not match the expected number of params (0)", len(params))
	case c == nil:
		return nil
	case c.Format == "" || c.Format == "TEXT":
		return t.checkTexts("header", c.Text, params, 60)
	case len(params) != 1:
		return wrong(codeFormat, "header: Format mismatch, expected %s, received UNKNOWN", c.Format)
	}
	if got := strings.ToUpper(kindOf(params[0])); got != c.Format {
		return wrong(codeFormat, "header: Format mismatch, expected %s, received %s", c.Format, got)
	}
	return nil
}

func kindOf(param any) string {
	m, _ := param.(map[string]any)
	kind, _ := m["type"].(string)
	return kind
}

// checkTexts fills a text with parameters. most characters is Meta's limit of
// the template's text; that the filled one must keep it too is chosen.
func (t *Template) checkTexts(where, text string, params []any, most int) *problem {
	names := variables(text)
	if len(names) != len(params) {
		return wrong(codeCount, "%s: number of localizable_params (%d) does not match the expected number of params (%d)", where, len(params), len(names))
	}
	for i, p := range params {
		m, _ := p.(map[string]any)
		value, _ := m["text"].(string)
		switch kindOf(p) {
		case "text":
		case "currency", "date_time":
			inner, _ := m[kindOf(p)].(map[string]any)
			value, _ = inner["fallback_value"].(string)
		default:
			return wrong(codeFormat, "%s: Parameter of type %s is not allowed here", where, kindOf(p))
		}
		// Meta refuses these: "Param text cannot have new-line/tab characters or
		// more than 4 consecutive spaces".
		if strings.ContainsAny(value, "\n\t") || strings.Contains(value, "     ") {
			return wrong(codeInvalid, "Param text cannot have new-line/tab characters or more than 4 consecutive spaces")
		}
		name, _ := m["parameter_name"].(string)
		want := names[i]
		if t.Format == "NAMED" {
			if !slices.Contains(names, name) {
				return wrong(codeInvalid, "%s: Parameter name is missing or empty, or not of the template: %q", where, name)
			}
			want = name
		} else if name != "" {
			return wrong(codeInvalid, "%s: parameter_name is not allowed with positional parameters", where)
		}
		text = replaceVariable(text, want, value)
	}
	if n := utf8.RuneCountInString(text); n > most {
		return wrong(codeLong, "%s: text is %d characters long, at most %d are allowed", where, n, most)
	}
	return nil
}

func replaceVariable(text, name, value string) string {
	return variable.ReplaceAllStringFunc(text, func(found string) string {
		if variable.FindStringSubmatch(found)[1] == name {
			return value
		}
		return found
	})
}

func (t *Template) checkButtons(given map[int]map[string]any) *problem {
	var buttons []Button
	if c := t.component("BUTTONS"); c != nil {
		buttons = c.Buttons
	}
	for _, i := range sortedInts(given) {
		if i < 0 || i >= len(buttons) {
			return wrong(codeFormat, "buttons: There is no button at index %d in the template", i)
		}
	}
	for i, b := range buttons {
		m := given[i]
		sub, want, kind := "", false, "text"
		switch b.Type {
		case "URL":
			sub, want = "url", len(variables(b.URL)) > 0
		case "OTP":
			sub, want = "url", true
		case "COPY_CODE":
			sub, want, kind = "copy_code", true, "coupon_code"
		case "QUICK_REPLY":
			sub, kind = "quick_reply", "payload"
		}
		if m == nil {
			if want {
				return wrong(codeMissing, "buttons: Button at index %d of type %s requires a parameter", i, b.Type)
			}
			continue
		}
		params, _ := m["parameters"].([]any)
		if m["sub_type"] != sub || !want && b.Type != "QUICK_REPLY" || len(params) != 1 || kindOf(params[0]) != kind {
			return wrong(codeFormat, "buttons: Button at index %d of type %s does not match its parameters", i, b.Type)
		}
	}
	return nil
}

func sortedInts[V any](m map[int]V) []int {
	keys := make([]int, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
