package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"peal/internal/peal"
	"peal/internal/pipeline"
)

// One statement claims a whole batch: RETURNING gathers its rows in a table of its own, which costs as much as several
// rows do. A send_at is looked for only of what had to wait. What is on a ladder always has its intent written: a receipt
// must not cancel what is being sent.
const (
	sqlClaim = `UPDATE communications_log SET status = CASE WHEN rung IS NULL THEN ?1 ELSE 'sending' END, attempts = attempts + 1, updated_at = ?2, put_back = NULL
		WHERE tenant_id = ?3 AND delivery_id IN (SELECT value FROM json_each(?4)) AND integration_id = ?5 AND status = 'queued'
		AND (due_at IS NULL OR due_at <= ?2) AND (expires_at IS NULL OR expires_at > ?2)
		RETURNING delivery_id, recipient, user_id, payload, priority, attempts, round, created_at,
		CASE WHEN due_at IS NOT NULL OR attempts > 1 THEN (SELECT n.send_at FROM notifications n
			WHERE n.tenant_id = communications_log.tenant_id AND n.notification_id = communications_log.notification_id) END, expires_at,
		due_at, error_code, rung, unless, rung_at`
	sqlReadForSend = `SELECT ` + deliveryColumns + ` FROM communications_log
		WHERE tenant_id = ? AND delivery_id IN (SELECT value FROM json_each(?)) AND integration_id = ?`
)

// Claim makes those of the deliveries that may be sent now the caller's: their state becomes Sending, on disk, and
// their attempt is counted. The rest come back as they are; ids that no row has come back not at all.
//
// With intent false (for providers where a repeat does no harm) they stay Queued, and the attempt is counted all the same.
func (s *Store) Claim(ctx context.Context, in *peal.Integration, ids []string, intent bool) (pipeline.Claimed, error) {
	status := peal.Sending
	if !intent {
		status = peal.Queued
	}
	if s.d.bulk {
		call := &claimCall{in: in, ids: ids, status: status}
		if err := s.writer.do(ctx, &op{kind: kindClaim, call: call}); err != nil { // the write may still be going on
			return pipeline.Claimed{}, err
		}
		return call.claimed, nil
	}
	return wrote(ctx, s, func(t *tx) (pipeline.Claimed, error) {
		c, err := claim(t, in, ids, status, s.now())
		if err != nil {
			return c, fmt.Errorf("claim: %w", err)
		}
		return c, nil
	})
}

func claim(t *tx, in *peal.Integration, ids []string, status peal.Status, now time.Time) (c pipeline.Claimed, err error) {
	rows, err := t.query(sqlClaim, string(status), now.UnixMicro(), in.TenantID, jsonList(ids), in.ID)
	c.Ready, err = collect(rows, err, func(row scanner, d *peal.Delivery) error {
		d.TenantID, d.IntegrationID, d.Channel, d.Status, d.UpdatedAt = in.TenantID, in.ID, in.Channel, status, now
		err := scanClaimed(row, d)
		if d.Rung != nil {
			d.Status = peal.Sending
		}
		return err
	})
	if err == nil {
		err = tellTurns(t, c.Ready, now)
	}
	if err != nil || len(c.Ready) == len(ids) {
		return c, err
	}
	ready := make(map[string]bool, len(c.Ready))
	for i := range c.Ready {
		ready[c.Ready[i].ID] = true
	}
	var rest []string
	for _, id := range ids {
		if !ready[id] {
			rest = append(rest, id)
		}
	}
	rows, err = t.query(sqlReadForSend, in.TenantID, jsonList(rest), in.ID)
	c.Rest, err = collect(rows, err, scanDelivery)
	return c, err
}

// scanClaimed reads what a claim gives of a row.
func scanClaimed(row scanner, d *peal.Delivery) error {
	return row.Scan(&d.ID, &d.Recipient, opt[string]{&d.UserID}, opt[json.RawMessage]{&d.Payload}, &d.Priority, &d.Attempts, &d.Round,
		at{&d.CreatedAt}, at{&d.SendAt}, at{&d.ExpiresAt}, at{&d.DueAt}, opt[string]{&d.ErrorCode}, rungNumber{&d.Rung}, rungUnless{&d.Rung}, rungAt{&d.Rung})
}
