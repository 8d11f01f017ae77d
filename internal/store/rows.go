package store

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"peal/internal/peal"
)

// micros is how a time is kept: microseconds since 1970, NULL for none.
func micros(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

// text is how an optional text is kept: NULL for none.
func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// inFlight is how the column of that name is kept: 1 or NULL, so that its index holds only what is in flight.
func inFlight(s peal.Status) any {
	if s.InFlight() {
		return 1
	}
	return nil
}

// at reads what micros wrote.
type at struct{ t *time.Time }

// Scan implements sql.Scanner.
func (a at) Scan(v any) error {
	switch n := v.(type) {
	case nil:
		*a.t = time.Time{}
	case int64:
		*a.t = time.UnixMicro(n).UTC()
	default:
		return fmt.Errorf("time is %T, not microseconds", v)
	}
	return nil
}

// opt reads an optional text or JSON.
type opt[T ~string | ~[]byte] struct{ v *T }

// Scan implements sql.Scanner.
func (o opt[T]) Scan(v any) error {
	switch s := v.(type) {
	case nil:
		*o.v = T("")
	case string:
		*o.v = T(s)
	case []byte:
		*o.v = T(string(s))
	default:
		return fmt.Errorf("text is %T", v)
	}
	return nil
}

// deliveryColumns are what scanDelivery reads, in its order.
const deliveryColumns = `tenant_id, delivery_id, notification_id, integration_id, channel, recipient, user_id, payload,
	priority, status, message_id, message_key, error_code, error_reason, flag, attempts, round,
	created_at, updated_at, due_at, expires_at, sent_at, delivered_at, read_at, ended_at, dead_at, rung, unless, rung_at`

type scanner interface{ Scan(dest ...any) error }

func scanDelivery(row scanner, d *peal.Delivery) error {
	return row.Scan(&d.TenantID, &d.ID, &d.NotificationID, &d.IntegrationID, &d.Channel, &d.Recipient, opt[string]{&d.UserID},
		opt[json.RawMessage]{&d.Payload}, &d.Priority, &d.Status, opt[string]{&d.MessageID}, opt[string]{&d.MessageKey},
		opt[string]{&d.ErrorCode}, opt[string]{&d.ErrorReason}, opt[string]{&d.Flag}, &d.Attempts, &d.Round,
		at{&d.CreatedAt}, at{&d.UpdatedAt}, at{&d.DueAt}, at{&d.ExpiresAt}, at{&d.SentAt}, at{&d.DeliveredAt},
		at{&d.ReadAt}, at{&d.EndedAt}, at{&d.DeadAt}, rungNumber{&d.Rung}, rungUnless{&d.Rung}, rungAt{&d.Rung})
}

// collect reads all rows with scan and closes them.
func collect[T any](rows *sql.Rows, err error, scan func(scanner, *T) error) (_ []T, rerr error) {
	if err != nil {
		return nil, err
	}
	defer func() { rerr = errors.Join(rerr, rows.Close()) }()
	var all []T
	for rows.Next() {
		var v T
		if err := scan(rows, &v); err != nil {
			return nil, fmt.Errorf("scan: %w", err)
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

// notFound turns "no rows" into an error that says what was not found.
func notFound(err error, what string) error {
	if errors.Is(err, sql.ErrNoRows) {
		return peal.Errorf(peal.NotFound, "there is no such %s", what)
	}
	return err
}
