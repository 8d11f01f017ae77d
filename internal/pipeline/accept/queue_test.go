package accept

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"peal/internal/peal"
)

// standing is what waits in every queue.
type standing struct {
	mu    sync.Mutex
	lanes map[peal.Priority]uint64
	err   error
}

func (s *standing) Pending(context.Context, string) (map[peal.Priority]uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lanes, s.err
}

// accounts are the integrations of a test.
type accounts map[string]*peal.Integration

func (a accounts) ByID(id string) *peal.Integration { return a[id] }

// line45 is a queue with a limit of 45 per second in which some wait.
func line45(c *ticking) (*Queues, *standing, *peal.Integration) {
	in := &peal.Integration{ID: "in", Limit: peal.Limit{Rate: 45, Period: time.Second}}
	s := &standing{lanes: map[peal.Priority]uint64{peal.Critical: 90, peal.Normal: 450, peal.Bulk: 4500}}
	q := NewQueues(QueuesConfig{Waiting: s, Accounts: accounts{"in": in}, Now: c.now})
	q.look(context.Background(), "in")
	q.fresh.all["in"] = &asked{last: time.Now(), once: true, ready: make(chan struct{})}
	return q, s, in
}

func queued(c *ticking, p peal.Priority) *peal.Delivery {
	return &peal.Delivery{IntegrationID: "in", Status: peal.Queued, Priority: p, CreatedAt: c.now()}
}

func TestWhoIsUrgentHasFewerAhead(t *testing.T) {
	t.Parallel()
	c := &ticking{at: time.Unix(1_800_000_000, 0)}
	q, _, _ := line45(c)
	for _, want := range []struct {
		lane  peal.Priority
		ahead int64
		wait  time.Duration
	}{{peal.Critical, 90, 2 * time.Second}, {peal.Normal, 541, 12022 * time.Millisecond}, {peal.Bulk, 5042, 112044 * time.Millisecond}, {peal.Critical, 91, 2022 * time.Millisecond}} {
		e := q.Join(t.Context(), queued(c, want.lane))
		if e == nil || e.Ahead != want.ahead || e.ETA == nil || !e.ETA.Equal(c.now().Add(want.wait)) {
			t.Errorf("%s: %+v, want %d ahead and %s", want.lane, e, want.ahead, want.wait)
		}
	}
	c.pass(time.Second) // 45 have gone, of the most urgent
	if e := q.Join(t.Context(), queued(c, peal.Critical)); e.Ahead != 92-45 {
		t.Errorf("a second later %d are ahead", e.Ahead)
	}
	c.pass(4 * time.Minute)
	if e := q.Join(t.Context(), queued(c, peal.Bulk)); e.Ahead != 0 || !e.ETA.Equal(c.now()) {
		t.Errorf("minutes later: %+v", e)
	}
	c.pass(time.Hour)
	if e := q.Join(t.Context(), queued(c, peal.Bulk)); e != nil {
		t.Errorf("long after the last count: %+v", e)
	}
}

func TestWhatWasAcceptedEarlierHasFewerAhead(t *testing.T) {
	t.Parallel()
	c := &ticking{at: time.Unix(1_800_000_000, 0)}
	q, s, _ := line45(c)
	var mine *peal.Delivery
	for i := range 20 {
		d := queued(c, peal.Normal)
		q.Join(t.Context(), d)
		if i == 9 {
			mine = d
		}
		c.pass(2 * time.Second)
	}
	s.mu.Lock()
	s.lanes = map[peal.Priority]uint64{peal.Critical: 3, peal.Normal: 30}
	s.mu.Unlock()
	q.look(t.Context(), "in")
	// Of the 30 in its lane 10 came after it, and itself is one: 11 are not ahead.
	if e := q.Estimate(t.Context(), mine); e == nil || e.Ahead != 3+30-11 {
		t.Errorf("%+v, want 22 ahead", e)
	}
	mine.Status = peal.Sent
	if e := q.Estimate(t.Context(), mine); e != nil {
		t.Errorf("one that was sent waits: %+v", e)
	}
}

func TestWhenItGoesOut(t *testing.T) {
	t.Parallel()
	c := &ticking{at: time.Unix(1_800_000_000, 0)}
	q, s, in := line45(c)
	eta := func(d *peal.Delivery) *time.Time {
		t.Helper()
		e := q.Estimate(t.Context(), d)
		if e == nil {
			t.Fatal("no estimate")
		}
		return e.ETA
	}
	later := queued(c, peal.Critical)
	later.DueAt = c.now().Add(time.Hour)
	if got := eta(later); got == nil || !got.Equal(later.DueAt) {
		t.Errorf("before its time: %v", got)
	}
	in.Pause = &peal.Pause{Until: c.now().Add(time.Minute)}
	if got := eta(queued(c, peal.Critical)); got == nil || !got.Equal(c.now().Add(time.Minute+2*time.Second)) {
		t.Errorf("before the pause is over: %v", got)
	}
	in.Pause = &peal.Pause{}
	if got := eta(queued(c, peal.Critical)); got != nil {
		t.Errorf("paused without an end it goes out at %v", got)
	}
	in.Pause, in.Limit = nil, peal.Limit{}
	if got := eta(queued(c, peal.Critical)); got != nil {
		t.Errorf("nobody knows how fast it goes, and it goes out at %v", got)
	}
	c.pass(2 * time.Second) // in which 50 per second leave
	s.mu.Lock()
	s.lanes = map[peal.Priority]uint64{peal.Normal: 440, peal.Bulk: 4500}
	s.mu.Unlock()
	q.look(t.Context(), "in")
	if got := eta(queued(c, peal.Normal)); got == nil || !got.Equal(c.now().Add(8800*time.Millisecond)) {
		t.Errorf("measured: %v", got)
	}
	if q.Estimate(t.Context(), &peal.Delivery{IntegrationID: "gone", Status: peal.Queued}) != nil {
		t.Error("a queue that is not there has an estimate")
	}
}

func TestAQueueThatIsNotKnownHasNoEstimate(t *testing.T) {
	t.Parallel()
	c := &ticking{at: time.Unix(1_800_000_000, 0)}
	in := &peal.Integration{ID: "in"}
	q := NewQueues(QueuesConfig{Waiting: &standing{err: errors.New("away")}, Accounts: accounts{"in": in}, Now: c.now})
	running(t, q)
	if e := q.Join(t.Context(), queued(c, peal.Normal)); e != nil {
		t.Errorf("it has one: %+v", e)
	}
}

// TestArrivalsStayFew: however many come, what is remembered of them has a bound.
func TestArrivalsStayFew(t *testing.T) {
	t.Parallel()
	var l lane
	at := time.Unix(1_800_000_000, 0)
	for i := range 10_000 {
		l.join(at.Add(time.Duration(i) * time.Second))
	}
	if len(l.log) > maxArrivals {
		t.Errorf("%d are remembered", len(l.log))
	}
	if n := l.since(at); n != 10_000 {
		t.Errorf("%v came, want 10000", n)
	}
	if n := l.since(at.Add(9_990 * time.Second)); n != 10 {
		t.Errorf("%v came lately, want 10", n)
	}
}
