package store

import (
	"context"
	"fmt"
	"time"

	"peal/internal/peal"
	"peal/internal/pipeline"
)

// uncertainWhere says it word for word as the index of rare ends does.
func (s *Store) uncertainWhere(f *peal.UncertainFilter, tenantID string) *clause {
	c := &clause{d: s.d}
	c.and("tenant_id = ? AND status = 'uncertain' AND status IN ('failed', 'skipped', 'canceled', 'expired', 'uncertain')", tenantID)
	c.in("delivery_id", f.IDs)
	c.equal("integration_id", f.IntegrationID)
	c.equal("error_code", f.ErrorCode)
	c.since("updated_at", f.Since)
	c.until("updated_at", f.Until)
	return c
}

// UncertainCounts tells how many uncertain deliveries the filter chooses, and how many of these cannot be sent again: they
// have expired, or their integration was deleted.
func (s *Store) UncertainCounts(ctx context.Context, tenantID string, f peal.UncertainFilter) (matched, expired int64, err error) {
	c := s.uncertainWhere(&f, tenantID)
	args := append([]any{s.now().UnixMicro()}, c.args...)
	err = one(ctx, s.reads, func(row scanner, matched *int64) error { return row.Scan(matched, &expired) }, &matched,
		`SELECT COUNT(*), COUNT(CASE WHEN expires_at <= ? OR NOT `+notDeleted+` THEN 1 END)
		FROM communications_log WHERE `+c.sql(), args...)
	if err != nil {
		return 0, 0, fmt.Errorf("count what is uncertain: %w", err)
	}
	return matched, expired, nil
}

// ResolveAll is Resolve for up to limit uncertain deliveries, oldest first, and tells how many it settled. To be sent
// again they fall due one after the other, by the pace; those that have expired and those of deleted integrations are
// left alone then. It gives the jobs to publish.
func (s *Store) ResolveAll(ctx context.Context, tenantID string, f peal.UncertainFilter, v peal.Verdict, limit int) (done int64, jobs []pipeline.Job, err error) {
	chosen, err := wrote(ctx, s, func(t *tx) ([]pipeline.Job, error) {
		now := s.now()
		c := s.uncertainWhere(&f, tenantID)
		if v.As == peal.Queued {
			c.and("(expires_at IS NULL OR expires_at > ?) AND "+notDeleted, now.UnixMicro())
		}
		rows, err := t.queryOnce(`SELECT delivery_id, integration_id, priority FROM communications_log WHERE `+c.sql()+
			` ORDER BY delivery_id LIMIT ?`+t.d.forUpdate, append(c.args, limit)...)
		chosen, err := collect(rows, err, scanJob)
		if err != nil {
			return nil, fmt.Errorf("choose what is uncertain: %w", err)
		}
		if err := t.climbsOf(tenantID, column(chosen, func(j pipeline.Job) string { return j.DeliveryID })); err != nil {
			return nil, err
		}
		for i := range chosen {
			j := &chosen[i]
			if v.As != peal.Queued {
				err = settle(t, &peal.Delivery{TenantID: tenantID, ID: j.DeliveryID}, v.As, v.Note, now)
			} else {
				if v.Pace.Spacing > 0 {
					j.Due = now.Add(v.Pace.Start + time.Duration(i)*v.Pace.Spacing)
				}
				err = requeue(t, tenantID, j, now, peal.EventResolved, v.Note)
			}
			if err != nil {
				return nil, fmt.Errorf("resolve: %w", err)
			}
		}
		return chosen, nil
	})
	if v.As == peal.Queued {
		jobs = chosen
	}
	return int64(len(chosen)), jobs, err
}

func deletedIntegration(t *tx, id string) (gone bool, err error) {
	row, err := t.row(`SELECT EXISTS (SELECT 1 FROM integrations WHERE integration_id = ? AND deleted_at IS NOT NULL)`, id)
	if err == nil {
		err = row.Scan(&gone)
	}
	if err != nil {
		return false, fmt.Errorf("look for the integration: %w", err)
	}
	return gone, nil
}
