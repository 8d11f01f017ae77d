package track_test

import (
	"sync/atomic"
	"testing"
	"time"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/pipeline/track"
	"peal/internal/provider"
)

// TestWhatHasNoReceiptIsLookedUpOnce: of a provider whose messages are only looked up when they are stuck. What it knows moves
// the row; that it knows no more is noted, once; what has its receipt by then is not asked after.
func TestWhatHasNoReceiptIsLookedUpOnce(t *testing.T) {
	t.Parallel()
	b := setupWith(t, &carrier{lookups: map[string]int{}, keyless: true})
	arrived, failed, stuck, strange, told := b.sent(b.in, -time.Second), b.sent(b.in, -time.Second), b.sent(b.in, -time.Second), b.sent(b.in, -time.Second), b.sent(b.in, -time.Second)
	answers := map[string]peal.Evidence{
		"m-" + arrived.ID: {Status: peal.Read}, "m-" + failed.ID: {Status: peal.Failed, Code: "131026"}, "m-" + stuck.ID: {Status: peal.Sent},
	}
	b.carrier.lookup = func(id string) (peal.Evidence, error) {
		if e, ok := answers[id]; ok {
			return e, nil
		}
		return peal.Evidence{}, &provider.Error{Class: peal.ClassPermanent, Code: "not_found"}
	}
	f := b.folder()
	b.run(f)
	b.tell(b.in, fact{ID: "m-" + told.ID, Status: peal.Delivered, At: time.Now()})
	b.reaches(peal.Delivered, told)
	b.run(b.checker(f, func(cfg *track.CheckerConfig) {
		cfg.Now = func() time.Time { return time.Now().Add(11 * time.Minute) }
	}))
	b.reaches(peal.Read, arrived)
	b.reaches(peal.Failed, failed)
	for _, d := range []peal.Delivery{stuck, strange} {
		b.eventually("it is noted that no receipt has come", func() bool {
			_, events, err := b.store.Delivery(t.Context(), "a", d.ID)
			if err != nil {
				t.Fatal(err)
			}
			last := events[len(events)-1]
			return last.Code == peal.CodeNoReceipt && last.Status == peal.Sent && last.Detail != ""
		})
		b.reaches(peal.Sent, d)
	}
	due, err := b.store.DueChecks(t.Context(), b.in.ID, time.Now().Add(time.Hour), false, 10)
	if err != nil || len(due) != 0 {
		t.Errorf("%d are to be looked up again, %v", len(due), err)
	}
	for _, d := range []peal.Delivery{arrived, failed, stuck, strange} {
		if n := b.carrier.looked("m-" + d.ID); n != 1 {
			t.Errorf("looked up %d times", n)
		}
	}
	if n := b.carrier.looked("m-" + told.ID); n != 0 {
		t.Errorf("what had its receipt was looked up %d times", n)
	}
}

// TestLookupsThatAreSlow: the pace is kept to over the hour; what has to wait stays due, and what has waited for a day is
// let go of.
func TestLookupsThatAreSlow(t *testing.T) {
	t.Parallel()
	b := setupWith(t, &carrier{lookups: map[string]int{}, keyless: true})
	var err error
	if b.in, err = b.service.Update(t.Context(), "a", b.in.ID, &api.IntegrationPatch{Settings: &api.Settings{LookupLimit: &api.Limit{Rate: 1, Period: "1m", Burst: 1}}}); err != nil {
		t.Fatal(err)
	}
	b.knows("")
	for range 5 {
		b.sent(b.in, -time.Second)
	}
	due := func() int {
		rows, err := b.store.DueChecks(t.Context(), b.in.ID, time.Now(), false, 10)
		if err != nil {
			t.Fatal(err)
		}
		return len(rows)
	}
	var ahead atomic.Int64
	c := b.checker(b.folder(), func(cfg *track.CheckerConfig) {
		cfg.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	})
	b.run(c)
	b.eventually("the first is looked up", func() bool { return due() == 4 })
	ahead.Store(int64(25 * time.Hour))
	b.eventually("the others are let go of", func() bool { return due() == 0 })
	b.carrier.mu.Lock()
	defer b.carrier.mu.Unlock()
	if n := len(b.carrier.lookups); n > 2 {
		t.Errorf("%d were looked up", n)
	}
}
