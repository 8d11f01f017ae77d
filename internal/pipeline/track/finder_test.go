package track_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/pipeline"
	"peal/internal/pipeline/track"
	"peal/internal/provider"
)

var _ provider.LogReader = (*carrier)(nil)

func (c *carrier) ReadLog(_ context.Context, page int) (provider.LogPage, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reads++
	if c.logErr != nil {
		if errors.Is(c.logErr, errPanic) {
			panic("a bug in a reader")
		}
		return provider.LogPage{}, c.logErr
	}
	from := min(2*(page-1), len(c.log))
	to := min(from+2, len(c.log))
	return provider.LogPage{Entries: slices.Clone(c.log[from:to]), Last: to == len(c.log)}, nil
}

func (c *carrier) Print(content *api.Content) string { return *content.Text }

// logs puts messages into the carrier's log, the newest first.
func (b *bundle) logs(entries ...provider.LogEntry) {
	b.carrier.mu.Lock()
	defer b.carrier.mu.Unlock()
	for i := range entries {
		entries[i].At = time.Now().Add(-time.Duration(i) * time.Millisecond)
	}
	b.carrier.log = entries
}

func (c *carrier) read() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reads
}

// logged is a delivery as the log has it.
func logged(id string, d peal.Delivery) provider.LogEntry {
	return provider.LogEntry{ID: id, To: d.Recipient, Print: "x", Status: peal.Sent}
}

func known(d peal.Delivery) provider.LogEntry { return logged("m-"+d.ID, d) }

// lost writes a delivery whose call brought no answer, to be looked for now.
func (b *bundle) lost(in *peal.Integration) peal.Delivery {
	b.Helper()
	d := b.claimed(in)
	b.ended(d, peal.Uncertain, peal.Outcome{Class: peal.ClassUnknown, Code: "timeout", Took: time.Millisecond}, time.Now())
	return d
}

// finds are the lost deliveries that are to be looked for within a time.
func (b *bundle) finds(in *peal.Integration, within time.Duration) []pipeline.Lost {
	b.Helper()
	rows, err := b.store.DueFinds(b.Context(), in.ID, time.Now().Add(within), 100)
	if err != nil {
		b.Fatal(err)
	}
	return rows
}

// handed are the jobs that a checker hands on.
type handed struct {
	mu  sync.Mutex
	ids []string
}

func (h *handed) Publish(jobs []pipeline.Job) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, j := range jobs {
		h.ids = append(h.ids, j.DeliveryID)
	}
}

func (h *handed) has(id string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Contains(h.ids, id)
}

// later makes a checker's clock go ahead, and notes its jobs.
func later(d time.Duration, jobs *handed) func(*track.CheckerConfig) {
	return func(c *track.CheckerConfig) {
		c.Now, c.Jobs = func() time.Time { return time.Now().Add(d) }, jobs
	}
}

// TestALostMessageIsFound: the log has it, on its second page; its id leads to its key, and that to its receipt.
func TestALostMessageIsFound(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.knows(peal.Delivered)
	witness := b.sent(b.in, 0)
	d := b.lost(b.in)
	after := b.sent(b.in, 0)
	b.logs(known(after), known(witness), logged("m-lost", d))
	var jobs handed
	b.run(b.checker(b.folder(), later(0, &jobs)))
	b.reaches(peal.Delivered, d)
	if got := b.delivery(d); got.MessageID != "m-lost" || got.MessageKey != "k-lost" || got.ErrorCode != "" || got.Attempts != 1 {
		t.Errorf("found, it is %+v", got)
	}
	if jobs.has(d.ID) {
		t.Error("it is to be sent again")
	}
	if n := b.value(b.metrics.Moved.WithLabelValues(b.in.ID, "sent")); n != 1 {
		t.Errorf("%v are counted as sent", n)
	}
}

// TestALostMessageThatWasNotTaken: the log that was kept before and after the call does not have it, and there was time.
func TestALostMessageThatWasNotTaken(t *testing.T) {
	t.Parallel()
	b := setup(t)
	before := b.sent(b.in, 0)
	d := b.lost(b.in)
	after := b.sent(b.in, 0)
	b.logs(known(after), known(before))
	var jobs handed
	stop := b.run(b.checker(b.folder(), later(time.Minute, &jobs)))
	b.eventually("it is put off", func() bool { return len(b.finds(b.in, time.Minute)) == 0 })
	stop()
	if got := b.delivery(d); got.Status != peal.Uncertain || jobs.has(d.ID) {
		t.Errorf("after a minute it is %s", got.Status)
	}
	b.run(b.checker(b.folder(), later(time.Hour+time.Minute, &jobs)))
	b.reaches(peal.Queued, d)
	b.eventually("it is handed to send", func() bool { return jobs.has(d.ID) })
	if got := b.delivery(d); got.Attempts != 1 || !got.DueAt.IsZero() {
		t.Errorf("not taken, it is %+v", got)
	}
}

// TestALogThatTellsNothing: whatever keeps it from being read or believed, what is uncertain stays so, and the last look
// says why.
func TestALogThatTellsNothing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err   error
		again time.Duration // that it is looked for within; 0: not before its time
	}{
		"empty":     {},
		"forbidden": {err: &provider.Error{Class: peal.ClassPermanent, Code: "no_token", Err: errors.New("none")}},
		"away":      {err: &provider.Error{Class: peal.ClassTemporary, Code: "http_503"}, again: 35 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.carrier.logErr = c.err
			d := b.lost(b.in)
			var jobs handed
			stop := b.run(b.checker(b.folder(), later(0, &jobs)))
			b.eventually("it is put off", func() bool { return b.carrier.read() > 0 && len(b.finds(b.in, 0)) == 0 })
			if n := len(b.finds(b.in, c.again)); n != 0 != (c.again > 0) {
				t.Errorf("it is to be looked for %d times within %s", n, c.again)
			}
			stop()
			b.run(b.checker(b.folder(), later(2*time.Hour, &jobs)))
			b.eventually("nobody looks for it any more", func() bool { return len(b.finds(b.in, 24*time.Hour)) == 0 })
			got, events, err := b.store.Delivery(t.Context(), "a", d.ID)
			if err != nil {
				t.Fatal(err)
			}
			last := events[len(events)-1]
			if got.Status != peal.Uncertain || jobs.has(d.ID) || last.Type != peal.EventReconciled || last.Detail == "" {
				t.Errorf("it is %s, and the timeline ends with %+v", got.Status, last)
			}
		})
	}
}

// TestReadingsKeepTheirDistance: what is lost one after the other is looked for together.
func TestReadingsKeepTheirDistance(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.knows(peal.Delivered)
	b.lost(b.in)
	c := b.checker(b.folder())
	b.run(c)
	b.eventually("the log is read", func() bool { return b.carrier.read() == 1 })
	late := b.lost(b.in)
	due := b.sent(b.in, -time.Second)
	c.Urge(b.in.ID)
	b.reaches(peal.Delivered, due) // another round has come by
	if n := b.carrier.read(); n != 1 {
		t.Errorf("the log was read %d times", n)
	}
	b.eventually("it is looked for", func() bool { return b.carrier.read() == 2 })
	b.reaches(peal.Uncertain, late)
}

// TestHoldIsNotLookedFor: the policy was changed after it was lost.
func TestHoldIsNotLookedFor(t *testing.T) {
	t.Parallel()
	b := setup(t)
	witness := b.sent(b.in, 0)
	d := b.lost(b.in)
	b.logs(logged("m-lost", d), known(witness))
	if _, err := b.service.Update(t.Context(), "a", "main", &api.IntegrationPatch{Settings: &api.Settings{OnUnknown: "hold"}}); err != nil {
		t.Fatal(err)
	}
	b.run(b.checker(b.folder()))
	b.eventually("nobody looks for it", func() bool { return len(b.finds(b.in, 24*time.Hour)) == 0 })
	b.reaches(peal.Uncertain, d)
	if n := b.carrier.read(); n != 0 {
		t.Errorf("the log was read %d times", n)
	}
}

// TestAPanicOfTheLogsReader ends the look, not the stage.
func TestAPanicOfTheLogsReader(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.knows(peal.Delivered)
	b.carrier.logErr = errPanic
	d, due := b.lost(b.in), b.sent(b.in, -time.Second)
	b.run(b.checker(b.folder()))
	b.reaches(peal.Delivered, due)
	b.reaches(peal.Uncertain, d)
}

var errPanic = errors.New("panic")
