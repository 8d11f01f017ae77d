package route

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"peal/internal/metrics"
	"peal/internal/peal"
	"peal/internal/pipeline"
)

// Bounds of an expansion.
const (
	expandStep  = 500                    // devices that are planned in one transaction, so that nobody waits long for it
	expandAhead = 20_000                 // jobs that may stand in an integration's queue while more are planned for it
	expandTurns = 8                      // expansions of a tenant that take turns; further ones wait for the end of one
	expandHold  = 100 * time.Millisecond // until a queue that was full is looked at again
	expandEvery = time.Second            // between looks at what there is to expand, unless it is told
)

// Expansions are the audiences that are to become deliveries.
type Expansions interface {
	// OpenExpansions gives those that have begun or may, the oldest ones of each tenant.
	OpenExpansions(ctx context.Context, now time.Time, perTenant int) ([]pipeline.Expansion, error)
	// Expand writes a step as a whole; false when the expansion has ended, or was moved on by somebody else.
	Expand(ctx context.Context, step *pipeline.ExpansionStep) (moved bool, err error)
}

// Usage is what tenants may have in flight, and have.
type Usage interface {
	TenantLimits(ctx context.Context, tenantID string) (peal.TenantLimits, error)
	// InFlightOf counts a tenant's deliveries in flight, up to most.
	InFlightOf(ctx context.Context, tenantID string, most int) (int, error)
}

// Queues are where jobs go.
type Queues interface {
	// Ensure sees to it that each of the jobs stands in its queue, and tells how many did not stand there before.
	Ensure(ctx context.Context, jobs []pipeline.Job) (added int, err error)
	// Pending counts what stands in an integration's queue, by lane.
	Pending(ctx context.Context, integrationID string) (map[peal.Priority]uint64, error)
}

// ExpanderConfig is what an Expander needs.
type ExpanderConfig struct {
	Planner *Planner
	Records Expansions
	Usage   Usage
	Queues  Queues
	Reload  func(ctx context.Context) error // reads the integrations again, where another node may have made one; or nil
	Queued  int                             // deliveries in flight of a tenant that has no limit of its own; 0: no limit
	Metrics *metrics.Metrics
	Log     *slog.Logger     // default: none
	Now     func() time.Time // default time.Now
	Step    int              // devices of one step; default expandStep
	Ahead   int              // default expandAhead
}

// Expander makes deliveries of notifications to audiences, step by step: each step is one transaction that also moves the
// cursor, so that a crash, or another process that does the same, doubles and loses nothing. Tenants take turns, and so do
// a tenant's expansions. It keeps only so far ahead of what is sent that queues and memory stay small. Create it with
// NewExpander.
type Expander struct {
	cfg  ExpanderConfig
	wake chan struct{}

	turns    map[string]string    // by tenant: the expansion that moved last
	room     map[string]allowance // by tenant: what it may still have in flight
	ahead    map[laneOf]allowance // what a queue may still take
	reloaded map[string]bool      // expansions for which the integrations were read again
	told     map[string]time.Time // when it was last told of an expansion that something is wrong with it
}

// NewExpander makes an Expander.
func NewExpander(cfg ExpanderConfig) *Expander {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	cfg.Step, cfg.Ahead = cmp.Or(cfg.Step, expandStep), cmp.Or(cfg.Ahead, expandAhead)
	return &Expander{cfg: cfg, wake: make(chan struct{}, 1)}
}

// Wake asks for a look soon: something was accepted.
func (e *Expander) Wake() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// Run expands until ctx ends. One process of an installation is enough; several do no harm.
func (e *Expander) Run(ctx context.Context) error {
	e.turns, e.room, e.ahead = map[string]string{}, map[string]allowance{}, map[laneOf]allowance{}
	e.reloaded, e.told = map[string]bool{}, map[string]time.Time{}
	for ctx.Err() == nil {
		moved, held, err := e.round(ctx)
		if err != nil && ctx.Err() == nil {
			e.cfg.Log.Warn("audiences are not expanded; trying again", "error", err)
		}
		switch {
		case moved:
		case held:
			e.pause(ctx, expandHold)
		default:
			e.pause(ctx, expandEvery)
		}
	}
	return nil
}

func (e *Expander) pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	case <-e.wake:
	}
}

// round gives every tenant that has something to expand one step. It tells whether any was made, and whether one has to
// wait for room.
func (e *Expander) round(ctx context.Context) (moved, held bool, err error) {
	open, err := e.cfg.Records.OpenExpansions(ctx, e.cfg.Now(), expandTurns)
	if err != nil {
		return false, false, err
	}
	if len(open) == 0 {
		clear(e.turns)
		clear(e.reloaded)
		clear(e.told)
	}
	for len(open) > 0 && ctx.Err() == nil {
		n := 1
		for n < len(open) && open[n].TenantID == open[0].TenantID {
			n++
		}
		m, h := e.turn(ctx, open[:n])
		moved, held = moved || m, held || h
		open = open[n:]
	}
	return moved, held, nil
}

// turn makes one step of a tenant's: of the expansion after the one that moved last, or the next that can.
func (e *Expander) turn(ctx context.Context, of []pipeline.Expansion) (moved, held bool) {
	first := 0
	for i := range of {
		if of[i].NotificationID > e.turns[of[0].TenantID] {
			first = i
			break
		}
	}
	for i := range of {
		x := &of[(first+i)%len(of)]
		did, err := e.guarded(ctx, x)
		switch {
		case err != nil && ctx.Err() == nil:
			e.complain(x, err)
		case err != nil:
			return false, false
		case did == stepHeld:
			held = true
		default:
			e.turns[x.TenantID] = x.NotificationID
			return true, held
		}
	}
	return false, held
}

// complain tells what is wrong with an expansion, but not all the time.
func (e *Expander) complain(x *pipeline.Expansion, err error) {
	if now := time.Now(); now.Sub(e.told[x.NotificationID]) > time.Minute {
		e.told[x.NotificationID] = now
		e.cfg.Log.Error("an audience is not expanded; trying again", "tenant_id", x.TenantID, "notification_id", x.NotificationID, "error", err)
	}
}

// did is what came of a turn.
type did int

const (
	stepMade did = iota
	stepHeld     // there is no room
)

// guarded makes a step; a panic of it is its error, so that the others go on.
func (e *Expander) guarded(ctx context.Context, x *pipeline.Expansion) (d did, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return e.step(ctx, x)
}

func (e *Expander) step(ctx context.Context, x *pipeline.Expansion) (did, error) {
	now := e.cfg.Now().UTC().Truncate(time.Microsecond)
	s := &pipeline.ExpansionStep{Expansion: *x, Next: x.Cursor, At: now}
	var plan pipeline.ExpansionRequest
	if err := json.Unmarshal(x.Request, &plan); err != nil || plan.Content == nil {
		s.End = peal.ExpansionFailed
		return stepMade, e.end(ctx, s, err)
	}
	if !x.ExpiresAt.IsZero() && !now.Before(x.ExpiresAt) {
		s.End = peal.ExpansionExpired
		return stepMade, e.end(ctx, s, nil)
	}
	if !e.reloaded[x.NotificationID] && e.cfg.Reload != nil {
		if err := e.cfg.Reload(ctx); err != nil {
			return stepHeld, fmt.Errorf("read the integrations: %w", err)
		}
		e.reloaded[x.NotificationID] = true
	}
	over := e.over(x.TenantID, &plan)
	if len(over) == 0 {
		s.End = peal.ExpansionNoIntegration
		return stepMade, e.end(ctx, s, nil)
	}
	room, err := e.roomFor(ctx, x.TenantID, x.Priority, over)
	if err != nil || room <= 0 {
		return stepHeld, err
	}
	devices, next, more, err := e.cfg.Planner.Devices.AudienceDevices(ctx, x.TenantID, plan.Audience, x.Cursor, min(e.cfg.Step, room))
	if err != nil {
		return stepHeld, err
	}
	n := &peal.Notification{TenantID: x.TenantID, ID: x.NotificationID, Priority: x.Priority, ExpiresAt: x.ExpiresAt, CreatedAt: now}
	all, err := (&expanding{Planner: e.cfg.Planner, n: n, plan: &plan}).devices(devices)
	if err != nil {
		return stepHeld, err
	}
	s.Next, s.Deliveries = next, deliveries(all)
	if !more {
		s.End = peal.ExpansionDone
	}
	return stepMade, e.write(ctx, s)
}

// over gives the integrations that an expansion goes over; none when they are no more.
func (e *Expander) over(tenantID string, plan *pipeline.ExpansionRequest) (all []*peal.Integration) {
	for _, in := range e.cfg.Planner.reaching(tenantID, plan.Audience.AppID) {
		if plan.IntegrationID == "" || in.ID == plan.IntegrationID {
			all = append(all, in)
		}
	}
	return all
}

// end ends an expansion before its time.
func (e *Expander) end(ctx context.Context, s *pipeline.ExpansionStep, why error) error {
	moved, err := e.cfg.Records.Expand(ctx, s)
	if err == nil && moved {
		e.cfg.Log.Warn("an audience was not expanded to its end", "tenant_id", s.TenantID, "notification_id", s.NotificationID, "end", s.End, "error", why)
	}
	return err
}

// write puts a step on disk, and then its jobs into their queues. What is not published then the ledger brings.
func (e *Expander) write(ctx context.Context, s *pipeline.ExpansionStep) error {
	moved, err := e.cfg.Records.Expand(ctx, s)
	if err != nil || !moved {
		return err
	}
	e.used(s)
	if s.End != peal.ExpansionOpen {
		e.cfg.Log.Info("an audience was expanded", "tenant_id", s.TenantID, "notification_id", s.NotificationID)
	}
	jobs := s.Jobs()
	if len(jobs) == 0 {
		return nil
	}
	if _, err := e.cfg.Queues.Ensure(ctx, jobs); err != nil && ctx.Err() == nil {
		e.cfg.Log.Warn("jobs not published; the ledger will bring them back", "count", len(jobs), "error", err)
	}
	return nil
}

// used reckons on from what was counted.
func (e *Expander) used(s *pipeline.ExpansionStep) {
	room := e.room[s.TenantID]
	for i := range s.Deliveries {
		d := &s.Deliveries[i]
		e.cfg.Metrics.Accepted.WithLabelValues(d.IntegrationID).Inc()
		if d.Status != peal.Queued {
			continue
		}
		lane := laneOf{d.IntegrationID, d.Priority}
		ahead := e.ahead[lane]
		ahead.use()
		e.ahead[lane] = ahead
		room.use()
	}
	e.room[s.TenantID] = room
}
