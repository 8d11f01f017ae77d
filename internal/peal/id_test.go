package peal_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"peal/internal/peal"
)

func TestIDsSortByTime(t *testing.T) {
	t.Parallel()
	last := ""
	for range 10_000 {
		id := peal.NewID()
		if id <= last {
			t.Fatalf("%s comes after %s", id, last)
		}
		last = id
	}
}

func TestDeliveryIDs(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n, in, endpoint := peal.NewID(), peal.NewID(), rapid.String().Draw(t, "endpoint")
		id, err := peal.DeliveryID(n, in, endpoint)
		if err != nil {
			t.Fatal(err)
		}
		again, err := peal.DeliveryID(n, in, endpoint)
		if err != nil || again != id {
			t.Fatalf("the same three gave %s and %s (%v)", id, again, err)
		}
		if u, err := uuid.Parse(id); err != nil || u.Version() != 7 || u.Variant() != uuid.RFC4122 {
			t.Fatalf("%s is no UUIDv7 (%v)", id, err)
		}
		from, to, err := peal.DeliveryRange(n)
		if err != nil || id < from || id > to {
			t.Fatalf("%s is not in %s to %s (%v)", id, from, to, err)
		}
		for what, other := range map[string][3]string{
			"notification": {peal.NewID(), in, endpoint}, "integration": {n, peal.NewID(), endpoint}, "endpoint": {n, in, endpoint + "x"},
		} {
			if got, err := peal.DeliveryID(other[0], other[1], other[2]); err != nil || got == id {
				t.Fatalf("another %s gave %s (%v)", what, got, err)
			}
		}
	})
}

func TestNoIDs(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "x", "00000000-0000-0000-0000-00000000000g"} {
		if _, err := peal.DeliveryID(bad, "in", "x"); peal.KindOf(err) != peal.Invalid {
			t.Errorf("%q: %v", bad, err)
		}
		if _, _, err := peal.DeliveryRange(bad); peal.KindOf(err) != peal.NotFound {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestKindOf(t *testing.T) {
	t.Parallel()
	cause := io.ErrUnexpectedEOF
	err := fmt.Errorf("accept: %w", &peal.Error{Kind: peal.Unavailable, Message: "not kept", Err: cause, Fields: []peal.Field{{Path: "p", Message: "m"}}})
	if peal.KindOf(err) != peal.Unavailable || !errors.Is(err, cause) {
		t.Errorf("%v is of kind %s", err, peal.KindOf(err))
	}
	if got, want := err.Error(), "accept: unavailable: not kept; p: m: unexpected EOF"; got != want {
		t.Errorf("it reads %q, want %q", got, want)
	}
	if peal.KindOf(cause) != peal.Internal || peal.KindOf(nil) != peal.Internal {
		t.Error("what has no kind is not internal")
	}
}
