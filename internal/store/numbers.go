package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"peal/api"
	"peal/internal/peal"
)

func scanNumber(row scanner, n *peal.NumberState) error {
	var state []byte
	if err := row.Scan(&state); err != nil {
		return err
	}
	return json.Unmarshal(state, n)
}

const sqlNumber = `SELECT state FROM numbers WHERE integration_id = ?`

// Number is what is known of an integration's sending number; ok is false where nothing is.
func (s *Store) Number(ctx context.Context, integrationID string) (n peal.NumberState, ok bool, err error) {
	err = one(ctx, s.quick, scanNumber, &n, sqlNumber, integrationID)
	if errors.Is(err, sql.ErrNoRows) {
		return n, false, nil
	}
	if err != nil {
		return n, false, fmt.Errorf("read the number's state: %w", err)
	}
	return n, true, nil
}

// PutNumber lays news over what is known of an integration's sending number, unless they are older. It gives the state
// before and after, and tells the tenant of what is new.
func (s *Store) PutNumber(ctx context.Context, tenantID, integrationID string, news peal.NumberState) (before, after peal.NumberState, err error) {
	type both struct{ before, after peal.NumberState }
	b, err := wrote(ctx, s, func(t *tx) (b both, err error) {
		row, err := t.row(sqlNumber+t.d.forUpdate, integrationID)
		if err == nil {
			err = scanNumber(row, &b.before)
		}
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return b, err
		}
		b.after = b.before.With(news)
		state, err := json.Marshal(b.after)
		if err != nil {
			return b, err
		}
		if !b.before.At.IsZero() && !b.before.Same(b.after) {
			n, err := numberNotice(tenantID, integrationID, &b.after)
			if err != nil {
				return b, err
			}
			if err := t.tell(n); err != nil {
				return b, err
			}
		}
		return b, t.exec(`INSERT INTO numbers (integration_id, tenant_id, state, at) VALUES (?1, ?2, ?3, ?4)
			ON CONFLICT (integration_id) DO UPDATE SET state = excluded.state, at = excluded.at`,
			integrationID, tenantID, string(state), b.after.At.UnixMicro())
	})
	if err != nil {
		return before, after, fmt.Errorf("write the number's state: %w", err)
	}
	return b.before, b.after, nil
}

// numberNotice tells of a number's state.
func numberNotice(tenantID, integrationID string, s *peal.NumberState) (*peal.Notice, error) {
	e := api.NumberEvent{
		IntegrationID: integrationID, NumberID: s.ID, Status: s.Status, Quality: s.Quality, MessagingLimit: s.Tier, Throughput: s.Level, Reason: s.Alert,
	}
	if s.Phone != "" {
		e.Number = "+" + s.Phone
	}
	data, err := json.Marshal(&e)
	return &peal.Notice{TenantID: tenantID, Type: peal.NoticeNumberUpdated, Subject: integrationID, Data: data}, err
}

const (
	reachedRows = 200_000 // are looked at, at most, to count whom templates reached
	reachedPage = 2_000   // at once
)

// sqlReached reads a page of a tenant's log, newest first: whether each row is one to count is for the reader to see, so that a
// page is never long in coming.
const sqlReached = `SELECT delivery_id, recipient, integration_id, sent_at,
		CASE WHEN status IN ('sent', 'delivered', 'read') AND payload LIKE '%"template":{%' THEN 1 ELSE 0 END
	FROM communications_log WHERE tenant_id = ? AND delivery_id >= ? AND delivery_id < ? ORDER BY delivery_id DESC LIMIT ?`

// Reached counts whom an integration sent a template to since the time: nobody twice. Where a tenant has more rows than are
// looked at, these are the newest.
func (s *Store) Reached(ctx context.Context, tenantID, integrationID string, since time.Time) (int64, error) {
	type reached struct {
		id, recipient, integration string
		sent                       time.Time
		template                   int
	}
	who, before := map[string]bool{}, "g" // after every id
	for range reachedRows / reachedPage {
		rows, err := list(ctx, s.reads, func(row scanner, r *reached) error {
			return row.Scan(&r.id, &r.recipient, &r.integration, at{&r.sent}, &r.template)
		}, sqlReached, tenantID, idAt(since.Add(-idSlack)), before, reachedPage)
		if err != nil {
			return 0, fmt.Errorf("count whom templates reached: %w", err)
		}
		for i := range rows {
			if r := &rows[i]; r.template == 1 && r.integration == integrationID && !r.sent.Before(since) {
				who[r.recipient] = true
			}
			before = rows[i].id
		}
		if len(rows) < reachedPage {
			break
		}
	}
	return int64(len(who)), nil
}

// Media gives a file that the provider keeps until that time or longer; nil when there is none.
func (s *Store) Media(ctx context.Context, m peal.Media, until time.Time) (*peal.Media, error) {
	err := one(ctx, s.quick, func(row scanner, m *peal.Media) error {
		return row.Scan(&m.ID, &m.Size, at{&m.ExpiresAt})
	}, &m, `SELECT media_id, size, expires_at FROM media WHERE integration_id = ? AND scope = ? AND sha256 = ? AND media_type = ?
		AND expires_at >= ?`, m.IntegrationID, m.Scope, m.SHA256, m.Type, until.UnixMicro())
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil //nolint:nilnil // there is none, and that is no error
	}
	if err != nil {
		return nil, fmt.Errorf("look for the file: %w", err)
	}
	return &m, nil
}

// PutMedia notes a file that the provider keeps, and forgets those that it no longer does.
func (s *Store) PutMedia(ctx context.Context, m peal.Media) error {
	err := s.write(ctx, func(t *tx) error {
		if err := t.exec(`DELETE FROM media WHERE expires_at < ?`, s.now().UnixMicro()); err != nil {
			return err
		}
		return t.exec(`INSERT INTO media (integration_id, scope, sha256, media_type, tenant_id, media_id, size, expires_at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (integration_id, scope, sha256, media_type) DO UPDATE
			SET media_id = excluded.media_id, size = excluded.size, expires_at = excluded.expires_at`,
			m.IntegrationID, m.Scope, m.SHA256, m.Type, m.TenantID, m.ID, m.Size, m.ExpiresAt.UnixMicro())
	})
	if err != nil {
		return fmt.Errorf("note the file: %w", err)
	}
	return nil
}
