package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"peal/internal/peal"
	"peal/internal/pipeline"
)

const (
	// The call was made after whatever is told before it, and where its answer was waited for, no longer ago than that.
	sqlDueFinds = `SELECT tenant_id, integration_id, delivery_id, recipient, payload, priority, attempts, round, updated_at,
		COALESCE((SELECT MAX(e.at) FROM delivery_events e WHERE e.delivery_id = l.delivery_id AND e.at < l.updated_at), l.created_at),
		(SELECT MAX(e.took_us) FROM delivery_events e WHERE e.delivery_id = l.delivery_id AND e.at = l.updated_at AND e.type = 'attempt')
		FROM communications_log l WHERE integration_id = ? AND check_at IS NOT NULL AND check_at <= ? AND status = 'uncertain'
		ORDER BY check_at LIMIT ?`
	sqlFoundSent = `UPDATE communications_log SET status = 'sent', in_flight = NULL, message_id = ?1, sent_at = COALESCE(sent_at, ?2),
		updated_at = ?3, due_at = NULL, error_code = NULL, error_reason = NULL, check_at = ?4
		WHERE tenant_id = ?5 AND delivery_id = ?6 AND status = 'uncertain' AND updated_at = ?7`
	sqlFoundFailed = `UPDATE communications_log SET status = 'failed', in_flight = NULL, message_id = ?1, ended_at = ?2,
		updated_at = ?2, due_at = NULL, error_code = ?3, error_reason = ?4, check_at = NULL
		WHERE tenant_id = ?5 AND delivery_id = ?6 AND status = 'uncertain' AND updated_at = ?7`
	sqlNotThere = `UPDATE communications_log SET status = 'queued', updated_at = ?1, due_at = NULL, check_at = NULL
		WHERE tenant_id = ?2 AND delivery_id = ?3 AND status = 'uncertain' AND updated_at = ?4`
	sqlCannotTell = `UPDATE communications_log SET check_at = ?1
		WHERE tenant_id = ?2 AND delivery_id = ?3 AND status = 'uncertain' AND updated_at = ?4`
)

// DueFinds gives up to limit uncertain deliveries of an integration that are to be looked for by then, the longest
// waiting first.
func (s *Store) DueFinds(ctx context.Context, integrationID string, by time.Time, limit int) ([]pipeline.Lost, error) {
	found, err := list(ctx, s.reads, func(row scanner, l *pipeline.Lost) error {
		var took *int64
		err := row.Scan(&l.TenantID, &l.IntegrationID, &l.DeliveryID, &l.Recipient, opt[[]byte]{(*[]byte)(&l.Payload)}, &l.Priority,
			&l.Attempts, &l.Round, at{&l.To}, at{&l.From}, &took)
		if took != nil {
			if start := l.To.Add(-time.Duration(*took) * time.Microsecond); start.After(l.From) {
				l.From = start
			}
		}
		return err
	}, sqlDueFinds, integrationID, by.UnixMicro(), limit)
	if err != nil {
		return nil, fmt.Errorf("read what is to be looked for: %w", err)
	}
	return found, nil
}

const toldColumns = `SELECT delivery_id, message_id, recipient, payload, sent_at FROM communications_log WHERE `

func scanTold(row scanner, d *pipeline.Told) error {
	return row.Scan(&d.DeliveryID, opt[string]{&d.MessageID}, &d.Recipient, opt[[]byte]{(*[]byte)(&d.Payload)}, at{&d.SentAt})
}

// ToldTo gives up to limit deliveries of a tenant to these recipients that were called for, as far as anything has
// changed about them since then: over whatever integration, for two may lead to one account.
func (s *Store) ToldTo(ctx context.Context, tenantID string, recipients []string, since time.Time, limit int) ([]pipeline.Told, error) {
	c := &clause{d: s.d}
	c.and("tenant_id = ?", tenantID)
	c.in("recipient", recipients)
	c.and("attempts > 0 AND updated_at >= ?", since.UnixMicro())
	found, err := list(ctx, s.reads, scanTold, toldColumns+c.sql()+` ORDER BY recipient, delivery_id LIMIT ?`, append(c.args, limit)...)
	if err != nil {
		return nil, fmt.Errorf("read who else was told: %w", err)
	}
	return found, nil
}

// ToldAs gives the deliveries of a tenant that have these message ids.
func (s *Store) ToldAs(ctx context.Context, tenantID string, messageIDs []string) ([]pipeline.Told, error) {
	c := &clause{d: s.d}
	c.and("tenant_id = ? AND message_id IS NOT NULL", tenantID)
	c.in("message_id", messageIDs)
	found, err := list(ctx, s.reads, scanTold, toldColumns+c.sql(), c.args...)
	if err != nil {
		return nil, fmt.Errorf("read whose messages these are: %w", err)
	}
	return found, nil
}

// Reconcile writes what was found of lost deliveries, with the finding in the timeline. Whatever has moved since it was
// read, by a receipt or a person, stays as it is.
func (s *Store) Reconcile(ctx context.Context, findings []pipeline.Finding) (pipeline.Reconciled, error) {
	return wrote(ctx, s, func(t *tx) (r pipeline.Reconciled, err error) {
		if err := shareLocks(t, findings); err != nil {
			return r, fmt.Errorf("reconcile: %w", err)
		}
		for tenantID, ids := range byTenant(findings) {
			if err := t.climbsOf(tenantID, ids); err != nil {
				return r, fmt.Errorf("reconcile: %w", err)
			}
		}
		for i := range findings {
			if err := reconcileOne(t, &r, &findings[i], s.now()); err != nil {
				return r, fmt.Errorf("reconcile: %w", err)
			}
		}
		return r, nil
	})
}

// byTenant gives the deliveries of findings by their tenant.
func byTenant(findings []pipeline.Finding) map[string][]string {
	ids := map[string][]string{}
	for i := range findings {
		ids[findings[i].TenantID] = append(ids[findings[i].TenantID], findings[i].DeliveryID)
	}
	return ids
}

// shareLocks is for databases with several writers: an id is about to be written for which evidence may be parked just now.
func shareLocks(t *tx, findings []pipeline.Finding) error {
	if !t.d.bulk {
		return nil
	}
	var keys []int64
	for i := range findings {
		if findings[i].MessageID != "" {
			keys = append(keys, lockKey(findings[i].IntegrationID))
		}
	}
	slices.Sort(keys)
	for _, k := range slices.Compact(keys) {
		if err := t.exec(sharedLock, k); err != nil {
			return err
		}
	}
	return nil
}

func reconcileOne(t *tx, r *pipeline.Reconciled, f *pipeline.Finding, now time.Time) error {
	n, err := moveFound(t, f, now)
	if err != nil || n == 0 {
		return err
	}
	event := peal.Event{
		DeliveryID: f.DeliveryID, At: now, Type: peal.EventReconciled, Status: f.Next, Code: f.Code, Detail: f.Detail, OccurredAt: f.At,
	}
	if f.Next == "" {
		if event.Status = peal.Uncertain; !f.Check.IsZero() || f.Detail == "" {
			return nil // it is looked for again
		}
		return putEvent(t, &event)
	}
	r.Moved = append(r.Moved, peal.Moved{IntegrationID: f.IntegrationID, Status: f.Next})
	if f.Next == peal.Queued {
		r.Jobs = append(r.Jobs, pipeline.Job{IntegrationID: f.IntegrationID, DeliveryID: f.DeliveryID, Priority: f.Priority})
	}
	if err := putEvent(t, &event); err != nil || f.MessageID == "" {
		return err
	}
	var folded peal.Folded
	err = matchParked(t, &folded, f.IntegrationID, "id:"+f.MessageID, f.TenantID, f.DeliveryID, now)
	r.Moved = append(r.Moved, folded.Moved...)
	return err
}

func moveFound(t *tx, f *pipeline.Finding, now time.Time) (int64, error) {
	as := f.To.UnixMicro() // when it became uncertain: what it became since is another matter
	switch f.Next {
	case peal.Sent:
		at := f.At
		if at.IsZero() {
			at = f.To
		}
		return t.affect(sqlFoundSent, text(f.MessageID), at.UnixMicro(), now.UnixMicro(), micros(f.Check), f.TenantID, f.DeliveryID, as)
	case peal.Failed:
		return t.affect(sqlFoundFailed, text(f.MessageID), now.UnixMicro(), text(f.Code), text(f.Detail), f.TenantID, f.DeliveryID, as)
	case peal.Queued:
		return t.affect(sqlNotThere, now.UnixMicro(), f.TenantID, f.DeliveryID, as)
	case "":
		return t.affect(sqlCannotTell, micros(f.Check), f.TenantID, f.DeliveryID, as)
	default:
		return 0, fmt.Errorf("a finding cannot be %q", f.Next)
	}
}
