package httpapi

import (
	"errors"
	"testing"

	"peal/api"
)

// TestStreams: a tenant has so many streams and no more, others have theirs, and a node that stops begins none.
func TestStreams(t *testing.T) {
	t.Parallel()
	code := func(err error) string {
		if p, ok := errors.AsType[*problem](err); ok {
			return p.Code
		}
		return ""
	}
	s := &Server{streams: newStreams()}
	for range maxStreams {
		if err := s.streams.enter("a"); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.streams.enter("a"); code(err) != api.CodeTooManyStreams {
		t.Errorf("one more than there may be: %v", err)
	}
	if err := s.streams.enter("b"); err != nil {
		t.Errorf("another tenant: %v", err)
	}
	s.streams.leave("a")
	if err := s.streams.enter("a"); err != nil {
		t.Errorf("in the place of one that left: %v", err)
	}
	s.EndStreams()
	s.EndStreams()
	if err := s.streams.enter("b"); code(err) != api.CodeUnavailable {
		t.Errorf("on a node that stops: %v", err)
	}
}
