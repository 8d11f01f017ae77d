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

// lane sends over one integration, while this node is its owner.
type lane struct {
	*Stage
	id     string
	log    *slog.Logger
	lease  Lease
	limits limits
	calls  sync.WaitGroup

	mu         sync.Mutex
	inFlight   map[string]bool // deliveries that this process is working on
	doubtful   map[string]span // claimed perhaps, and surely not called for
	suspects   map[string]int  // how often they made claiming panic
	throttled  int             // waits in a row for 429s
	quietUntil time.Time       // the end of the last of them
	rest       span            // the last pause that was sat out

	quiet *quiet // whom alone the provider wants left in peace
	fates *fates // devices that were found dead a moment ago
}

func newLane(s *Stage, id string) *lane {
	return &lane{
		Stage: s, id: id, log: s.cfg.Log.With("integration_id", id), inFlight: map[string]bool{},
		doubtful: map[string]span{}, suspects: map[string]int{}, quiet: newQuiet(s.cfg.Now, s.cfg.Jitter), fates: newFates(s.cfg.Now),
	}
}

// run works whenever this node is the owner, until ctx ends or the integration is no more.
func (l *lane) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	var watch sync.WaitGroup
	watch.Go(func() {
		defer cancel()
		l.whileThere(ctx)
	})
	defer watch.Wait()
	defer cancel()
	for l.openable(ctx) {
		var err error
		if l.lease, err = l.cfg.Own(ctx, l.id); err != nil {
			return
		}
		l.own(ctx)
		l.calls.Wait() // only when the last call has ended, and is on record, may another node begin
		l.lease.Release()
	}
}

// own works until this node is no longer the owner.
func (l *lane) own(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	lost := l.lease.Done()
	l.calls.Go(func() {
		defer cancel()
		select {
		case <-lost:
		case <-ctx.Done():
		}
	})
	l.limits = limits{}
	l.mu.Lock()
	clear(l.doubtful)
	clear(l.suspects)
	l.mu.Unlock()
	for tookOver := false; ctx.Err() == nil; {
		in := l.cfg.Integrations.ByID(l.id)
		if in == nil {
			return
		}
		if !l.lease.Valid() { // cut off from the records: another node may have the queue, and is not to be disturbed
			sleep(ctx, afterError)
			continue
		}
		if !tookOver {
			if err := l.cfg.Queues.TakeOver(ctx, l.id); err != nil {
				l.log.Warn("queue not taken over", "error", err)
				sleep(ctx, afterError)
				continue
			}
			tookOver = true
		}
		if in.Paused(l.cfg.Now()) {
			l.cfg.Metrics.Paused.WithLabelValues(l.id).Set(1)
			l.wait(ctx, in)
			l.rested(span{in.Pause.Since, l.cfg.Now()})
			continue
		}
		l.cfg.Metrics.Paused.WithLabelValues(l.id).Set(0)
		client, err := l.client(in)
		if err != nil { // it could be opened when the lease was asked for
			return
		}
		if err := l.serve(ctx, in, client); err != nil && ctx.Err() == nil {
			l.log.Warn("queue interrupted", "error", err)
			tookOver = false // a former owner may have come back to it
			sleep(ctx, afterError)
		}
	}
}

// whileThere returns when the integration is no more, or ctx ends.
func (l *lane) whileThere(ctx context.Context) {
	for {
		changed := l.cfg.Integrations.Changed()
		if l.cfg.Integrations.ByID(l.id) == nil {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
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

// serve works on the queue until something changes, or the queue has to be opened anew.
func (l *lane) serve(ctx context.Context, in *peal.Integration, client provider.Client) (err error) {
	ctx, cancel := l.untilChanged(ctx, in)
	defer cancel()
	l.limits.update(in, l.lease.First() && !in.CreatedAt.Before(l.started))
	queue := &intake{}
	defer queue.stop()
	for i, lane := range peal.Priorities() {
		if queue.feeds[i], err = l.cfg.Queues.OpenQueue(ctx, in.ID, lane, prefetch(in, lane), ackWait(in)); err != nil {
			client.Close()
			return err
		}
	}
	kind, _ := l.cfg.Integrations.Kind(in.Kind)
	s := &shift{
		lane: l, in: in, lease: l.lease, limit: l.limits.calls, recipients: l.limits.recipients, client: client, results: make(chan done, in.Concurrency),
		// As many again are claimed while the others are called for: claiming waits for the disk.
		free: make(chan struct{}, 2*in.Concurrency), calls: make(chan struct{}, in.Concurrency),
		claims: make(chan struct{}, maxClaims),
		intent: !kind.Defaults().MayDouble || in.OnUnknown != peal.Resend, checks: provider.ChecksOf(in, kind.Defaults()), finds: kind.Defaults().Finds,
		push: in.Channel == peal.ChannelPush && l.cfg.Devices != nil, people: in.Channel == peal.ChannelWhatsApp && l.cfg.People != nil,
	}
	s.well.writing = make(chan struct{}, 1)
	s.groups, _ = client.(provider.Grouper)
	if b, ok := client.(provider.Budgeter); ok {
		l.limits.allot(b.Budget())
		s.budgeter, s.budget = b, l.limits.budget
	}
	l.quiet.of(in.Version)
	l.calls.Go(s.record)
	s.run(ctx, queue)
	l.calls.Go(func() {
		s.working.Wait()
		close(s.results)
		client.Close()
	})
	return nil
}

// limits are those of an owner; they live as long as it is one.
type limits struct {
	calls        *limiter
	callsOf      peal.Limit
	recipients   *recipients
	recipientsOf peal.Limit
	budget       *recipients
	budgetOf     peal.Limit
	known        bool // set at least once: what was sent before is known, under another limit
}

// update makes the limiters anew where the integration's limits are others. Unless nobody can have sent before they begin
// as if the limit had just been used up: a limiter cannot know what was sent before it, by another node or under
// another limit.
func (l *limits) update(in *peal.Integration, fresh bool) {
	fresh = fresh && !l.known
	if !l.known || l.callsOf != in.Limit {
		l.calls, l.callsOf = newLimiter(in.Limit), in.Limit
		if !fresh {
			l.calls.holdOff(time.Now())
		}
	}
	if !l.known || l.recipientsOf != in.RecipientLimit {
		l.recipients, l.recipientsOf = newRecipients(in.RecipientLimit, fresh, time.Now), in.RecipientLimit
	}
	l.known = true
}

// allot makes the limiter of a client's budget anew where that is another one. It begins full: a budget takes minutes to
// fill, and that it was used up before its provider tells.
func (l *limits) allot(budget peal.Limit) {
	if l.budgetOf != budget {
		l.budget, l.budgetOf = newRecipients(budget, true, time.Now), budget
	}
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

// prefetch is how many jobs of a lane may wait in hand: what the limit lets through in a few seconds, and less of those
// that have to let others go first.
func prefetch(in *peal.Integration, lane peal.Priority) int {
	n := 2 * maxBatch
	if in.Limit.Rate > 0 {
		n = int(float64(in.Limit.Rate) * float64(handWait) / float64(in.Limit.Period))
		n = min(max(n, 1), maxBatch)
	}
	if lane == peal.Bulk {
		n = max(n/share, 1)
	}
	return n
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

// span is when a claim was tried, by the clock that a claim is stamped with.
type span struct{ from, to time.Time }

// doubt notes that a claim failed, and may have been written all the same. Nobody has called for these deliveries.
func (l *lane) doubt(ids []string, tried span) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range ids {
		l.doubtful[id] = tried
	}
}

// sure notes that a claim has succeeded: what was in doubt of these deliveries is settled.
func (l *lane) sure(ids []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.doubtful) > 0 {
		for _, id := range ids {
			delete(l.doubtful, id)
		}
	}
}

// uncalled tells of a row in state sending whether it is so for a claim of this owner's that failed. Of an earlier one,
// or another owner's, nothing is known.
func (l *lane) uncalled(d *peal.Delivery) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	tried, ok := l.doubtful[d.ID]
	delete(l.doubtful, d.ID)
	return ok && l.lease.Valid() && !d.UpdatedAt.Before(tried.from.Truncate(time.Microsecond)) && !d.UpdatedAt.After(tried.to)
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
