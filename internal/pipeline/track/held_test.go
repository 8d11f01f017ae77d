package track_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"peal/internal/peal"
	"peal/internal/store"
)

// away is a broker and records that can be taken away, and that count who asks for them.
type away struct {
	*store.Store
	keep func(ctx context.Context, integrationID string, sealed []byte) error

	mu          sync.Mutex
	kept, asked int
	brokerAway  bool
	brokerHangs bool
	recordsAway bool
}

func (a *away) Keep(ctx context.Context, integrationID string, sealed []byte) error {
	a.mu.Lock()
	a.asked++
	gone, hangs := a.brokerAway, a.brokerHangs
	a.mu.Unlock()
	if hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	if gone {
		return errors.New("no broker")
	}
	a.mu.Lock()
	a.kept++
	a.mu.Unlock()
	return a.keep(ctx, integrationID, sealed)
}

func (a *away) HoldCallback(ctx context.Context, integrationID string, received time.Time, sealed []byte) error {
	a.mu.Lock()
	gone := a.recordsAway
	a.mu.Unlock()
	if gone {
		return errAway
	}
	return a.Store.HoldCallback(ctx, integrationID, received, sealed)
}

func (b *bundle) held() int {
	b.Helper()
	all, err := b.store.HeldCallbacks(b.Context(), false, "", 1000)
	if err != nil {
		b.Fatal(err)
	}
	return len(all)
}

// TestWebhooksAreTakenWithoutTheBroker stops the real one under the door.
func TestWebhooksAreTakenWithoutTheBroker(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rows := []peal.Delivery{b.sent(b.in, 0), b.sent(b.in, 0), b.sent(b.in, 0)}
	b.tell(b.in, fact{ID: "m-" + rows[0].ID, Status: peal.Delivered, At: time.Now()})
	b.backlog(1)
	b.stream.Close()
	start := time.Now()
	for _, d := range rows {
		b.tell(b.in, fact{ID: "m-" + d.ID, Status: peal.Read, At: time.Now()})
	}
	if err := b.post(b.in, "not JSON"); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("they took %s", took)
	}
	if n := b.held(); n != 4 {
		t.Errorf("%d are held, want 4", n)
	}
	b.run(b.folder()) // the broker is still away
	b.reaches(peal.Read, rows...)
	b.eventually("nothing is held", func() bool { return b.held() == 0 })
	if n := b.value(b.metrics.Unreadable); n != 1 {
		t.Errorf("%v are kept as unreadable, want 1", n)
	}
	if n := b.value(b.metrics.Held); n != 4 {
		t.Errorf("%v are counted as held, want 4", n)
	}
	b.openStream() // and back, with what it kept before
	b.run(b.folder())
	b.backlog(0)
	if got := b.delivery(rows[0]); got.Status != peal.Read || got.DeliveredAt.IsZero() {
		t.Errorf("the receipt that came before is lost: %+v", got)
	}
}

// TestWebhooksAreTakenWithoutTheRecords closes the real ones under the door.
func TestWebhooksAreTakenWithoutTheRecords(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other, err := store.Open(t.Context(), store.Config{Path: filepath.Join(t.TempDir(), "gone.db")})
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	b.door.Holder = other
	d := b.sent(b.in, 0)
	b.tell(b.in, fact{ID: "m-" + d.ID, Status: peal.Read, At: time.Now()})
	b.backlog(1) // it waits
	b.stream.Close()
	start := time.Now()
	if err := b.post(b.in, "[]"); peal.KindOf(err) != peal.Unavailable {
		t.Errorf("with neither it is answered %v; want kind unavailable", err)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
	b.openStream()
	b.run(b.folder())
	b.reaches(peal.Read, d)
	b.backlog(0)
}

// TestNotEveryWebhookWaitsForTheBroker: of many only a few find out that it hangs.
func TestNotEveryWebhookWaitsForTheBroker(t *testing.T) {
	t.Parallel()
	b := setup(t)
	a := &away{Store: b.store, keep: b.stream.Keep, brokerHangs: true}
	b.door.Keeper, b.door.Holder = a, a
	start := time.Now()
	for range 50 {
		if err := b.post(b.in, "[]"); err != nil {
			t.Fatal(err)
		}
	}
	a.mu.Lock()
	asked := a.asked
	a.mu.Unlock()
	if took := time.Since(start); asked > 1+int(took/time.Second) {
		t.Errorf("of 50 webhooks within %s %d waited for the broker", took, asked)
	}
	if n := b.held(); n != 50 {
		t.Errorf("%d are held, want 50", n)
	}
	a.mu.Lock()
	a.brokerHangs, a.recordsAway = false, true
	a.mu.Unlock()
	for range 10 { // the records went, and the broker is back: nobody is refused for the breaker's sake
		if err := b.post(b.in, "[]"); err != nil {
			t.Fatal(err)
		}
	}
	b.backlog(10)
	a.mu.Lock()
	a.brokerAway = true
	a.mu.Unlock()
	if err := b.post(b.in, "[]"); peal.KindOf(err) != peal.Unavailable {
		t.Errorf("with neither it is answered %v; want kind unavailable", err)
	}
}
