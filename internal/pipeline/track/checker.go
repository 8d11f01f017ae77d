package track

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"peal/internal/metrics"
	"peal/internal/peal"
	"peal/internal/pipeline"
	"peal/internal/provider"
)

const (
	checkEvery   = time.Second
	checkBatch   = 100
	checkAtOnce  = 8                // look-ups in flight per integration
	checkSoon    = 20 * time.Second // after a look-up of a young message that had no key yet
	checkAgain   = 30 * time.Second // after a look-up that failed for a passing reason
	checkRest    = 30 * time.Second // of an integration whose account is at fault, or too fast, and does not say how long
	maxCheckTime = time.Hour        // after the send; then nobody asks any more
	// ParkedFor is how long evidence waits for a row that knows its message, before it is kept as unmatched. It is
	// longer than the last look-up is away.
	ParkedFor  = 20 * time.Minute
	sweepEvery = time.Minute
	// parkedEvery is how often it is asked what other nodes have parked.
	parkedEvery = 5 * time.Second
	maxFailed   = 10_000
)

// Checks are the rows to look up.
type Checks interface {
	DueChecks(ctx context.Context, integrationID string, by time.Time, unkeyed bool, limit int) ([]pipeline.Unkeyed, error)
	SetChecks(ctx context.Context, rows []pipeline.Unkeyed) error
	NoteStuck(ctx context.Context, rows []pipeline.Stuck) error
	Parked(ctx context.Context, integrationID string) (int, error)
	Sweep(ctx context.Context, parkedBefore time.Time) (givenUp int64, err error)
}

// CheckerConfig is what a Checker needs.
type CheckerConfig struct {
	Integrations Integrations
	Checks       Checks
	Lost         Lost
	Jobs         Jobs
	Folder       *Folder
	Env          provider.Env
	Metrics      *metrics.Metrics
	Log          *slog.Logger
	Now          func() time.Time
}

// Checker asks providers what became of messages: to learn the id that their webhooks use, after messages of which
// nothing was heard, and in their logs for those whose send was not answered. Create it with NewChecker.
type Checker struct {
	CheckerConfig

	urge chan struct{}

	mu     sync.Mutex
	urged  map[string]bool
	limits map[string]*limitOf
	rests  map[string]time.Time // when an integration's look-ups go on
	reads  map[string]time.Time // when its log may be read again
	failed map[string]int       // by delivery: how often what was found of it could not be written though the records answer
}

// NewChecker makes a Checker.
func NewChecker(cfg CheckerConfig) *Checker {
	return &Checker{CheckerConfig: cfg, urge: make(chan struct{}, 1), urged: map[string]bool{}, limits: map[string]*limitOf{}, rests: map[string]time.Time{}, reads: map[string]time.Time{}, failed: map[string]int{}}
}

type limitOf struct {
	of    peal.Limit
	limit *rate.Limiter
}

// Urge says that an integration has receipts of messages that no row knows: its look-ups should not wait.
func (c *Checker) Urge(integrationID string) {
	c.mu.Lock()
	c.urged[integrationID] = true
	c.mu.Unlock()
	select {
	case c.urge <- struct{}{}:
	default:
	}
}

// urgeParked urges the look-ups of what was parked elsewhere: by another node, or before a restart.
func (c *Checker) urgeParked(ctx context.Context) {
	for _, in := range c.Integrations.All() {
		if !c.checked(in) || !c.learns(in) {
			continue
		}
		if n, err := c.Checks.Parked(ctx, in.ID); err == nil && n > 0 {
			c.Urge(in.ID)
		}
	}
}

// Run looks up until ctx ends.
func (c *Checker) Run(ctx context.Context) error {
	c.urgeParked(ctx)
	parked := time.NewTicker(parkedEvery)
	defer parked.Stop()
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	busy := map[string]bool{}
	finished := make(chan string)
	var work sync.WaitGroup
	defer work.Wait()
	for {
		select {
		case <-ctx.Done():
			return nil
		case id := <-finished:
			delete(busy, id)
			continue
		case <-sweep.C:
			c.sweep(ctx)
			c.forget()
			continue
		case <-parked.C:
			c.urgeParked(ctx)
		case <-tick.C:
		case <-c.urge:
		}
		for _, in := range c.Integrations.All() {
			if busy[in.ID] || !c.checked(in) {
				continue
			}
			busy[in.ID] = true
			work.Go(func() {
				if err := c.Folder.guard("look-ups", func() error { c.findAll(ctx, in); c.checkAll(ctx, in); return nil }); err != nil {
					c.rest(in.ID, c.Now().Add(checkRest)) // or it would panic again at once
				}
				select {
				case finished <- in.ID:
				case <-ctx.Done():
				}
			})
		}
	}
}

func (c *Checker) checked(in *peal.Integration) bool {
	kind, ok := c.Integrations.Kind(in.Kind)
	now := c.Now()
	return ok && len(provider.ChecksOf(in, kind.Defaults())) > 0 && !in.Paused(now) && !c.resting(in.ID, now)
}

// learns tells whether look-ups tell the key by which webhooks name a message. Of other kinds only what is stuck is looked up.
func (c *Checker) learns(in *peal.Integration) bool {
	kind, ok := c.Integrations.Kind(in.Kind)
	return ok && len(kind.Defaults().Checks) > 0
}

func (c *Checker) resting(id string, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return now.Before(c.rests[id])
}

// rest lets an integration's look-ups rest until then.
func (c *Checker) rest(id string, until time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if until.After(c.rests[id]) {
		c.rests[id] = until
	}
}

// forget lets go of what is noted of integrations that are no more.
func (c *Checker) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	gone := func(id string) bool { return c.Integrations.ByID(id) == nil }
	maps.DeleteFunc(c.limits, func(id string, _ *limitOf) bool { return gone(id) })
	maps.DeleteFunc(c.rests, func(id string, _ time.Time) bool { return gone(id) })
	maps.DeleteFunc(c.reads, func(id string, _ time.Time) bool { return gone(id) })
	maps.DeleteFunc(c.urged, func(id string, _ bool) bool { return gone(id) })
	if len(c.failed) > maxFailed { // it is only how often; all of them get their tries again
		clear(c.failed)
	}
}

func (c *Checker) sweep(ctx context.Context) {
	n, err := c.Checks.Sweep(ctx, c.Now().Add(-ParkedFor))
	if err != nil && ctx.Err() == nil {
		c.Log.Warn("sweep failed; it is tried again", "error", err)
	}
	if n > 0 {
		c.Metrics.Unmatched.Add(float64(n))
		c.Log.Warn("receipts of unknown messages given up on; they are kept as unmatched", "receipts", n)
	}
}

// checkAll makes an integration's due look-ups. When it is urged it does not wait for those that are not due yet and
// whose key is not known, as long as anything is parked. Either ends: what was looked up is not due again at once.
func (c *Checker) checkAll(ctx context.Context, in *peal.Integration) {
	c.mu.Lock()
	urged := c.urged[in.ID] && c.learns(in)
	delete(c.urged, in.ID)
	c.mu.Unlock()
	kind, _ := c.Integrations.Kind(in.Kind)
	for ctx.Err() == nil {
		if in = c.Integrations.ByID(in.ID); in == nil || !c.checked(in) {
			return // it was deleted or paused meanwhile
		}
		by := c.Now()
		if urged = urged && !c.nothingParked(ctx, in.ID); urged {
			by = by.Add(kind.Defaults().Checks[0])
		}
		rows, err := c.Checks.DueChecks(ctx, in.ID, by, urged, checkBatch)
		if err != nil {
			c.Log.Warn("look-ups not read", "integration_id", in.ID, "error", err)
			return
		}
		switch {
		case len(rows) == 0 && urged:
			urged = false
		case len(rows) == 0 || !c.checkOrDrop(ctx, in, rows):
			return
		}
	}
}

func (c *Checker) nothingParked(ctx context.Context, id string) bool {
	n, err := c.Checks.Parked(ctx, id)
	return err != nil || n == 0
}

// check looks rows up; false when it should rest: the account is at fault, or the records are. It stops at the first
// answer that says so; what was not looked up then stays due.
func (c *Checker) check(ctx context.Context, in *peal.Integration, rows []pipeline.Unkeyed) bool {
	kind, _ := c.Integrations.Kind(in.Kind)
	client, err := kind.Open(in, c.Env)
	if err != nil {
		c.Log.Warn("look-ups not made", "integration_id", in.ID, "error", err)
		return false
	}
	defer client.Close()
	var (
		wg       sync.WaitGroup
		places   = make(chan struct{}, checkAtOnce)
		evidence = make([]*peal.Evidence, len(rows))
		stuck    = make([]string, len(rows))
		tired    atomic.Bool
		asked    int
	)
	limit := c.limit(in)
	for ; asked < len(rows); asked++ {
		if !patient(ctx, limit) {
			break
		}
		places <- struct{}{}
		if c.resting(in.ID, c.Now()) {
			break
		}
		i := asked
		wg.Go(func() {
			defer func() { <-places }()
			e, enough := c.lookup(ctx, in, client, &rows[i], provider.ChecksOf(in, kind.Defaults()), &stuck[i])
			evidence[i] = e
			if enough {
				tired.Store(true)
			}
		})
	}
	wg.Wait()
	return c.keep(ctx, in, evidence[:asked], rows[:asked]) && c.note(ctx, rows[:asked], stuck[:asked]) && asked == len(rows) && !tired.Load()
}

// keep writes what look-ups found, and only then when to make the next: what was found is not lost for want of another.
func (c *Checker) keep(ctx context.Context, in *peal.Integration, evidence []*peal.Evidence, rows []pipeline.Unkeyed) bool {
	var found []peal.Evidence
	for _, e := range evidence {
		if e != nil {
			found = append(found, *e)
		}
	}
	err := c.Folder.write(found)
	if err != nil && ctx.Err() == nil && len(found) > 0 && c.Folder.Records.Ping(ctx) == nil {
		err = c.keepEach(evidence, rows)
	}
	if err == nil {
		err = c.Checks.SetChecks(ctx, rows)
	}
	if err != nil && ctx.Err() == nil {
		c.Log.Warn("look-ups not written; they are made again", "integration_id", in.ID, "error", err)
		c.rest(in.ID, c.Now().Add(checkRest))
	}
	return err == nil
}

// lookup asks after one message, and sets when to ask again. It says whether to rest before the next.
func (c *Checker) lookup(ctx context.Context, in *peal.Integration, client provider.Client, row *pipeline.Unkeyed, checks []time.Duration, stuck *string) (*peal.Evidence, bool) {
	now := c.Now()
	row.CheckAt = nextCheck(row.SentAt, now, checks)
	if soon := now.Add(checkSoon); !row.CheckAt.IsZero() && row.CheckAt.Before(soon) {
		row.CheckAt = soon // or an urged round would find it due again at once
	}
	if row.MessageID == "" {
		row.CheckAt = time.Time{}
		return nil, false
	}
	lctx, cancel := context.WithTimeout(ctx, in.Timeout)
	defer cancel()
	e, err := c.ask(lctx, in, client, row.MessageID)
	if err == nil {
		e.TenantID, e.IntegrationID, e.DeliveryID, e.MessageID = in.TenantID, in.ID, row.DeliveryID, row.MessageID
		if e.MessageKey == "" && now.Sub(row.SentAt) < time.Minute && c.learns(in) {
			row.CheckAt = now.Add(checkSoon)
		}
		if row.CheckAt.IsZero() && row.Status == peal.Sent && (e.Status == peal.Sent || e.Status == "") {
			*stuck = stuckKnown
		}
		return &e, false
	}
	again := now.Add(checkAgain)
	pe, ok := errors.AsType[*provider.Error](err)
	switch {
	case ok && pe.Class == peal.ClassPermanent: // it does not know the message (yet)
		if row.CheckAt.IsZero() && row.Status == peal.Sent {
			*stuck = stuckUnknown
		}
		return nil, false
	case ok && (pe.Class == peal.ClassThrottled || pe.Class == peal.ClassIntegration):
		again = now.Add(cmp.Or(max(pe.RetryAfter, 0), checkRest))
		c.rest(in.ID, again)
		c.Log.Info("look-ups rest", "integration_id", in.ID, "until", again, "error", err)
	case ctx.Err() != nil: // Peal is stopping; it says nothing of the message
		row.CheckAt = now
		return nil, true
	}
	if now.Sub(row.SentAt) < maxCheckTime+in.ReceiptTimeout && (row.CheckAt.IsZero() || again.Before(row.CheckAt) || c.resting(in.ID, row.CheckAt)) {
		row.CheckAt = again
	}
	c.Log.Debug("look-up failed", "integration_id", in.ID, "delivery_id", row.DeliveryID, "error", err)
	return nil, true
}

// ask asks the provider; a panic of its code is a look-up that failed.
func (c *Checker) ask(ctx context.Context, in *peal.Integration, client provider.Client, messageID string) (e peal.Evidence, err error) {
	defer func() {
		if p := recover(); p != nil {
			c.Log.Error("look-up panicked", "integration_id", in.ID, "panic", peal.PanicText(p), "stack", string(debug.Stack()))
			err = errors.New("the look-up's code failed on it")
		}
	}()
	return client.Lookup(ctx, messageID)
}

// nextCheck is the first of the check times that is still to come; zero when none is.
func nextCheck(sent, now time.Time, checks []time.Duration) time.Time {
	for _, after := range checks {
		if t := sent.Add(after); t.After(now) {
			return t
		}
	}
	return time.Time{}
}

// limit paces an integration's look-ups. It need not be exact: they are not what the provider limits strictly.
func (c *Checker) limit(in *peal.Integration) *rate.Limiter {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.limits[in.ID]
	if l == nil || l.of != in.LookupLimit {
		every := rate.Inf
		if in.LookupLimit.Rate > 0 {
			every = rate.Limit(float64(in.LookupLimit.Rate) / in.LookupLimit.Period.Seconds())
		}
		l = &limitOf{in.LookupLimit, rate.NewLimiter(every, max(1, in.LookupLimit.Burst))}
		c.limits[in.ID] = l
	}
	return l.limit
}
