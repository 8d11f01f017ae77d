package send

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"peal/internal/peal"
	"peal/internal/pipeline"
	"peal/internal/provider"
)

const (
	maxBatch   = 256              // jobs claimed together
	maxClaims  = 2                // of an integration, waiting for the disk
	handWait   = 5 * time.Second  // how long jobs may wait in this process's hands for the limit
	ackMargin  = 30 * time.Second // beyond the call's timeout: to claim, to record
	afterError = time.Second      // pause after an error of broker or records
)

// lane is the owner of one integration's queue.
type lane struct {
	*Stage
	id      string
	log     *slog.Logger
	limit   *limiter
	limitOf peal.Limit
	owned   bool // the queue was taken over
	calls   sync.WaitGroup

	mu         sync.Mutex
	inFlight   map[string]bool // deliveries that this process is working on
	throttled  int             // waits in a row for 429s
	quietUntil time.Time       // the end of the last of them
}

func newLane(s *Stage, id string) *lane {
	return &lane{Stage: s, id: id, log: s.cfg.Log.With("integration_id", id), inFlight: map[string]bool{}}
}

// run works until ctx ends or the integration is no more.
func (l *lane) run(ctx context.Context) {
	defer l.calls.Wait()
	for ctx.Err() == nil {
		in := l.cfg.Integrations.ByID(l.id)
		if in == nil {
			return
		}
		if in.Paused(l.cfg.Now()) {
			l.cfg.Metrics.Paused.WithLabelValues(l.id).Set(1)
			l.wait(ctx, in)
			continue
		}
		l.cfg.Metrics.Paused.WithLabelValues(l.id).Set(0)
		if err := l.serve(ctx, in); err != nil && ctx.Err() == nil {
			l.log.Warn("queue interrupted", "error", err)
			sleep(ctx, afterError)
		}
	}
}

// wait sits out a pause: until its time is over, the integration changes, or its session is connected again.
func (l *lane) wait(ctx context.Context, in *peal.Integration) {
	ctx, cancel := l.untilChanged(ctx, in)
	defer cancel()
	var over <-chan time.Time
	if !in.Pause.Until.IsZero() {
		t := time.NewTimer(in.Pause.Until.Sub(l.cfg.Now()))
		defer t.Stop()
		over = t.C
	}
	var probe <-chan time.Time
	if in.Pause.Code == peal.PauseSession {
		t := time.NewTicker(l.cfg.ProbeEvery)
		defer t.Stop()
		probe = t.C
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-over:
			if err := l.lift(ctx, in); err != nil {
				l.log.Warn("end of pause not recorded", "error", err)
				sleep(ctx, afterError)
			}
			return
		case <-probe:
			if l.connected(ctx, in) {
				return
			}
		}
	}
}

// connected asks the provider, and lifts the pause when the account can send again.
func (l *lane) connected(ctx context.Context, in *peal.Integration) bool {
	c, err := l.client(in)
	if err != nil {
		return false
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, in.Timeout)
	defer cancel()
	if !c.Probe(ctx).OK {
		return false
	}
	l.log.Info("session is connected again; sending goes on")
	if err := l.lift(ctx, in); err != nil {
		l.log.Warn("end of pause not recorded", "error", err)
		return false
	}
	return true
}

// lift ends the pause that in has. That is a change, and a change ends ctx: the record of it must not end with it.
func (l *lane) lift(ctx context.Context, in *peal.Integration) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ackMargin)
	defer cancel()
	return l.cfg.Integrations.Lift(ctx, in)
}

// untilChanged gives a context that ends when the integration is no longer what in says.
func (l *lane) untilChanged(ctx context.Context, in *peal.Integration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	l.calls.Go(func() {
		defer cancel()
		for {
			changed := l.cfg.Integrations.Changed()
			if l.cfg.Integrations.ByID(l.id) != in {
				return
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	})
	return ctx, cancel
}

func (l *lane) client(in *peal.Integration) (provider.Client, error) {
	kind, ok := l.cfg.Integrations.Kind(in.Kind)
	if !ok {
		return nil, peal.Errorf(peal.Internal, "no provider %q", in.Kind)
	}
	return kind.Open(in, l.cfg.Transport)
}

// serve owns the queue until something changes.
func (l *lane) serve(ctx context.Context, in *peal.Integration) error {
	ctx, cancel := l.untilChanged(ctx, in)
	defer cancel()
	client, err := l.client(in)
	if err != nil {
		return err
	}
	if l.limit == nil || l.limitOf != in.Limit {
		l.limit, l.limitOf = l.newLimit(in), in.Limit
	}
	feed, err := l.open(ctx, in)
	if err != nil {
		return err
	}
	defer feed.Stop()
	kind, _ := l.cfg.Integrations.Kind(in.Kind)
	s := &shift{
		lane: l, in: in, limit: l.limit, client: client, results: make(chan done, in.Concurrency),
		// As many again are claimed while the others are called for: claiming waits for the disk.
		free: make(chan struct{}, 2*in.Concurrency), calls: make(chan struct{}, in.Concurrency),
		claims: make(chan struct{}, maxClaims),
		intent: !kind.Defaults().MayDouble, checks: kind.Defaults().Checks,
	}
	l.calls.Go(s.record)
	s.run(ctx, feed.C)
	l.calls.Go(func() {
		s.working.Wait()
		close(s.results)
		client.Close()
	})
	return nil
}

// newLimit makes the integration's limiter. It holds off for a window unless nobody can have sent over the integration
// before this lane.
func (l *lane) newLimit(in *peal.Integration) *limiter {
	limit := newLimiter(in.Limit)
	if l.limitOf != (peal.Limit{}) || in.CreatedAt.Before(l.started) {
		limit.holdOff(time.Now())
	}
	return limit
}

// ackWait is how long the broker waits for a job's acknowledgement: for the limit to let through what is in hand, and for
// the call.
func ackWait(in *peal.Integration) time.Duration {
	wait := in.Timeout + ackMargin + 2*handWait
	if in.Limit.Rate > 0 {
		wait += 4 * in.Limit.Period / time.Duration(in.Limit.Rate)
	}
	return wait
}

// prefetch is how many jobs may wait in hand: what the limit lets through in a few seconds.
func prefetch(in *peal.Integration) int {
	if in.Limit.Rate <= 0 {
		return 2 * maxBatch
	}
	n := int(float64(in.Limit.Rate) * float64(handWait) / float64(in.Limit.Period))
	return min(max(n, 1), maxBatch)
}

// begin notes that this process works on a delivery; false when it does already.
func (l *lane) begin(id string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.inFlight[id] {
		return false
	}
	l.inFlight[id] = true
	return true
}

func (l *lane) end(id string) {
	l.mu.Lock()
	delete(l.inFlight, id)
	l.mu.Unlock()
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// giveBack hands jobs to whoever comes next.
func (l *lane) giveBack(jobs []pipeline.Message) {
	for _, j := range jobs {
		if err := j.Nak(); err != nil {
			l.log.Debug("job not given back; it comes again by itself", "error", err)
		}
	}
}
