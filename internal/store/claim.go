package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"peal/internal/peal"
	"peal/internal/pipeline"
)

const (
	sqlClaim = `UPDATE communications_log SET status = ?1, attempts = attempts + 1, updated_at = ?2
		WHERE tenant_id = ?3 AND delivery_id = ?4 AND integration_id = ?5 AND status = 'queued'
		AND (due_at IS NULL OR due_at <= ?2) AND (expires_at IS NULL OR expires_at > ?2)
		RETURNING recipient, payload, attempts, round, expires_at`
	sqlReadForSend = `SELECT ` + deliveryColumns + ` FROM communications_log
		WHERE tenant_id = ? AND delivery_id = ? AND integration_id = ?`
)

// Claim makes those of the deliveries that may be sent now the caller's: their state becomes Sending, on disk, and
// their attempt is counted. The rest come back as they are; ids that no row has come back not at all.
//
// With intent false (for providers where a repeat does no harm) they stay Queued, and the attempt is counted all the same.
func (s *Store) Claim(ctx context.Context, in *peal.Integration, ids []string, intent bool) (pipeline.Claimed, error) {
	var c pipeline.Claimed
	status := peal.Sending
	if !intent {
		status = peal.Queued
	}
	err := s.write(ctx, func(t *tx) error {
		c = pipeline.Claimed{Ready: make([]peal.Delivery, 0, len(ids))}
		now := s.now()
		for _, id := range ids {
			if err := claimOne(t, &c, in, id, status, now); err != nil {
				return fmt.Errorf("claim: %w", err)
			}
		}
		return nil
	})
	return c, err
}

func claimOne(t *tx, c *pipeline.Claimed, in *peal.Integration, id string, status peal.Status, now time.Time) error {
	row, err := t.row(sqlClaim, string(status), now.UnixMicro(), in.TenantID, id, in.ID)
	if err != nil {
		return err
	}
	d := peal.Delivery{TenantID: in.TenantID, ID: id, IntegrationID: in.ID, Channel: in.Channel, Status: status, UpdatedAt: now}
	err = row.Scan(&d.Recipient, opt[json.RawMessage]{&d.Payload}, &d.Attempts, &d.Round, at{&d.ExpiresAt})
	if err == nil {
		c.Ready = append(c.Ready, d)
		return nil
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if row, err = t.row(sqlReadForSend, in.TenantID, id, in.ID); err != nil {
		return err
	}
	switch err := scanDelivery(row, &d); {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return err
	}
	c.Rest = append(c.Rest, d)
	return nil
}
