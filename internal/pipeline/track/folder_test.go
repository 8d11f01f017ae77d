package track_test

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"peal/internal/peal"
	"peal/internal/pipeline/track"
	"peal/internal/store"
)

// flaky is records that do not always do what they should.
type flaky struct {
	*store.Store

	mu     sync.Mutex
	away   int    // how often Fold and Ping are still to fail
	poison string // a message id that can never be folded
	folds  int
}

func (f *flaky) Fold(ctx context.Context, evidence []peal.Evidence) (peal.Folded, error) {
	f.mu.Lock()
	f.folds++
	away := f.away > 0
	f.away--
	f.mu.Unlock()
	if away || slices.ContainsFunc(evidence, func(e peal.Evidence) bool { return f.poison != "" && e.MessageID == f.poison }) {
		return peal.Folded{}, errAway
	}
	return f.Store.Fold(ctx, evidence)
}

func (f *flaky) Ping(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.away > 0 {
		f.away--
		return errAway
	}
	return f.Store.Ping(ctx)
}

func TestWebhooksAreFolded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var parked []string
	var mu sync.Mutex
	f := b.folder()
	f.Parked = func(id string) {
		mu.Lock()
		defer mu.Unlock()
		parked = append(parked, id)
	}
	b.run(f)
	rows := []peal.Delivery{b.sent(b.in, 0), b.sent(b.in, 0), b.sent(b.in, 0)}
	now := time.Now()
	for _, d := range rows {
		b.tell(b.in, fact{ID: "m-" + d.ID, Status: peal.Delivered, At: now}, fact{ID: "m-" + d.ID, Status: peal.Read, At: now})
		b.tell(b.in, fact{ID: "m-" + d.ID, Status: peal.Delivered, At: now})
	}
	b.tell(b.in) // a webhook that says nothing
	b.tell(b.in, fact{Key: "stranger", Status: peal.Read, At: now})
	b.reaches(peal.Read, rows...)
	b.backlog(0)
	mu.Lock()
	defer mu.Unlock()
	if !slices.Equal(parked, []string{b.in.ID}) {
		t.Errorf("told of parked receipts for %v", parked)
	}
	if n := b.value(b.metrics.Moved.WithLabelValues(b.in.ID, "read")); n != 3 {
		t.Errorf("%v are counted as read, want 3", n)
	}
}

// lateToKnow are integrations that another node has made: this one does not see them when it first looks.
type lateToKnow struct {
	track.Integrations
	looks atomic.Int32
}

func (l *lateToKnow) ByID(id string) *peal.Integration {
	if l.looks.Add(1) == 1 {
		return nil
	}
	return l.Integrations.ByID(id)
}

// TestAWebhookOfAnIntegrationNotKnownYet comes again, and is not set aside.
func TestAWebhookOfAnIntegrationNotKnownYet(t *testing.T) {
	t.Parallel()
	b := setup(t)
	d := b.sent(b.in, 0)
	f := b.folder()
	f.Integrations = &lateToKnow{Integrations: f.Integrations}
	b.tell(b.in, fact{ID: "m-" + d.ID, Status: peal.Read, At: time.Now()})
	b.run(f)
	b.reaches(peal.Read, d)
	if n := b.value(b.metrics.Unreadable); n != 0 {
		t.Errorf("%v are counted as unreadable", n)
	}
}

func TestWhatCannotBeUnderstoodIsKept(t *testing.T) {
	t.Parallel()
	b := setup(t)
	gone := b.integration("gone")
	d := b.sent(b.in, 0)
	for _, body := range []string{"not JSON", "panic", ""} {
		if err := b.post(b.in, body); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.stream.Keep(t.Context(), b.in.ID, []byte("not sealed")); err != nil {
		t.Fatal(err)
	}
	b.tell(gone, fact{ID: "m-x", Status: peal.Read})
	if err := b.service.Delete(t.Context(), "a", gone.ID); err != nil {
		t.Fatal(err)
	}
	b.tell(b.in, fact{ID: "m-" + d.ID, Status: peal.Read, At: time.Now()}) // among them one that is right
	b.run(b.folder())
	b.reaches(peal.Read, d)
	b.backlog(0)
	if n := b.value(b.metrics.Unreadable); n != 5 {
		t.Errorf("%v are counted as unreadable, want 5", n)
	}
}

func TestRecordsThatAreAwayLoseNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	f := &flaky{Store: b.store, away: 3}
	b.records = f
	var rows []peal.Delivery
	for range 10 {
		d := b.sent(b.in, 0)
		b.tell(b.in, fact{ID: "m-" + d.ID, Status: peal.Delivered, At: time.Now()})
		rows = append(rows, d)
	}
	b.run(b.folder())
	b.reaches(peal.Delivered, rows...)
	b.backlog(0)
	if n := b.value(b.metrics.Unreadable); n != 0 {
		t.Errorf("%v webhooks were given up on though only the records were away", n)
	}
}

func TestOneWebhookThatCannotBeFoldedDoesNotStandInTheWay(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.records = &flaky{Store: b.store, poison: "m-poison"}
	d := b.sent(b.in, 0)
	b.tell(b.in, fact{ID: "m-poison", Status: peal.Read})
	b.tell(b.in, fact{ID: "m-" + d.ID, Status: peal.Read, At: time.Now()})
	b.run(b.folder())
	b.reaches(peal.Read, d)
	b.backlog(0)
	if n := b.value(b.metrics.Unreadable); n != 1 {
		t.Errorf("%v are kept as unreadable, want the one", n)
	}
}

func TestASessionPausesAndResumesItsIntegration(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.run(b.folder())
	pause := func() *peal.Pause { return b.service.ByID(b.in.ID).Pause }
	b.tell(b.in, fact{Session: "need_scan"})
	b.eventually("a pause", func() bool { return pause() != nil })
	if p := pause(); p.Code != peal.PauseSession || !p.Until.IsZero() {
		t.Errorf("paused as %+v", p)
	}
	b.tell(b.in, fact{Session: "connected"})
	b.eventually("no pause", func() bool { return pause() == nil })

	// A pause for another reason is not the session's to lift.
	if _, err := b.service.SetPause(t.Context(), "a", b.in.ID, true); err != nil {
		t.Fatal(err)
	}
	b.tell(b.in, fact{Session: "connected"})
	b.tell(b.in, fact{Session: "logged_out"})
	b.backlog(0)
	if p := pause(); p == nil || p.Code != peal.PauseManual {
		t.Errorf("a pause by hand became %+v", p)
	}
}

// TestStoppedInTheMiddle stops the folder while it folds, again and again: every webhook is folded in the end.
func TestStoppedInTheMiddle(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var rows []peal.Delivery
	for range 60 {
		rows = append(rows, b.sent(b.in, 0))
	}
	var posting sync.WaitGroup
	posting.Go(func() {
		for _, status := range []peal.Status{peal.Read, peal.Delivered} {
			for _, d := range rows {
				b.tell(b.in, fact{ID: "m-" + d.ID, Status: status, At: time.Now()})
			}
		}
	})
	for range 5 {
		stop := b.run(b.folder())
		before := b.value(b.metrics.Moved.WithLabelValues(b.in.ID, "read"))
		b.eventually("some more are folded", func() bool {
			n := b.value(b.metrics.Moved.WithLabelValues(b.in.ID, "read"))
			return n > before || n == float64(len(rows))
		})
		stop()
	}
	posting.Wait()
	b.run(b.folder())
	b.reaches(peal.Read, rows...)
	b.backlog(0)
	for _, d := range rows {
		if got := b.delivery(d); got.DeliveredAt.IsZero() {
			t.Errorf("%s has no time of delivery", d.ID)
		}
	}
}
