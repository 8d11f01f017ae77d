package whatsappcloud

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
)

// target is what faults and counters need of a send, before it is checked.
type target struct {
	to     string
	read   bool
	fail   *refusal // of a fault, by webhook or both
	silent bool     // of a fault: no status is played
	twice  bool     // of a fault: the message is taken twice
}

// peek looks into a body; broken JSON has no recipient to match.
func peek(req *request) target {
	var b struct {
		To, Recipient, Status any
	}
	_ = json.Unmarshal(req.body, &b)
	to, _ := b.To.(string)
	if to == "" {
		to, _ = b.Recipient.(string)
	}
	status, _ := b.Status.(string)
	return target{to: plainTo(to), read: status != ""}
}

// parseObject reads exactly one JSON object. Numbers stay as written.
func parseObject(body []byte) (map[string]any, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var v map[string]any
	if err := dec.Decode(&v); err != nil || v == nil {
		return nil, errors.New("not a JSON object")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one JSON value")
	}
	return v, nil
}

func isJSON(r *http.Request) bool {
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	return strings.EqualFold(strings.TrimSpace(kind), "application/json")
}

// envelope is a send that passed the schema.
type envelope struct {
	to, recipient string // one of them: to wins, as Meta says
	kind          string
	content       any
	callback      string
	replyTo       string
}

func (e *envelope) key() string {
	if e.to != "" {
		return e.to
	}
	return e.recipient
}

// kinds of message, in the order in which Meta's error names them.
func kinds() []string {
	return []string{"audio", "contacts", "document", "image", "interactive", "location", "reaction", "sticker", "template", "text", "video"}
}

// checkEnvelope checks everything that does not depend on state.
func (s *Server) checkEnvelope(b map[string]any) (envelope, *problem) {
	var e envelope
	str := func(key string) (string, *problem) {
		v, ok := b[key]
		if !ok {
			return "", nil
		}
		text, ok := v.(string)
		if !ok {
			return "", wrong(codeInvalid, "Param %s must be of type string.", key)
		}
		return text, nil
	}
	var product, group string
	for _, f := range []struct {
		key  string
		into *string
	}{
		{"messaging_product", &product},
		{"recipient_type", &group},
		{"to", &e.to},
		{"recipient", &e.recipient},
		{"type", &e.kind},
		{"biz_opaque_callback_data", &e.callback},
	} {
		text, p := str(f.key)
		if p != nil {
			return e, p
		}
		*f.into = text
	}
	switch {
	case product == "":
		return e, wrong(codeInvalid, "(#100) The parameter messaging_product is required.")
	case product != "whatsapp":
		return e, wrong(codeInvalid, "(#100) Param messaging_product must be one of {WHATSAPP} - got %q.", product)
	case group == "group":
		return e, wrong(codeInvalid, "recipient_type group: groups are not emulated")
	case group != "" && group != "individual":
		return e, wrong(codeInvalid, "(#100) Param recipient_type must be one of {individual, group} - got %q.", group)
	case e.to == "" && e.recipient == "":
		return e, wrong(codeInvalid, "(#100) The parameter to is required.")
	}
	if p := e.checkRecipient(); p != nil {
		return e, p
	}
	if len(e.callback) > 512 {
		return e, wrong(codeValue, "Param biz_opaque_callback_data must be at most 512 characters long.")
	}
	if e.kind == "" {
		e.kind = "text" // Meta's default
	}
	if !slices.Contains(kinds(), e.kind) {
		return e, wrong(131051, "Param type must be one of {%s} - got %q.", strings.ToUpper(strings.Join(kinds(), ", ")), e.kind)
	}
	return e, s.checkContent(&e, b)
}

func (e *envelope) checkRecipient() *problem {
	if e.to != "" {
		e.to = plainPhone(e.to)
		if !digits(e.to, 7, 15) {
			return wrong(codeValue, "Param to is not a valid WhatsApp number.")
		}
		e.recipient = "" // the number wins
		return nil
	}
	if !isUserID(e.recipient) {
		return wrong(codeValue, "Param recipient is not a business-scoped user id.")
	}
	return nil
}

func (s *Server) checkContent(e *envelope, b map[string]any) *problem {
	known := []string{"messaging_product", "recipient_type", "to", "recipient", "type", "context", "biz_opaque_callback_data", e.kind}
	for _, key := range sortedKeys(b) {
		// Graph ignores some strangers; refusing them finds misspelled ones (chosen).
		if !slices.Contains(known, key) {
			return wrong(codeInvalid, "Unexpected key %q on param \"root\".", key)
		}
	}
	content, ok := b[e.kind]
	if !ok {
		return wrong(codeMissing, "The parameter %s is required.", e.kind)
	}
	if p := s.schema[e.kind].check(e.kind, content); p != nil {
		return p
	}
	e.content = content
	if c, ok := b["context"]; ok {
		rule := obj(fieldsOf{"message_id": needed(wamidRule())})
		if p := rule.check("context", c); p != nil {
			return p
		}
		e.replyTo, _ = c.(map[string]any)["message_id"].(string)
		if e.kind == "reaction" {
			return wrong(codeInvalid, "Unexpected key \"context\" on param \"root\" with type reaction.")
		}
	}
	return nil
}

// texts collects every text a user reads, for Contains.
func texts(v any, into *strings.Builder) {
	switch v := v.(type) {
	case map[string]any:
		for _, k := range sortedKeys(v) {
			switch k {
			case "body", "text", "caption", "title", "name", "emoji", "fallback_value", "address", "filename":
				if x, ok := v[k].(string); ok {
					into.WriteString(x)
					into.WriteByte('\n')
					continue
				}
			}
			texts(v[k], into)
		}
	case []any:
		for _, x := range v {
			texts(x, into)
		}
	}
}
