package peal_test

import (
	"errors"
	"strings"
	"testing"

	"peal/internal/peal"
)

func TestPanicText(t *testing.T) {
	t.Parallel()
	caught := func(f func()) (text string) {
		defer func() { text = peal.PanicText(recover()) }()
		f()
		return ""
	}
	var list []int
	for want, f := range map[string]func(){
		"index out of range":           func() { list[len(list)]++ }, //nolint:gocritic // it is to panic
		"a value of type string":       func() { panic("the token abc") },
		"*errors.errorString":          func() { panic(errors.New("the token abc")) }, //nolint:err113 // of a test
		"interface conversion: interf": func() { _ = any("the token abc").(int) },
	} {
		if got := caught(f); !strings.Contains(got, want) || strings.Contains(got, "abc") {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
