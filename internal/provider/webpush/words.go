package webpush

import (
	"crypto/sha256"
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"

	"peal/internal/provider"
	"peal/internal/provider/wire"
)

const (
	maxReason = 200
	maxWord   = 20 // what is longer, and could be part of a key, an endpoint or a token, is not repeated
)

// words are what a push service says about an answer, without secrets.
func (c *client) words(r *reply, m *provider.Message) string {
	said := said(r.body)
	if said == "" {
		return "the push service answered " + wire.StatusText(r.status)
	}
	secrets := append([]string{m.To, m.Device.Address, m.Device.P256dh, m.Device.Auth, m.Device.ID, m.Device.UserID}, c.secrets...)
	return "the push service answered " + wire.StatusText(r.status) + ": " + clean(said, secrets)
}

// said is the text of an answer: Apple's reason, the message of autopush, the error of ntfy; else the body where it is text.
func said(body []byte) string {
	for _, name := range [...]string{"reason", "message", "error"} {
		if s := stringIn(body, name); s != "" {
			return s
		}
	}
	text := strings.TrimSpace(string(body))
	if strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[") || strings.HasPrefix(text, "<") || !utf8.ValidString(text) {
		return ""
	}
	return text
}

// stringIn reads a member of a JSON object that is a string; anything else is empty.
func stringIn(body []byte, name string) string {
	var o map[string]json.RawMessage
	if len(body) == 0 || body[0] != '{' || json.Unmarshal(body, &o) != nil {
		return ""
	}
	var s string
	if json.Unmarshal(o[name], &s) != nil {
		return ""
	}
	return s
}

// clean takes secrets out of a text, and all that looks like a URL or a part of a key, and shortens it.
func clean(text string, secrets []string) string {
	for _, s := range secrets {
		if len(s) >= 4 {
			text = strings.ReplaceAll(text, s, "[…]")
		}
	}
	fields := strings.FieldsFunc(strings.ToValidUTF8(text, "\ufffd"), func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) })
	for i, f := range fields {
		if strings.Contains(f, "://") || longestWord(f) > maxWord && strings.ContainsFunc(f, unicode.IsDigit) || longestWord(f) > 2*maxWord {
			fields[i] = "[…]"
		}
	}
	return wire.OneLine(strings.Join(fields, " "), maxReason)
}

// longestWord is the longest run of characters that base64url has.
func longestWord(s string) int {
	most, run := 0, 0
	for i := range len(s) {
		if c := s[i]; c == '-' || c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' {
			run++
		} else {
			run = 0
		}
		most = max(most, run)
	}
	return most
}

func lastSegment(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// plainID tells an id that can be kept as it is.
func plainID(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// digest stands for what is too long to keep, or a secret.
func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return encode(sum[:16])
}
