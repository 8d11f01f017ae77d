package store

import (
	"cmp"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"peal/internal/peal"
	"peal/internal/pipeline"
)

// What happens to a delivery on a ladder may cancel others of it, or make them fall due. Whoever moves such a row says so
// (see climbs); then the ladder is looked at as a whole at the end of the same transaction. Those that are on no ladder
// have no rung, and nothing is asked for them.

const (
	sqlLadder = `SELECT delivery_id, notification_id, integration_id, channel, priority, status, error_code, attempts, round, due_at,
		rung, unless, rung_at FROM communications_log
		WHERE tenant_id = ? AND delivery_id BETWEEN ? AND ? AND rung IS NOT NULL ORDER BY delivery_id`
	sqlLadderCancel = `UPDATE communications_log SET status = 'canceled', in_flight = NULL, error_code = ?1, error_reason = ?2,
		ended_at = ?3, updated_at = ?3, due_at = NULL, put_back = NULL WHERE tenant_id = ?4 AND delivery_id = ?5 AND status = 'queued'`
	// What was put back waits for something else than its turn.
	sqlLadderDue = `UPDATE communications_log SET due_at = ?1, updated_at = ?2
		WHERE tenant_id = ?3 AND delivery_id = ?4 AND status = 'queued' AND attempts = 0 AND put_back IS NULL AND due_at > ?1`
	sqlOnLadders = `SELECT l.delivery_id FROM communications_log l
		WHERE l.tenant_id = ? AND l.delivery_id BETWEEN ? AND ? AND l.rung IS NOT NULL AND l.delivery_id`
	// Who moves a row of a ladder has the ladder's lock alone, from before any row's: of two that end the last deliveries
	// of a rung at the same time one sees that both have ended.
	sqlLadderLock = `SELECT pg_advisory_xact_lock(?)`
)

// ladderOf names the ladders that a delivery can be of: those of the notifications that share its first 64 bits.
type ladderOf struct{ tenantID, head string }

const headLen = 18 // of an id, with two dashes

func ladderOfID(tenantID, deliveryID string) ladderOf {
	return ladderOf{tenantID, deliveryID[:min(headLen, len(deliveryID))]}
}

// span is the smallest and the largest id that its deliveries can have.
func (l ladderOf) span() (from, to string) { return l.head + "-0", l.head + "-g" }

// lockKey is of one of 256 locks, which ladders share: a transaction may move a thousand, and the server's room for locks is
// not large.
func (l ladderOf) lockKey() int64 { return lockKey("ladder " + l.head[max(0, len(l.head)-2):]) }

// climbs says that a delivery that may be on a ladder was moved.
func (t *tx) climbs(tenantID, deliveryID string) {
	if t.ladders == nil {
		t.ladders = map[ladderOf]bool{}
	}
	t.ladders[ladderOfID(tenantID, deliveryID)] = true
}

// climbsOf is climbs for those that are on a ladder of deliveries that are about to be moved, of which that is not known.
func (t *tx) climbsOf(tenantID string, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	from, to := span(ids)
	rows, err := t.query(sqlOnLadders+t.d.anyOf, tenantID, from, to, t.d.list(ids))
	found, err := collect(rows, err, scanInto[string])
	if err != nil {
		return fmt.Errorf("look for ladders: %w", err)
	}
	if len(found) == 0 {
		return nil
	}
	for _, id := range found {
		t.climbs(tenantID, id)
	}
	if !t.d.bulk {
		return nil
	}
	b := &pgx.Batch{}
	t.queueLadderLocks(b)
	return t.send(b)
}

// queueLadderLocks queues the locks of the ladders that are to be climbed, in one order for all.
func (t *tx) queueLadderLocks(b *pgx.Batch) {
	keys := make([]int64, 0, len(t.ladders))
	for l := range t.ladders {
		keys = append(keys, l.lockKey())
	}
	slices.Sort(keys)
	for _, k := range slices.Compact(keys) {
		b.Queue(t.d.text(sqlLadderLock), k)
	}
}

// climb looks at the ladders of which deliveries were moved, and takes the steps that follow.
func (t *tx) climb() error {
	if len(t.ladders) == 0 {
		return nil
	}
	ladders, err := t.readLadders()
	if err != nil {
		return fmt.Errorf("read ladders: %w", err)
	}
	now := t.now()
	var steps []peal.Step
	for _, l := range ladders {
		steps = append(steps, peal.Climb(l, now)...)
	}
	if err := t.takeSteps(steps, now); err != nil {
		return fmt.Errorf("climb: %w", err)
	}
	return nil
}

// readLadders reads the ladders that are to be climbed; each of its own notification.
func (t *tx) readLadders() (ladders [][]peal.Delivery, err error) {
	names := make([]ladderOf, 0, len(t.ladders))
	for l := range t.ladders {
		names = append(names, l)
	}
	slices.SortFunc(names, func(a, b ladderOf) int {
		return cmp.Or(cmp.Compare(a.head, b.head), cmp.Compare(a.tenantID, b.tenantID))
	})
	found := make([][]peal.Delivery, len(names))
	if t.d.bulk {
		b := &pgx.Batch{}
		t.queueLadderLocks(b)
		for i, l := range names {
			from, to := l.span()
			b.Queue(t.d.text(sqlLadder), l.tenantID, from, to).Query(func(rows pgx.Rows) error {
				defer rows.Close()
				for rows.Next() {
					var d peal.Delivery
					if err := scanRung(rows, &d); err != nil {
						return err
					}
					found[i] = append(found[i], d)
				}
				return rows.Err()
			})
		}
		err = t.send(b)
	} else {
		for i, l := range names {
			from, to := l.span()
			rows, qerr := t.query(sqlLadder, l.tenantID, from, to)
			if found[i], err = collect(rows, qerr, scanRung); err != nil {
				break
			}
		}
	}
	for i, ds := range found {
		for len(ds) > 0 {
			one := make([]peal.Delivery, 0, len(ds))
			rest := ds[:0:0]
			for _, d := range ds {
				d.TenantID = names[i].tenantID
				if d.NotificationID == ds[0].NotificationID {
					one = append(one, d)
				} else {
					rest = append(rest, d)
				}
			}
			ladders, ds = append(ladders, one), rest
		}
	}
	return ladders, err
}

func scanRung(row scanner, d *peal.Delivery) error {
	return row.Scan(&d.ID, &d.NotificationID, &d.IntegrationID, &d.Channel, &d.Priority, &d.Status, opt[string]{&d.ErrorCode},
		&d.Attempts, &d.Round, at{&d.DueAt}, rungNumber{&d.Rung}, rungUnless{&d.Rung}, rungAt{&d.Rung})
}

// takeSteps cancels and makes due what nobody else has moved meanwhile, and says so in the timelines.
func (t *tx) takeSteps(steps []peal.Step, now time.Time) error {
	var taken []peal.Step
	if t.d.bulk {
		slices.SortFunc(steps, func(a, b peal.Step) int { return strings.Compare(a.Delivery.ID, b.Delivery.ID) })
		b := &pgx.Batch{}
		for _, s := range steps {
			query, args := stepSQL(&s, now)
			b.Queue(t.d.text(query), t.d.args(args)...).Exec(func(tag pgconn.CommandTag) error {
				if tag.RowsAffected() > 0 {
					taken = append(taken, s)
				}
				return nil
			})
		}
		if err := t.send(b); err != nil {
			return err
		}
		b = &pgx.Batch{}
		queueEvents(b, column(taken, func(s peal.Step) peal.Event { return stepEvent(&s, now) }))
		if err := t.send(b); err != nil {
			return err
		}
	} else {
		for _, s := range steps {
			query, args := stepSQL(&s, now)
			n, err := t.affect(query, args...)
			if err != nil {
				return err
			}
			if n == 0 {
				continue
			}
			taken = append(taken, s)
			e := stepEvent(&s, now)
			if err := putEvent(t, &e); err != nil {
				return err
			}
		}
	}
	for _, s := range taken {
		if d := s.Delivery; s.Next == peal.Queued {
			t.due = append(t.due, pipeline.Job{IntegrationID: d.IntegrationID, DeliveryID: d.ID, Priority: d.Priority, Due: s.Due})
		}
	}
	return nil
}

func stepSQL(s *peal.Step, now time.Time) (query string, args []any) {
	d := s.Delivery
	if s.Next == peal.Canceled {
		return sqlLadderCancel, []any{peal.CodeLadderSatisfied, s.Why, now.UnixMicro(), d.TenantID, d.ID}
	}
	return sqlLadderDue, []any{s.Due.UnixMicro(), now.UnixMicro(), d.TenantID, d.ID}
}

func stepEvent(s *peal.Step, now time.Time) peal.Event {
	if s.Next == peal.Canceled {
		return peal.Event{
			DeliveryID: s.Delivery.ID, At: now, Type: peal.EventCanceled, Status: peal.Canceled, Code: peal.CodeLadderSatisfied, Detail: s.Why,
		}
	}
	return peal.Event{DeliveryID: s.Delivery.ID, At: now, Type: peal.EventLadder, Status: peal.Queued, Code: peal.CodeLadderEnded, Detail: s.Why}
}

// tellTurns says of what was claimed why its turn on a ladder has come, where that has not been told: no receipt came in
// time, else it could not have been claimed.
func tellTurns(t *tx, claimed []peal.Delivery, now time.Time) error {
	var events []peal.Event
	for i := range claimed {
		d := &claimed[i]
		if code, why := d.DueReason(); code != "" && d.Attempts == 1 {
			events = append(events, peal.Event{DeliveryID: d.ID, At: now, Type: peal.EventLadder, Status: d.Status, Code: code, Detail: why})
		}
	}
	if t.d.bulk {
		b := &pgx.Batch{}
		queueEvents(b, events)
		return t.send(b)
	}
	for i := range events {
		if err := putEvent(t, &events[i]); err != nil {
			return err
		}
	}
	return nil
}

// onDue is told of what has fallen due before its time, once that is on disk.
type onDue struct {
	f atomic.Pointer[func([]pipeline.Job)]
}

func (o *onDue) tell(jobs []pipeline.Job) {
	if f := o.f.Load(); f != nil && len(jobs) > 0 {
		(*f)(jobs)
	}
}

// OnDue sets who is told of deliveries that have fallen due before their time, as rungs of ladders do. It must not wait:
// the writer calls it. Whoever never learns of one is told by the ledger.
func (s *Store) OnDue(f func([]pipeline.Job)) { s.due.f.Store(&f) }

// rungNumber, rungUnless and rungAt read the columns of a rung, in that order.
type (
	rungNumber struct{ r **peal.Rung }
	rungUnless struct{ r **peal.Rung }
	rungAt     struct{ r **peal.Rung }
)

// Scan implements sql.Scanner.
func (n rungNumber) Scan(v any) error {
	*n.r = nil
	var number sql.NullInt64
	if err := number.Scan(v); err != nil || !number.Valid {
		return err
	}
	*n.r = &peal.Rung{Number: int(number.Int64)}
	return nil
}

// Scan implements sql.Scanner.
func (u rungUnless) Scan(v any) error {
	if *u.r == nil {
		return nil
	}
	return opt[peal.Status]{&(*u.r).Unless}.Scan(v)
}

// Scan implements sql.Scanner.
func (a rungAt) Scan(v any) error {
	if *a.r == nil {
		return nil
	}
	return at{&(*a.r).At}.Scan(v)
}
