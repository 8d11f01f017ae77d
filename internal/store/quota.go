package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"peal/internal/peal"
	"peal/internal/pipeline"
)

// SetLimits gives a tenant limits of its own; what is nil is the installation's.
func (s *Store) SetLimits(ctx context.Context, tenantID string, l peal.TenantLimits) error {
	var n int64
	err := s.write(ctx, func(t *tx) (err error) {
		n, err = t.affect(`UPDATE tenants SET max_rate = ?, max_queued = ?, updated_at = ? WHERE tenant_id = ?`,
			number(l.Rate), number(l.Queued), s.now().UnixMicro(), tenantID)
		return err
	})
	if err == nil && n == 0 {
		return peal.Errorf(peal.NotFound, "there is no such tenant")
	}
	return err
}

// number is how an optional number is kept: NULL for none.
func number(n *int) any {
	if n == nil {
		return nil
	}
	return int64(*n)
}

// TenantLimits gives a tenant's own limits; nil fields are the installation's. A tenant that is not there has none.
func (s *Store) TenantLimits(ctx context.Context, tenantID string) (l peal.TenantLimits, err error) {
	err = one(ctx, s.quick, func(row scanner, l *peal.TenantLimits) error { return row.Scan(&l.Rate, &l.Queued) }, &l,
		`SELECT max_rate, max_queued FROM tenants WHERE tenant_id = ?`, tenantID)
	if errors.Is(err, sql.ErrNoRows) {
		return l, nil
	}
	if err != nil {
		return l, fmt.Errorf("read limits: %w", err)
	}
	return l, nil
}

// InFlightOf counts a tenant's deliveries in flight, up to most. It reads an index only, and is meant for the background.
func (s *Store) InFlightOf(ctx context.Context, tenantID string, most int) (n int, err error) {
	err = one(ctx, s.reads, scanInto, &n, `SELECT COUNT(*) FROM (SELECT 1 FROM communications_log WHERE in_flight = 1
		AND integration_id IN (SELECT integration_id FROM integrations WHERE tenant_id = ? AND deleted_at IS NULL) LIMIT ?) bounded`, tenantID, most)
	if err != nil {
		return 0, fmt.Errorf("count what is in flight: %w", err)
	}
	return n, nil
}

// Pending counts an integration's deliveries that wait and are due, by lane.
func (s *Store) Pending(ctx context.Context, integrationID string) (map[peal.Priority]uint64, error) {
	type lane struct {
		priority peal.Priority
		jobs     uint64
	}
	lanes, err := listWithin(ctx, countTime, s.reads, func(row scanner, l *lane) error { return row.Scan(&l.priority, &l.jobs) },
		`SELECT priority, COUNT(*) FROM communications_log WHERE in_flight = 1 AND integration_id = ? AND status = 'queued'
		AND (due_at IS NULL OR due_at <= ?) GROUP BY priority`, integrationID, s.now().UnixMicro())
	if err != nil {
		return nil, fmt.Errorf("count what waits: %w", err)
	}
	all := make(map[peal.Priority]uint64, len(lanes))
	for _, l := range lanes {
		all[l.priority] = l.jobs
	}
	return all, nil
}

// Recall gives the verdict on a submission whose key was used within IdempotencyWindow, and false when it was not. It
// writes nothing: it is for submissions that are refused unless they are repeats.
func (s *Store) Recall(ctx context.Context, sub *pipeline.Submission) (v pipeline.Verdict, found bool, err error) {
	var first struct{ hash, answer []byte }
	err = one(ctx, s.quick, func(row scanner, f *struct{ hash, answer []byte }) error { return row.Scan(&f.hash, &f.answer) }, &first,
		sqlFindKey, sub.Notification.TenantID, sub.Key, sub.Notification.CreatedAt.Add(-IdempotencyWindow).UnixMicro())
	if errors.Is(err, sql.ErrNoRows) {
		return v, false, nil
	}
	if err != nil {
		return v, false, fmt.Errorf("look for the idempotency key: %w", err)
	}
	return verdictOn(sub, first.hash, first.answer), true, nil
}
