package accept

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"peal/api"
	"peal/internal/peal"
)

// Waiting counts what stands in an integration's queue, by lane.
type Waiting interface {
	Pending(ctx context.Context, integrationID string) (map[peal.Priority]uint64, error)
}

// Accounts are the integrations whose queues are looked at.
type Accounts interface {
	ByID(id string) *peal.Integration
}

// QueuesConfig is what Queues need.
type QueuesConfig struct {
	Waiting  Waiting
	Accounts Accounts
	Nodes    func() int       // how many nodes accept; default 1
	Log      *slog.Logger     // default: none
	Now      func() time.Time // default time.Now
}

// Queues estimate when what is accepted goes out. Create them with NewQueues, and Run them: what stands in a queue is
// counted in the background, at most once a second and only while somebody asks; in between it is reckoned on from what
// this node accepts and what the integration's limit lets out.
type Queues struct {
	cfg   QueuesConfig
	fresh *fresh

	mu    sync.Mutex
	lines map[string]*line
}

// line is one integration's queue, as this node knows it.
type line struct {
	counted time.Time // when the lanes were counted; zero before the first time
	lanes   [3]lane   // by peal.Priority
	rate    float64   // measured: how many leave in a second; 0 while that is not known
}

type lane struct {
	pending float64 // as counted
	joined  float64 // accepted here since
	log     []arrivals
}

// arrivals are those that this node accepted within a short while.
type arrivals struct {
	from, to time.Time
	count    float64
}

// arrivalSpan is how long that while is at first. Older ones are put together.
const arrivalSpan = 50 * time.Millisecond

// maxArrivals is how many of them are remembered of a lane; then neighbours are put together.
const maxArrivals = 512

// maxCountAge is how long a count is reckoned on from: while nothing can be counted, in the end nobody knows.
const maxCountAge = 5 * time.Minute

// NewQueues makes Queues.
func NewQueues(cfg QueuesConfig) *Queues {
	if cfg.Nodes == nil {
		cfg.Nodes = func() int { return 1 }
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	q := &Queues{cfg: cfg, lines: map[string]*line{}}
	q.fresh = newFresh(q.look, q.drop)
	return q
}

// Run keeps what is known up to date until ctx ends.
func (q *Queues) Run(ctx context.Context) error {
	q.fresh.run(ctx)
	return nil
}

func (q *Queues) drop(id string) {
	q.mu.Lock()
	delete(q.lines, id)
	q.mu.Unlock()
}

func (q *Queues) of(id string) *line {
	l := q.lines[id]
	if l == nil {
		l = &line{}
		q.lines[id] = l
	}
	return l
}

// look counts an integration's queue, and measures what has left it since the last count.
func (q *Queues) look(ctx context.Context, id string) {
	q.mu.Lock()
	before := q.of(id).lanes
	q.mu.Unlock()
	pending, err := q.cfg.Waiting.Pending(ctx, id)
	if err != nil {
		if ctx.Err() == nil {
			q.cfg.Log.Warn("a queue was not counted; going on with what is known", "integration_id", id, "error", err)
		}
		return
	}
	now := q.cfg.Now()
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.of(id)
	left, busy := 0.0, false
	for p := range l.lanes {
		lane, n := &l.lanes[p], float64(pending[peal.Priority(p)])
		left += lane.pending + before[p].joined*float64(q.cfg.Nodes()) - n
		busy = busy || n > 0
		lane.pending, lane.joined = n, max(0, lane.joined-before[p].joined)
	}
	if passed := now.Sub(l.counted).Seconds(); !l.counted.IsZero() && passed > 0 && busy && left > 0 {
		measured := left / passed
		if l.rate > 0 {
			measured = (l.rate + measured) / 2
		}
		l.rate = measured
	}
	l.counted = now
}

// Join estimates when a planned delivery goes out, and counts it among those that wait from now on. Nothing when it does
// not wait, or its queue is not known yet.
func (q *Queues) Join(ctx context.Context, d *peal.Delivery) *api.QueueEstimate {
	return q.estimate(ctx, d, true)
}

// Estimate estimates when a delivery that was accepted earlier goes out; nothing when it does not wait.
func (q *Queues) Estimate(ctx context.Context, d *peal.Delivery) *api.QueueEstimate {
	return q.estimate(ctx, d, false)
}

func (q *Queues) estimate(ctx context.Context, d *peal.Delivery, joins bool) *api.QueueEstimate {
	if d.Status != peal.Queued {
		return nil
	}
	in := q.cfg.Accounts.ByID(d.IntegrationID)
	if in == nil {
		return nil
	}
	q.fresh.ask(ctx, d.IntegrationID)
	q.mu.Lock()
	defer q.mu.Unlock()
	now, l := q.cfg.Now(), q.of(d.IntegrationID)
	if now.Sub(l.counted) > maxCountAge {
		return nil
	}
	rate := l.rate
	if in.Limit.Rate > 0 {
		rate = float64(in.Limit.Rate) / in.Limit.Period.Seconds()
	}
	waits := !d.DueAt.After(now) // else it joins its lane then, and nobody knows what stands there
	ahead := l.ahead(d, now, rate, in.Paused(now), waits && !joins, float64(max(1, q.cfg.Nodes())))
	if joins && waits {
		l.lanes[d.Priority].join(d.CreatedAt)
	}
	est := &api.QueueEstimate{Ahead: int64(ahead)}
	if eta, known := etaOf(in, now, ahead, rate); known {
		if d.DueAt.After(eta) {
			eta = d.DueAt
		}
		eta = eta.UTC().Truncate(time.Millisecond)
		est.ETA = &eta
	}
	return est
}

// Later is the estimate of a notification from those of its deliveries: of the one that goes out last. Nothing is known of
// when that is if it is not known of one of them.
func Later(a, b *api.QueueEstimate) *api.QueueEstimate {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	last := &api.QueueEstimate{Ahead: max(a.Ahead, b.Ahead)}
	if a.ETA != nil && b.ETA != nil {
		last.ETA = a.ETA
		if b.ETA.After(*a.ETA) {
			last.ETA = b.ETA
		}
	}
	return last
}

// etaOf is when so many have gone out; unknown while the integration is paused without an end, and while nobody knows how
// fast it sends.
func etaOf(in *peal.Integration, now time.Time, ahead, rate float64) (time.Time, bool) {
	start := now
	if in.Paused(now) {
		if in.Pause.Until.IsZero() {
			return start, false
		}
		start = in.Pause.Until
	}
	if ahead < 1 {
		return start, true
	}
	if rate <= 0 {
		return start, false
	}
	return start.Add(time.Duration(min(ahead/rate, maxETA.Seconds()) * float64(time.Second))), true
}

// maxETA keeps an estimate within what can be told.
const maxETA = 10 * 365 * 24 * time.Hour

// ahead is how many stand before a delivery: in the lanes that overtake its own, and in its own before it.
func (l *line) ahead(d *peal.Delivery, now time.Time, rate float64, paused, since bool, nodes float64) float64 {
	n := 0.0
	for _, p := range peal.Priorities() {
		lane := &l.lanes[p]
		n += lane.pending + lane.joined
		if p != d.Priority {
			continue
		}
		if since {
			from := d.CreatedAt
			if d.DueAt.After(from) {
				from = d.DueAt
			}
			n -= min(lane.since(from)*nodes, lane.pending+lane.joined)
		}
		break
	}
	if !paused {
		n -= rate * max(0, now.Sub(l.counted).Seconds())
	}
	return max(0, n)
}

// join counts one more in the lane.
func (l *lane) join(at time.Time) {
	l.joined++
	if n := len(l.log); n > 0 && at.Sub(l.log[n-1].from) < arrivalSpan {
		last := &l.log[n-1]
		last.count++
		if at.After(last.to) {
			last.to = at
		}
		return
	}
	if len(l.log) >= maxArrivals {
		for i := range maxArrivals / 2 {
			a, b := l.log[2*i], l.log[2*i+1]
			l.log[i] = arrivals{a.from, b.to, a.count + b.count}
		}
		l.log = l.log[:maxArrivals/2]
	}
	l.log = append(l.log, arrivals{at, at, 1})
}

// since is how many this node has seen join since then.
func (l *lane) since(then time.Time) (n float64) {
	for i := len(l.log) - 1; i >= 0; i-- {
		a := &l.log[i]
		if a.from.Before(then) { // the part of them that came since, as if they had come evenly
			if a.to.After(then) {
				n += a.count * float64(a.to.Sub(then)) / float64(a.to.Sub(a.from))
			}
			return n
		}
		n += a.count
	}
	return n
}
