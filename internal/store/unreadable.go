package store

import (
	"context"
	"fmt"
	"time"

	"peal/internal/peal"
)

// Unreadable keeps a webhook that could not be understood; the body is sealed by the caller. One that is kept already stays,
// with the newer reason.
func (s *Store) Unreadable(ctx context.Context, integrationID string, received time.Time, reason string, sealed []byte) error {
	return s.write(ctx, func(t *tx) error {
		err := t.exec(`INSERT INTO unreadable (integration_id, received_at, reason, mark, body) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (mark) DO UPDATE SET reason = excluded.reason`,
			integrationID, received.UnixMicro(), reason, peal.CallbackMark(sealed), sealed)
		if err != nil {
			return fmt.Errorf("keep unreadable webhook: %w", err)
		}
		return nil
	})
}

const unreadableColumns = `id, integration_id, received_at, reason, COALESCE(mark, ''), body FROM unreadable`

func scanUnreadable(row scanner, u *peal.Unreadable) error {
	return row.Scan(&u.ID, &u.IntegrationID, at{&u.ReceivedAt}, &u.Reason, &u.Mark, &u.Body)
}

// UnreadableAfter gives up to limit webhooks of some integrations that could not be understood, after a number, in their
// order, that came within a time. Each may be megabytes.
func (s *Store) UnreadableAfter(ctx context.Context, integrationIDs []string, after int64, since, until time.Time, limit int) ([]peal.Unreadable, error) {
	c := &clause{d: s.d}
	c.and("id > ?", after)
	c.in("integration_id", append([]string{}, integrationIDs...))
	c.since("received_at", since)
	c.until("received_at", until)
	all, err := list(ctx, s.reads, scanUnreadable,
		`SELECT `+unreadableColumns+` WHERE `+c.sql()+` ORDER BY id LIMIT ?`, append(c.args, limit)...)
	if err != nil {
		return nil, fmt.Errorf("read unreadable webhooks: %w", err)
	}
	return all, nil
}

// UnreadableBy gives the webhook of that number that could not be understood. It fails with NotFound.
func (s *Store) UnreadableBy(ctx context.Context, id int64) (u peal.Unreadable, err error) {
	err = one(ctx, s.reads, scanUnreadable, &u, `SELECT `+unreadableColumns+` WHERE id = ?`, id)
	if err != nil {
		return u, notFound(err, "unreadable webhook")
	}
	return u, nil
}

// WhyUnreadable tells why webhooks could not be understood, by their marks; those that could be are not in it.
func (s *Store) WhyUnreadable(ctx context.Context, marks []string) (map[string]string, error) {
	type line struct{ mark, reason string }
	c := &clause{d: s.d}
	c.in("mark", append([]string{}, marks...))
	lines, err := list(ctx, s.reads, func(row scanner, l *line) error { return row.Scan(&l.mark, &l.reason) },
		`SELECT mark, reason FROM unreadable WHERE `+c.sql(), c.args...)
	if err != nil {
		return nil, fmt.Errorf("look for unreadable webhooks: %w", err)
	}
	why := make(map[string]string, len(lines))
	for _, l := range lines {
		why[l.mark] = l.reason
	}
	return why, nil
}

// ForgetUnreadable forgets webhooks that can be understood now, and tells how many there were.
func (s *Store) ForgetUnreadable(ctx context.Context, marks []string) (int64, error) {
	if len(marks) == 0 {
		return 0, nil
	}
	return wrote(ctx, s, func(t *tx) (int64, error) {
		c := &clause{d: s.d}
		c.in("mark", marks)
		n, err := t.affect(`DELETE FROM unreadable WHERE `+c.sql(), c.args...)
		if err != nil {
			return 0, fmt.Errorf("forget unreadable webhooks: %w", err)
		}
		return n, nil
	})
}
