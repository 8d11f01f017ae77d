package wasender

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"peal/internal/provider/wire"
)

// maxReason is how much of the provider's words is kept, in characters.
const maxReason = 300

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

// scrubber makes the provider's words fit to be kept.
type scrubber struct{ secrets *strings.Replacer }

func newScrubber(credentials map[string]string) scrubber {
	secrets := slices.SortedFunc(maps.Values(credentials), func(a, b string) int { return len(b) - len(a) })
	pairs := make([]string, 0, 2*len(secrets))
	for _, s := range secrets { // the longest first, in case one begins with another
		if s != "" {
			pairs = append(pairs, s, "***")
		}
	}
	return scrubber{strings.NewReplacer(pairs...)}
}

// clean takes secrets, phone numbers and control characters out, and shortens.
func (s scrubber) clean(text string) string {
	text = s.secrets.Replace(text)
	text = maskNumbers(strings.ToValidUTF8(text, "\ufffd"))
	return wire.OneLine(text, maxReason)
}

// maskNumbers replaces what could be a phone number: 7 digits and more, also when written in groups.
func maskNumbers(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		end, digits := numberAt(s, i)
		switch {
		case digits >= 7:
			b.WriteString("[number]")
			i = end
		case digits > 0:
			b.WriteString(s[i:end])
			i = end
		default:
			b.WriteByte(s[i])
			i++
		}
	}
	return b.String()
}

// numberAt finds where the digits that begin at i end; groups may be apart by one or two of " -.()/".
func numberAt(s string, i int) (end, digits int) {
	end = i
	for gap := 0; i < len(s) && gap <= 2; i++ {
		switch {
		case '0' <= s[i] && s[i] <= '9':
			digits++
			gap, end = 0, i+1
		case digits > 0 && strings.IndexByte(" -.()/", s[i]) >= 0:
			gap++
		default:
			return end, digits
		}
	}
	return end, digits
}

// isObject tells whether JSON is an object, by its first character.
func isObject(b []byte) bool {
	b = bytes.TrimLeft(b, " \t\r\n")
	return len(b) > 0 && b[0] == '{'
}
