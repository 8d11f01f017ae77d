package store

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"peal/internal/peal"
)

// doubtStep is how many rows become uncertain in one transaction.
const doubtStep = 2000

// Doubt says what may have been sent since the moment that records have gone back to.
type Doubt struct {
	Now      time.Time
	Before   time.Time // only what was accepted before; zero for all
	Harmless []string  // integrations of which a repeat does no harm: theirs stays
}

// Doubted is how many deliveries that are.
type Doubted struct {
	InDoubt  int64 `json:"in_doubt"` // uncertain now
	Harmless int64 `json:"harmless"` // still queued, for a repeat does no harm
}

const (
	// What was being sent, what was due, and what an end of a pause can have made due: ?1 is now, ?2 above all ids in question.
	sqlInDoubt = ` FROM communications_log WHERE in_flight = 1 AND (status = 'sending' OR status = 'queued' AND
		(due_at IS NULL OR due_at <= ?1 OR put_back = 1)) AND delivery_id < ?2`
	sqlCountDoubt = `SELECT integration_id, COUNT(*)` + sqlInDoubt + ` GROUP BY integration_id`
	sqlNextDoubt  = `SELECT delivery_id` + sqlInDoubt + ` AND integration_id = ?3 AND delivery_id > ?4 ORDER BY delivery_id LIMIT ?5`
	sqlDoubtEvent = `INSERT INTO delivery_events (delivery_id, mark, at, type, status, code, detail)
		SELECT delivery_id, ?, CAST(? AS BIGINT), ?, 'uncertain', ?, ? FROM communications_log
		WHERE in_flight = 1 AND integration_id = ? AND delivery_id`
	// What may have been expanded since is not expanded again.
	sqlDoubtExpansions = `UPDATE expansions SET ended_at = ?1, outcome = ?2 WHERE ended_at IS NULL
		AND (due_at IS NULL OR due_at <= ?1) AND notification_id < ?3`
	// Nor who has written since: until that is known again, providers are asked.
	sqlDoubtWritten   = `UPDATE contacts SET last_inbound_at = NULL WHERE last_inbound_at IS NOT NULL`
	sqlDoubtListening = `DELETE FROM listening`
	sqlDoubt          = `UPDATE communications_log SET status = 'uncertain', error_code = ?1, error_reason = ?2,
		attempts = attempts + CASE status WHEN 'queued' THEN 1 ELSE 0 END, check_at = ?3, updated_at = ?3, due_at = NULL, put_back = NULL
		WHERE in_flight = 1 AND integration_id = ?4 AND delivery_id`
)

// doubtReason is what people read.
const doubtReason = "it was queued at the moment that the records have gone back to; whether it was sent since is not known"

// InDoubt counts what Doubt would set in doubt.
func (s *Store) InDoubt(ctx context.Context, d Doubt) (r Doubted, err error) {
	integrations, harmless, err := d.count(ctx, s.reads)
	for _, n := range integrations {
		r.InDoubt += n
	}
	r.Harmless = harmless
	return r, err
}

// Doubt makes uncertain what may have been sent since, and tells how many that were. They are as if a call had been begun,
// and are looked for at once where a provider can be asked. What was not due by now was not sent: it stays. When it fails
// some have become uncertain; call it again.
func (s *Store) Doubt(ctx context.Context, d Doubt) (Doubted, error) {
	return d.set(ctx, s.reads, s.write)
}

// bound is above all ids of the deliveries in question.
func (d *Doubt) bound() string {
	if d.Before.IsZero() {
		return "g" // ids are hexadecimal
	}
	return idAt(d.Before)
}

// count gives how many there are of each integration, without those of which a repeat does no harm, and of these.
func (d *Doubt) count(ctx context.Context, reads *pool) (inDoubt map[string]int64, harmless int64, err error) {
	type line struct {
		id string
		n  int64
	}
	lines, err := listWithin(ctx, countTime, reads, func(row scanner, l *line) error { return row.Scan(&l.id, &l.n) },
		sqlCountDoubt, d.Now.UnixMicro(), d.bound())
	if err != nil {
		return nil, 0, fmt.Errorf("count what is in doubt: %w", err)
	}
	inDoubt = map[string]int64{}
	for _, l := range lines {
		if slices.Contains(d.Harmless, l.id) {
			harmless += l.n
		} else {
			inDoubt[l.id] = l.n
		}
	}
	return inDoubt, harmless, nil
}

func (d *Doubt) set(ctx context.Context, reads *pool, write func(context.Context, func(*tx) error) error) (r Doubted, err error) {
	integrations, harmless, err := d.count(ctx, reads)
	if err != nil {
		return r, err
	}
	r.Harmless = harmless
	err = write(ctx, func(t *tx) error {
		err := t.exec(sqlDoubtExpansions, d.Now.UnixMicro(), string(peal.ExpansionRestored), d.bound())
		if err == nil {
			err = t.exec(sqlDoubtWritten)
		}
		if err == nil {
			err = t.exec(sqlDoubtListening)
		}
		return err
	})
	if err != nil {
		return r, fmt.Errorf("end expansions, forget who wrote: %w", err)
	}
	for id := range integrations {
		for after, n := "", doubtStep; n == doubtStep; {
			err := write(ctx, func(t *tx) (err error) {
				after, n, err = d.step(t, id, after)
				return err
			})
			if err != nil {
				return r, fmt.Errorf("set in doubt: %w", err)
			}
			r.InDoubt += int64(n)
		}
	}
	return r, nil
}

// step sets the next of an integration in doubt, and gives the last of them.
func (d *Doubt) step(t *tx, integrationID, after string) (last string, n int, err error) {
	now := d.Now.UnixMicro()
	rows, err := t.query(sqlNextDoubt+t.d.forUpdate, now, d.bound(), integrationID, after, doubtStep)
	ids, err := collect(rows, err, scanInto[string])
	if err != nil || len(ids) == 0 {
		return after, 0, err
	}
	err = t.exec(sqlDoubtEvent+t.d.anyOf, string(peal.EventRestored)+":"+strconv.FormatInt(now, 10), now, string(peal.EventRestored),
		peal.CodeRestored, doubtReason, integrationID, t.d.list(ids))
	if err == nil {
		err = t.exec(sqlDoubt+t.d.anyOf, peal.CodeRestored, doubtReason, now, integrationID, t.d.list(ids))
	}
	return ids[len(ids)-1], len(ids), err
}
