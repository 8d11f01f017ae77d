package store

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"peal/internal/peal"
)

// AddReplay writes down that kept webhooks are to be run through the parser again.
func (s *Store) AddReplay(ctx context.Context, r *peal.CallbackReplay) error {
	raw, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("write replay: %w", err)
	}
	return s.write(ctx, func(t *tx) error {
		err := t.exec(`INSERT INTO replays (tenant_id, replay_id, replay, created_at) VALUES (?, ?, ?, ?)`,
			r.TenantID, r.ID, string(raw), r.CreatedAt.UnixMicro())
		if err != nil {
			return fmt.Errorf("write replay: %w", err)
		}
		return nil
	})
}

// SaveReplay writes down how far a replay is.
func (s *Store) SaveReplay(ctx context.Context, r *peal.CallbackReplay) error {
	raw, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("write replay: %w", err)
	}
	return s.write(ctx, func(t *tx) error {
		err := t.exec(`UPDATE replays SET replay = ?, ended_at = ? WHERE tenant_id = ? AND replay_id = ?`,
			string(raw), micros(r.EndedAt), r.TenantID, r.ID)
		if err != nil {
			return fmt.Errorf("write replay: %w", err)
		}
		return nil
	})
}

func scanReplay(row scanner, r *peal.CallbackReplay) error {
	var raw string
	if err := row.Scan(&r.TenantID, &r.ID, &raw); err != nil {
		return err
	}
	return json.Unmarshal([]byte(raw), r)
}

// Replay gives one of a tenant's. It fails with NotFound.
func (s *Store) Replay(ctx context.Context, tenantID, id string) (r peal.CallbackReplay, err error) {
	err = one(ctx, s.reads, scanReplay, &r, `SELECT tenant_id, replay_id, replay FROM replays WHERE tenant_id = ? AND replay_id = ?`, tenantID, id)
	if err != nil {
		return r, notFound(err, "replay")
	}
	return r, nil
}

// Replays gives a tenant's last ones, the newest first.
func (s *Store) Replays(ctx context.Context, tenantID string, limit int) ([]peal.CallbackReplay, error) {
	all, err := list(ctx, s.reads, scanReplay,
		`SELECT tenant_id, replay_id, replay FROM replays WHERE tenant_id = ? ORDER BY replay_id DESC LIMIT ?`, tenantID, limit)
	if err != nil {
		return nil, fmt.Errorf("read replays: %w", err)
	}
	return all, nil
}

// OpenReplay gives the oldest replay of all tenants that has not ended; there is false when there is none.
func (s *Store) OpenReplay(ctx context.Context) (r peal.CallbackReplay, there bool, err error) {
	all, err := list(ctx, s.reads, scanReplay,
		`SELECT tenant_id, replay_id, replay FROM replays WHERE ended_at IS NULL ORDER BY replay_id LIMIT 1`)
	if err != nil {
		return r, false, fmt.Errorf("look for replays: %w", err)
	}
	if len(all) == 0 {
		return r, false, nil
	}
	return all[0], true, nil
}

// Refold is Fold for evidence that was told before, or should have been: what stands in a row's timeline already changes
// nothing, not even when the row was changed last, and what no row knows is not parked.
func (s *Store) Refold(ctx context.Context, evidence []peal.Retold) (peal.Refolded, error) {
	return wrote(ctx, s, func(t *tx) (r peal.Refolded, err error) {
		known, err := t.known(evidence)
		if err != nil {
			return r, fmt.Errorf("fold again: %w", err)
		}
		changed := map[string]bool{}
		for _, e := range known {
			did, err := refoldOne(t, &r.Folded, e.Retold, s.now())
			if err != nil {
				return r, fmt.Errorf("fold again: %w", err)
			}
			if did && !changed[e.id] {
				changed[e.id] = true
				r.Changed++
			}
		}
		return r, nil
	})
}

// knownEvidence is evidence that some row knows.
type knownEvidence struct {
	*peal.Retold
	id string // of the delivery
}

// known gives the evidence that some row knows, in the order of the rows, in which everybody locks them: what joins two ids
// first of all, and locked for it.
func (t *tx) known(evidence []peal.Retold) ([]knownEvidence, error) {
	var known []knownEvidence
	var locks []int64
	ofKey := map[string]string{} // by key: the delivery that is about to learn it
	for i := range evidence {
		e := &evidence[i]
		row, found, err := seek(t, &e.Evidence, "")
		if err != nil {
			return nil, err
		}
		if found {
			known = append(known, knownEvidence{e, row.deliveryID})
		}
		if found && e.MessageKey != "" && row.key == "" {
			ofKey[e.IntegrationID+" "+e.MessageKey] = row.deliveryID
			locks = append(locks, lockKey(e.IntegrationID))
		}
	}
	for i := range evidence {
		e := &evidence[i]
		if id := ofKey[e.IntegrationID+" "+e.MessageKey]; id != "" && !slices.ContainsFunc(known, func(k knownEvidence) bool { return k.Retold == e }) {
			known = append(known, knownEvidence{e, id})
		}
	}
	slices.SortStableFunc(known, func(a, b knownEvidence) int {
		return cmp.Or(cmp.Compare(a.id, b.id), cmp.Compare(joins(&b.Evidence), joins(&a.Evidence)))
	})
	if !t.d.bulk { // there is one writer
		return known, nil
	}
	slices.Sort(locks)
	for _, k := range slices.Compact(locks) {
		if err := t.exec(ownLock, k); err != nil {
			return nil, err
		}
	}
	return known, nil
}

// joins is 1 of evidence that tells two ids of one message.
func joins(e *peal.Evidence) int {
	if e.MessageID != "" && e.MessageKey != "" {
		return 1
	}
	return 0
}

const sqlTold = `SELECT COALESCE(e.occurred_at, e.at) FROM delivery_events e WHERE e.delivery_id = ? AND e.mark = ?`

// refoldOne brings one piece of evidence into its row if that has not heard of it, or has heard of it as later.
func refoldOne(t *tx, f *peal.Folded, h *peal.Retold, now time.Time) (changed bool, err error) {
	e := &h.Evidence
	row, found, err := find(t, e)
	if err != nil || !found {
		return false, err
	}
	if e.MessageKey != "" && row.key == "" {
		if row, err = learnKey(t, f, row, e, now); err != nil {
			return false, err
		}
		changed = true
	}
	if e.Status == "" || row.moot(e) {
		return changed, nil
	}
	if e.WindowClosed && e.Status == peal.Failed {
		if d, said, err := refused(t, e); err != nil || said.FellBack != "" && e.MessageID != d.MessageID {
			return changed, err // its fallback went in its place
		}
	}
	event := receiptEvent(row.deliveryID, e, now)
	rows, err := t.query(sqlTold, row.deliveryID, markOf(&event))
	told, err := collect(rows, err, func(row scanner, when *time.Time) error { return row.Scan(at{when}) })
	if err != nil {
		return changed, fmt.Errorf("look at the timeline: %w", err)
	}
	if len(told) > 0 && (e.At.IsZero() || !e.At.Before(told[0])) {
		return changed, nil
	}
	if len(told) > 0 {
		if stands, err := standsEarlier(t, &row, e); err != nil || stands {
			return changed, err
		}
	}
	return true, apply(t, f, &row, e, h.HeardAt, now)
}

// standsEarlier tells whether a row has a time that is as early as the evidence's, which the timeline need not show: there
// the first one that was told stands.
func standsEarlier(t *tx, r *foundRow, e *peal.Evidence) (bool, error) {
	row, err := t.row(`SELECT delivered_at, read_at FROM communications_log WHERE tenant_id = ? AND delivery_id = ?`, r.tenantID, r.deliveryID)
	var delivered, read time.Time
	if err == nil {
		err = row.Scan(at{&delivered}, at{&read})
	}
	if err != nil {
		return false, fmt.Errorf("look at the row: %w", err)
	}
	switch e.Status {
	case peal.Delivered:
		return !delivered.IsZero() && !e.At.Before(delivered), nil
	case peal.Read:
		return !read.IsZero() && !e.At.Before(read), nil
	default: // of the others the first time stands
		return true, nil
	}
}
