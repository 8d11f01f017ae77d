package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"peal/internal/peal"
	"peal/internal/pipeline"
)

const (
	sqlSetPayload = `UPDATE communications_log SET payload = ? WHERE tenant_id = ? AND delivery_id = ?`
	// What is known of the message that was refused is no more: another goes in its place, and gets an id of its own.
	sqlFallBack = `UPDATE communications_log SET payload = ?1, error_code = ?2, error_reason = ?3, message_id = NULL, message_key = NULL,
		sent_at = NULL WHERE tenant_id = ?4 AND delivery_id = ?5`
	sqlIDOfMessage = `SELECT delivery_id FROM communications_log INDEXED BY log_message
		WHERE tenant_id = ? AND message_id = ? AND integration_id = ? ORDER BY delivery_id || '' DESC LIMIT 1`
)

// unansweredFor is how long after a delivery was touched its call may still be going on.
const unansweredFor = 2 * time.Minute

// SetPayload writes what a delivery says anew.
func (s *Store) SetPayload(ctx context.Context, tenantID, deliveryID string, payload json.RawMessage) error {
	err := s.write(ctx, func(t *tx) error { return t.exec(sqlSetPayload, string(payload), tenantID, deliveryID) })
	if err != nil {
		return fmt.Errorf("write content: %w", err)
	}
	return nil
}

// FallBack has deliveries that were refused since the 24-hour window is closed queued again, with their fallback. Evidence of
// others is left; evidence that comes while the call is still going on is to come again.
func (s *Store) FallBack(ctx context.Context, evidence []peal.Evidence) (pipeline.FellBack, error) {
	f, err := wrote(ctx, s, func(t *tx) (f pipeline.FellBack, err error) {
		for i := range evidence {
			if err := fallBack(t, &f, &evidence[i], s.now()); err != nil {
				return f, err
			}
		}
		return f, nil
	})
	if err != nil {
		return f, fmt.Errorf("fall back: %w", err)
	}
	return f, nil
}

func fallBack(t *tx, f *pipeline.FellBack, e *peal.Evidence, now time.Time) error {
	d, said, err := refused(t, e)
	if err != nil {
		return err
	}
	if _, ok := said.Fallback(); !ok {
		f.Rest = append(f.Rest, *e)
		return nil
	}
	switch {
	case said.FellBack != "" && (e.MessageID == "" || e.MessageID != d.MessageID):
		return nil // it is of the message in whose place the fallback goes
	case said.FellBack != "":
		f.Rest = append(f.Rest, *e)
		return nil
	case d.Status == peal.Sending, d.Status == peal.Queued, d.Status == peal.Sent && d.MessageID == "":
		if now.Sub(d.UpdatedAt) < unansweredFor {
			f.Wait = true
			return nil
		}
	case d.Status == peal.Sent, d.Status == peal.Uncertain:
		if d.Expired(now) {
			break
		}
		said.FellBack, said.Instead = e.Code, e.MessageID
		payload, err := said.Payload()
		if err != nil {
			return err
		}
		job := pipeline.Job{IntegrationID: d.IntegrationID, DeliveryID: d.ID, Priority: d.Priority}
		if err := t.exec(sqlFallBack, string(payload), text(e.Code), text(e.Reason), d.TenantID, d.ID); err != nil {
			return err
		}
		if err := requeue(t, d.TenantID, &job, now, peal.EventFellBack, e.Code+": "+e.Reason); err != nil {
			return err
		}
		f.Jobs = append(f.Jobs, job)
		return nil
	default:
	}
	f.Rest = append(f.Rest, *e)
	return nil
}

// refused is the delivery that evidence is of, with what it says; nothing where there is none.
func refused(t *tx, e *peal.Evidence) (d peal.Delivery, said pipeline.Said, err error) {
	id := e.DeliveryID
	if id == "" {
		row, err := t.row(sqlIDOfMessage, e.TenantID, e.MessageID, e.IntegrationID)
		if err == nil {
			err = row.Scan(&id)
		}
		if errors.Is(err, sql.ErrNoRows) {
			return d, said, nil
		}
		if err != nil {
			return d, said, err
		}
	}
	if err := t.climbsOf(e.TenantID, []string{id}); err != nil {
		return d, said, err
	}
	row, err := t.row(sqlReadAny+t.d.forUpdate, e.TenantID, id)
	if err == nil {
		err = scanDelivery(row, &d)
	}
	if errors.Is(err, sql.ErrNoRows) {
		return peal.Delivery{}, said, nil
	}
	if err != nil || d.IntegrationID != e.IntegrationID {
		return d, said, err
	}
	if json.Unmarshal(d.Payload, &said) != nil {
		said = pipeline.Said{} // Peal wrote it; what cannot be read has no fallback
	}
	return d, said, nil
}
