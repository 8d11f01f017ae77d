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
// before and after.
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
		return b, t.exec(`INSERT INTO numbers (integration_id, tenant_id, state, at) VALUES (?1, ?2, ?3, ?4)
			ON CONFLICT (integration_id) DO UPDATE SET state = excluded.state, at = excluded.at`,
			integrationID, tenantID, string(state), b.after.At.UnixMicro())
	})
	if err != nil {
		return before, after, fmt.Errorf("write the number's state: %w", err)
	}
	return b.before, b.after, nil
}

// reachedRows is how many rows are looked at, at most, to count whom templates reached.
const reachedRows = 200_000

// Reached counts whom an integration sent a template to since the time: nobody twice. Where a tenant has more rows than are
// looked at, these are the newest.
func (s *Store) Reached(ctx context.Context, tenantID, integrationID string, since time.Time) (n int64, err error) {
	err = one(ctx, s.reads, scanInto[int64], &n, `SELECT COUNT(DISTINCT recipient) FROM (
			SELECT recipient, integration_id, status, sent_at, payload FROM communications_log
			WHERE tenant_id = ?1 AND delivery_id >= ?2 ORDER BY delivery_id DESC LIMIT ?3) AS newest
		WHERE integration_id = ?4 AND sent_at >= ?5 AND status IN ('sent', 'delivered', 'read') AND payload LIKE '%"template":{%'`,
		tenantID, idAt(since.Add(-idSlack)), reachedRows, integrationID, since.UnixMicro())
	if err != nil {
		return 0, fmt.Errorf("count whom templates reached: %w", err)
	}
	return n, nil
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
