package store

import (
	"context"
	"fmt"

	"peal/internal/peal"
)

// Cancel ends the deliveries of a notification that still wait, and of an audience the expansion, so that no more come. It
// fails with NotCancelable when there was nothing to end: all were sent, are being sent, or have ended otherwise; a second
// cancel is no error. Many deliveries are canceled step by step, so that nobody waits long.
func (s *Store) Cancel(ctx context.Context, tenantID, notificationID string) error {
	from, to, err := peal.DeliveryRange(notificationID)
	if err != nil {
		return peal.Errorf(peal.NotFound, "there is no such notification")
	}
	var there int
	err = one(ctx, s.reads, scanInto, &there, `SELECT 1 FROM notifications WHERE tenant_id = ? AND notification_id = ?`, tenantID, notificationID)
	if err != nil {
		return notFound(err, "notification")
	}
	ended, canceled, after := false, 0, ""
	for first := true; ; first = false {
		var waiting []string
		n := 0
		err := s.write(ctx, func(t *tx) (err error) {
			n = 0
			if first { // before its deliveries are looked at: what comes meanwhile waits for this, and is not written
				if ended, err = cancelExpansion(t, tenantID, notificationID, s.now().UnixMicro()); err != nil {
					return err
				}
			}
			waiting, n, err = s.cancelNext(t, tenantID, notificationID, max(from, after), to)
			return err
		})
		if err != nil {
			return fmt.Errorf("cancel: %w", err)
		}
		canceled += n
		if len(waiting) < cancelStep {
			break
		}
		after = waiting[len(waiting)-1]
	}
	if ended || canceled > 0 {
		return nil
	}
	return s.wasCanceled(ctx, tenantID, notificationID, from, to)
}

func cancelExpansion(t *tx, tenantID, notificationID string, now int64) (bool, error) {
	n, err := t.affect(sqlEndExpansion, now, string(peal.ExpansionCanceled), tenantID, notificationID)
	return n > 0, err
}

// cancelNext cancels the next of a notification's deliveries that wait. It gives those that did, and how many it canceled.
func (s *Store) cancelNext(t *tx, tenantID, notificationID, from, to string) (waiting []string, canceled int, err error) {
	rows, err := t.query(`SELECT delivery_id FROM communications_log WHERE status = 'queued' AND tenant_id = ?
		AND delivery_id BETWEEN ? AND ? AND notification_id = ? ORDER BY delivery_id LIMIT ?`, tenantID, from, to, notificationID, cancelStep)
	if waiting, err = collect(rows, err, scanInto[string]); err != nil {
		return nil, 0, err
	}
	for _, id := range waiting {
		ok, err := cancelOne(t, tenantID, id, "canceled by request", s.now())
		if err != nil {
			return nil, 0, err
		}
		if ok {
			canceled++
		}
	}
	return waiting, canceled, nil
}

// wasCanceled fails with NotCancelable unless it was canceled before.
func (s *Store) wasCanceled(ctx context.Context, tenantID, notificationID, from, to string) error {
	var before bool
	err := one(ctx, s.reads, scanInto, &before, `SELECT EXISTS (SELECT 1 FROM communications_log WHERE tenant_id = ?1
		AND delivery_id BETWEEN ?2 AND ?3 AND notification_id = ?4 AND status = 'canceled')
		OR EXISTS (SELECT 1 FROM expansions WHERE tenant_id = ?1 AND notification_id = ?4 AND outcome = 'canceled')`,
		tenantID, from, to, notificationID)
	if err != nil {
		return fmt.Errorf("cancel: %w", err)
	}
	if !before {
		return peal.Errorf(peal.NotCancelable, "none of its deliveries is still queued")
	}
	return nil
}
