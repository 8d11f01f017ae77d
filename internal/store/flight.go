package store

import (
	"context"
	"fmt"
	"time"

	"peal/internal/peal"
	"peal/internal/pipeline"
)

// InFlight gives up to limit rows that ought to have a job, after the given place in the order of integration and
// delivery; start with two empty texts.
func (s *Store) InFlight(ctx context.Context, afterIntegration, afterDelivery string, limit int) ([]pipeline.InFlight, error) {
	all, err := list(ctx, s.reads, func(row scanner, f *pipeline.InFlight) error {
		return row.Scan(&f.TenantID, &f.IntegrationID, &f.DeliveryID, &f.Priority, &f.Status, at{&f.DueAt}, at{&f.ExpiresAt}, at{&f.CreatedAt}, at{&f.UpdatedAt})
	}, `SELECT tenant_id, integration_id, delivery_id, priority, status, due_at, expires_at, created_at, updated_at
		FROM communications_log INDEXED BY log_in_flight
		WHERE in_flight = 1 AND (integration_id, delivery_id) > (?, ?)
		ORDER BY integration_id, delivery_id LIMIT ?`, afterIntegration, afterDelivery, limit)
	if err != nil {
		return nil, fmt.Errorf("read what is in flight: %w", err)
	}
	return all, nil
}

// PullIn makes due at once what an integration's pause has put back to its end: the pause ended early, or the integration
// is another now. Retries, schedules and the pace of re-driven ones stay. It gives the jobs to publish.
func (s *Store) PullIn(ctx context.Context, integrationID string) ([]pipeline.Job, error) {
	return wrote(ctx, s, func(t *tx) ([]pipeline.Job, error) {
		now := s.now().UnixMicro()
		rows, err := t.query(`UPDATE communications_log INDEXED BY log_put_back SET due_at = NULL, put_back = NULL, updated_at = ?1
			WHERE put_back = 1 AND integration_id = ?2 AND status = 'queued' AND due_at > ?1
			RETURNING delivery_id, integration_id, priority`, now, integrationID)
		jobs, err := collect(rows, err, scanJob)
		if err != nil {
			return nil, fmt.Errorf("pull in: %w", err)
		}
		return jobs, nil
	})
}

// DueChecks gives up to limit sent deliveries of an integration whose look-up at the provider is due by then, the longest
// waiting first; with unkeyed only those whose message key is not known.
func (s *Store) DueChecks(ctx context.Context, integrationID string, by time.Time, unkeyed bool, limit int) ([]pipeline.Unkeyed, error) {
	found, err := list(ctx, s.reads, func(row scanner, u *pipeline.Unkeyed) error {
		return row.Scan(&u.TenantID, &u.DeliveryID, opt[string]{&u.MessageID}, &u.Status, at{&u.SentAt}, at{&u.CheckAt})
	}, `SELECT tenant_id, delivery_id, message_id, status, sent_at, check_at
		FROM communications_log WHERE integration_id = ? AND check_at IS NOT NULL AND check_at <= ? AND status <> 'uncertain'
		AND (message_key IS NULL OR NOT ?) ORDER BY check_at LIMIT ?`, integrationID, by.UnixMicro(), unkeyed, limit)
	if err != nil {
		return nil, fmt.Errorf("read what is to be looked up: %w", err)
	}
	return found, nil
}

// SetChecks moves the next look-up of deliveries; a zero time ends them.
func (s *Store) SetChecks(ctx context.Context, rows []pipeline.Unkeyed) error {
	if s.d.bulk {
		return s.writer.do(ctx, &op{kind: kindChecks, call: rows})
	}
	return s.write(ctx, func(t *tx) error {
		for i := range rows {
			err := t.exec(`UPDATE communications_log SET check_at = ? WHERE tenant_id = ? AND delivery_id = ? AND check_at IS NOT NULL`,
				micros(rows[i].CheckAt), rows[i].TenantID, rows[i].DeliveryID)
			if err != nil {
				return fmt.Errorf("move look-up: %w", err)
			}
		}
		return nil
	})
}

// Parked counts the integration's evidence that waits for a row.
func (s *Store) Parked(ctx context.Context, integrationID string) (n int, err error) {
	err = one(ctx, s.reads, scanInto, &n, `SELECT COUNT(*) FROM unmatched
		WHERE integration_id = ? AND given_up_at IS NULL AND status <> ''`, integrationID)
	if err != nil {
		return 0, fmt.Errorf("count parked evidence: %w", err)
	}
	return n, nil
}

// Depths tells for every integration what it has in flight and how many dead letters.
func (s *Store) Depths(ctx context.Context) ([]peal.Depth, error) {
	all, err := listWithin(ctx, countTime, s.reads, func(row scanner, d *peal.Depth) error {
		return row.Scan(&d.IntegrationID, &d.Queued, &d.Uncertain, &d.Dead, at{&d.Oldest})
	}, `SELECT integration_id, COUNT(CASE WHEN status <> 'uncertain' THEN 1 END),
		COUNT(CASE WHEN status = 'uncertain' THEN 1 END), 0, MIN(CASE WHEN status <> 'uncertain' THEN created_at END)
		FROM communications_log INDEXED BY log_in_flight WHERE in_flight = 1 GROUP BY integration_id
		UNION ALL SELECT integration_id, 0, 0, COUNT(*), NULL FROM communications_log INDEXED BY log_dead
		WHERE dead_at IS NOT NULL GROUP BY integration_id`)
	if err != nil {
		return nil, fmt.Errorf("measure queues: %w", err)
	}
	return all, nil
}

// keptFor is how long stays what was given up on: evidence that no row ever knew, webhooks that could not be read.
const keptFor = 30 * 24 * time.Hour

// Sweep gives up on evidence parked before the time, and forgets what nobody needs any more: idempotency keys that no
// longer stand, and after keptFor what was given up on. It works in small steps, so that nobody waits for it, and tells
// how much evidence it gave up on.
func (s *Store) Sweep(ctx context.Context, parkedBefore time.Time) (givenUp int64, err error) {
	now, before := s.now(), parkedBefore.UnixMicro()
	old := now.Add(-keptFor).UnixMicro()
	for _, step := range []struct {
		what, sql string
		limit     int64
		args      []any
		counted   bool
	}{
		{"give up on parked ids", sqlForgetIDs, 500, []any{before}, false},
		{"give up on parked evidence", sqlGiveUp, 500, []any{now.UnixMicro(), before}, true},
		{"forget evidence", sqlForgetUnmatched, 500, []any{old}, false},
		{"forget unreadable webhooks", sqlForgetUnreadable, 20, []any{old}, false}, // each may be megabytes
		{"forget old replays", sqlForgetReplays, 500, []any{old}, false},
		{"forget old idempotency keys", sqlForgetKeys, 500, []any{now.Add(-IdempotencyWindow).UnixMicro()}, false},
	} {
		n, err := s.inSteps(ctx, step.sql, step.limit, step.args)
		if step.counted {
			givenUp += n
		}
		if err != nil {
			return givenUp, fmt.Errorf("%s: %w", step.what, err)
		}
	}
	return givenUp, nil
}

// inSteps runs a statement that changes at most limit rows until it finds fewer, and tells how many it changed.
func (s *Store) inSteps(ctx context.Context, query string, limit int64, args []any) (total int64, err error) {
	for {
		n, err := wrote(ctx, s, func(t *tx) (int64, error) { return t.affect(query, append(args, limit)...) })
		total += n
		if err != nil || n < limit {
			return total, err
		}
	}
}

const (
	sqlForgetIDs = `DELETE FROM unmatched WHERE (integration_id, ref, status) IN (SELECT integration_id, ref, status
		FROM unmatched WHERE status = '' AND given_up_at IS NULL AND received_at < ? ORDER BY received_at LIMIT ?)`
	sqlGiveUp = `UPDATE unmatched SET given_up_at = ? WHERE (integration_id, ref, status) IN (SELECT integration_id, ref, status
		FROM unmatched WHERE given_up_at IS NULL AND received_at < ? ORDER BY received_at LIMIT ?)`
	sqlForgetUnmatched = `DELETE FROM unmatched WHERE (integration_id, ref, status) IN (SELECT integration_id, ref, status
		FROM unmatched WHERE given_up_at IS NOT NULL AND given_up_at < ? ORDER BY given_up_at LIMIT ?)`
	sqlForgetUnreadable = `DELETE FROM unreadable WHERE id IN (SELECT id FROM unreadable WHERE received_at < ?
		ORDER BY received_at LIMIT ?)`
	sqlForgetReplays = `DELETE FROM replays WHERE (tenant_id, replay_id) IN (SELECT tenant_id, replay_id
		FROM replays WHERE ended_at IS NOT NULL AND ended_at < ? ORDER BY ended_at LIMIT ?)`
	sqlForgetKeys = `DELETE FROM idempotency WHERE (tenant_id, key) IN
		(SELECT tenant_id, key FROM idempotency WHERE created_at < ? ORDER BY created_at LIMIT ?)`
)
