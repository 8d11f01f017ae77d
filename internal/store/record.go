package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"peal/internal/peal"
)

// What an attempt may change: only a row that is still waiting for its word. A receipt that was quicker has moved it
// on, and then only the provider's id is added.
const (
	sqlRecordSent = `UPDATE communications_log SET
		status = CASE WHEN in_flight = 1 THEN 'sent' ELSE status END, in_flight = NULL,
		message_id = ?1, sent_at = COALESCE(sent_at, ?2), updated_at = ?2, due_at = NULL,
		error_code = CASE WHEN status NOT IN ('sending', 'queued', 'uncertain') THEN error_code END,
		error_reason = CASE WHEN status NOT IN ('sending', 'queued', 'uncertain') THEN error_reason END,
		check_at = CASE WHEN in_flight = 1 OR status = 'sent' OR message_key IS NULL THEN CAST(?3 AS BIGINT) END
		WHERE tenant_id = ?4 AND delivery_id = ?5`
	// Whose attempt it was has the last word: another process may have found the row in sending and taken the call for
	// lost, while its owner was only paused, or cut off from the records. Of a later attempt it says nothing.
	sqlRecordRetry = `UPDATE communications_log SET status = 'queued', attempts = CASE WHEN attempts < ?1 THEN attempts ELSE ?1 END,
		due_at = ?2, put_back = ?8,
		error_code = CASE WHEN status <> 'uncertain' THEN COALESCE(?3, error_code) ELSE ?3 END,
		error_reason = CASE WHEN status <> 'uncertain' THEN COALESCE(?4, error_reason) ELSE ?4 END,
		check_at = CASE WHEN status <> 'uncertain' THEN check_at END, updated_at = ?5
		WHERE tenant_id = ?6 AND delivery_id = ?7 AND ((status IN ('sending', 'queued') AND attempts <= ?9)
			OR (status = 'uncertain' AND error_code = 'interrupted' AND attempts = ?9))`
	sqlRecordFailed = `UPDATE communications_log SET status = 'failed', in_flight = NULL, error_code = ?1, error_reason = ?2, dead_at = ?3,
		check_at = CASE WHEN status <> 'uncertain' THEN check_at END, ended_at = ?4, updated_at = ?4, due_at = NULL
		WHERE tenant_id = ?5 AND delivery_id = ?6 AND ((status IN ('sending', 'queued') AND attempts <= ?7)
			OR (status = 'uncertain' AND error_code = 'interrupted' AND attempts = ?7))`
	sqlRecordUncertain = `UPDATE communications_log SET status = 'uncertain', error_code = ?1, error_reason = ?2,
		check_at = ?3, updated_at = ?4, due_at = NULL
		WHERE tenant_id = ?5 AND delivery_id = ?6 AND status IN ('sending', 'queued') AND attempts <= ?7`
	sqlRecordExpired = `UPDATE communications_log SET status = 'expired', in_flight = NULL, error_code = COALESCE(error_code, 'expired'),
		error_reason = COALESCE(error_reason, 'it was not sent before its time was over'), ended_at = ?1, updated_at = ?1, due_at = NULL, put_back = NULL
		WHERE tenant_id = ?2 AND delivery_id = ?3 AND status IN ('sending', 'queued')`
	// It was claimed, and then there was nobody to call for: the device is no more. The attempt was none.
	sqlRecordSkipped = `UPDATE communications_log SET status = 'skipped', in_flight = NULL, error_code = ?1, error_reason = ?2,
		attempts = CASE WHEN attempts < ?3 THEN attempts ELSE ?3 END, ended_at = ?4, updated_at = ?4, due_at = NULL, put_back = NULL
		WHERE tenant_id = ?5 AND delivery_id = ?6 AND status IN ('sending', 'queued')`
	sqlPutEvent = `INSERT INTO delivery_events (delivery_id, mark, at, type, status, attempt, class, code, detail,
		took_us, occurred_at, waited_us, waited_for) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`
)

// Record writes what attempts came to, with their place in the timeline. It tells which deliveries were moved further at
// once, by receipts that had come before.
func (s *Store) Record(ctx context.Context, attempts []peal.Attempt) ([]peal.Moved, error) {
	c := &recordCall{attempts: attempts}
	if s.d.bulk {
		if err := s.writer.do(ctx, &op{kind: kindRecord, call: c}); err != nil {
			return nil, err
		}
		return c.folded.Moved, nil
	}
	err := s.write(ctx, func(t *tx) error {
		c.folded = peal.Folded{}
		for i := range attempts {
			if err := recordOne(t, &c.folded, &attempts[i]); err != nil {
				return fmt.Errorf("record: %w", err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return c.folded.Moved, nil
}

// recordCall is one call of Record.
type recordCall struct {
	attempts []peal.Attempt
	folded   peal.Folded
}

func recordOne(t *tx, f *peal.Folded, a *peal.Attempt) error {
	o, now := &a.Outcome, a.At.UnixMicro()
	var err error
	switch a.Next {
	case peal.Sent:
		err = t.exec(sqlRecordSent, text(o.MessageID), now, micros(a.Check), a.TenantID, a.DeliveryID)
		if err == nil && o.MessageID != "" {
			err = matchParked(t, f, a.IntegrationID, "id:"+o.MessageID, a.TenantID, a.DeliveryID, a.At)
		}
	case peal.Queued:
		var putBack any
		if putsBack(a) {
			putBack = 1
		}
		err = t.exec(sqlRecordRetry, usedUp(a), micros(a.Due), text(o.Code), text(o.Reason), now, a.TenantID, a.DeliveryID, putBack, a.Number)
	case peal.Failed:
		var dead any
		if a.Dead {
			dead = now
		}
		err = t.exec(sqlRecordFailed, text(o.Code), text(o.Reason), dead, now, a.TenantID, a.DeliveryID, a.Number)
	case peal.Uncertain:
		err = t.exec(sqlRecordUncertain, text(o.Code), text(o.Reason), micros(a.Check), now, a.TenantID, a.DeliveryID, a.Number)
	case peal.Expired:
		err = t.exec(sqlRecordExpired, now, a.TenantID, a.DeliveryID)
	case peal.Skipped:
		err = t.exec(sqlRecordSkipped, text(o.Code), text(o.Reason), usedUp(a), now, a.TenantID, a.DeliveryID)
	default:
		return fmt.Errorf("an attempt cannot end as %q", a.Next)
	}
	if climbsBy(a) {
		t.climbs(a.TenantID, a.DeliveryID)
	}
	if err != nil || !tells(a) {
		return err
	}
	e := attemptEvent(a)
	return putEvent(t, &e)
}

// climbsBy is so of an attempt whose end a ladder may go by. Even what waits again may be needless by now.
func climbsBy(a *peal.Attempt) bool {
	return a.Ladder && a.Next != peal.Sent && a.Next != peal.Uncertain
}

// putsBack is so of an attempt that ended for a reason of the integration's: its pause is what the delivery waits for.
func putsBack(a *peal.Attempt) bool {
	c := a.Outcome.Class
	return c == peal.ClassThrottled || c == peal.ClassIntegration || c == peal.ClassNone
}

// usedUp is how many attempts are used up after one that is to be repeated. It is not counted down from what the row
// says: who does not learn that this was written writes it again.
func usedUp(a *peal.Attempt) int {
	if putsBack(a) {
		return a.Number - 1
	}
	return a.Number
}

// tells is so of an attempt that has a place in the timeline: a call was made, or nobody is to be called for any more, or not
// until its template can be sent.
func tells(a *peal.Attempt) bool {
	return a.Outcome.Class != peal.ClassNone || a.Next == peal.Skipped || peal.WaitsForTemplate(a.Outcome.Code)
}

func attemptEvent(a *peal.Attempt) peal.Event {
	o := &a.Outcome
	if a.Next == peal.Skipped {
		return peal.Event{DeliveryID: a.DeliveryID, At: a.At, Type: peal.EventSkipped, Status: a.Next, Code: o.Code, Detail: o.Reason}
	}
	if a.Outcome.Class == peal.ClassNone {
		return peal.Event{DeliveryID: a.DeliveryID, At: a.At, Type: peal.EventHeld, Status: a.Next, Code: o.Code, Detail: o.Reason}
	}
	return peal.Event{
		DeliveryID: a.DeliveryID, At: a.At, Type: peal.EventAttempt, Status: a.Next, Attempt: a.Number, Class: o.Class,
		Code: o.Code, Detail: o.Reason, Took: o.Took, Waited: a.Waited, WaitedFor: a.WaitedFor,
	}
}

// putEvent adds a fact to the timeline. Receipts stand once per status, and those of clients once per what was done;
// anything else once per instant.
func putEvent(t *tx, e *peal.Event) error {
	var attempt, took, waited any
	if e.Attempt > 0 {
		attempt = e.Attempt
	}
	if e.Took > 0 {
		took = e.Took.Microseconds()
	}
	if e.Waited > 0 {
		waited = e.Waited.Microseconds()
	}
	err := t.exec(sqlPutEvent, e.DeliveryID, markOf(e), e.At.UnixMicro(), string(e.Type), text(string(e.Status)), attempt,
		text(string(e.Class)), text(e.Code), text(e.Detail), took, micros(e.OccurredAt), waited, text(string(e.WaitedFor)))
	if err != nil {
		return fmt.Errorf("write event: %w", err)
	}
	return nil
}

func markOf(e *peal.Event) string {
	if e.Type == peal.EventReceipt && e.Code == peal.CodeClient {
		return string(e.Type) + ":" + string(e.Status) + ":" + e.Detail
	}
	if e.Type == peal.EventLadder {
		return string(e.Type) // a turn comes once
	}
	if e.Type == peal.EventReceipt || e.Type == peal.EventKey {
		return string(e.Type) + ":" + string(e.Status)
	}
	return string(e.Type) + ":" + strconv.FormatInt(e.At.UnixMicro(), 36)
}

// Expire ends those of the deliveries whose time is over, and tells how many.
func (s *Store) Expire(ctx context.Context, rows []peal.Delivery) (int64, error) {
	if s.d.bulk {
		c := &expireCall{rows: rows}
		if err := s.writer.do(ctx, &op{kind: kindExpire, call: c}); err != nil { // the write may still be going on
			return 0, err
		}
		return c.expired, nil
	}
	var total int64
	err := s.write(ctx, func(t *tx) error {
		total = 0
		now := s.now()
		for i := range rows {
			row, err := t.row(sqlRecordExpired+` AND expires_at <= ?1 AND status = 'queued' RETURNING rung IS NOT NULL`, now.UnixMicro(), rows[i].TenantID, rows[i].ID)
			var ladder bool
			if err == nil {
				err = row.Scan(&ladder)
			}
			if errors.Is(err, sql.ErrNoRows) {
				continue
			}
			if err != nil {
				return fmt.Errorf("expire: %w", err)
			}
			if total++; ladder {
				t.climbs(rows[i].TenantID, rows[i].ID)
			}
			e := peal.Event{DeliveryID: rows[i].ID, At: now, Type: peal.EventExpired, Status: peal.Expired}
			if err := putEvent(t, &e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil { // the write may still be going on
		return 0, err
	}
	return total, nil
}

const sqlHasIntegration = `SELECT EXISTS (SELECT 1 FROM communications_log l JOIN integrations i
	ON i.integration_id = l.integration_id WHERE l.tenant_id = ? AND l.delivery_id = ? AND i.deleted_at IS NULL)`

// orphanedAfter is how long a call under a deleted integration may take to record its own end.
const orphanedAfter = 2 * time.Minute

// CancelOrphans settles those of the deliveries whose integration is deleted, and tells how many: what still waited is
// canceled, and what was being sent, by a call that has long ended without a word, is uncertain. An integration that is
// there, though whoever asks does not see it (its credentials could not be opened), is no reason to touch anything.
func (s *Store) CancelOrphans(ctx context.Context, rows []peal.Delivery) (int64, error) {
	return wrote(ctx, s, func(t *tx) (n int64, err error) {
		for i := range rows {
			if err := t.climbsOf(rows[i].TenantID, []string{rows[i].ID}); err != nil {
				return 0, err
			}
			row, err := t.row(sqlHasIntegration, rows[i].TenantID, rows[i].ID)
			if err != nil {
				return 0, err
			}
			var alive bool
			if err := row.Scan(&alive); err != nil {
				return 0, fmt.Errorf("look for the integration: %w", err)
			}
			if alive {
				continue
			}
			ok, err := cancelOne(t, rows[i].TenantID, rows[i].ID, "its integration was deleted", s.now())
			if err == nil && !ok {
				ok, err = abandonOne(t, rows[i].TenantID, rows[i].ID, s.now())
			}
			if err != nil {
				return 0, fmt.Errorf("settle an orphan: %w", err)
			}
			if ok {
				n++
			}
		}
		return n, nil
	})
}

// abandonOne ends a call that nobody can end any more: its integration is deleted, and its process has died.
func abandonOne(t *tx, tenantID, deliveryID string, now time.Time) (bool, error) {
	const reason = "its integration was deleted during the call; whether the provider took the message is not known"
	n, err := t.affect(sqlRecordUncertain+` AND status = 'sending' AND updated_at < ?8`, peal.CodeInterrupted, reason, nil,
		now.UnixMicro(), tenantID, deliveryID, math.MaxInt32, now.Add(-orphanedAfter).UnixMicro())
	if err != nil || n == 0 {
		return false, err
	}
	return true, putEvent(t, &peal.Event{
		DeliveryID: deliveryID, At: now, Type: peal.EventAttempt, Status: peal.Uncertain, Class: peal.ClassUnknown,
		Code: peal.CodeInterrupted, Detail: reason,
	})
}

func cancelOne(t *tx, tenantID, deliveryID, why string, now time.Time) (bool, error) {
	n, err := t.affect(`UPDATE communications_log SET status = 'canceled', in_flight = NULL, ended_at = ?1, updated_at = ?1, due_at = NULL, put_back = NULL
		WHERE tenant_id = ?2 AND delivery_id = ?3 AND status = 'queued'`, now.UnixMicro(), tenantID, deliveryID)
	if err != nil || n == 0 {
		return false, err
	}
	return true, putEvent(t, &peal.Event{
		DeliveryID: deliveryID, At: now, Type: peal.EventCanceled, Status: peal.Canceled, Detail: why,
	})
}
