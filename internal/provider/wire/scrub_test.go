package wire

import (
	"strings"
	"testing"
)

func TestScrubber(t *testing.T) {
	t.Parallel()
	s := NewScrubber(map[string]string{"a": "tok", "b": "token-2", "c": ""})
	for in, want := range map[string]string{
		"":                                "",
		"plain, 1234 and 123456":          "plain, 1234 and 123456",
		"tok token-2":                     "*** ***",
		"call 4915112345678 now":          "call [number] now",
		"+49 (151) 1234-5678":             "+[number]",
		"+49.151.12345678@s.whatsapp":     "+[number]@s.whatsapp",
		"12345678":                        "[number]",
		"1 2 3 4":                         "1 2 3 4",
		"12    345678":                    "12    345678",
		"line\nbreak\x00and\x1bcolour":    "line break and colour",
		"bad \xff byte":                   "bad \ufffd byte",
		strings.Repeat("ü", 301):          strings.Repeat("ü", 299) + "…",
		strings.Repeat("x", 300):          strings.Repeat("x", 300),
		strings.Repeat("9", 500) + " end": "[number] end",
	} {
		if got := s.Clean(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}
