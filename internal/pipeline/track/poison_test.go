package track_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"peal/internal/peal"
	"peal/internal/pipeline/track"
	"peal/internal/store"
)

// explosive is records whose code fails on some messages.
type explosive struct {
	*store.Store

	bad string // a message id
}

func (e explosive) Fold(ctx context.Context, evidence []peal.Evidence) (peal.Folded, error) {
	if slices.ContainsFunc(evidence, func(ev peal.Evidence) bool { return ev.MessageID == e.bad }) {
		panic("a bug in the fold")
	}
	return e.Store.Fold(ctx, evidence)
}

// leaky is a sealer that fails on what it did not seal itself.
type leaky struct{ track.Sealer }

func (l leaky) Open(sealed []byte, belongs string) ([]byte, error) {
	if string(sealed) == "poison" {
		panic("a bug in the vault")
	}
	return l.Sealer.Open(sealed, belongs)
}

// TestPoisonIsSetAside: whatever of the folder's steps panics, the webhook is kept as unreadable and the others go on.
func TestPoisonIsSetAside(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.records = explosive{b.store, "m-poison"}
	f := b.folder()
	f.Sealer = leaky{f.Sealer}
	d := b.sent(b.in, 0)
	b.tell(b.in, fact{ID: "m-poison", Status: peal.Read})
	if err := b.post(b.in, "panic"); err != nil {
		t.Fatal(err)
	}
	if err := b.stream.Keep(t.Context(), b.in.ID, []byte("poison")); err != nil {
		t.Fatal(err)
	}
	b.tell(b.in, fact{ID: "m-" + d.ID, Status: peal.Read, At: time.Now()})
	b.run(f)
	b.reaches(peal.Read, d)
	b.backlog(0)
	if n := b.value(b.metrics.Unreadable); n != 3 {
		t.Errorf("%v are kept as unreadable, want 3", n)
	}
}

// TestAPoisonedLookupDoesNotStandInTheWay: what was found of one message cannot be written; what was found of the others is.
func TestAPoisonedLookupDoesNotStandInTheWay(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.knows(peal.Delivered)
	poison, good := b.sent(b.in, -time.Second), b.sent(b.in, -time.Second)
	b.records = explosive{b.store, "m-" + poison.ID}
	b.run(b.checker(b.folder()))
	b.reaches(peal.Delivered, good)
	b.eventually("the other is looked up", func() bool { return b.carrier.looked("m-"+poison.ID) > 0 })
	if got := b.delivery(poison); got.Status != peal.Sent {
		t.Errorf("the other is %s", got.Status)
	}
}
