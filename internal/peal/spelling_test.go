package peal_test

import (
	"testing"

	"peal/internal/peal"
)

// TestOtherSpelling: both ways, and never of what is no mobile number.
func TestOtherSpelling(t *testing.T) {
	t.Parallel()
	for long, short := range map[string]string{
		"+5531987654321": "+553187654321", // Brazil
		"+5215512345678": "+525512345678", // Mexico
		"+5491123456789": "+541123456789", // Argentina
	} {
		if got := peal.OtherSpelling(long); got != short {
			t.Errorf("%s: %q, want %s", long, got, short)
		}
		if got := peal.OtherSpelling(short); got != long {
			t.Errorf("%s: %q, want %s", short, got, long)
		}
	}
	for _, none := range []string{
		"", "+55", "+14155550100", "+919812345678", "US.13491208655302741918",
		"+553132654321",  // of a house
		"+5531887654321", // the digit is another
		"+5225512345678", "+5411234567890", "+55319876543210",
	} {
		if got := peal.OtherSpelling(none); got != "" {
			t.Errorf("%q: %q, want none", none, got)
		}
	}
}
