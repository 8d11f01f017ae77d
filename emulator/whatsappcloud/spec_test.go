package whatsappcloud_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"peal/emulator/whatsappcloud"
)

// spec is Meta's OpenAPI description, which is not part of the project.
type spec map[string]map[string]any

func loadSpec(t *testing.T) spec {
	t.Helper()
	const file = "../../../shared/data/whatsapp-cloud-schemas.json"
	raw, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("SKIPPED: the check against Meta's own schemas. To run it: put Meta's OpenAPI description to " + file)
	}
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Components struct {
			Schemas spec `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil || len(doc.Components.Schemas) == 0 {
		t.Fatal("no schemas: ", err)
	}
	return doc.Components.Schemas
}

// check is as much of JSON Schema as Meta's description uses for messages.
func (s spec) check(schema map[string]any, v any) error {
	if ref, ok := schema["$ref"].(string); ok {
		name := ref[strings.LastIndex(ref, "/")+1:]
		if s[name] == nil {
			return errors.New("no schema " + name)
		}
		return s.check(s[name], v)
	}
	for _, part := range list(schema["allOf"]) {
		if err := s.check(part.(map[string]any), v); err != nil {
			return err
		}
	}
	if one := list(schema["oneOf"]); len(one) > 0 {
		good := 0
		var last error
		for _, part := range one {
			if err := s.check(part.(map[string]any), v); err != nil {
				last = err
				continue
			}
			good++
		}
		if good != 1 {
			return fmt.Errorf("oneOf: %d fit (%w)", good, last)
		}
	}
	if enum := list(schema["enum"]); len(enum) > 0 {
		found := false
		for _, e := range enum {
			found = found || e == v
		}
		if !found {
			return fmt.Errorf("%v is none of %v", v, enum)
		}
	}
	return s.checkValue(schema, v)
}

func (s spec) checkValue(schema map[string]any, v any) error {
	kinds := list(schema["type"])
	if kind, ok := schema["type"].(string); ok {
		kinds = []any{kind}
	}
	if len(kinds) > 0 && !isKind(kinds, v) {
		return fmt.Errorf("%v is no %v", v, kinds)
	}
	limit := func(name string, n int, less bool) error {
		if bound, ok := schema[name].(float64); ok && (less && n < int(bound) || !less && n > int(bound)) {
			return fmt.Errorf("%s %v, is %d", name, bound, n)
		}
		return nil
	}
	switch v := v.(type) {
	case string:
		return limit("maxLength", utf8.RuneCountInString(v), false)
	case []any:
		items, _ := schema["items"].(map[string]any)
		for i, x := range v {
			if err := s.check(items, x); err != nil {
				return fmt.Errorf("[%d]: %w", i, err)
			}
		}
		return errors.Join(limit("minItems", len(v), true), limit("maxItems", len(v), false))
	case map[string]any:
		return s.checkObject(schema, v)
	}
	return nil
}

func (s spec) checkObject(schema, v map[string]any) error {
	for _, name := range list(schema["required"]) {
		if _, ok := v[name.(string)]; !ok {
			return fmt.Errorf("%s is missing", name)
		}
	}
	properties, _ := schema["properties"].(map[string]any)
	for name, x := range v {
		p, ok := properties[name].(map[string]any)
		if !ok {
			if schema["additionalProperties"] == false {
				return fmt.Errorf("%s is too much", name)
			}
			continue
		}
		if err := s.check(p, x); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}

func isKind(kinds []any, v any) bool {
	for _, k := range kinds {
		ok := false
		switch v := v.(type) {
		case string:
			ok = k == "string"
		case bool:
			ok = k == "boolean"
		case float64:
			ok = k == "number" || k == "integer" && v == float64(int64(v))
		case []any:
			ok = k == "array"
		case map[string]any:
			ok = k == "object"
		}
		if ok {
			return true
		}
	}
	return false
}

// TestAcceptedIsInSpec: what the emulator takes, Meta's description has too.
func TestAcceptedIsInSpec(t *testing.T) {
	s := loadSpec(t)
	names := map[string]string{"full": "Text", "unreact": "Reaction", "buttons": "Interactive", "picture": "Interactive", "list": "Interactive"}
	for kind, rest := range kindsOfMessage() {
		name := names[kind]
		if name == "" {
			name = strings.ToUpper(kind[:1]) + kind[1:]
		}
		var v any
		if err := json.Unmarshal([]byte(`{"messaging_product":"whatsapp","to":"`+phone+`",`+rest+`}`), &v); err != nil {
			t.Fatal(err)
		}
		if s[name+"Message"] == nil {
			t.Fatal("no schema ", name)
		}
		if err := s.check(s[name+"Message"], v); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

// TestRefusedByBoth: what Meta's description refuses, the emulator refuses.
func TestRefusedByBoth(t *testing.T) {
	s := loadSpec(t)
	b := setup(t, whatsappcloud.Options{WindowsOpen: true})
	for rest, name := range map[string]string{
		`"type":"text"`: "Text", `"type":"text","text":{"text":"x"}`: "Text", `"type":"text","text":{"body":1}`: "Text",
		hello + `,"recipient_type":"crowd"`:                                                              "Text",
		hello + `,"biz_opaque_callback_data":"` + strings.Repeat("x", 513) + `"`:                         "Text",
		`"type":"image","image":{}`:                                                                      "Image",
		`"type":"sticker","sticker":{"link":"https://example.com/a.webp","caption":"x"}`:                 "Sticker",
		`"type":"contacts","contacts":[]`:                                                                "Contacts",
		`"type":"location","location":{"latitude":true}`:                                                 "Location",
		`"type":"interactive","interactive":{"type":"button","body":{"text":"b"},"action":{}}`:           "Interactive",
		`"type":"interactive","interactive":{"type":"carousel","body":{"text":"b"},"action":{}}`:         "Interactive",
		`"type":"template","template":{"name":"x"}`:                                                      "Template",
		`"type":"template","template":{"name":"x","language":{"code":"en"},"components":[{"type":"x"}]}`: "Template",
	} {
		body := `{"messaging_product":"whatsapp","to":"` + phone + `",` + rest + `}`
		var v any
		if err := json.Unmarshal([]byte(body), &v); err != nil {
			t.Fatal(err)
		}
		if s.check(s[name+"Message"], v) == nil {
			t.Errorf("the description takes %s", rest)
		}
		b.do("POST", messages, body, 400)
	}
}

// TestAnswersAreInSpec: answers and webhooks have the shapes of the description.
func TestAnswersAreInSpec(t *testing.T) {
	s := loadSpec(t)
	b := setup(t, whatsappcloud.Options{WindowsOpen: true, Conversations: true})
	b.ok(b.emu.SetScript(whatsappcloud.StatusScript(0, "sent", "delivered", "read")))
	fits := func(name string, v any) {
		t.Helper()
		if err := s.check(s[name], v); err != nil {
			t.Errorf("%s: %v: %v", name, err, v)
		}
	}
	a := b.send(hello, 200)
	fits("MessageResponsePayload", a.json)
	fits("GraphAPIError_4", b.refused(`"type":"text"`, 131008).json)
	fits("GraphAPIError_4", b.do("GET", "/v23.0/404", "", 400).json)
	fits("WhatsAppAccountNumber", b.do("GET", "/v23.0/"+number+"?fields=display_phone_number,status,quality_rating,messaging_limit_tier,verified_name,code_verification_status,name_status", "", 200).json)
	b.idle()
	fits("MessageHistoryResponse", b.do("GET", "/v23.0/"+number+"/message_history", "", 200).json)
	b.sendTo(`"to":"`+whatsappcloud.MagicNumber(131026, whatsappcloud.ViaWebhook)+`"`, hello, 200)
	id, err := b.emu.PlayInbound(whatsappcloud.Inbound{From: phone, Text: "x"})
	b.ok(err)
	fits("MarkMessageResponsePayload", b.do("POST", messages, `{"messaging_product":"whatsapp","status":"read","message_id":"`+id+`"}`, 200).json)
	b.idle()
	for _, h := range b.recv.hooks() {
		v := at(h.event, "entry", 0, "changes", 0, "value")
		if at(v, "statuses") != nil {
			fits("StatusMessageValue", v)
			continue
		}
		fits("Metadata", at(v, "metadata"))
		fits("ContactProfile", at(v, "contacts", 0))
	}
	if got := b.recv.statuses(); got != "sent delivered read failed" {
		t.Error(got)
	}
}
