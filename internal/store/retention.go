package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"peal/internal/peal"
)

// retainStep is how many rows leave in one transaction, so that nobody waits long for it.
const retainStep = 500

// idAt is what every id of that time or later is not less than, and every id of an earlier time is less than: a UUIDv7
// begins with its milliseconds.
func idAt(t time.Time) string {
	ms := max(t.UnixMilli(), 0)
	return fmt.Sprintf("%08x-%04x", ms>>16, ms&0xffff)
}

// Retain lets go of what was accepted before the time: notifications, their deliveries and events, and their counts. And of
// what people wrote before then.
// What is in flight, and dead letters that wait for a person, stay; the result tells how many. PostgreSQL drops whole
// partitions, so there they keep their neighbours. From then on WholeFrom tells that hour. It is safe to run twice, and at
// once.
func (s *Store) Retain(ctx context.Context, before time.Time) (peal.Retention, error) {
	var r peal.Retention
	if err := s.markWhole(ctx, before); err != nil {
		return r, err
	}
	if err := s.forgetInbound(ctx, before); err != nil {
		return r, err
	}
	if s.admin != nil {
		return s.retainPartitions(ctx, before)
	}
	if err := s.retainRows(ctx, "", before, &r); err != nil {
		return r, err
	}
	return r, errors.Join(s.forgetExpansions(ctx, before), s.forgetCounts(ctx, before))
}

// markWhole notes, before anything leaves, that it may: who has read rows and then finds no new mark has read all of them.
func (s *Store) markWhole(ctx context.Context, before time.Time) error {
	hour := before.Add(time.Hour-1).Unix() / 3600 // of the hour of that time a part leaves
	err := s.write(ctx, func(t *tx) error {
		return t.exec(`INSERT INTO whole (id, from_hour) VALUES (1, ?)
			ON CONFLICT (id) DO UPDATE SET from_hour = excluded.from_hour WHERE whole.from_hour < excluded.from_hour`, hour)
	})
	if err != nil {
		return fmt.Errorf("note what stays whole: %w", err)
	}
	return nil
}

// WholeFrom is the oldest hour, since 1970, of which Retain has let nothing go, whatever it was called with later; 0 when
// it never ran.
func (s *Store) WholeFrom(ctx context.Context) (hour int64, err error) {
	err = one(ctx, s.reads, scanInto[int64], &hour, `SELECT COALESCE(MAX(from_hour), 0) FROM whole`)
	if err != nil {
		return 0, fmt.Errorf("read what is whole: %w", err)
	}
	return hour, nil
}

// forgetCounts lets go of the counts of whole hours before the time, a tenant at a time.
func (s *Store) forgetCounts(ctx context.Context, before time.Time) error {
	err := s.eachTenant(ctx, "accepted", func(tenant string) error {
		return s.write(ctx, func(t *tx) error {
			return t.exec(`DELETE FROM accepted WHERE tenant_id = ? AND hour < ?`, tenant, before.Unix()/3600)
		})
	})
	if err != nil {
		return fmt.Errorf("forget counts: %w", err)
	}
	return nil
}

// forgetExpansions lets go of those whose notification is gone.
func (s *Store) forgetExpansions(ctx context.Context, before time.Time) error {
	err := s.eachTenant(ctx, "expansions", func(tenant string) error {
		_, err := s.inSteps(ctx, `DELETE FROM expansions WHERE tenant_id = ?1 AND notification_id IN (SELECT notification_id
			FROM expansions x WHERE tenant_id = ?1 AND ended_at IS NOT NULL AND notification_id < ?2 AND NOT EXISTS (SELECT 1 FROM
			notifications n WHERE n.tenant_id = x.tenant_id AND n.notification_id = x.notification_id) LIMIT ?3)`,
			retainStep, []any{tenant, idAt(before)})
		return err
	})
	if err != nil {
		return fmt.Errorf("forget expansions: %w", err)
	}
	return nil
}

// eachTenant calls f for every tenant that has rows in a table.
func (s *Store) eachTenant(ctx context.Context, table string, f func(tenant string) error) error {
	return s.eachOf(ctx, table, "tenant_id", f)
}

// eachOf calls f for every value of a column that an index begins with.
func (s *Store) eachOf(ctx context.Context, table, column string, f func(value string) error) error {
	for value := ""; ; {
		err := one(ctx, s.reads, scanInto[string], &value, `SELECT `+column+` FROM `+table+` WHERE `+column+` > ?
			ORDER BY `+column+` LIMIT 1`, value)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err == nil {
			err = f(value)
		}
		if err != nil {
			return err
		}
	}
}

// retainRows lets rows go one by one, a tenant at a time. The suffix is that of the tables' names: none, or that of a
// partition.
func (s *Store) retainRows(ctx context.Context, suffix string, before time.Time, r *peal.Retention) error {
	err := s.eachTenant(ctx, "notifications"+suffix, func(tenant string) error {
		return s.retainTenant(ctx, suffix, tenant, idAt(before), r)
	})
	if err != nil {
		return err
	}
	return s.countHeld(ctx, suffix, before, r)
}

// countHeld tells what stays.
func (s *Store) countHeld(ctx context.Context, suffix string, before time.Time, r *peal.Retention) error {
	h := peal.Held{Before: before}
	err := one(ctx, s.reads, func(row scanner, h *peal.Held) error { return row.Scan(&h.InFlight, &h.DeadLetters) }, &h,
		`SELECT (SELECT COUNT(*) FROM communications_log`+suffix+` WHERE in_flight = 1 AND delivery_id < ?1),
		(SELECT COUNT(*) FROM communications_log`+suffix+` WHERE dead_at IS NOT NULL AND delivery_id < ?1)`, idAt(before))
	if err != nil {
		return fmt.Errorf("count what stays: %w", err)
	}
	if h.InFlight+h.DeadLetters > 0 {
		r.Kept = append(r.Kept, h)
	}
	return nil
}

func (s *Store) retainTenant(ctx context.Context, suffix, tenant, bound string, r *peal.Retention) error {
	for after := ""; ; {
		var ids []string
		err := s.write(ctx, func(t *tx) (err error) {
			ids, err = retainDeliveries(t, suffix, tenant, after, bound)
			return err
		})
		if err != nil {
			return fmt.Errorf("let go of deliveries: %w", err)
		}
		r.Deliveries += int64(len(ids))
		if len(ids) < retainStep {
			break
		}
		after = ids[len(ids)-1]
	}
	for after := ""; ; {
		var ids []string
		err := s.write(ctx, func(t *tx) (err error) {
			ids, err = retainNotifications(t, suffix, tenant, after, bound)
			return err
		})
		if err != nil {
			return fmt.Errorf("let go of notifications: %w", err)
		}
		if len(ids) < retainStep {
			return nil
		}
		after = ids[len(ids)-1]
	}
}

// retainDeliveries deletes the next step of deliveries, with their events.
func retainDeliveries(t *tx, suffix, tenant, after, bound string) ([]string, error) {
	rows, err := t.query(`SELECT delivery_id FROM communications_log`+suffix+` WHERE tenant_id = ? AND delivery_id > ? AND delivery_id < ?
		AND in_flight IS NULL AND dead_at IS NULL ORDER BY delivery_id LIMIT ?`+t.d.forUpdate, tenant, after, bound, retainStep)
	ids, err := collect(rows, err, scanInto[string])
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	if err := t.exec(`DELETE FROM delivery_events`+suffix+` WHERE delivery_id`+t.d.anyOf, t.d.list(ids)); err != nil {
		return nil, err
	}
	return ids, t.exec(`DELETE FROM communications_log`+suffix+` WHERE tenant_id = ? AND delivery_id`+t.d.anyOf, tenant, t.d.list(ids))
}

// retainNotifications deletes those of the next step of notifications that have no delivery left and get none, and gives
// the step.
func retainNotifications(t *tx, suffix, tenant, after, bound string) ([]string, error) {
	rows, err := t.query(`SELECT notification_id FROM notifications`+suffix+` WHERE tenant_id = ? AND notification_id > ?
		AND notification_id < ? ORDER BY notification_id LIMIT ?`, tenant, after, bound, retainStep)
	ids, err := collect(rows, err, scanInto[string])
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	// A notification's deliveries share the first 64 bits of its id.
	return ids, t.exec(`DELETE FROM notifications`+suffix+` WHERE tenant_id = ? AND notification_id`+t.d.anyOf+`
		AND NOT EXISTS (SELECT 1 FROM communications_log`+suffix+` l WHERE l.tenant_id = notifications`+suffix+`.tenant_id
		AND l.delivery_id BETWEEN substr(notifications`+suffix+`.notification_id, 1, 19) || '0000-000000000000'
		AND substr(notifications`+suffix+`.notification_id, 1, 19) || 'ffff-ffffffffffff'
		AND l.notification_id = notifications`+suffix+`.notification_id)
		AND NOT EXISTS (SELECT 1 FROM expansions x WHERE x.tenant_id = notifications`+suffix+`.tenant_id
		AND x.notification_id = notifications`+suffix+`.notification_id AND x.ended_at IS NULL)`, tenant, t.d.list(ids))
}
