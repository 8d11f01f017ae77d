// Package audit proves that the records agree: what was accepted, as it was counted in the transaction that wrote it, is
// the sum of what has ended and what is in flight; every notification has the deliveries that were planned; no row
// contradicts itself; and what is in flight has its job.
//
// It goes over the recent past every minute and over the rest once a day, and over any stretch when an operator asks. It
// reads only, but for the jobs that the ledger puts back. What it finds it looks at again a few seconds later, and only
// what is so both times counts.
package audit

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"sync"
	"time"

	"peal/internal/metrics"
	"peal/internal/peal"
	"peal/internal/pipeline"
)

const (
	minRest  = 250 * time.Millisecond // between stretches of the past
	idle     = 9                      // the past is read for a tenth of the time, at most
	idleSoon = 4                      // and the recent past for a fifth
	recent   = 2                      // hours, with the one that is running
	named    = 20                     // differences in the log, at a time
	limit    = 1000                   // of each kind that are named of a stretch
	maxKnown = 10_000                 // differences that are remembered
)

// Records are the rows and the counters beside them.
type Records interface {
	Tenants(ctx context.Context) ([]peal.Tenant, error)
	AcceptedHours(ctx context.Context, tenantID string, from, to int64) ([]peal.HourCount, error)
	AuditTally(ctx context.Context, tenantID string, sp peal.Span) (peal.Tally, error)
	AuditRows(ctx context.Context, tenantID string, sp peal.Span, t *peal.Tally, limit int) ([]peal.Difference, error)
}

// Retained tells what retention has left.
type Retained interface {
	// WholeFrom is the oldest hour of which nothing was let go.
	WholeFrom(ctx context.Context) (hour int64, err error)
}

// Jobs hold the rows in flight to their jobs, and put back what is missing.
type Jobs interface {
	Check(ctx context.Context, tenantID string, from pipeline.Place, within time.Duration) ([]peal.Difference, *pipeline.Place, error)
}

// Config of an Auditor.
type Config struct {
	Records  Records
	Retained Retained
	Jobs     Jobs
	Metrics  *metrics.Metrics
	Log      *slog.Logger
	Every    time.Duration    // how often the recent past; default 1 min
	Round    time.Duration    // how often the rest; default 24 h
	Confirm  time.Duration    // between two looks; default 3 s
	Within   time.Duration    // how long one audit on demand reads, besides its second look; default 8 s
	MaxRows  int64            // deliveries that are read at once; default 100,000
	Now      func() time.Time // default time.Now
}

// Auditor audits. Create it with New.
type Auditor struct {
	cfg  Config
	busy sync.Mutex // one audit on demand at a time

	mu      sync.Mutex
	running bool // only then it remembers: elsewhere nobody would find out that something was mended
	known   map[key]peal.Difference
}

// key is what makes a difference the same as before.
type key struct {
	tenantID string
	kind     peal.DifferenceKind
	id       string
}

func keyOf(d *peal.Difference) key { return key{d.TenantID, d.Kind, d.ID} }

// New makes an Auditor.
func New(cfg Config) *Auditor {
	cfg.Every = cmp.Or(cfg.Every, time.Minute)
	cfg.Round = cmp.Or(cfg.Round, 24*time.Hour)
	cfg.Confirm = cmp.Or(cfg.Confirm, 3*time.Second)
	cfg.Within = cmp.Or(cfg.Within, 8*time.Second)
	cfg.MaxRows = cmp.Or(cfg.MaxRows, 100_000)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	for _, kind := range peal.DifferenceKinds() {
		cfg.Metrics.Differences.WithLabelValues(string(kind)).Set(0)
	}
	return &Auditor{cfg: cfg}
}

// forget begins anew, at the start of a run and at its end: what is known belongs to the process that goes on looking.
func (a *Auditor) forget(running bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.running, a.known = running, map[key]peal.Difference{}
	a.measure()
}

// Run audits until ctx ends. One process of an installation is enough.
func (a *Auditor) Run(ctx context.Context) error {
	a.forget(true)
	defer a.forget(false)
	var next time.Time
	past := &past{Auditor: a}
	for ctx.Err() == nil {
		if !time.Now().Before(next) {
			next = time.Now().Add(a.cfg.Every)
			if err := a.soon(ctx); err == nil {
				a.cfg.Metrics.LastAudit.Set(float64(a.cfg.Now().Unix()))
			} else if ctx.Err() == nil {
				a.cfg.Log.Warn("audit interrupted; it starts again", "error", err)
			}
		}
		start := time.Now()
		more, err := past.step(ctx)
		if err != nil && ctx.Err() == nil {
			a.cfg.Log.Warn("audit of the past interrupted; it goes on", "error", err)
		}
		rest := max(minRest, idle*time.Since(start))
		if !more {
			rest = time.Until(next)
		}
		sleep(ctx, min(rest, max(time.Until(next), 0)))
	}
	return nil
}

// soon audits the recent past of all tenants.
func (a *Auditor) soon(ctx context.Context) error {
	tenants, err := a.cfg.Records.Tenants(ctx)
	if err != nil {
		return err
	}
	end := a.hour() + 1
	var doubts []stretch
	for i := range tenants {
		some, err := a.pack(ctx, tenants[i].ID, end-recent, end)
		if err != nil {
			return err
		}
		for _, st := range some {
			start := time.Now()
			if _, err := a.firstLook(ctx, st, &doubts); err != nil {
				return err
			}
			if !sleep(ctx, idleSoon*time.Since(start)) {
				return ctx.Err()
			}
		}
	}
	_, err = a.secondLook(ctx, doubts)
	return err
}

// hour is the one that is running.
func (a *Auditor) hour() int64 { return a.cfg.Now().Unix() / 3600 }

// oldest is the first hour of a tenant that is looked at: none before there was the tenant, with a day for clocks that have
// jumped, and none of which something was let go.
func (a *Auditor) oldest(ctx context.Context, t *peal.Tenant) (int64, error) {
	whole, err := a.wholeFrom(ctx)
	return max(t.CreatedAt.Unix()/3600-24, whole), err
}

// wholeFrom is the oldest hour that can be audited. What is known of older ones will never be looked at again, so it is
// forgotten.
func (a *Auditor) wholeFrom(ctx context.Context) (int64, error) {
	whole, err := a.cfg.Retained.WholeFrom(ctx)
	if err != nil {
		return 0, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	maps.DeleteFunc(a.known, func(_ key, d peal.Difference) bool { return d.Hour < whole })
	a.measure()
	return whole, nil
}

// past goes over everything but the recent past, tenant by tenant, the newest first.
type past struct {
	*Auditor

	began   time.Time
	tenants []peal.Tenant
	left    []stretch // of the first of the tenants
}

// step audits one stretch; false when the round is done and the next is not to begin yet.
func (p *past) step(ctx context.Context) (more bool, err error) {
	if len(p.left) == 0 && len(p.tenants) == 0 {
		if !p.began.IsZero() && time.Since(p.began) < p.cfg.Round {
			return false, nil
		}
		if p.tenants, err = p.cfg.Records.Tenants(ctx); err != nil {
			return true, err
		}
		p.began = time.Now()
	}
	if len(p.left) == 0 {
		if len(p.tenants) == 0 {
			return false, nil
		}
		from, err := p.oldest(ctx, &p.tenants[0])
		if err != nil {
			return true, err
		}
		if p.left, err = p.pack(ctx, p.tenants[0].ID, from, p.hour()+1-recent); err != nil {
			return true, err
		}
		p.tenants = p.tenants[1:]
		if len(p.left) == 0 {
			return true, nil
		}
	}
	st := p.left[len(p.left)-1]
	p.left = p.left[:len(p.left)-1]
	var doubts []stretch
	if _, err := p.firstLook(ctx, st, &doubts); err != nil {
		return true, err
	}
	_, err = p.secondLook(ctx, doubts)
	return true, err
}

// note remembers what is known of a stretch now, tells the metric, and names what is new.
func (a *Auditor) note(st *stretch, found []peal.Difference) {
	a.mu.Lock()
	defer a.mu.Unlock()
	before := map[key]bool{}
	for k, d := range a.known {
		if k.tenantID == st.tenantID && st.span.Covers(&d) {
			before[k] = true
			delete(a.known, k)
		}
	}
	said := 0
	for i := range found {
		d := &found[i]
		if a.running && len(a.known) < maxKnown {
			a.known[keyOf(d)] = *d
		}
		if before[keyOf(d)] {
			continue
		}
		if said++; said <= named {
			a.cfg.Log.Error("the records do not agree", "kind", d.Kind, "tenant_id", d.TenantID, "id", d.ID, "detail", d.Detail)
		}
	}
	if said > named {
		a.cfg.Log.Error("the records do not agree; peal audit names the rest", "tenant_id", st.tenantID, "differences", said)
	}
	a.measure()
}

// measure tells the metric what is known.
func (a *Auditor) measure() {
	counts := map[peal.DifferenceKind]float64{}
	for k := range a.known {
		counts[k.kind]++
	}
	for _, kind := range peal.DifferenceKinds() {
		if kind != peal.DiffJob && kind != peal.DiffStuck { // these are the ledger's
			a.cfg.Metrics.Differences.WithLabelValues(string(kind)).Set(counts[kind])
		}
	}
}

// sleep waits; false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
