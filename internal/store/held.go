package store

import (
	"context"
	"fmt"
	"time"

	"peal/internal/peal"
	"peal/internal/pipeline"
)

// HoldCallback keeps a webhook that the broker could not take, sealed by the caller, and returns once it is on disk.
func (s *Store) HoldCallback(ctx context.Context, integrationID string, received time.Time, sealed []byte) error {
	id := peal.NewID()
	return s.write(ctx, func(t *tx) error {
		err := t.exec(`INSERT INTO held_callbacks (id, integration_id, received_at, body) VALUES (?, ?, ?, ?)`,
			id, integrationID, received.UnixMicro(), sealed)
		if err != nil {
			return fmt.Errorf("hold webhook: %w", err)
		}
		return nil
	})
}

// HeldCallbacks gives up to limit held webhooks after an id, the longest held first: those that are folded in already, or
// those that are not. Each may be megabytes.
func (s *Store) HeldCallbacks(ctx context.Context, folded bool, after string, limit int) ([]pipeline.Held, error) {
	which := "NULL"
	if folded {
		which = "NOT NULL"
	}
	all, err := list(ctx, s.reads, func(row scanner, h *pipeline.Held) error {
		h.Folded = folded
		return row.Scan(&h.ID, &h.IntegrationID, at{&h.ReceivedAt}, &h.Body)
	}, `SELECT id, integration_id, received_at, body FROM held_callbacks WHERE folded_at IS `+which+` AND id > ? ORDER BY id LIMIT ?`, after, limit)
	if err != nil {
		return nil, fmt.Errorf("read held webhooks: %w", err)
	}
	return all, nil
}

// HeldFolded notes that a held webhook is folded in. One that is not there is no error.
func (s *Store) HeldFolded(ctx context.Context, id string) error {
	return s.write(ctx, func(t *tx) error {
		if err := t.exec(`UPDATE held_callbacks SET folded_at = ? WHERE id = ?`, s.now().UnixMicro(), id); err != nil {
			return fmt.Errorf("note a folded webhook: %w", err)
		}
		return nil
	})
}

// DropHeld forgets held webhooks: the broker keeps them. One that is not there is no error.
func (s *Store) DropHeld(ctx context.Context, ids []string) error {
	return s.write(ctx, func(t *tx) error {
		for _, id := range ids {
			if err := t.exec(`DELETE FROM held_callbacks WHERE id = ?`, id); err != nil {
				return fmt.Errorf("forget held webhook: %w", err)
			}
		}
		return nil
	})
}
