package wire

import (
	"maps"
	"slices"
	"strings"
)

// maxReason is how much of a provider's words is kept, in characters.
const maxReason = 300

// Scrubber makes the provider's words fit to be kept.
type Scrubber struct{ secrets *strings.Replacer }

// NewScrubber makes one that knows these secrets.
func NewScrubber(credentials map[string]string) Scrubber {
	secrets := slices.SortedFunc(maps.Values(credentials), func(a, b string) int { return len(b) - len(a) })
	pairs := make([]string, 0, 2*len(secrets))
	for _, s := range secrets { // the longest first, in case one begins with another
		if s != "" {
			pairs = append(pairs, s, "***")
		}
	}
	return Scrubber{strings.NewReplacer(pairs...)}
}

// Clean takes secrets, phone numbers and control characters out, and shortens.
func (s Scrubber) Clean(text string) string {
	text = s.secrets.Replace(text)
	text = maskNumbers(strings.ToValidUTF8(text, "\ufffd"))
	return OneLine(text, maxReason)
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
