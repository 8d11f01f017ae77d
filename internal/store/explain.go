package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"peal/internal/peal"
)

const (
	sqlCheckAt = `SELECT check_at FROM communications_log WHERE tenant_id = ? AND delivery_id = ?`
	sqlReplays = `SELECT phone, user_id, event_type, event_at, metadata, priority, send_at, expires_at, created_at, ladder,
		COALESCE(replays, 0), replayed_at, replayed_key FROM notifications WHERE tenant_id = ? AND notification_id = ?`
	sqlNoteReplay = `UPDATE notifications SET replays = COALESCE(replays, 0) + ?1,
		replayed_at = CASE WHEN replayed_at > ?2 THEN replayed_at ELSE ?2 END, replayed_key = ?3
		WHERE tenant_id = ?4 AND notification_id = ?5`
)

// Explained gives all that the records know of how a tenant's delivery came to be as it is.
func (s *Store) Explained(ctx context.Context, tenantID, id string) (*peal.Explained, error) {
	d, events, err := s.Delivery(ctx, tenantID, id)
	if err != nil {
		return nil, err
	}
	x := &peal.Explained{Delivery: *d, Events: events}
	err = one(ctx, s.reads, func(row scanner, x *peal.Explained) error { return row.Scan(at{&x.CheckAt}) }, x, sqlCheckAt, tenantID, id)
	if err != nil {
		return nil, notFound(err, "delivery")
	}
	x.Notification = peal.Notification{TenantID: tenantID, ID: d.NotificationID}
	err = one(ctx, s.reads, func(row scanner, x *peal.Explained) error {
		return scanNotification(moreColumns{row, []any{&x.Replays.Count, at{&x.Replays.Last}, opt[string]{&x.Replays.Key}}}, &x.Notification)
	}, x, sqlReplays, tenantID, d.NotificationID)
	if errors.Is(err, sql.ErrNoRows) { // retention lets go of both, though not at once
		return x, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the notification: %w", err)
	}
	return x, nil
}

// moreColumns reads columns after those that a scan function knows.
type moreColumns struct {
	row  scanner
	more []any
}

// Scan reads the columns, and then the others.
func (m moreColumns) Scan(dest ...any) error { return m.row.Scan(append(dest, m.more...)...) }

// NoteReplays writes on notifications that requests were answered from them.
func (s *Store) NoteReplays(ctx context.Context, replays []peal.Replay) error {
	all := slices.SortedFunc(slices.Values(replays), func(a, b peal.Replay) int { // in one order, so that nobody waits in a circle
		return cmp.Or(cmp.Compare(a.TenantID, b.TenantID), cmp.Compare(a.NotificationID, b.NotificationID))
	})
	return s.write(ctx, func(t *tx) error {
		for i := range all {
			r := &all[i]
			if err := t.exec(sqlNoteReplay, r.Count, r.Last.UnixMicro(), text(r.Key), r.TenantID, r.NotificationID); err != nil {
				return fmt.Errorf("note a replay: %w", err)
			}
		}
		return nil
	})
}
