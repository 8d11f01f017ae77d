package wasender

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// answer is the body of any answer to a send.
type answer struct {
	Success json.RawMessage `json:"success"`
	Data    struct {
		MsgID json.RawMessage `json:"msgId"`
	} `json:"data"`
	Message    json.RawMessage `json:"message"`
	Errors     json.RawMessage `json:"errors"`
	RetryAfter json.RawMessage `json:"retry_after"`
}

// fields are the fields that the provider names in errors, with what it says of each, sorted.
func (a *answer) fields() []string {
	var m map[string]json.RawMessage
	if !isObject(a.Errors) || json.Unmarshal(a.Errors, &m) != nil {
		return nil
	}
	list := make([]string, 0, len(m))
	for name, raw := range m {
		var many []string
		if json.Unmarshal(raw, &many) != nil {
			many = []string{asString(raw)}
		}
		list = append(list, name+": "+strings.Join(many, " "))
	}
	slices.Sort(list)
	return list
}

// words are what the provider says of it, or the text given where it says nothing.
func (a *answer) words(otherwise string) string {
	text := asString(a.Message)
	if fields := a.fields(); len(fields) > 0 {
		if text != "" {
			text += ": "
		}
		text += strings.Join(fields, "; ")
	}
	if text == "" {
		return otherwise
	}
	return text
}

// isObject tells whether JSON is an object, by its first character.
func isObject(b []byte) bool {
	b = bytes.TrimLeft(b, " \t\r\n")
	return len(b) > 0 && b[0] == '{'
}
