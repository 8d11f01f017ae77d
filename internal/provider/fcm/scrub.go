package fcm

import (
	"strings"

	"peal/internal/provider"
	"peal/internal/provider/wire"
)

const (
	maxReason = 300 // characters of the provider's words that are kept
	longRun   = 24  // characters in a row that no word has: a token or a key, or a part of one
)

// scrubber makes the provider's words fit to be kept.
type scrubber struct{ secrets *strings.Replacer }

func newScrubber(credential string, a *account) scrubber {
	return scrubber{strings.NewReplacer(credential, "***", a.email, "***")}
}

// of makes the words about a message fit to be kept.
func (s scrubber) of(m *provider.Message, text string) string {
	names := []string{m.To}
	if m.Device != nil {
		names = append(names, m.Device.Address, m.Device.UserID)
	}
	text = s.secrets.Replace(text)
	for _, n := range names {
		if n != "" {
			text = strings.ReplaceAll(text, n, "***")
		}
	}
	return s.clean(text)
}

// clean takes secrets, whatever looks like a token, and control characters out, and shortens.
func (s scrubber) clean(text string) string {
	text = maskRuns(strings.ToValidUTF8(s.secrets.Replace(text), "\ufffd"))
	return wire.OneLine(text, maxReason)
}

// maskRuns replaces what could be a token: a long run of its characters, a digit or capital inside among them. Names of
// fields and permissions, which are as long, have neither.
func maskRuns(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		end, odd := i, false
		for end < len(s) && tokenByte(s[end]) {
			c := s[end]
			odd = odd || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z'
			end++
		}
		switch {
		case end-i >= longRun && odd:
			b.WriteString("[token]")
			i = end
		case end > i:
			b.WriteString(s[i:end])
			i = end
		default:
			b.WriteByte(s[i])
			i++
		}
	}
	return b.String()
}

func tokenByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-_:+/=%~", c) >= 0
}
