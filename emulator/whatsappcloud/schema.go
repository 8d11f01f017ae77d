package whatsappcloud

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// rule says what a JSON value must be.
type rule struct {
	kind   string // string, bool, number, int, index, object, array
	need   bool
	least  int // characters or items
	most   int // characters or items, 0 for any
	bytes  bool
	enum   []string
	fields map[string]*rule
	item   *rule
	url    bool
	also   func(path string, v any) *problem
}

// problem is what is wrong with a body: Meta's code and where.
type problem struct {
	code    int
	details string
}

func wrong(code int, format string, args ...any) *problem {
	return &problem{code, fmt.Sprintf(format, args...)}
}

// Codes of what is wrong: a required one that is missing, a bad value, and a
// wrong type or an unknown key.
const (
	codeMissing = 131008
	codeValue   = 131009
	codeInvalid = 100
)

// check walks a value; keys in sorted order, so that a body always gets the
// same answer.
func (r *rule) check(path string, v any) *problem {
	if p := r.checkKind(path, v); p != nil {
		return p
	}
	switch v := v.(type) {
	case map[string]any:
		if p := r.checkFields(path, v); p != nil {
			return p
		}
	case []any:
		if len(v) < r.least || r.most > 0 && len(v) > r.most {
			return wrong(codeValue, "%s must have %d to %d items, has %d", path, r.least, r.most, len(v))
		}
		for i, item := range v {
			if p := r.item.check(path+"["+strconv.Itoa(i)+"]", item); p != nil {
				return p
			}
		}
	case string:
		if p := r.checkString(path, v); p != nil {
			return p
		}
	}
	if r.also != nil {
		return r.also(path, v)
	}
	return nil
}

func (r *rule) checkKind(path string, v any) *problem {
	got := "null"
	switch v := v.(type) {
	case map[string]any:
		got = "object"
	case []any:
		got = "array"
	case string:
		got = "string"
		_, err := strconv.ParseFloat(v, 64)
		if r.kind == "degrees" && err == nil {
			return nil
		}
	case bool:
		got = "bool"
	case json.Number:
		got = "number"
		if _, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
			got = "int"
		}
	}
	ok := got == r.kind ||
		r.kind == "number" && got == "int" ||
		r.kind == "index" && (got == "string" || got == "int") ||
		r.kind == "degrees" && (got == "number" || got == "int")
	if !ok {
		return wrong(codeInvalid, "Param %s must be of type %s, is %s", path, r.kind, got)
	}
	return nil
}

func (r *rule) checkFields(path string, v map[string]any) *problem {
	if r.fields == nil {
		return nil
	}
	for _, key := range sortedKeys(v) {
		if r.fields[key] == nil {
			return wrong(codeInvalid, "Unexpected key %q on param %q.", key, path)
		}
	}
	for _, key := range sortedKeys(r.fields) {
		f := r.fields[key]
		x, ok := v[key]
		if !ok {
			if f.need {
				return wrong(codeMissing, "The parameter %s['%s'] is required.", path, key)
			}
			continue
		}
		if p := f.check(path+"['"+key+"']", x); p != nil {
			return p
		}
	}
	return nil
}

func (r *rule) checkString(path, v string) *problem {
	n := utf8.RuneCountInString(v)
	if r.bytes {
		n = len(v)
	}
	switch {
	case n < r.least:
		return wrong(codeMissing, "The parameter %s must not be empty.", path)
	case r.most > 0 && n > r.most:
		return wrong(codeValue, "Param %s must be at most %d characters long, is %d.", path, r.most, n)
	case r.enum != nil && !slices.Contains(r.enum, v):
		return wrong(codeValue, "Param %s must be one of {%s}, is %q", path, strings.Join(r.enum, ", "), v)
	}
	if r.url {
		u, err := url.Parse(v)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return wrong(codeValue, "Param %s is not a valid URI.", path)
		}
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

type fieldsOf = map[string]*rule

func text(most int) *rule { return &rule{kind: "string", least: 1, most: most} }

func oneOf(values ...string) *rule { return &rule{kind: "string", enum: values} }

func needed(r *rule) *rule {
	r.need = true
	return r
}

func obj(fields fieldsOf) *rule { return &rule{kind: "object", fields: fields} }

func list(least, most int, item *rule) *rule {
	return &rule{kind: "array", least: least, most: most, item: item}
}

// mediaRule is id or link, one of them, and more.
func mediaRule(more fieldsOf) *rule {
	fields := fieldsOf{"id": text(0), "link": {kind: "string", least: 1, url: true}}
	maps.Copy(fields, more)
	r := obj(fields)
	r.also = func(path string, v any) *problem {
		m, _ := v.(map[string]any)
		_, id := m["id"]
		_, link := m["link"]
		switch {
		case id && link:
			return wrong(codeInvalid, "Only one of %s['id'] and %s['link'] may be given.", path, path)
		case !id && !link:
			return wrong(codeMissing, "One of %s['id'] and %s['link'] is required.", path, path)
		}
		return nil
	}
	return r
}

// messageSchema is a rule for each kind of message. Lengths are those of Meta's
// OpenAPI description, and of its pages where that has none (text body,
// description of rows, filename: third party or memory).
func messageSchema() map[string]*rule {
	caption := fieldsOf{"caption": {kind: "string", most: 1024}}
	return map[string]*rule{
		"text":     obj(fieldsOf{"body": needed(text(4096)), "preview_url": {kind: "bool"}}),
		"image":    mediaRule(caption),
		"video":    mediaRule(caption),
		"audio":    mediaRule(fieldsOf{"voice": {kind: "bool"}}),
		"document": mediaRule(fieldsOf{"caption": caption["caption"], "filename": text(240)}),
		"sticker":  mediaRule(nil),
		"location": obj(fieldsOf{
			"latitude": needed(&rule{kind: "degrees", also: degrees(90)}), "longitude": needed(&rule{kind: "degrees", also: degrees(180)}),
			"name": text(1000), "address": text(1000),
		}),
		"contacts":    list(1, 5, contactRule()),
		"reaction":    obj(fieldsOf{"message_id": needed(wamidRule()), "emoji": needed(&rule{kind: "string", most: 32})}),
		"interactive": interactiveRule(),
		"template":    templateRule(),
	}
}

func wamidRule() *rule {
	return &rule{kind: "string", also: func(path string, v any) *problem {
		if id, _ := v.(string); !strings.HasPrefix(id, "wamid.") || len(id) < 10 {
			return wrong(codeValue, "Param %s is not a valid WhatsApp message id.", path)
		}
		return nil
	}}
}

func degrees(most float64) func(string, any) *problem {
	return func(path string, v any) *problem {
		d, err := strconv.ParseFloat(fmt.Sprint(v), 64)
		if err != nil || d < -most || d > most {
			return wrong(codeValue, "Param %s must be a number between %v and %v.", path, -most, most)
		}
		return nil
	}
}

func contactRule() *rule {
	kind := oneOf("HOME", "WORK", "CELL", "MAIN", "IPHONE", "WHATSAPP")
	place := oneOf("HOME", "WORK")
	s := func() *rule { return &rule{kind: "string"} }
	return obj(fieldsOf{
		"addresses": list(0, 0, obj(fieldsOf{"street": s(), "city": s(), "state": s(), "zip": s(), "country": s(), "country_code": s(), "type": place})),
		"birthday":  s(),
		"emails":    list(0, 0, obj(fieldsOf{"email": needed(text(0)), "type": place})),
		"name": needed(obj(fieldsOf{
			"formatted_name": needed(text(0)), "first_name": s(), "last_name": s(), "middle_name": s(), "prefix": s(), "suffix": s(),
		})),
		"org":    obj(fieldsOf{"company": s(), "department": s(), "title": s()}),
		"phones": list(0, 0, obj(fieldsOf{"phone": needed(text(0)), "type": kind, "wa_id": s()})),
		"urls":   list(0, 0, obj(fieldsOf{"url": needed(text(0)), "type": place})),
	})
}

func interactiveRule() *rule {
	media := func() *rule { return mediaRule(fieldsOf{"filename": text(240)}) }
	row := obj(fieldsOf{"id": needed(text(200)), "title": needed(text(24)), "description": {kind: "string", most: 72}})
	r := obj(fieldsOf{
		"type": needed(oneOf("button", "list")),
		"header": obj(fieldsOf{
			"type": needed(oneOf("text", "image", "video", "document")), "text": text(60), "sub_text": text(60),
			"image": media(), "video": media(), "document": media(),
		}),
		"body":   needed(obj(fieldsOf{"text": needed(text(1024))})),
		"footer": obj(fieldsOf{"text": needed(text(60))}),
		"action": needed(obj(fieldsOf{
			"button":   text(20),
			"sections": list(1, 10, obj(fieldsOf{"title": {kind: "string", most: 24}, "rows": needed(list(1, 10, row))})),
			"buttons": list(1, 3, obj(fieldsOf{
				"type": needed(oneOf("reply")), "reply": needed(obj(fieldsOf{"id": needed(text(256)), "title": needed(text(20))})),
			})),
		})),
	})
	r.also = checkInteractive
	return r
}

// checkInteractive is what one rule cannot say.
func checkInteractive(path string, v any) *problem {
	m, _ := v.(map[string]any)
	action, _ := m["action"].(map[string]any)
	if header, ok := m["header"].(map[string]any); ok {
		kind, _ := header["type"].(string)
		if header[kind] == nil {
			return wrong(codeMissing, "The parameter %s['header']['%s'] is required.", path, kind)
		}
		if m["type"] == "list" && kind != "text" {
			return wrong(codeValue, "Header type %s is not supported with interactive type list.", kind)
		}
	}
	want, others := []string{"buttons"}, []string{"button", "sections"}
	if m["type"] == "list" {
		want, others = others, want
	}
	for _, key := range want {
		if action[key] == nil {
			return wrong(codeMissing, "The parameter %s['action']['%s'] is required.", path, key)
		}
	}
	for _, key := range others {
		if action[key] != nil {
			return wrong(codeInvalid, "Unexpected key %q on param \"%s['action']\".", key, path)
		}
	}
	if m["type"] == "list" {
		return checkSections(path, action)
	}
	var ids, titles []string
	buttons, _ := action["buttons"].([]any)
	for _, b := range buttons {
		reply, _ := b.(map[string]any)["reply"].(map[string]any)
		ids, titles = append(ids, reply["id"].(string)), append(titles, reply["title"].(string))
	}
	if twice(ids) || twice(titles) {
		return wrong(codeValue, "Button ids and titles must be unique.")
	}
	return nil
}

func checkSections(path string, action map[string]any) *problem {
	sections, _ := action["sections"].([]any)
	var ids []string
	for i, sec := range sections {
		section, _ := sec.(map[string]any)
		if title, _ := section["title"].(string); title == "" && len(sections) > 1 {
			return wrong(codeMissing, "The parameter %s['action']['sections'][%d]['title'] is required with more than one section.", path, i)
		}
		rows, _ := section["rows"].([]any)
		for _, r := range rows {
			ids = append(ids, r.(map[string]any)["id"].(string))
		}
	}
	switch {
	case len(ids) > 10:
		return wrong(codeValue, "Total row count exceed max allowed count: 10")
	case twice(ids):
		return wrong(codeValue, "Row ids must be unique.")
	}
	return nil
}

func twice(list []string) bool {
	sorted := slices.Sorted(slices.Values(list))
	return len(slices.Compact(sorted)) != len(list)
}

func templateRule() *rule {
	param := obj(fieldsOf{
		"type":           needed(oneOf("text", "currency", "date_time", "image", "video", "document", "payload", "coupon_code")),
		"parameter_name": text(0), "text": {kind: "string", least: 1, most: 32768}, "payload": text(0), "coupon_code": text(20),
		"currency": obj(fieldsOf{
			"fallback_value": needed(text(0)), "code": needed(text(3)), "amount_1000": needed(&rule{kind: "int"}),
		}),
		"date_time": obj(fieldsOf{"fallback_value": needed(text(0))}),
		"image":     mediaRule(nil), "video": mediaRule(nil), "document": mediaRule(fieldsOf{"filename": text(240)}),
	})
	param.also = func(path string, v any) *problem {
		m, _ := v.(map[string]any)
		kind, _ := m["type"].(string)
		if m[kind] == nil {
			return wrong(codeMissing, "The parameter %s['%s'] is required.", path, kind)
		}
		return nil
	}
	component := obj(fieldsOf{
		"type": needed(oneOf("header", "body", "button")), "sub_type": oneOf("quick_reply", "url", "copy_code"),
		"index": {kind: "index"}, "parameters": list(0, 0, param),
	})
	component.also = func(path string, v any) *problem {
		m, _ := v.(map[string]any)
		for _, key := range []string{"sub_type", "index", "parameters"} {
			button := m["type"] == "button"
			if button && m[key] == nil {
				return wrong(codeMissing, "The parameter %s['%s'] is required.", path, key)
			}
			if !button && m[key] != nil && key != "parameters" {
				return wrong(codeInvalid, "Unexpected key %q on param %q.", key, path)
			}
		}
		return nil
	}
	return obj(fieldsOf{
		"name":       needed(text(512)),
		"language":   needed(obj(fieldsOf{"code": needed(text(0)), "policy": oneOf("deterministic")})),
		"components": list(0, 0, component),
	})
}
