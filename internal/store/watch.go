package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"peal/internal/peal"
)

const (
	watchColumns = `integration_id, since, last_webhook_at, last_receipt_at, refused, heard_state, heard_at, session_state, session_at,
		suspect_since, suspect_reason`
	sqlWatchThere = `INSERT INTO integration_watch (integration_id, since) VALUES (?, ?) ON CONFLICT (integration_id) DO NOTHING`
	sqlSighted    = `UPDATE integration_watch SET
		refused = CASE WHEN CAST(?2 AS BIGINT) IS NULL THEN refused ELSE 0 END + CAST(?4 AS BIGINT),
		last_webhook_at = CASE WHEN CAST(?2 AS BIGINT) IS NULL OR last_webhook_at > ?2 THEN last_webhook_at ELSE ?2 END,
		last_receipt_at = CASE WHEN CAST(?3 AS BIGINT) IS NULL OR last_receipt_at > ?3 THEN last_receipt_at ELSE ?3 END,
		heard_state = CASE WHEN CAST(?6 AS BIGINT) IS NULL OR heard_at > ?6 THEN heard_state ELSE CAST(?5 AS TEXT) END,
		heard_at = CASE WHEN CAST(?6 AS BIGINT) IS NULL OR heard_at > ?6 THEN heard_at ELSE ?6 END
		WHERE integration_id = ?1`
	sqlUnheard = `SELECT COUNT(*), MIN(sent_at) FROM (
		SELECT integration_id, sent_at FROM communications_log
		WHERE tenant_id = ?1 AND delivery_id >= ?2 AND delivery_id < ?3 ORDER BY delivery_id DESC LIMIT ?4) AS bounded
		WHERE integration_id = ?5 AND sent_at > ?6 AND sent_at < ?7`
	sqlSetSuspect = `UPDATE integration_watch SET suspect_since = ?1, suspect_reason = ?2
		WHERE integration_id = ?3 AND (suspect_since IS NULL) = (CAST(?1 AS BIGINT) IS NOT NULL)`
	sqlSetSession = `UPDATE integration_watch SET session_state = ?1, session_at = ?2
		WHERE integration_id = ?3 AND heard_state = ?1 AND COALESCE(session_state, '') = ?4`
)

func scanWatch(row scanner, w *peal.Watch) error {
	return row.Scan(&w.IntegrationID, at{&w.Since}, at{&w.LastWebhook}, at{&w.LastReceipt}, &w.Refused, opt[string]{&w.Heard}, at{&w.HeardAt},
		opt[string]{&w.Session}, at{&w.SessionAt}, at{&w.SuspectSince}, opt[string]{&w.SuspectReason})
}

// Watches gives what is known of integrations, by their ids; of those that nothing is known of nothing.
func (s *Store) Watches(ctx context.Context, integrationIDs []string) (map[string]peal.Watch, error) {
	c := &clause{d: s.d}
	c.in("integration_id", integrationIDs)
	all, err := list(ctx, s.reads, scanWatch, `SELECT `+watchColumns+` FROM integration_watch WHERE `+c.sql(), c.args...)
	if err != nil {
		return nil, fmt.Errorf("read what is known of integrations: %w", err)
	}
	found := make(map[string]peal.Watch, len(all))
	for i := range all {
		found[all[i].IntegrationID] = all[i]
	}
	return found, nil
}

// Unsettled gives the integrations of whose session another state was heard than their tenant was told.
func (s *Store) Unsettled(ctx context.Context) ([]peal.Watch, error) {
	all, err := list(ctx, s.reads, scanWatch, `SELECT `+watchColumns+` FROM integration_watch
		WHERE heard_state IS NOT NULL AND heard_state <> COALESCE(session_state, '')`)
	if err != nil {
		return nil, fmt.Errorf("read the states of sessions: %w", err)
	}
	return all, nil
}

// Watched gives what is known of one integration, which is watched from a time on, if it was not.
func (s *Store) Watched(ctx context.Context, integrationID string, since time.Time) (w peal.Watch, err error) {
	const query = `SELECT ` + watchColumns + ` FROM integration_watch WHERE integration_id = ?`
	err = one(ctx, s.reads, scanWatch, &w, query, integrationID)
	if errors.Is(err, sql.ErrNoRows) {
		w = peal.Watch{IntegrationID: integrationID, Since: since.UTC().Truncate(time.Microsecond)}
		err = s.write(ctx, func(t *tx) error { return t.exec(sqlWatchThere, w.IntegrationID, w.Since.UnixMicro()) })
	}
	if err != nil {
		return w, fmt.Errorf("read what is known of an integration: %w", err)
	}
	return w, nil
}

// Sight writes what a node has heard of integrations. What is older than what is known changes nothing.
func (s *Store) Sight(ctx context.Context, sightings []peal.Sighting) error {
	all := slices.SortedFunc(slices.Values(sightings), func(a, b peal.Sighting) int { return cmp.Compare(a.IntegrationID, b.IntegrationID) })
	return s.write(ctx, func(t *tx) error {
		for i := range all {
			g := &all[i]
			err := t.exec(sqlWatchThere, g.IntegrationID, s.now().UnixMicro())
			if err == nil {
				err = t.exec(sqlSighted, g.IntegrationID, micros(g.Webhook), micros(g.Receipt), g.Refused, text(g.Session), micros(g.SessionAt))
			}
			if err != nil {
				return fmt.Errorf("write what was heard of an integration: %w", err)
			}
		}
		return nil
	})
}

// maxUnheard is how many of a tenant's newest deliveries are looked at for those of one integration.
const maxUnheard = 2000

// Unheard counts the deliveries that were sent over an integration after one time and before another, and when the first of
// them was. Of a tenant that sends very much over others it counts the newest only.
func (s *Store) Unheard(ctx context.Context, in *peal.Integration, after, before time.Time) (n int, first time.Time, err error) {
	type counted struct {
		n     int
		first time.Time
	}
	var c counted
	// What was accepted earlier, and sent since, is left out: the ids of what is counted are a stretch of time.
	err = one(ctx, s.reads, func(row scanner, c *counted) error { return row.Scan(&c.n, at{&c.first}) }, &c, sqlUnheard,
		in.TenantID, idAt(after.Add(-idSlack)), idAt(before.Add(idSlack)), maxUnheard, in.ID, after.UnixMicro(), before.UnixMicro())
	if err != nil {
		return 0, time.Time{}, fmt.Errorf("count what was sent: %w", err)
	}
	return c.n, c.first, nil
}

// SetSuspect puts an integration under suspicion, or with a zero time above it, and tells. It tells whether that is news.
func (s *Store) SetSuspect(ctx context.Context, integrationID string, since time.Time, reason string, n peal.Notice) (bool, error) {
	return s.changeWatch(ctx, n, sqlSetSuspect, micros(since), text(reason), integrationID)
}

// SetSession writes the state of a session that was heard of as the one that is told after the one before, and tells. It tells
// whether both were still so.
func (s *Store) SetSession(ctx context.Context, integrationID, before, state string, when time.Time, n *peal.Notice) (bool, error) {
	if n == nil {
		return s.changeWatch(ctx, peal.Notice{}, sqlSetSession, state, when.UnixMicro(), integrationID, before)
	}
	return s.changeWatch(ctx, *n, sqlSetSession, state, when.UnixMicro(), integrationID, before)
}

// changeWatch makes a change and tells of it, or neither.
func (s *Store) changeWatch(ctx context.Context, n peal.Notice, query string, args ...any) (bool, error) {
	return wrote(ctx, s, func(t *tx) (bool, error) {
		changed, err := t.affect(query, args...)
		if err != nil || changed == 0 {
			return false, err
		}
		if n.Type == "" {
			return true, nil
		}
		return true, t.tell(&n)
	})
}
