package store

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"peal/internal/peal"
)

// Deliveries gives a page of a tenant's log, newest first.
func (s *Store) Deliveries(ctx context.Context, tenantID string, f peal.LogFilter) ([]peal.Delivery, error) {
	c := &clause{d: s.d}
	c.and("tenant_id = ?", tenantID)
	if f.NotificationID != "" {
		from, to, err := peal.DeliveryRange(f.NotificationID)
		if err != nil {
			return nil, nil //nolint:nilerr // what is no id at all has no deliveries
		}
		c.and("delivery_id BETWEEN ? AND ? AND notification_id = ?", from, to, f.NotificationID)
	}
	if f.MessageID != "" { // two look-ups, joined; left alone, SQLite walks the tenant's whole log because that is in order
		c.and(`delivery_id IN (
			SELECT delivery_id FROM communications_log INDEXED BY log_message WHERE tenant_id = ? AND message_id = ?
			UNION ALL SELECT delivery_id FROM communications_log INDEXED BY log_key WHERE tenant_id = ? AND message_key = ?
			AND integration_id IN (SELECT integration_id FROM integrations WHERE tenant_id = ?))`, tenantID, f.MessageID, tenantID, f.MessageID, tenantID)
	}
	c.equal("recipient", f.Recipient)
	c.equal("integration_id", f.IntegrationID)
	c.equal("channel", f.Channel)
	c.equal("error_code", f.ErrorCode)
	index := whereStatus(&f, c)
	when := "created_at"
	if f.Dead {
		when = "dead_at"
	}
	c.since(when, f.Since)
	c.until(when, f.Until)
	if f.Before != "" {
		c.and("delivery_id < ?", f.Before)
	}
	if !f.Dead && f.NotificationID == "" && f.MessageID == "" {
		s.withinTime(&f, c)
	}
	page, err := list(ctx, s.reads, scanDelivery, `SELECT `+deliveryColumns+` FROM communications_log`+index+` WHERE `+c.sql()+
		` ORDER BY delivery_id DESC LIMIT ?`, append(c.args, f.Limit)...)
	if err != nil {
		return nil, fmt.Errorf("read the log: %w", err)
	}
	return page, nil
}

// idSlack is by how much the time in an id may differ from the row's created_at: the one is of the wall clock, the other
// of Peal's (see package clock). They differ after the wall clock has jumped; where it did so by more, the edges of a
// stretch of time are not exact. Every row of the slack is looked at: with hours of it, pages of a busy log were slow.
const idSlack = 10 * time.Minute

// withinTime says of the ids what the times say, so that no row of other times is looked at, and on PostgreSQL no
// partition. A page that goes by no index of its own also leaves out PostgreSQL's default partitions, where they are
// empty: without them the others follow each other in time, and a page ends where it is full.
func (s *Store) withinTime(f *peal.LogFilter, c *clause) {
	if !f.Since.IsZero() {
		c.and("delivery_id >= ?", idAt(f.Since.Add(-idSlack)))
	}
	if !f.Until.IsZero() {
		c.and("delivery_id < ?", idAt(f.Until.Add(idSlack)))
	}
	if covered := s.covered.Load(); covered != nil && f.Recipient == "" {
		c.and("delivery_id >= ? AND delivery_id < ?", covered[0], covered[1])
	}
}

// whereStatus says of the rare ends what their partial index says, word for word and after the
// equality: SQLite draws no other conclusions. What is queued or being sent is in the ledger's index; that is named, for
// left alone SQLite walks the tenant's whole log because that is in order.
func whereStatus(f *peal.LogFilter, c *clause) (index string) {
	switch f.Status {
	case "":
	case peal.Queued, peal.Sending:
		if f.Recipient == "" && f.MessageID == "" && f.NotificationID == "" && !f.Dead {
			index = " INDEXED BY log_in_flight"
		}
		c.and("in_flight = 1")
		if f.IntegrationID == "" {
			c.and("integration_id IN (SELECT integration_id FROM integrations WHERE tenant_id = ?)", c.args[0])
		}
		c.and("status = ?", string(f.Status))
	case peal.Failed, peal.Skipped, peal.Canceled, peal.Expired, peal.Uncertain:
		c.and("status = ? AND status IN ('failed', 'skipped', 'canceled', 'expired', 'uncertain')", string(f.Status))
	default:
		c.and("status = ?", string(f.Status))
	}
	if f.Dead {
		c.and("dead_at IS NOT NULL")
	}
	return index
}

const maxTimeline = 1000

// Delivery gives one row of a tenant's log with its timeline, oldest event first; of a very long one the newest events.
func (s *Store) Delivery(ctx context.Context, tenantID, id string) (*peal.Delivery, []peal.Event, error) {
	d := &peal.Delivery{}
	if err := one(ctx, s.reads, scanDelivery, d, sqlReadAny, tenantID, id); err != nil {
		return nil, nil, notFound(err, "delivery")
	}
	events, err := list(ctx, s.reads, func(row scanner, e *peal.Event) error {
		var took, attempt, waited *int64
		err := row.Scan(at{&e.At}, &e.Type, opt[peal.Status]{&e.Status}, &attempt, opt[peal.Class]{&e.Class},
			opt[string]{&e.Code}, opt[string]{&e.Detail}, &took, at{&e.OccurredAt}, &waited, opt[peal.WaitFor]{&e.WaitedFor})
		if attempt != nil {
			e.Attempt = int(*attempt)
		}
		if took != nil {
			e.Took = time.Duration(*took) * time.Microsecond
		}
		if waited != nil {
			e.Waited = time.Duration(*waited) * time.Microsecond
		}
		e.DeliveryID = id
		return err
	}, `SELECT at, type, status, attempt, class, code, detail, took_us, occurred_at, waited_us, waited_for
		FROM delivery_events WHERE delivery_id = ? ORDER BY at DESC, mark DESC LIMIT ?`, id, maxTimeline)
	if err != nil {
		return nil, nil, fmt.Errorf("read the timeline: %w", err)
	}
	slices.Reverse(events)
	return d, append([]peal.Event{firstEvent(d)}, events...), nil
}

// firstEvent is not stored: the row itself tells it.
func firstEvent(d *peal.Delivery) peal.Event {
	e := peal.Event{DeliveryID: d.ID, At: d.CreatedAt, Type: peal.EventQueued, Status: peal.Queued}
	if d.Status == peal.Skipped && !d.EndedAt.After(d.CreatedAt) { // else it is told when it came to that
		e.Type, e.Status, e.Code, e.Detail = peal.EventSkipped, peal.Skipped, d.ErrorCode, d.ErrorReason
	}
	if r := d.Rung; r != nil && e.Detail == "" {
		e.Detail = "rung " + strconv.Itoa(r.Number) + " of the ladder"
		if r.Unless != "" {
			e.Detail += "; its turn is at " + r.At.UTC().Format(time.RFC3339) + ", unless one before is " + string(r.Unless)
		}
	}
	return e
}
