package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"peal/internal/peal"
)

const (
	// An integration whose account was changed may meet the ids of the old account again; the newest row is meant. By
	// delivery_id alone the database might walk the tenant's whole log because that is in order.
	sqlByKey = `SELECT tenant_id, delivery_id, status, message_key, sent_at, rung IS NOT NULL, CASE WHEN round > 0 THEN payload END FROM communications_log INDEXED BY log_key
		WHERE integration_id = ? AND message_key = ? ORDER BY delivery_id || '' DESC LIMIT 1`
	sqlByID = `SELECT tenant_id, delivery_id, status, message_key, sent_at, rung IS NOT NULL, CASE WHEN round > 0 THEN payload END FROM communications_log INDEXED BY log_message
		WHERE tenant_id = ? AND message_id = ? AND integration_id = ? ORDER BY delivery_id || '' DESC LIMIT 1`
	sqlByDelivery = `SELECT tenant_id, delivery_id, status, message_key, sent_at, rung IS NOT NULL, CASE WHEN round > 0 THEN payload END FROM communications_log
		WHERE tenant_id = ? AND delivery_id = ? AND integration_id = ?`
	// Times are the smallest that was told, so that the order of receipts does not matter.
	sqlApply = `UPDATE communications_log SET status = ?1, in_flight = CASE WHEN ?1 IN ('queued', 'sending', 'uncertain') THEN in_flight END, flag = COALESCE(?2, flag), updated_at = ?3,
		sent_at      = CASE WHEN ?4 = 'sent' THEN COALESCE(sent_at, ?5) ELSE sent_at END,
		delivered_at = CASE WHEN ?4 = 'delivered' THEN CASE WHEN delivered_at < ?5 THEN delivered_at ELSE ?5 END ELSE delivered_at END,
		read_at      = CASE WHEN ?4 = 'read' THEN CASE WHEN read_at < ?5 THEN read_at ELSE ?5 END ELSE read_at END,
		ended_at     = CASE WHEN ?6 THEN NULL WHEN ?1 = 'failed' AND ?4 = 'failed' THEN CASE WHEN ended_at < ?5 THEN ended_at ELSE ?5 END ELSE ended_at END,
		error_code   = CASE WHEN ?4 = 'failed' AND (?1 = 'failed' OR ?6) THEN ?7
			WHEN ?1 IN ('sent', 'delivered', 'read') AND NOT ?6 AND flag IS NULL THEN NULL ELSE error_code END,
		error_reason = CASE WHEN ?4 = 'failed' AND (?1 = 'failed' OR ?6) THEN ?8
			WHEN ?1 IN ('sent', 'delivered', 'read') AND NOT ?6 AND flag IS NULL THEN NULL ELSE error_reason END,
		dead_at      = CASE WHEN ?6 THEN NULL ELSE dead_at END,
		due_at       = CASE WHEN ?1 IN ('queued', 'sending') THEN due_at END,
		check_at     = CASE WHEN ?1 IN ('sent', 'uncertain', 'sending', 'queued') OR message_key IS NULL AND NOT ?11 THEN check_at END
		WHERE tenant_id = ?9 AND delivery_id = ?10`
	sqlPark = `INSERT INTO unmatched (integration_id, ref, status, code, reason, occurred_at, received_at)
		VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (integration_id, ref, status) DO UPDATE SET
		occurred_at = CASE WHEN COALESCE(unmatched.occurred_at, unmatched.received_at) < COALESCE(excluded.occurred_at, excluded.received_at)
			THEN COALESCE(unmatched.occurred_at, unmatched.received_at) ELSE COALESCE(excluded.occurred_at, excluded.received_at) END`
	sqlParkedOf = `SELECT status, code, reason, occurred_at, received_at FROM unmatched
		WHERE integration_id = ? AND ref = ?`
	sqlHasParked   = `SELECT EXISTS (SELECT 1 FROM unmatched WHERE integration_id = ?)`
	sqlHasParkedOf = `SELECT EXISTS (SELECT 1 FROM unmatched WHERE integration_id = ? AND ref = ?)`
	sqlUnpark      = `DELETE FROM unmatched WHERE integration_id = ? AND ref = ?`
	sqlSetKey      = `UPDATE communications_log SET message_key = ?,
		check_at = CASE WHEN status IN ('sent', 'uncertain') THEN check_at END WHERE tenant_id = ? AND delivery_id = ?`
)

// row is the little that folding needs to know of a delivery.
type foundRow struct {
	tenantID, deliveryID, key string
	status                    peal.Status
	sentAt                    time.Time
	ladder                    bool
	instead                   string // the id of the message that was refused, in whose place another goes
}

// moot is so of evidence of a message in whose place another goes: it was refused, whatever is told of it late.
func (r *foundRow) moot(e *peal.Evidence) bool {
	return r.instead != "" && e.MessageID == r.instead && e.Status.Rank() <= peal.Sent.Rank()
}

// insteadOf reads the payload of a row that was queued again.
type insteadOf struct{ id *string }

// Scan implements sql.Scanner.
func (i insteadOf) Scan(v any) error {
	var payload sql.Null[[]byte]
	if err := payload.Scan(v); err != nil {
		return err
	}
	var said struct {
		Instead string `json:"instead"`
	}
	if payload.Valid && json.Unmarshal(payload.V, &said) != nil {
		said.Instead = "" // as with refused
	}
	*i.id = said.Instead
	return nil
}

// Fold brings evidence into the rows: states only move forward, what was told before changes nothing, and what no row
// knows yet is parked until one does. A delivery's row ends the same in whatever order its evidence comes.
func (s *Store) Fold(ctx context.Context, evidence []peal.Evidence) (peal.Folded, error) {
	if s.d.bulk {
		c := &foldCall{evidence: evidence}
		if err := s.writer.do(ctx, &op{kind: kindFold, call: c}); err != nil { // the write may still be going on
			return peal.Folded{}, err
		}
		return c.folded, nil
	}
	var f peal.Folded
	err := s.write(ctx, func(t *tx) error {
		f = peal.Folded{}
		for i := range evidence {
			if err := foldOne(t, &f, &evidence[i], s.now()); err != nil {
				return fmt.Errorf("fold: %w", err)
			}
		}
		return nil
	})
	if err != nil { // the write may still be going on
		return peal.Folded{}, err
	}
	return f, nil
}

func foldOne(t *tx, f *peal.Folded, e *peal.Evidence, now time.Time) error {
	row, found, err := find(t, e)
	if err != nil {
		return err
	}
	if !found && e.DeliveryID != "" {
		return nil
	}
	if !found {
		return park(t, f, e, now)
	}
	if e.MessageKey != "" && row.key == "" {
		if row, err = learnKey(t, f, row, e, now); err != nil {
			return err
		}
	}
	return apply(t, f, &row, e, now, now)
}

// find looks for the row: the one that was asked after, else by the key that webhooks use or the id of the send's answer.
// Nobody else changes it until the transaction ends.
func find(t *tx, e *peal.Evidence) (r foundRow, found bool, err error) {
	return seek(t, e, t.d.forUpdate)
}

func seek(t *tx, e *peal.Evidence, lock string) (r foundRow, found bool, err error) {
	if e.DeliveryID != "" {
		return seekBy(t, lock, sqlByDelivery, e.TenantID, e.DeliveryID, e.IntegrationID)
	}
	if e.MessageKey != "" {
		r, found, err = seekBy(t, lock, sqlByKey, e.IntegrationID, e.MessageKey)
	}
	if err == nil && !found && e.MessageID != "" {
		r, found, err = seekBy(t, lock, sqlByID, e.TenantID, e.MessageID, e.IntegrationID)
	}
	return r, found, err
}

func findBy(t *tx, query string, args ...any) (r foundRow, found bool, err error) {
	return seekBy(t, t.d.forUpdate, query, args...)
}

func seekBy(t *tx, lock, query string, args ...any) (r foundRow, found bool, err error) {
	row, err := t.row(query+lock, args...)
	if err != nil {
		return r, false, err
	}
	err = scanFound(row, &r)
	if errors.Is(err, sql.ErrNoRows) {
		return r, false, nil
	}
	return r, err == nil, err
}

// park keeps evidence for the row that will know its message: under the key, which the row learns last, or under the id.
// Evidence with both also tells the key to whoever will have the id; that is kept without a status, the key as its code.
func park(t *tx, f *peal.Folded, e *peal.Evidence, now time.Time) error {
	if e.MessageID != "" && e.MessageKey != "" {
		err := t.exec(sqlPark, e.IntegrationID, "id:"+e.MessageID, "", e.MessageKey, nil, nil, now.UnixMicro())
		if err != nil {
			return fmt.Errorf("park: %w", err)
		}
		t.parked = nil
	}
	ref := "key:" + e.MessageKey
	if e.MessageKey == "" {
		ref = "id:" + e.MessageID
	}
	if e.Status == "" || ref == "id:" {
		return nil // it tells nothing more that could be matched later
	}
	f.Parked = append(f.Parked, e.IntegrationID)
	t.parked = nil
	return t.exec(sqlPark, e.IntegrationID, ref, string(e.Status), text(e.Code), text(e.Reason), micros(e.At), now.UnixMicro())
}

// learnKey joins the id of the send's answer to the key of the webhooks, and brings in what was parked under the key.
func learnKey(t *tx, f *peal.Folded, r foundRow, e *peal.Evidence, now time.Time) (foundRow, error) {
	if err := t.exec(sqlSetKey, e.MessageKey, r.tenantID, r.deliveryID); err != nil {
		return r, fmt.Errorf("write message key: %w", err)
	}
	r.key = e.MessageKey
	event := keyEvent(r.deliveryID, e.MessageKey, now)
	if err := putEvent(t, &event); err != nil {
		return r, err
	}
	if err := unpark(t, f, &r, e.IntegrationID, "key:"+e.MessageKey, now); err != nil {
		return r, err
	}
	return r, nil
}

// matchParked brings in what was parked under a ref that a row has just learned.
func matchParked(t *tx, f *peal.Folded, integrationID, ref, tenantID, deliveryID string, now time.Time) error {
	has, err := t.hasParked(integrationID)
	if err != nil || !has {
		return err
	}
	if has, err := t.exists(sqlHasParkedOf, integrationID, ref); err != nil || !has {
		return err
	}
	r, found, err := findBy(t, sqlByDelivery, tenantID, deliveryID, integrationID)
	if err != nil || !found {
		return err
	}
	return unpark(t, f, &r, integrationID, ref, now)
}

// hasParked asks once per transaction whether anything of the integration is kept, given up or not: mostly nothing is.
func (t *tx) hasParked(integrationID string) (bool, error) {
	if has, ok := t.parked[integrationID]; ok {
		return has, nil
	}
	has, err := t.exists(sqlHasParked, integrationID)
	if err != nil {
		return false, err
	}
	if t.parked == nil {
		t.parked = map[string]bool{}
	}
	t.parked[integrationID] = has
	return has, nil
}

func (t *tx) exists(query string, args ...any) (has bool, err error) {
	row, err := t.row(query, args...)
	if err == nil {
		err = row.Scan(&has)
	}
	if err != nil {
		return false, fmt.Errorf("look for parked evidence: %w", err)
	}
	return has, nil
}

func unpark(t *tx, f *peal.Folded, r *foundRow, integrationID, ref string, now time.Time) error {
	rows, err := t.query(sqlParkedOf, integrationID, ref)
	type kept struct {
		peal.Evidence
		received time.Time
	}
	parked, err := collect(rows, err, func(row scanner, k *kept) error {
		return row.Scan(&k.Status, opt[string]{&k.Code}, opt[string]{&k.Reason}, at{&k.At}, at{&k.received})
	})
	if err != nil || len(parked) == 0 {
		return err
	}
	if err := t.exec(sqlUnpark, integrationID, ref); err != nil {
		return err
	}
	for i := range parked {
		k := &parked[i]
		k.IntegrationID = integrationID
		if k.Status != "" {
			err = apply(t, f, r, &k.Evidence, k.received, now)
		} else if r.key == "" {
			*r, err = learnKey(t, f, *r, &peal.Evidence{IntegrationID: integrationID, MessageKey: k.Code}, now)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// apply moves one row by one piece of evidence, which was heard at a time that counts where the provider tells none.
func apply(t *tx, f *peal.Folded, r *foundRow, e *peal.Evidence, heard, now time.Time) error {
	if e.Status == "" || r.moot(e) {
		return nil
	}
	next, flagged := r.status.After(e.Status)
	occurred := e.At
	if occurred.IsZero() {
		occurred = heard
	}
	var flag any
	if flagged {
		flag = peal.FlagReceiptAfterEnd
	}
	err := t.exec(sqlApply, string(next), flag, now.UnixMicro(), string(e.Status), occurred.UnixMicro(), flagged,
		text(e.Code), text(e.Reason), r.tenantID, r.deliveryID, e.Keyless)
	if err != nil {
		return fmt.Errorf("write receipt: %w", err)
	}
	if next != r.status {
		f.Moved = append(f.Moved, peal.Moved{IntegrationID: e.IntegrationID, Status: next})
		r.status = next
		if r.ladder {
			t.climbs(r.tenantID, r.deliveryID)
		}
	}
	event := receiptEvent(r.deliveryID, e, now)
	return putEvent(t, &event)
}

func keyEvent(deliveryID, key string, now time.Time) peal.Event {
	return peal.Event{DeliveryID: deliveryID, At: now, Type: peal.EventKey, Detail: "message key " + key}
}

func receiptEvent(deliveryID string, e *peal.Evidence, now time.Time) peal.Event {
	return peal.Event{
		DeliveryID: deliveryID, At: now, Type: peal.EventReceipt, Status: e.Status, Code: e.Code, Detail: e.Reason, OccurredAt: e.At,
	}
}
