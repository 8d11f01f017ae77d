package accept

import (
	"context"
	"log/slog"
	"math"
	"sync"
	"time"

	"peal/internal/peal"
	"peal/internal/pipeline"
)

// Usage is what tenants may do and what they have in flight.
type Usage interface {
	TenantLimits(ctx context.Context, tenantID string) (peal.TenantLimits, error)
	// InFlightOf counts a tenant's deliveries in flight, up to most.
	InFlightOf(ctx context.Context, tenantID string, most int) (int, error)
}

// QuotasConfig is what Quotas need.
type QuotasConfig struct {
	Usage  Usage
	Rate   int              // notifications per second of a tenant that has no limit of its own; 0: no limit
	Queued int              // deliveries in flight of such a tenant; 0: no limit
	Nodes  func() int       // how many nodes accept, among which a tenant's rate is shared; default 1
	Log    *slog.Logger     // default: none
	Now    func() time.Time // a steady clock; default time.Now
}

// Quotas hold each tenant to its rate and to what it may have in flight. Create them with NewQuotas, and Run them: what a
// tenant may do and what it has in flight is looked at in the background, at most once a second; in between, what this
// node accepts is added. So a tenant may go over its queue's limit by what other nodes accept within that time.
//
// The rate is a token bucket that holds what a second lets through. Each node has an equal share of it.
type Quotas struct {
	cfg   QuotasConfig
	fresh *fresh

	mu  sync.Mutex
	use map[string]*use
}

// use is one tenant's, as this node knows it.
type use struct {
	rate, queued int       // limits; 0 is none
	tokens       float64   // of the rate
	filled       time.Time // when they were last filled up
	inFlight     int       // as last counted
	added        int       // accepted here since that count began
}

// NewQuotas makes Quotas.
func NewQuotas(cfg QuotasConfig) *Quotas {
	if cfg.Nodes == nil {
		cfg.Nodes = func() int { return 1 }
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	q := &Quotas{cfg: cfg, use: map[string]*use{}}
	q.fresh = newFresh(q.look, q.drop)
	return q
}

// Run keeps what is known up to date until ctx ends.
func (q *Quotas) Run(ctx context.Context) error {
	q.fresh.run(ctx)
	return nil
}

// Forget makes a change of a tenant's limits felt at once on this node.
func (q *Quotas) Forget(tenantID string) { q.fresh.forget(tenantID) }

func (q *Quotas) drop(tenantID string) {
	q.mu.Lock()
	delete(q.use, tenantID)
	q.mu.Unlock()
}

// look reads a tenant's limits, and counts what it has in flight if that is limited.
func (q *Quotas) look(ctx context.Context, tenantID string) {
	own, err := q.cfg.Usage.TenantLimits(ctx, tenantID)
	if err != nil {
		q.cfg.Log.Warn("a tenant's limits were not read; going on with those that are known", "tenant_id", tenantID, "error", err)
		return
	}
	q.mu.Lock()
	u := q.of(tenantID)
	u.rate, u.queued = limitOr(own.Rate, q.cfg.Rate), limitOr(own.Queued, q.cfg.Queued)
	limit, before := u.queued, u.added
	q.mu.Unlock()
	if limit == 0 {
		return
	}
	n, err := q.cfg.Usage.InFlightOf(ctx, tenantID, limit+1)
	if err != nil {
		q.cfg.Log.Warn("what a tenant has in flight was not counted; going on with what is known", "tenant_id", tenantID, "error", err)
		return
	}
	q.mu.Lock()
	u = q.of(tenantID)
	u.inFlight, u.added = n, max(0, u.added-before)
	q.mu.Unlock()
}

func limitOr(own *int, installation int) int {
	if own != nil {
		return *own
	}
	return installation
}

// of gives a tenant's use; the caller holds the lock.
func (q *Quotas) of(tenantID string) *use {
	u := q.use[tenantID]
	if u == nil {
		u = &use{rate: q.cfg.Rate, queued: q.cfg.Queued, tokens: math.Inf(1), filled: q.cfg.Now()}
		q.use[tenantID] = u
	}
	return u
}

// share is this node's part of a tenant's rate, and how much may come at once; the caller holds the lock.
func (q *Quotas) share(u *use) (perSecond, burst float64) {
	perSecond = float64(u.rate) / float64(max(1, q.cfg.Nodes()))
	return perSecond, max(1, perSecond)
}

// fill brings the tokens up to date; the caller holds the lock.
func (q *Quotas) fill(u *use, now time.Time) {
	perSecond, burst := q.share(u)
	u.tokens = min(burst, u.tokens+perSecond*max(0, now.Sub(u.filled).Seconds()))
	u.filled = now
}

// take takes the tenant's quota for one notification with so many queued deliveries, or says why there is none.
func (q *Quotas) take(ctx context.Context, tenantID string, deliveries int) error {
	q.fresh.ask(ctx, tenantID)
	q.mu.Lock()
	defer q.mu.Unlock()
	u := q.of(tenantID)
	if u.queued > 0 && deliveries > 0 && u.inFlight+u.added+deliveries > u.queued {
		return &peal.Error{
			Kind: peal.QuotaExceeded, RetryAfter: queuedRetry,
			Message: "the tenant has as many deliveries waiting as it may have; try again when some of them have gone out",
		}
	}
	if u.rate > 0 {
		q.fill(u, q.cfg.Now())
		if u.tokens < 1 {
			perSecond, _ := q.share(u)
			return &peal.Error{
				Kind: peal.RateLimited, RetryAfter: time.Duration(math.Ceil((1 - u.tokens) / perSecond * float64(time.Second))),
				Message: "the tenant sends more notifications per second than it may; slow down",
			}
		}
		u.tokens--
	}
	u.added += deliveries
	return nil
}

// queuedRetry is when one whose queue is full may come again.
const queuedRetry = 10 * time.Second

// giveBack returns what was taken for notifications that were not accepted after all, or had been before.
func (q *Quotas) giveBack(tenantID string, notifications, deliveries int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	u := q.of(tenantID)
	u.tokens += float64(notifications) // fill keeps it to the burst
	u.added = max(0, u.added-deliveries)
}

// Standing is how far a tenant has used its limits up, on this node. A limit of 0 is none, and so is what is left of it.
type Standing struct {
	Rate, RateLeft     int           // notifications per second; those that may come at once
	RateReset          time.Duration // until as many may come as a second lets through
	Queued, QueuedLeft int           // deliveries in flight; those that may join them
}

// Standing tells how far a tenant has used its limits up.
func (q *Quotas) Standing(tenantID string) (s Standing) {
	q.mu.Lock()
	defer q.mu.Unlock()
	u := q.use[tenantID]
	if u == nil {
		return s
	}
	if s.Rate = u.rate; s.Rate > 0 {
		q.fill(u, q.cfg.Now())
		perSecond, burst := q.share(u)
		s.RateLeft = int(u.tokens)
		s.RateReset = time.Duration((burst - u.tokens) / perSecond * float64(time.Second))
	}
	if s.Queued = u.queued; s.Queued > 0 {
		s.QueuedLeft = max(0, u.queued-u.inFlight-u.added)
	}
	return s
}

// admit takes the tenant's quota for each submission. It gives those that have it; the others have their results: a
// repeat is answered as the first was, whatever the quota, and the rest is refused.
func (s *Stage) admit(ctx context.Context, tenantID string, subs []pipeline.Submission, index []int, results []Result) ([]pipeline.Submission, []int) {
	if s.cfg.Quotas == nil {
		return subs, index
	}
	n := 0
	for i := range subs {
		err := s.cfg.Quotas.take(ctx, tenantID, len(subs[i].Jobs()))
		if err == nil {
			subs[n], index[n] = subs[i], index[i]
			n++
			continue
		}
		results[index[i]] = s.unlessRepeated(ctx, &subs[i], err)
	}
	return subs[:n], index[:n]
}

// unlessRepeated is the result of a submission that is refused for a reason which was perhaps none when it first came: that
// it has no quota, or that there is no such integration or template any more. A repeat is answered as the first was.
func (s *Stage) unlessRepeated(ctx context.Context, sub *pipeline.Submission, refused error) Result {
	if sub.Key != "" && s.cfg.Recall != nil {
		v, found, err := s.cfg.Recall.Recall(ctx, sub)
		if err != nil {
			refused = err
		} else if found {
			return s.result(sub, &v)
		}
	}
	s.cfg.Metrics.Refused.WithLabelValues(string(peal.KindOf(refused))).Inc()
	return Result{Err: refused}
}
