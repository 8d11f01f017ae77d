package track_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"peal/internal/peal"
	"peal/internal/pipeline/track"
	"peal/internal/provider"
)

func (b *bundle) checker(f *track.Folder, change ...func(*track.CheckerConfig)) *track.Checker {
	cfg := track.CheckerConfig{
		Integrations: b.service, Checks: b.store, Lost: b.store, Jobs: b.stream, Folder: f, Env: provider.Env{Transport: http.DefaultTransport}, Metrics: b.metrics,
		Log: slog.New(slog.DiscardHandler), Now: time.Now,
	}
	for _, f := range change {
		f(&cfg)
	}
	c := track.NewChecker(cfg)
	f.Parked = c.Urge
	return c
}

// knows makes the carrier tell of every message its key, and this state.
func (b *bundle) knows(status peal.Status) {
	b.carrier.mu.Lock()
	defer b.carrier.mu.Unlock()
	b.carrier.lookup = func(id string) (peal.Evidence, error) {
		return peal.Evidence{MessageKey: "k" + id[1:], Status: status, At: time.Now()}, nil
	}
}

func TestWhatIsDueIsLookedUp(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.knows(peal.Delivered)
	due, later, never := b.sent(b.in, -time.Second), b.sent(b.in, time.Hour), b.sent(b.in, 0)
	b.run(b.checker(b.folder()))
	b.reaches(peal.Delivered, due)
	if got := b.delivery(due); got.MessageKey != "k-"+due.ID {
		t.Errorf("it learned the key %q", got.MessageKey)
	}
	if n := b.carrier.looked("m-" + due.ID); n != 1 {
		t.Errorf("it was looked up %d times", n)
	}
	for _, d := range []peal.Delivery{later, never} {
		if n := b.carrier.looked("m-" + d.ID); n != 0 {
			t.Errorf("%s was looked up %d times before its time", d.ID, n)
		}
	}
}

// TestParkedReceiptsUrgeLookups: a receipt names a key that no row knows. Who was sent to and has no key yet is looked up
// at once, not when it is due.
func TestParkedReceiptsUrgeLookups(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.knows("")
	d := b.sent(b.in, 10*time.Second) // within the first check's time
	f := b.folder()
	c := b.checker(f)
	b.run(f)
	b.run(c)
	b.tell(b.in, fact{Key: "k-" + d.ID, Status: peal.Read, At: time.Now()})
	b.reaches(peal.Read, d)
	n, err := b.store.Parked(t.Context(), b.in.ID)
	if err != nil || n != 0 {
		t.Errorf("%d are still parked, %v", n, err)
	}
}

func TestReceiptsParkedBeforeARestartUrgeToo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.knows("")
	d := b.sent(b.in, 10*time.Second)
	stop := b.run(b.folder())
	b.tell(b.in, fact{Key: "k-" + d.ID, Status: peal.Read, At: time.Now()})
	b.backlog(0)
	stop()
	b.run(b.checker(b.folder()))
	b.reaches(peal.Read, d)
}

func TestLookupsThatFail(t *testing.T) {
	t.Parallel()
	b := setup(t)
	failures := map[string]error{}
	rows := map[string]peal.Delivery{}
	for name, err := range map[string]error{
		"not known": &provider.Error{Class: peal.ClassPermanent, Code: "not_found"},
		"away":      &provider.Error{Class: peal.ClassTemporary, Code: "http_503", Err: errors.New("away")},
		"odd":       errors.New("what is this"),
	} {
		rows[name] = b.sent(b.in, -time.Second)
		failures["m-"+rows[name].ID] = err
	}
	b.carrier.lookup = func(id string) (peal.Evidence, error) { return peal.Evidence{}, failures[id] }
	b.run(b.checker(b.folder()))
	for name, d := range rows {
		b.eventually(name+" is looked up", func() bool { return b.carrier.looked("m-"+d.ID) > 0 })
	}
	b.eventually("all are put off", func() bool {
		due, err := b.store.DueChecks(t.Context(), b.in.ID, time.Now().Add(5*time.Second), false, 10)
		if err != nil {
			t.Fatal(err)
		}
		return len(due) == 0
	})
	again, err := b.store.DueChecks(t.Context(), b.in.ID, time.Now().Add(2*time.Minute), false, 10)
	if err != nil || len(again) != len(rows) {
		t.Errorf("%d of %d are looked up once more, %v", len(again), len(rows), err)
	}
	for name, d := range rows {
		if n := b.carrier.looked("m-" + d.ID); n != 1 {
			t.Errorf("%s was looked up %d times", name, n)
		}
		b.reaches(peal.Sent, d)
	}
}

// TestAnAccountThatIsRefusedRests: whatever else is due of it would be answered the same.
func TestAnAccountThatIsRefusedRests(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]*provider.Error{
		"throttled": {Class: peal.ClassThrottled, Code: "throttled", RetryAfter: time.Hour},
		"refused":   {Class: peal.ClassIntegration, Code: "unauthorized"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			const rows, atOnce = 40, 8
			for range rows {
				b.sent(b.in, -time.Second)
			}
			b.carrier.lookup = func(string) (peal.Evidence, error) { return peal.Evidence{}, err }
			c := b.checker(b.folder())
			b.run(c)
			calls := func() int {
				b.carrier.mu.Lock()
				defer b.carrier.mu.Unlock()
				return len(b.carrier.lookups)
			}
			b.eventually("those looked up are put off, the others stay due", func() bool {
				due, err := b.store.DueChecks(t.Context(), b.in.ID, time.Now(), false, 100)
				if err != nil {
					t.Fatal(err)
				}
				return calls() > 0 && len(due) == rows-calls()
			})
			c.Urge(b.in.ID)
			if n := calls(); n > atOnce {
				t.Errorf("%d were looked up", n)
			}
			again, rerr := b.store.DueChecks(t.Context(), b.in.ID, time.Now().Add(max(err.RetryAfter, 30*time.Second)+time.Second), false, 100)
			if rerr != nil || len(again) != rows {
				t.Errorf("%d are looked up after the rest (%v), want all %d", len(again), rerr, rows)
			}
		})
	}
}

func TestAPausedAccountIsNotAsked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.knows(peal.Delivered)
	d := b.sent(b.in, -time.Second)
	if err := b.service.Pause(t.Context(), b.in.ID, 0, &peal.Pause{Code: peal.PauseManual, Since: time.Now()}); err != nil {
		t.Fatal(err)
	}
	c := b.checker(b.folder())
	c.Urge(b.in.ID)
	b.run(c)
	if n := b.carrier.looked("m-" + d.ID); n != 0 {
		t.Errorf("it was looked up %d times", n)
	}
	if err := b.service.Pause(t.Context(), b.in.ID, 0, nil); err != nil {
		t.Fatal(err)
	}
	b.reaches(peal.Delivered, d)
}

func TestALookupThatPanicsHasFailed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	d := b.sent(b.in, -time.Second)
	b.carrier.lookup = func(string) (peal.Evidence, error) { panic("a bug in a provider") }
	b.run(b.checker(b.folder()))
	b.eventually("it is put off", func() bool {
		due, err := b.store.DueChecks(t.Context(), b.in.ID, time.Now().Add(5*time.Second), false, 10)
		if err != nil {
			t.Fatal(err)
		}
		return b.carrier.looked("m-"+d.ID) == 1 && len(due) == 0
	})
}

// unfolding are records that take no evidence.
type unfolding struct {
	track.Records
	tried atomic.Int32
}

func (u *unfolding) Fold(context.Context, []peal.Evidence) (peal.Folded, error) {
	u.tried.Add(1)
	return peal.Folded{}, errAway
}

func (u *unfolding) Ping(context.Context) error { return errAway }

func TestALookupIsNotDoneBeforeItIsFolded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.knows(peal.Delivered)
	d := b.sent(b.in, -time.Second)
	u := &unfolding{Records: b.store}
	b.records = u
	stop := b.run(b.checker(b.folder()))
	b.eventually("folding is tried", func() bool { return u.tried.Load() >= 1 })
	stop()
	due, err := b.store.DueChecks(t.Context(), b.in.ID, time.Now(), false, 10)
	if err != nil || len(due) != 1 {
		t.Fatalf("%d are still to be looked up, %v", len(due), err)
	}
	b.records = b.store
	b.run(b.checker(b.folder()))
	b.reaches(peal.Delivered, d)
}
