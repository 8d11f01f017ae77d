package store

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"peal/internal/peal"
	"peal/internal/pipeline"
)

// acceptCall is one call of Accept.
type acceptCall struct {
	subs     []pipeline.Submission
	verdicts []pipeline.Verdict
}

// keyID names an idempotency key.
type keyID struct{ tenantID, key string }

// keyRow is whose a key is now.
type keyRow struct {
	keyID

	hash, answer []byte
	won          *pipeline.Submission // the one of this transaction that took it; nil when it stood
}

const (
	//nolint:unqueryvet // the arrays are the columns
	pgPutKeys = `INSERT INTO idempotency (tenant_id, key, notification_id, body_hash, answer, created_at)
		SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::bytea[], $6::bigint[])
		ON CONFLICT (tenant_id, key) DO UPDATE SET notification_id = excluded.notification_id,
		body_hash = excluded.body_hash, answer = excluded.answer, created_at = excluded.created_at
		WHERE idempotency.created_at <= excluded.created_at - $7::bigint
		RETURNING tenant_id, key, notification_id`
	pgReadKeys = `SELECT i.tenant_id, i.key, i.body_hash, i.answer FROM unnest($1::text[], $2::text[]) AS u (tenant_id, key)
		JOIN idempotency i ON i.tenant_id = u.tenant_id AND i.key = u.key`
	//nolint:unqueryvet // the arrays are the columns
	pgPutNotifications = `INSERT INTO notifications (tenant_id, notification_id, phone, user_id, event_type, event_at,
		metadata, priority, deliveries, send_at, expires_at, created_at)
		SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[],
		$8::smallint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[])`
	//nolint:unqueryvet // the arrays are the columns
	pgPutLadders = `INSERT INTO notifications (tenant_id, notification_id, phone, user_id, event_type, event_at,
		metadata, priority, deliveries, send_at, expires_at, created_at, ladder)
		SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[],
		$8::smallint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::text[])`
	//nolint:unqueryvet // the arrays are the columns
	pgPutDeliveries = `INSERT INTO communications_log (tenant_id, delivery_id, notification_id, integration_id, channel,
		recipient, user_id, payload, priority, status, in_flight, error_code, error_reason, created_at, updated_at, due_at, expires_at, ended_at)
		SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
		$9::smallint[], $10::text[], $11::smallint[], $12::text[], $13::text[], $14::bigint[], $15::bigint[], $16::bigint[],
		$17::bigint[], $18::bigint[])`
	//nolint:unqueryvet // the arrays are the columns
	pgPutRungs = `INSERT INTO communications_log (tenant_id, delivery_id, notification_id, integration_id, channel,
		recipient, user_id, payload, priority, status, in_flight, error_code, error_reason, created_at, updated_at, due_at, expires_at, ended_at,
		rung, unless, rung_at)
		SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
		$9::smallint[], $10::text[], $11::smallint[], $12::text[], $13::text[], $14::bigint[], $15::bigint[], $16::bigint[],
		$17::bigint[], $18::bigint[], $19::smallint[], $20::text[], $21::bigint[])`
	pgCountAccepted = `INSERT INTO accepted (tenant_id, hour, node_id, notifications, deliveries)
		SELECT tenant_id, hour, $3::text, notifications, deliveries
		FROM unnest($1::text[], $2::bigint[], $4::bigint[], $5::bigint[]) AS u (tenant_id, hour, notifications, deliveries)
		ON CONFLICT (tenant_id, hour, node_id) DO UPDATE SET notifications = accepted.notifications + excluded.notifications,
		deliveries = accepted.deliveries + excluded.deliveries`
)

// acceptTogether writes the submissions of all calls.
func acceptTogether(t *tx, calls []*acceptCall) error {
	keys := map[keyID]*keyRow{}
	for _, c := range calls {
		for i := range c.subs {
			if k := keyOf(&c.subs[i]); k.key != "" && keys[k] == nil {
				keys[k] = &keyRow{keyID: k, won: &c.subs[i]} // the first of several; whether it wins is yet to be seen
			}
		}
	}
	if err := takeKeys(t, keys); err != nil {
		return fmt.Errorf("write idempotency keys: %w", err)
	}
	var fresh []*pipeline.Submission
	for _, c := range calls {
		c.verdicts = make([]pipeline.Verdict, len(c.subs))
		for i := range c.subs {
			sub := &c.subs[i]
			row := keys[keyOf(sub)]
			switch {
			case row == nil || row.won == sub:
				fresh = append(fresh, sub)
				c.verdicts[i] = pipeline.Verdict{Answer: sub.Answer}
			case !bytes.Equal(row.hash, sub.BodyHash[:]):
				c.verdicts[i] = pipeline.Verdict{Conflict: true}
			default:
				c.verdicts[i] = pipeline.Verdict{Answer: row.answer, Replayed: true}
			}
		}
	}
	return putSubmissions(t, fresh)
}

func keyOf(sub *pipeline.Submission) keyID { return keyID{sub.Notification.TenantID, clean(sub.Key)} }

// takeKeys writes the keys that are new or whose time is over, and reads who has the others. The order of the rows is the
// same for everybody, so that nobody waits in a circle; a key that somebody else is just writing is waited for.
func takeKeys(t *tx, keys map[keyID]*keyRow) error {
	if len(keys) == 0 {
		return nil
	}
	all := make([]*keyRow, 0, len(keys))
	for _, k := range keys {
		k.hash, k.answer = k.won.BodyHash[:], k.won.Answer
		all = append(all, k)
	}
	slices.SortFunc(all, func(a, b *keyRow) int { return cmp.Or(cmp.Compare(a.tenantID, b.tenantID), cmp.Compare(a.key, b.key)) })
	won := map[keyID]bool{}
	b := &pgx.Batch{}
	b.Queue(pgPutKeys, tenantsOf(all), keysOf(all),
		column(all, func(k *keyRow) string { return k.won.Notification.ID }),
		column(all, func(k *keyRow) []byte { return k.hash }),
		column(all, func(k *keyRow) []byte { return notNil(k.answer) }),
		column(all, func(k *keyRow) int64 { return k.won.Notification.CreatedAt.UnixMicro() }),
		IdempotencyWindow.Microseconds()).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var k keyID
			var id string
			if err := rows.Scan(&k.tenantID, &k.key, &id); err != nil {
				return fmt.Errorf("scan: %w", err)
			}
			won[k] = true
		}
		return rows.Err()
	})
	if err := t.send(b); err != nil {
		return err
	}
	lost := slices.DeleteFunc(all, func(k *keyRow) bool { return won[k.keyID] })
	return readKeys(t, keys, lost)
}

// readKeys reads the keys that others have. Their rows are locked by the attempt to take them.
func readKeys(t *tx, keys map[keyID]*keyRow, lost []*keyRow) error {
	if len(lost) == 0 {
		return nil
	}
	for _, k := range lost {
		k.won = nil
	}
	found := 0
	b := &pgx.Batch{}
	b.Queue(pgReadKeys, tenantsOf(lost), keysOf(lost)).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var k keyRow
			if err := rows.Scan(&k.tenantID, &k.key, &k.hash, &k.answer); err != nil {
				return fmt.Errorf("scan: %w", err)
			}
			row := keys[k.keyID]
			row.hash, row.answer = k.hash, k.answer
			found++
		}
		return rows.Err()
	})
	if err := t.send(b); err != nil {
		return err
	}
	if found < len(lost) {
		return errVanished
	}
	return nil
}

func tenantsOf(all []*keyRow) []string {
	return column(all, func(k *keyRow) string { return k.tenantID })
}

func keysOf(all []*keyRow) []string { return column(all, func(k *keyRow) string { return k.key }) }

// notNil is an empty text of bytes for none: the column is not to be NULL.
func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

func putSubmissions(t *tx, subs []*pipeline.Submission) error {
	if len(subs) == 0 {
		return nil
	}
	counts := tally{}
	var ds []*peal.Delivery
	for _, s := range subs {
		counts.add(s)
		for i := range s.Deliveries {
			ds = append(ds, &s.Deliveries[i])
		}
	}
	b := &pgx.Batch{}
	queueNotifications(b, subs)
	queueDeliveries(b, ds)
	queueExpansions(b, t.d, subs)
	keys := counts.sorted()
	b.Queue(pgCountAccepted,
		column(keys, func(k tallyKey) string { return k.tenantID }), column(keys, func(k tallyKey) int64 { return k.hour }), t.node,
		column(keys, func(k tallyKey) int64 { return counts[k].notifications }), column(keys, func(k tallyKey) int64 { return counts[k].deliveries }))
	if err := t.send(b); err != nil {
		return fmt.Errorf("write notifications and deliveries: %w", err)
	}
	return nil
}

// queueNotifications queues the writing of notifications; those that name a ladder apart, so that the others carry no
// column for it.
func queueNotifications(b *pgx.Batch, subs []*pipeline.Submission) {
	plain, ladders := apart(subs, func(s *pipeline.Submission) bool { return len(s.Notification.Ladder) > 0 })
	if len(plain) > 0 {
		b.Queue(pgPutNotifications, notificationArgs(plain)...)
	}
	if len(ladders) > 0 {
		b.Queue(pgPutLadders, append(notificationArgs(ladders),
			column(ladders, func(s *pipeline.Submission) string { return clean(string(s.Notification.Ladder)) }))...)
	}
}

// apart parts what is so from what is not. Mostly nothing is, and nothing is copied.
func apart[T any](all []T, is func(T) bool) (not, so []T) {
	if !slices.ContainsFunc(all, is) {
		return all, nil
	}
	for _, v := range all {
		if is(v) {
			so = append(so, v)
		} else {
			not = append(not, v)
		}
	}
	return not, so
}

// notificationArgs are the arguments of pgPutNotifications.
func notificationArgs(subs []*pipeline.Submission) []any {
	text := func(f func(n *peal.Notification) string) []*string {
		return column(subs, func(s *pipeline.Submission) *string { return optText(f(&s.Notification)) })
	}
	return []any{
		column(subs, func(s *pipeline.Submission) string { return s.Notification.TenantID }),
		column(subs, func(s *pipeline.Submission) string { return s.Notification.ID }),
		text(func(n *peal.Notification) string { return n.Phone }),
		text(func(n *peal.Notification) string { return n.UserID }),
		text(func(n *peal.Notification) string { return n.EventType }),
		column(subs, func(s *pipeline.Submission) *int64 { return optMicros(s.Notification.EventAt) }),
		text(func(n *peal.Notification) string { return string(n.Metadata) }),
		column(subs, func(s *pipeline.Submission) int16 { return int16(s.Notification.Priority) }),
		column(subs, func(s *pipeline.Submission) int64 { return int64(len(s.Deliveries)) }),
		column(subs, func(s *pipeline.Submission) *int64 { return optMicros(s.Notification.SendAt) }),
		column(subs, func(s *pipeline.Submission) *int64 { return optMicros(s.Notification.ExpiresAt) }),
		column(subs, func(s *pipeline.Submission) int64 { return s.Notification.CreatedAt.UnixMicro() }),
	}
}

// queueDeliveries queues the writing of deliveries; those on ladders apart, so that the others carry no columns for that.
func queueDeliveries(b *pgx.Batch, ds []*peal.Delivery) {
	plain, rungs := apart(ds, func(d *peal.Delivery) bool { return d.Rung != nil })
	if len(plain) > 0 {
		b.Queue(pgPutDeliveries, deliveryArgs(plain)...)
	}
	if len(rungs) > 0 {
		b.Queue(pgPutRungs, append(deliveryArgs(rungs),
			column(rungs, func(d *peal.Delivery) int16 { return int16(d.Rung.Number) }), //nolint:gosec // a handful
			column(rungs, func(d *peal.Delivery) *string { return optText(d.Rung.Unless) }),
			column(rungs, func(d *peal.Delivery) int64 { return d.Rung.At.UnixMicro() }))...)
	}
}

// deliveryArgs are the arguments of pgPutDeliveries.
func deliveryArgs(ds []*peal.Delivery) []any {
	return []any{
		column(ds, func(d *peal.Delivery) string { return d.TenantID }),
		column(ds, func(d *peal.Delivery) string { return d.ID }),
		column(ds, func(d *peal.Delivery) string { return d.NotificationID }),
		column(ds, func(d *peal.Delivery) string { return d.IntegrationID }),
		column(ds, func(d *peal.Delivery) string { return d.Channel }),
		column(ds, func(d *peal.Delivery) string { return clean(d.Recipient) }),
		column(ds, func(d *peal.Delivery) *string { return optText(d.UserID) }),
		column(ds, func(d *peal.Delivery) string { return clean(string(d.Payload)) }),
		column(ds, func(d *peal.Delivery) int16 { return int16(d.Priority) }),
		column(ds, func(d *peal.Delivery) string { return string(d.Status) }),
		column(ds, func(d *peal.Delivery) *int16 { return oneOrNil(d.Status.InFlight()) }),
		column(ds, func(d *peal.Delivery) *string { return optText(d.ErrorCode) }),
		column(ds, func(d *peal.Delivery) *string { return optText(d.ErrorReason) }),
		column(ds, func(d *peal.Delivery) int64 { return d.CreatedAt.UnixMicro() }),
		column(ds, func(d *peal.Delivery) int64 { return d.UpdatedAt.UnixMicro() }),
		column(ds, func(d *peal.Delivery) *int64 { return optMicros(d.DueAt) }),
		column(ds, func(d *peal.Delivery) *int64 { return optMicros(d.ExpiresAt) }),
		column(ds, func(d *peal.Delivery) *int64 { return optMicros(d.EndedAt) }),
	}
}
