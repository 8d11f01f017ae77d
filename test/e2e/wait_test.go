package e2e_test

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// patience is how long anything may take that comes by itself: far longer than it does, for machines that are busy.
const patience = time.Duration(1+2*slower) * time.Minute

// eventually asks again and again until check finds nothing missing any more.
func eventually(t *testing.T, what string, check func() error) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(15 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("%s: not within %s: %v", what, patience, err)
		}
	}
}

// throughout asks again and again for a while, and fails as soon as check finds something wrong.
func throughout(t *testing.T, what string, d time.Duration, check func() error) {
	t.Helper()
	end := time.NewTimer(d)
	defer end.Stop()
	tick := time.NewTicker(15 * time.Millisecond)
	defer tick.Stop()
	for {
		if err := check(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		select {
		case <-tick.C:
		case <-end.C:
			return
		}
	}
}

// within gives a context for one wait.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// want is nil when got is what is wanted, else an error that says what it is.
func want[T comparable](what string, got, wanted T) error {
	if got == wanted {
		return nil
	}
	return fmt.Errorf("%s is %v, want %v", what, got, wanted)
}

// atLeast is nil when got is no less than wanted. A provider that got no answer posts its webhook again.
func atLeast(what string, got, wanted float64) error {
	if got >= wanted {
		return nil
	}
	return fmt.Errorf("%s is %v, want %v at least", what, got, wanted)
}
