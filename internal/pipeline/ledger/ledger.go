// Package ledger compares the rows in flight with the jobs in their stream, and gives a row without a job one.
//
// The rows are the truth and the broker is the nerve: whatever the broker lost (a wiped folder, a power failure, a
// publish that went astray after its row was committed), the ledger brings back. A second job for a delivery is refused
// by the stream, so it may look as often as it likes. What it had to mend is counted and named.
package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"peal/internal/metrics"
	"peal/internal/peal"
	"peal/internal/pipeline"
)

const (
	page     = 1000
	fresh    = 3 * time.Second        // a row this young is still on its way by itself
	breath   = 100 * time.Millisecond // between pages, but for the first walk
	minPause = time.Second            // between walks, however often it is woken
	named    = 20                     // of the mended, in the log
)

// Records are the rows.
type Records interface {
	InFlight(ctx context.Context, afterIntegration, afterDelivery string, limit int) ([]pipeline.InFlight, error)
	Expire(ctx context.Context, rows []peal.Delivery) (int64, error)
	CancelOrphans(ctx context.Context, rows []peal.Delivery) (int64, error)
	Depths(ctx context.Context) ([]peal.Depth, error)
}

// Jobs are what the broker holds.
type Jobs interface {
	EnsureEach(ctx context.Context, jobs []pipeline.Job) (added []bool, err error)
	Backlog(ctx context.Context) (uint64, error)
}

// Integrations tells which queues there are.
type Integrations interface {
	ByID(id string) *peal.Integration
}

// Ledger walks the rows in flight. Create it with New.
type Ledger struct {
	cfg  Config
	wake chan struct{}
}

// Config of a Ledger.
type Config struct {
	Records      Records
	Jobs         Jobs
	Integrations Integrations
	Metrics      *metrics.Metrics
	Log          *slog.Logger
	Every        time.Duration    // between walks; default 30 s
	Now          func() time.Time // default time.Now
}

// New makes a Ledger.
func New(cfg Config) *Ledger {
	if cfg.Every == 0 {
		cfg.Every = 30 * time.Second
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Ledger{cfg: cfg, wake: make(chan struct{}, 1)}
}

// Wake asks for a walk soon: something got lost.
func (l *Ledger) Wake() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Run walks at once, and then now and again until ctx ends.
func (l *Ledger) Run(ctx context.Context) error {
	first := true
	for {
		mended, err := l.Walk(ctx, first)
		if err != nil && ctx.Err() == nil {
			l.cfg.Log.Warn("ledger interrupted; it starts again", "error", err)
		}
		if mended > 0 {
			l.cfg.Log.Warn("deliveries in flight had no job and were given one", "mended", mended, "at_start", first)
		}
		l.measure(ctx)
		first = first && err != nil
		if !l.pause(ctx) {
			return nil
		}
	}
}

func (l *Ledger) pause(ctx context.Context) bool {
	least := time.NewTimer(minPause)
	defer least.Stop()
	every := time.NewTimer(l.cfg.Every)
	defer every.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-every.C:
		return true
	case <-l.wake:
	}
	select {
	case <-ctx.Done():
		return false
	case <-least.C:
		return true
	}
}

// Walk compares every row in flight once, and tells how many it gave a job. With all set also those that are so young
// that they may be on their way.
func (l *Ledger) Walk(ctx context.Context, all bool) (mended int, err error) {
	integration, delivery := "", ""
	for {
		rows, err := l.cfg.Records.InFlight(ctx, integration, delivery, page)
		if err != nil {
			return mended, err
		}
		n, err := l.mendAll(ctx, rows, all)
		mended += n
		if err != nil || len(rows) < page {
			return mended, err
		}
		last := rows[len(rows)-1]
		integration, delivery = last.IntegrationID, last.DeliveryID
		if !all {
			select {
			case <-ctx.Done():
				return mended, ctx.Err()
			case <-time.After(breath):
			}
		}
	}
}

// mendAll settles one page; when a row of it makes the code panic, row by row, so that the others are settled all the same.
func (l *Ledger) mendAll(ctx context.Context, rows []pipeline.InFlight, all bool) (int, error) {
	n, err := l.guarded(ctx, rows, all)
	if !errors.Is(err, errPanic) {
		return n, err
	}
	n = 0
	for i := range rows {
		one, err := l.guarded(ctx, rows[i:i+1], all)
		n += one
		if errors.Is(err, errPanic) {
			l.cfg.Log.Error("the ledger left a row out", "delivery_id", rows[i].DeliveryID, "integration_id", rows[i].IntegrationID, "error", err)
		} else if err != nil {
			return n, err
		}
	}
	return n, nil
}

var errPanic = errors.New("its code failed on it")

// guarded is mend; a panic of it is an error.
func (l *Ledger) guarded(ctx context.Context, rows []pipeline.InFlight, all bool) (n int, err error) {
	defer func() {
		if p := recover(); p != nil {
			n, err = 0, fmt.Errorf("%w: %v", errPanic, p)
		}
	}()
	return l.mend(ctx, rows, all)
}

// mend settles one page: expired rows end, rows of deleted integrations are settled, the rest have a job or get one.
func (l *Ledger) mend(ctx context.Context, rows []pipeline.InFlight, all bool) (int, error) {
	now := l.cfg.Now()
	var jobs []pipeline.Job
	var expired, orphans []peal.Delivery
	for i := range rows {
		r := &rows[i]
		switch d := (peal.Delivery{TenantID: r.TenantID, ID: r.DeliveryID, ExpiresAt: r.ExpiresAt}); {
		case r.Status == peal.Uncertain: // waits for evidence or a person, not for a job
		case r.Status == peal.Queued && d.Expired(now):
			expired = append(expired, d)
		case l.cfg.Integrations.ByID(r.IntegrationID) == nil:
			orphans = append(orphans, d)
		case !all && (now.Sub(r.CreatedAt) < fresh || (r.DueAt.Before(now) && now.Sub(r.DueAt) < fresh)):
		default:
			jobs = append(jobs, pipeline.Job{IntegrationID: r.IntegrationID, DeliveryID: r.DeliveryID, Priority: r.Priority, Due: r.DueAt})
		}
	}
	if len(expired) > 0 {
		n, err := l.cfg.Records.Expire(ctx, expired)
		if err != nil {
			return 0, err
		}
		if n > 0 {
			l.cfg.Log.Info("deliveries expired before they could be sent", "deliveries", n)
		}
	}
	if len(orphans) > 0 {
		if _, err := l.cfg.Records.CancelOrphans(ctx, orphans); err != nil {
			return 0, err
		}
	}
	return l.ensure(ctx, jobs)
}

func (l *Ledger) ensure(ctx context.Context, jobs []pipeline.Job) (int, error) {
	if len(jobs) == 0 {
		return 0, nil
	}
	added, err := l.cfg.Jobs.EnsureEach(ctx, jobs)
	n := 0
	for i, a := range added {
		if !a {
			continue
		}
		if n++; n <= named {
			l.cfg.Log.Info("job given back", "delivery_id", jobs[i].DeliveryID, "integration_id", jobs[i].IntegrationID)
		}
	}
	l.cfg.Metrics.Mended.Add(float64(n))
	return n, err
}

// measure sets the gauges of what waits.
func (l *Ledger) measure(ctx context.Context) {
	depths, err := l.cfg.Records.Depths(ctx)
	if err != nil {
		if ctx.Err() == nil {
			l.cfg.Log.Warn("queues not measured", "error", err)
		}
		return
	}
	m, now := l.cfg.Metrics, l.cfg.Now()
	m.Retain(func(id string) bool { return l.cfg.Integrations.ByID(id) != nil })
	m.Queued.Reset()
	m.OldestAge.Reset()
	m.Uncertain.Reset()
	m.Dead.Reset()
	for _, d := range depths {
		m.Queued.WithLabelValues(d.IntegrationID).Add(float64(d.Queued))
		m.Uncertain.WithLabelValues(d.IntegrationID).Add(float64(d.Uncertain))
		m.Dead.WithLabelValues(d.IntegrationID).Add(float64(d.Dead))
		if !d.Oldest.IsZero() {
			m.OldestAge.WithLabelValues(d.IntegrationID).Set(now.Sub(d.Oldest).Seconds())
		}
	}
	if n, err := l.cfg.Jobs.Backlog(ctx); err == nil {
		m.Backlog.Set(float64(n))
	}
}
