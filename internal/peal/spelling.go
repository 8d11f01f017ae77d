package peal

import "strings"

// OtherSpelling is the number by which WhatsApp may know the same person, in countries whose mobile numbers are written with a
// further digit or without it: its own ids have one, and who writes to them often the other. Empty where there is none.
func OtherSpelling(phone string) string {
	for _, s := range [...]struct {
		country string
		area    int    // digits before the one that comes and goes
		digit   byte   // that one
		length  int    // of the number without country and without it
		mobile  string // with what goes on whatever is a mobile number; empty: with any digit
	}{
		{"+55", 2, '9', 10, "6789"}, // Brazil
		{"+52", 0, '1', 10, ""},     // Mexico
		{"+54", 0, '9', 10, ""},     // Argentina
	} {
		n, ok := strings.CutPrefix(phone, s.country)
		if !ok || len(n) != s.length && len(n) != s.length+1 {
			continue
		}
		area, rest := n[:s.area], n[s.area:]
		if len(n) > s.length {
			if rest[0] != s.digit {
				return ""
			}
			rest = rest[1:]
		}
		if s.mobile != "" && strings.IndexByte(s.mobile, rest[0]) < 0 {
			return ""
		}
		if len(n) > s.length {
			return s.country + area + rest
		}
		return s.country + area + string(s.digit) + rest
	}
	return ""
}
