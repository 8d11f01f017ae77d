package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"peal/internal/peal"
	"peal/internal/pipeline"
)

const (
	page       = 1000
	fresh      = 3 * time.Second        // a row that changed so lately is still on its way by itself
	breath     = 100 * time.Millisecond // between pages, but for the first walk
	stuckAfter = 15 * time.Minute       // no call takes so long, with its waits for places and for the records
	maxDoubts  = 100_000                // jobs that wait for their second look
	named      = 20                     // of each kind, in the log
	kept       = 1000                   // of each kind, in what a walk has found
)

// walk goes once over the rows in flight, or a part of them.
type walk struct {
	*Ledger

	all    bool      // also rows so young that they may be on their way
	tenant string    // only its rows; empty for everybody's
	until  time.Time // no further page after that; zero for none
	at     pipeline.Place
	ended  bool // it came to the end

	doubts []doubt
	mended int
	stucks int
	found  []peal.Difference
}

// doubt is a job that was missing at the first look.
type doubt struct {
	row  pipeline.InFlight
	job  pipeline.Job
	seen time.Time
}

// Walk compares every row in flight once, and tells how many it gave a job. With all set also those that are so young
// that they may be on their way.
func (l *Ledger) Walk(ctx context.Context, all bool) (mended int, err error) {
	w := &walk{Ledger: l, all: all}
	err = w.run(ctx)
	return w.mended, err
}

// Check is Walk for the audit: from a place on, for one tenant or, with an empty id, for all, and no further page once
// the time is over. It gives what it found, at most a thousand of each kind, and where to go on; nil at the end.
func (l *Ledger) Check(ctx context.Context, tenantID string, from pipeline.Place, within time.Duration) ([]peal.Difference, *pipeline.Place, error) {
	w := &walk{Ledger: l, tenant: tenantID, at: from, until: time.Now().Add(within)}
	if err := w.run(ctx); err != nil {
		return nil, nil, err
	}
	if w.ended {
		return w.found, nil, nil
	}
	return w.found, &w.at, nil
}

func (w *walk) run(ctx context.Context) error {
	for {
		rows, err := w.cfg.Records.InFlight(ctx, w.at.IntegrationID, w.at.DeliveryID, page)
		if err != nil {
			return err
		}
		if err := w.lookAll(ctx, rows); err != nil {
			return err
		}
		if len(rows) < page {
			w.ended = true
			return w.lookAgain(ctx, true)
		}
		last := &rows[len(rows)-1]
		w.at = pipeline.Place{IntegrationID: last.IntegrationID, DeliveryID: last.DeliveryID}
		if !w.until.IsZero() && time.Now().After(w.until) {
			return w.lookAgain(ctx, true)
		}
		if err := w.lookAgain(ctx, len(w.doubts) > maxDoubts); err != nil {
			return err
		}
		if !w.all && !sleep(ctx, breath) {
			return ctx.Err()
		}
	}
}

// lookAll looks at one page; when a row of it makes the code panic, row by row, so that the others are seen to all the
// same.
func (w *walk) lookAll(ctx context.Context, rows []pipeline.InFlight) error {
	err := w.guarded(ctx, rows)
	if !errors.Is(err, errPanic) {
		return err
	}
	for i := range rows {
		err := w.guarded(ctx, rows[i:i+1])
		if errors.Is(err, errPanic) {
			w.cfg.Log.Error("the ledger left a row out", "delivery_id", rows[i].DeliveryID, "integration_id", rows[i].IntegrationID, "error", err)
		} else if err != nil {
			return err
		}
	}
	return nil
}

var errPanic = errors.New("its code failed on it")

// guarded is look; a panic of it is an error.
func (w *walk) guarded(ctx context.Context, rows []pipeline.InFlight) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %s", errPanic, peal.PanicText(p))
		}
	}()
	return w.look(ctx, rows)
}

// look settles one page: expired rows end, rows of deleted integrations are settled, and of the rest those without a job
// are to be looked at again.
func (w *walk) look(ctx context.Context, rows []pipeline.InFlight) error {
	now := w.cfg.Now()
	var ought []doubt
	var expired, orphans []peal.Delivery
	for i := range rows {
		r := &rows[i]
		d := peal.Delivery{TenantID: r.TenantID, ID: r.DeliveryID, ExpiresAt: r.ExpiresAt}
		switch {
		case w.tenant != "" && w.tenant != r.TenantID:
		case r.Status == peal.Uncertain: // waits for evidence or a person, not for a job
		case r.Status == peal.Queued && d.Expired(now):
			expired = append(expired, d)
		case w.cfg.Integrations.ByID(r.IntegrationID) == nil:
			orphans = append(orphans, d)
		case !w.all && young(r, now):
		default:
			job := pipeline.Job{IntegrationID: r.IntegrationID, DeliveryID: r.DeliveryID, Priority: r.Priority, Due: r.DueAt}
			ought = append(ought, doubt{row: *r, job: job})
		}
	}
	if len(expired) > 0 {
		n, err := w.cfg.Records.Expire(ctx, expired)
		if err != nil {
			return err
		}
		if n > 0 {
			w.cfg.Log.Info("deliveries expired before they could be sent", "deliveries", n)
		}
	}
	if len(orphans) > 0 {
		if _, err := w.cfg.Records.CancelOrphans(ctx, orphans); err != nil {
			return err
		}
	}
	missing, there, err := w.apart(ctx, ought)
	if err != nil {
		return err
	}
	for i := range missing {
		missing[i].seen = time.Now()
	}
	w.doubts = append(w.doubts, missing...)
	for i := range there {
		w.stuckRow(&there[i].row, now)
	}
	return nil
}

// young tells whether a row changed or fell due so lately that its job may be on its way.
func young(r *pipeline.InFlight, now time.Time) bool {
	return now.Sub(r.UpdatedAt) < fresh || (r.DueAt.Before(now) && now.Sub(r.DueAt) < fresh)
}

// apart asks the broker which of the rows have a job.
func (w *walk) apart(ctx context.Context, rows []doubt) (missing, there []doubt, err error) {
	if len(rows) == 0 {
		return nil, nil, nil
	}
	jobs := make([]pipeline.Job, len(rows))
	for i := range rows {
		jobs[i] = rows[i].job
	}
	stand, err := w.cfg.Jobs.Standing(ctx, jobs)
	if err != nil {
		return nil, nil, err
	}
	for i := range rows {
		if stand[i] {
			there = append(there, rows[i])
		} else {
			missing = append(missing, rows[i])
		}
	}
	return missing, there, nil
}

// stuckRow names a row that is being sent for longer than any call takes, though nothing keeps its queue from moving: its
// job stands, and whoever takes it would settle the row.
func (w *walk) stuckRow(r *pipeline.InFlight, now time.Time) {
	in := w.cfg.Integrations.ByID(r.IntegrationID)
	if r.Status != peal.Sending || now.Sub(r.UpdatedAt) < stuckAfter || in == nil || in.Paused(now) {
		return
	}
	if w.stucks++; w.stucks <= kept {
		w.add(peal.DiffStuck, r, "it is being sent since "+r.UpdatedAt.UTC().Format(time.RFC3339))
	}
}

func (w *walk) add(kind peal.DifferenceKind, r *pipeline.InFlight, detail string) {
	w.found = append(w.found, peal.Difference{
		Kind: kind, TenantID: r.TenantID, ID: r.DeliveryID, Hour: peal.HourOf(r.DeliveryID), Detail: detail,
	})
}

// lookAgain takes the second look at those whose time has come; with wait it waits for all.
func (w *walk) lookAgain(ctx context.Context, wait bool) error {
	for len(w.doubts) > 0 {
		n := min(page, len(w.doubts))
		if rest := time.Until(w.doubts[n-1].seen.Add(w.cfg.Confirm)); rest > 0 && (!wait || !sleep(ctx, rest)) {
			return ctx.Err()
		}
		if err := w.mend(ctx, w.doubts[:n]); err != nil {
			return err
		}
		w.doubts = w.doubts[n:]
	}
	return nil
}

// mend gives those a job that still have none, and whose rows nobody has touched since the first look. The jobs are asked
// for first: a row that is as it was although its job had already been missing is nobody's, while a job may well be gone
// because its row has ended since. And one walk at a time: what another is giving a job is being sent meanwhile.
func (w *walk) mend(ctx context.Context, doubts []doubt) error {
	w.mending.Lock()
	defer w.mending.Unlock()
	without, _, err := w.apart(ctx, doubts)
	if err != nil || len(without) == 0 {
		return err
	}
	rows := make([]pipeline.InFlight, len(without))
	for i := range without {
		rows[i] = without[i].row
	}
	same, err := w.cfg.Records.StillInFlight(ctx, rows)
	if err != nil {
		return err
	}
	var missing []doubt
	for i := range without {
		if same[i] {
			missing = append(missing, without[i])
		}
	}
	if len(missing) == 0 {
		return nil
	}
	jobs := make([]pipeline.Job, len(missing))
	for i := range missing {
		jobs[i] = missing[i].job
	}
	added, err := w.cfg.Jobs.EnsureEach(ctx, jobs)
	for i, a := range added {
		if !a {
			continue // the broker has it after all
		}
		if w.mended++; w.mended <= named {
			w.cfg.Log.Info("job given back", "tenant_id", missing[i].row.TenantID, "delivery_id", jobs[i].DeliveryID, "integration_id", jobs[i].IntegrationID)
		}
		if w.mended <= kept {
			w.add(peal.DiffJob, &missing[i].row, "it was in flight without a job, and was given one")
		}
		w.cfg.Metrics.Mended.Inc()
	}
	return err
}

// report sets what a whole walk has found, and names what is new of what it could not mend.
func (l *Ledger) report(w *walk) {
	l.cfg.Metrics.Differences.WithLabelValues(string(peal.DiffJob)).Set(float64(w.mended))
	l.cfg.Metrics.Differences.WithLabelValues(string(peal.DiffStuck)).Set(float64(w.stucks))
	stuck := map[string]bool{}
	said := 0
	for i := range w.found {
		d := &w.found[i]
		if d.Kind != peal.DiffStuck {
			continue
		}
		stuck[d.ID] = true
		if !l.stuck[d.ID] && said < named {
			said++
			l.cfg.Log.Error("the records do not agree", "kind", d.Kind, "tenant_id", d.TenantID, "delivery_id", d.ID, "detail", d.Detail)
		}
	}
	l.stuck = stuck
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
