package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"peal/internal/peal"
	"peal/internal/pipeline"
)

func (s *Store) deadWhere(f *peal.DeadFilter, tenantID string) *clause {
	c := &clause{d: s.d}
	c.and("tenant_id = ? AND dead_at IS NOT NULL", tenantID)
	c.in("delivery_id", f.IDs)
	c.equal("integration_id", f.IntegrationID)
	c.equal("error_code", f.ErrorCode)
	c.since("dead_at", f.Since)
	c.until("dead_at", f.Until)
	return c
}

// DeadGroups groups a tenant's dead letters by integration and error code, the largest group first.
func (s *Store) DeadGroups(ctx context.Context, tenantID string) ([]peal.DeadGroup, error) {
	groups, err := list(ctx, s.reads, func(row scanner, g *peal.DeadGroup) error {
		return row.Scan(&g.IntegrationID, opt[string]{&g.ErrorCode}, &g.Count, at{&g.Oldest}, at{&g.Newest}, &g.Sample.ID)
	}, `SELECT integration_id, error_code, COUNT(*), MIN(dead_at), MAX(dead_at),
		MAX(delivery_id) FROM communications_log WHERE tenant_id = ? AND dead_at IS NOT NULL
		GROUP BY integration_id, error_code ORDER BY COUNT(*) DESC, integration_id LIMIT 1000`, tenantID)
	if err != nil {
		return nil, fmt.Errorf("group dead letters: %w", err)
	}
	ids := make([]string, len(groups))
	for i := range groups {
		ids[i] = groups[i].Sample.ID
	}
	samples, err := s.deliveriesByID(ctx, tenantID, ids)
	if err != nil {
		return nil, err
	}
	for i := range groups {
		groups[i].Sample = samples[groups[i].Sample.ID]
	}
	return groups, nil
}

func (s *Store) deliveriesByID(ctx context.Context, tenantID string, ids []string) (map[string]peal.Delivery, error) {
	c := &clause{d: s.d}
	c.and("tenant_id = ?", tenantID)
	c.in("delivery_id", ids)
	all, err := list(ctx, s.reads, scanDelivery, `SELECT `+deliveryColumns+` FROM communications_log WHERE `+c.sql(), c.args...)
	if err != nil {
		return nil, fmt.Errorf("read deliveries: %w", err)
	}
	byID := make(map[string]peal.Delivery, len(all))
	for _, d := range all {
		byID[d.ID] = d
	}
	return byID, nil
}

// notDeleted is so of deliveries whose integration was not deleted.
const notDeleted = `NOT EXISTS (SELECT 1 FROM integrations i WHERE i.integration_id = communications_log.integration_id
	AND i.deleted_at IS NOT NULL)`

// DeadCounts tells how many dead letters the filter chooses, and how many of these cannot be re-driven: they have
// expired, or their integration was deleted.
func (s *Store) DeadCounts(ctx context.Context, tenantID string, f peal.DeadFilter) (matched, expired int64, err error) {
	c := s.deadWhere(&f, tenantID)
	args := append([]any{s.now().UnixMicro()}, c.args...)
	err = one(ctx, s.reads, func(row scanner, matched *int64) error { return row.Scan(matched, &expired) }, &matched,
		`SELECT COUNT(*), COUNT(CASE WHEN expires_at <= ? OR NOT `+notDeleted+` THEN 1 END)
		FROM communications_log WHERE `+c.sql(), args...)
	if err != nil {
		return 0, 0, fmt.Errorf("count dead letters: %w", err)
	}
	return matched, expired, nil
}

// Redrive queues up to limit dead letters again, oldest first: same id, same history, a fresh budget of attempts. With
// a pace they fall due one after the other. Expired ones and those of deleted integrations are left alone. It gives the jobs to publish.
func (s *Store) Redrive(ctx context.Context, tenantID string, f peal.DeadFilter, limit int, pace peal.Pace) ([]pipeline.Job, error) {
	return wrote(ctx, s, func(t *tx) ([]pipeline.Job, error) {
		now := s.now()
		c := s.deadWhere(&f, tenantID)
		c.and("(expires_at IS NULL OR expires_at > ?) AND "+notDeleted, now.UnixMicro())
		rows, err := t.queryOnce(`SELECT delivery_id, integration_id, priority FROM communications_log WHERE `+c.sql()+
			` ORDER BY delivery_id LIMIT ?`+t.d.forUpdate, append(c.args, limit)...)
		jobs, err := collect(rows, err, scanJob)
		if err != nil {
			return nil, fmt.Errorf("choose dead letters: %w", err)
		}
		for i := range jobs {
			if pace.Spacing > 0 {
				jobs[i].Due = now.Add(pace.Start + time.Duration(i)*pace.Spacing)
			}
			if err := requeue(t, tenantID, &jobs[i], now, peal.EventRedriven, ""); err != nil {
				return nil, fmt.Errorf("re-drive: %w", err)
			}
		}
		return jobs, nil
	})
}

func scanJob(row scanner, j *pipeline.Job) error {
	return row.Scan(&j.DeliveryID, &j.IntegrationID, &j.Priority)
}

// requeue gives an ended or uncertain delivery a fresh budget of attempts.
func requeue(t *tx, tenantID string, j *pipeline.Job, now time.Time, why peal.EventType, note string) error {
	err := t.exec(`UPDATE communications_log SET status = 'queued', in_flight = 1, round = attempts, dead_at = NULL, ended_at = NULL,
		due_at = ?1, check_at = NULL, updated_at = ?2 WHERE tenant_id = ?3 AND delivery_id = ?4`,
		micros(j.Due), now.UnixMicro(), tenantID, j.DeliveryID)
	if err != nil {
		return err
	}
	return putEvent(t, &peal.Event{DeliveryID: j.DeliveryID, At: now, Type: why, Status: peal.Queued, Detail: note})
}

// Discard lets go of up to limit dead letters: they stay failed, and nobody is asked about them any more.
func (s *Store) Discard(ctx context.Context, tenantID string, f peal.DeadFilter, limit int) (int64, error) {
	return wrote(ctx, s, func(t *tx) (done int64, err error) {
		now := s.now()
		c := s.deadWhere(&f, tenantID)
		rows, err := t.queryOnce(`SELECT delivery_id, integration_id, priority FROM communications_log WHERE `+c.sql()+
			` ORDER BY delivery_id LIMIT ?`+t.d.forUpdate, append(c.args, limit)...)
		jobs, err := collect(rows, err, scanJob)
		if err != nil {
			return 0, fmt.Errorf("choose dead letters: %w", err)
		}
		for _, j := range jobs {
			err := t.exec(`UPDATE communications_log SET dead_at = NULL, updated_at = ? WHERE tenant_id = ? AND delivery_id = ?`,
				now.UnixMicro(), tenantID, j.DeliveryID)
			if err == nil {
				err = putEvent(t, &peal.Event{DeliveryID: j.DeliveryID, At: now, Type: peal.EventDiscarded, Status: peal.Failed})
			}
			if err != nil {
				return 0, fmt.Errorf("discard: %w", err)
			}
			done++
		}
		return done, nil
	})
}

// Resolve is a person's word on an uncertain delivery: it was sent, it failed, or it is to be sent again (then the job
// to publish is given). It fails with NotUncertain; or for a resend with TooLate when it has expired, and with Conflict
// when its integration was deleted.
func (s *Store) Resolve(ctx context.Context, tenantID, id string, as peal.Status, note string) (*pipeline.Job, error) {
	type answer struct {
		job     *pipeline.Job
		refused error // no fault of the write
	}
	refuse := func(kind peal.Kind, format string, args ...any) (answer, error) {
		return answer{refused: peal.Errorf(kind, format, args...)}, nil
	}
	a, err := wrote(ctx, s, func(t *tx) (a answer, err error) {
		now := s.now()
		if err := t.climbsOf(tenantID, []string{id}); err != nil {
			return a, err
		}
		row, err := t.row(sqlReadAny+t.d.forUpdate, tenantID, id)
		if err != nil {
			return a, err
		}
		var d peal.Delivery
		switch err := scanDelivery(row, &d); {
		case errors.Is(err, sql.ErrNoRows):
			return refuse(peal.NotFound, "there is no such delivery")
		case err != nil:
			return a, err
		case d.Status != peal.Uncertain:
			return refuse(peal.NotUncertain, "its status is %s", d.Status)
		case as == peal.Queued && d.Expired(now):
			return refuse(peal.TooLate, "it expired at %s", d.ExpiresAt.Format(time.RFC3339))
		case as == peal.Queued:
			gone, err := deletedIntegration(t, d.IntegrationID)
			if err != nil {
				return a, err
			}
			if gone {
				return refuse(peal.Conflict, "its integration was deleted; resolve it as sent or failed, and send a new notification over another one")
			}
			a.job = &pipeline.Job{IntegrationID: d.IntegrationID, DeliveryID: d.ID, Priority: d.Priority}
			return a, requeue(t, tenantID, a.job, now, peal.EventResolved, note)
		}
		return a, settle(t, &d, as, note, now)
	})
	return a.job, errors.Join(err, a.refused)
}

const sqlReadAny = `SELECT ` + deliveryColumns + ` FROM communications_log WHERE tenant_id = ? AND delivery_id = ?`

func settle(t *tx, d *peal.Delivery, as peal.Status, note string, now time.Time) error {
	err := t.exec(`UPDATE communications_log SET status = ?1, in_flight = NULL, updated_at = ?2, check_at = NULL,
		error_code = CASE WHEN ?1 = 'failed' THEN error_code END, error_reason = CASE WHEN ?1 = 'failed' THEN error_reason END,
		sent_at = CASE WHEN ?1 = 'sent' THEN COALESCE(sent_at, ?2) ELSE sent_at END,
		ended_at = CASE WHEN ?1 = 'failed' THEN ?2 END WHERE tenant_id = ?3 AND delivery_id = ?4`,
		string(as), now.UnixMicro(), d.TenantID, d.ID)
	if err != nil {
		return fmt.Errorf("resolve: %w", err)
	}
	return putEvent(t, &peal.Event{DeliveryID: d.ID, At: now, Type: peal.EventResolved, Status: as, Detail: note})
}
