package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"peal/internal/peal"
	"peal/internal/pipeline"
)

// IdempotencyWindow is how long a key stands for its first request.
const IdempotencyWindow = 24 * time.Hour

const (
	sqlFindKey = `SELECT body_hash, answer FROM idempotency WHERE tenant_id = ? AND key = ? AND created_at > ?`
	sqlPutKey  = `INSERT INTO idempotency (tenant_id, key, notification_id, body_hash, answer, created_at)
		VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (tenant_id, key) DO UPDATE SET notification_id = excluded.notification_id,
		body_hash = excluded.body_hash, answer = excluded.answer, created_at = excluded.created_at`
	sqlPutNotification = `INSERT INTO notifications (tenant_id, notification_id, phone, user_id, event_type, event_at,
		metadata, priority, deliveries, send_at, expires_at, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	sqlPutLadder = `INSERT INTO notifications (tenant_id, notification_id, phone, user_id, event_type, event_at,
		metadata, priority, deliveries, send_at, expires_at, created_at, ladder) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	sqlPutRung = `INSERT INTO communications_log (tenant_id, delivery_id, notification_id, integration_id, channel,
		recipient, user_id, payload, priority, status, in_flight, error_code, error_reason, created_at, updated_at, due_at, expires_at, ended_at,
		rung, unless, rung_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	sqlPutDelivery = `INSERT INTO communications_log (tenant_id, delivery_id, notification_id, integration_id, channel,
		recipient, user_id, payload, priority, status, in_flight, error_code, error_reason, created_at, updated_at, due_at, expires_at, ended_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
)

// Accept writes notifications with their deliveries, all or none of the call, and returns once they are on disk. A
// submission whose key was used within IdempotencyWindow writes nothing: its verdict is the first answer, or a conflict.
func (s *Store) Accept(ctx context.Context, subs []pipeline.Submission) ([]pipeline.Verdict, error) {
	if s.d.bulk {
		c := &acceptCall{subs: subs}
		err := s.writer.do(ctx, &op{kind: kindAccept, call: c})
		if err != nil {
			return nil, err
		}
		return c.verdicts, nil
	}
	verdicts := make([]pipeline.Verdict, len(subs))
	err := s.write(ctx, func(t *tx) error {
		counts := tally{}
		for i := range subs {
			v, err := acceptOne(t, &subs[i])
			if err != nil {
				return fmt.Errorf("accept: %w", err)
			}
			if !v.Replayed && !v.Conflict {
				counts.add(&subs[i])
			}
			verdicts[i] = v
		}
		return counts.write(t)
	})
	if err != nil {
		return nil, err
	}
	return verdicts, nil
}

func acceptOne(t *tx, sub *pipeline.Submission) (pipeline.Verdict, error) {
	n := &sub.Notification
	if sub.Key != "" {
		v, found, err := findKey(t, sub)
		if err != nil || found {
			return v, err
		}
		err = t.exec(sqlPutKey, n.TenantID, sub.Key, n.ID, sub.BodyHash[:], sub.Answer, n.CreatedAt.UnixMicro())
		if err != nil {
			return v, fmt.Errorf("write idempotency key: %w", err)
		}
	}
	query, args := sqlPutNotification, []any{
		n.TenantID, n.ID, text(n.Phone), text(n.UserID), text(n.EventType), micros(n.EventAt),
		text(string(n.Metadata)), int(n.Priority), len(sub.Deliveries), micros(n.SendAt), micros(n.ExpiresAt), n.CreatedAt.UnixMicro(),
	}
	if len(n.Ladder) > 0 {
		query, args = sqlPutLadder, append(args, string(n.Ladder))
	}
	if err := t.exec(query, args...); err != nil {
		return pipeline.Verdict{}, fmt.Errorf("write notification: %w", err)
	}
	for i := range sub.Deliveries {
		if err := putDelivery(t, &sub.Deliveries[i]); err != nil {
			return pipeline.Verdict{}, err
		}
	}
	if sub.Expansion != nil {
		if err := t.exec(sqlPutExpansion, expansionArgs(sub.Expansion)...); err != nil {
			return pipeline.Verdict{}, fmt.Errorf("write expansion: %w", err)
		}
	}
	return pipeline.Verdict{Answer: sub.Answer}, nil
}

func findKey(t *tx, sub *pipeline.Submission) (v pipeline.Verdict, found bool, err error) {
	row, err := t.row(sqlFindKey, sub.Notification.TenantID, sub.Key,
		sub.Notification.CreatedAt.Add(-IdempotencyWindow).UnixMicro())
	if err != nil {
		return v, false, err
	}
	var hash, answer []byte
	switch err := row.Scan(&hash, &answer); {
	case errors.Is(err, sql.ErrNoRows):
		return v, false, nil
	case err != nil:
		return v, false, fmt.Errorf("read idempotency key: %w", err)
	default:
		return verdictOn(sub, hash, answer), true, nil
	}
}

// verdictOn is the verdict on a submission whose key has an earlier request.
func verdictOn(sub *pipeline.Submission, hash, answer []byte) pipeline.Verdict {
	if !bytes.Equal(hash, sub.BodyHash[:]) {
		return pipeline.Verdict{Conflict: true}
	}
	return pipeline.Verdict{Answer: answer, Replayed: true}
}

func putDelivery(t *tx, d *peal.Delivery) error {
	query, args := sqlPutDelivery, []any{
		d.TenantID, d.ID, d.NotificationID, d.IntegrationID, d.Channel, d.Recipient,
		text(d.UserID), string(d.Payload), int(d.Priority), string(d.Status), inFlight(d.Status), text(d.ErrorCode), text(d.ErrorReason),
		d.CreatedAt.UnixMicro(), d.UpdatedAt.UnixMicro(), micros(d.DueAt), micros(d.ExpiresAt), micros(d.EndedAt),
	}
	if r := d.Rung; r != nil {
		query, args = sqlPutRung, append(args, r.Number, text(string(r.Unless)), r.At.UnixMicro())
	}
	if err := t.exec(query, args...); err != nil {
		return fmt.Errorf("write delivery: %w", err)
	}
	return nil
}

func scanNotification(row scanner, n *peal.Notification) error {
	return row.Scan(opt[string]{&n.Phone}, opt[string]{&n.UserID}, opt[string]{&n.EventType}, at{&n.EventAt},
		opt[json.RawMessage]{&n.Metadata}, &n.Priority, at{&n.SendAt}, at{&n.ExpiresAt}, at{&n.CreatedAt}, opt[json.RawMessage]{&n.Ladder})
}

// firstDeliveries is how many deliveries a notification is shown with. Only an audience has more.
const firstDeliveries = 100

// Notification gives a notification and its deliveries, as the log has them now; of an audience's the first.
func (s *Store) Notification(ctx context.Context, tenantID, id string) (*peal.Notification, []peal.Delivery, error) {
	from, to, err := peal.DeliveryRange(id)
	if err != nil {
		return nil, nil, peal.Errorf(peal.NotFound, "there is no such notification")
	}
	n := &peal.Notification{TenantID: tenantID, ID: id}
	err = one(ctx, s.reads, scanNotification, n, `SELECT phone, user_id, event_type, event_at, metadata, priority, send_at,
		expires_at, created_at, ladder FROM notifications WHERE tenant_id = ? AND notification_id = ?`, tenantID, id)
	if err != nil {
		return nil, nil, notFound(err, "notification")
	}
	ds, err := list(ctx, s.reads, scanDelivery, `SELECT `+deliveryColumns+` FROM communications_log
		WHERE tenant_id = ? AND delivery_id BETWEEN ? AND ? AND notification_id = ? ORDER BY delivery_id LIMIT ?`,
		tenantID, from, to, id, firstDeliveries)
	if err != nil {
		return nil, nil, fmt.Errorf("read deliveries: %w", err)
	}
	return n, ds, nil
}
