package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"peal/internal/peal"
)

const endpointColumns = `e.endpoint_id, e.tenant_id, e.name, e.url, e.types, e.timeout_ms, e.secrets, e.disabled_code, e.disabled_reason,
	e.disabled_at, e.failing_at, e.ok_at, e.failed_at, e.last_error, e.cursor, e.cursor_at, e.replay, e.version, e.created_at, e.updated_at,
	e.fails, e.generation`

func scanEndpoint(row scanner, e *peal.Endpoint) error { return scanEndpointAnd(row, e) }

// scanEndpointAnd reads endpointColumns and what comes after them.
func scanEndpointAnd(row scanner, e *peal.Endpoint, more ...any) error {
	var d peal.EndpointDisabled
	var types, replay json.RawMessage
	var timeout int64
	err := row.Scan(append([]any{
		&e.ID, &e.TenantID, &e.Name, &e.URL, opt[json.RawMessage]{&types}, &timeout, &e.Secrets, opt[peal.EndpointCode]{&d.Code},
		opt[string]{&d.Reason}, at{&d.At}, at{&e.FailingAt}, at{&e.OKAt}, at{&e.FailedAt}, opt[string]{&e.LastError},
		&e.Cursor, at{&e.CursorAt}, opt[json.RawMessage]{&replay}, &e.Version, at{&e.CreatedAt}, at{&e.UpdatedAt},
		&e.Fails, &e.Generation,
	}, more...)...)
	if err != nil {
		return err
	}
	e.Timeout = time.Duration(timeout) * time.Millisecond
	if d.Code != "" {
		e.Disabled = &d
	}
	if err := unpack(types, &e.Types); err != nil {
		return err
	}
	return unpack(replay, &e.Replay)
}

// pack is how an optional list or object is kept: as JSON, NULL for none.
func pack(v any, none bool) any {
	if none {
		return nil
	}
	text, err := json.Marshal(v)
	if err != nil {
		return nil // texts and times always marshal
	}
	return string(text)
}

// unpack reads what pack wrote.
func unpack(text json.RawMessage, v any) error {
	if len(text) == 0 {
		return nil
	}
	return json.Unmarshal(text, v)
}

// CreateEndpoint writes an endpoint; Conflict when the tenant has one of that name, or as many as it may have.
func (s *Store) CreateEndpoint(ctx context.Context, e *peal.Endpoint, most int) error {
	err := s.write(ctx, func(t *tx) error {
		if t.d.forUpdate != "" { // two at once would both count one too few
			if _, err := lockTenant(t, e.TenantID); err != nil {
				return err
			}
		}
		var n int
		row, err := t.row(`SELECT COUNT(*) FROM endpoints WHERE tenant_id = ?`, e.TenantID)
		if err == nil {
			err = row.Scan(&n)
		}
		if err != nil {
			return err
		}
		if n >= most {
			return peal.Errorf(peal.Conflict, "the tenant has %d endpoints, and may have no more; delete one first", most)
		}
		err = t.exec(`INSERT INTO endpoints (endpoint_id, tenant_id, name, url, types, timeout_ms, secrets, cursor, cursor_at, generation, version,
			created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 1, 1, ?10, ?10)`, e.ID, e.TenantID, e.Name, e.URL,
			pack(e.Types, e.Types == nil), e.Timeout.Milliseconds(), e.Secrets, e.Cursor, micros(e.CursorAt), e.CreatedAt.UnixMicro())
		if t.d.unique(err) {
			return peal.Errorf(peal.Conflict, "there is an endpoint named %q already", e.Name)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("write endpoint: %w", err)
	}
	return nil
}

func lockTenant(t *tx, tenantID string) (id string, err error) {
	row, err := t.row(`SELECT tenant_id FROM tenants WHERE tenant_id = ?`+t.d.forUpdate, tenantID)
	if err == nil {
		err = row.Scan(&id)
	}
	return id, notFound(err, "tenant")
}

// Endpoint gives one of a tenant's endpoints, by id or name, with how much waits for it.
func (s *Store) Endpoint(ctx context.Context, tenantID, ref string) (e peal.Endpoint, err error) {
	err = one(ctx, s.reads, func(row scanner, e *peal.Endpoint) error { return scanEndpointAnd(row, e, &e.Waiting, &e.Failed) }, &e,
		`SELECT `+endpointColumns+`, (SELECT COUNT(*) FROM endpoint_messages m WHERE m.endpoint_id = e.endpoint_id AND m.failed_at IS NULL),
		(SELECT COUNT(*) FROM endpoint_messages m WHERE m.endpoint_id = e.endpoint_id AND m.failed_at IS NOT NULL)
		FROM endpoints e WHERE e.tenant_id = ?1 AND (e.endpoint_id = ?2 OR e.name = ?2) ORDER BY CASE e.endpoint_id WHEN ?2 THEN 0 ELSE 1 END LIMIT 1`,
		tenantID, ref)
	return e, notFound(err, "endpoint")
}

// Endpoints gives a tenant's endpoints by name.
func (s *Store) Endpoints(ctx context.Context, tenantID string) ([]peal.Endpoint, error) {
	all, err := list(ctx, s.reads, scanEndpoint, `SELECT `+endpointColumns+` FROM endpoints e WHERE e.tenant_id = ? ORDER BY e.name`, tenantID)
	if err != nil {
		return nil, fmt.Errorf("read endpoints: %w", err)
	}
	return all, nil
}

// LiveEndpoints gives those of all tenants that are to be called.
func (s *Store) LiveEndpoints(ctx context.Context) ([]peal.Endpoint, error) {
	all, err := list(ctx, s.reads, scanEndpoint, `SELECT `+endpointColumns+` FROM endpoints e JOIN tenants t ON t.tenant_id = e.tenant_id
		WHERE e.disabled_at IS NULL AND t.disabled = 0 ORDER BY e.endpoint_id`)
	if err != nil {
		return nil, fmt.Errorf("read endpoints: %w", err)
	}
	return all, nil
}

// UpdateEndpoint writes name, URL, types, timeout and secrets over those of the version that e has; Conflict when somebody
// else was quicker, or the name is taken. Whoever calls the endpoint goes on.
func (s *Store) UpdateEndpoint(ctx context.Context, e *peal.Endpoint) error {
	n, err := wrote(ctx, s, func(t *tx) (int64, error) {
		n, err := t.affect(`UPDATE endpoints SET name = ?, url = ?, types = ?, timeout_ms = ?, secrets = ?, version = version + 1, updated_at = ?
			WHERE tenant_id = ? AND endpoint_id = ? AND version = ?`, e.Name, e.URL, pack(e.Types, e.Types == nil), e.Timeout.Milliseconds(),
			e.Secrets, s.now().UnixMicro(), e.TenantID, e.ID, e.Version)
		if t.d.unique(err) {
			return 0, peal.Errorf(peal.Conflict, "there is an endpoint named %q already", e.Name)
		}
		return n, err
	})
	switch {
	case err != nil:
		return fmt.Errorf("change endpoint: %w", err)
	case n == 0:
		return peal.Errorf(peal.Conflict, "the endpoint was changed or deleted meanwhile; read it again")
	}
	return nil
}

// DisableEndpoint has an endpoint called no more; one that is disabled already stays as it is.
func (s *Store) DisableEndpoint(ctx context.Context, tenantID, id string, d peal.EndpointDisabled) error {
	return s.changeEndpoint(ctx, `UPDATE endpoints SET disabled_code = COALESCE(disabled_code, ?1), disabled_reason = CASE
		WHEN disabled_at IS NULL THEN ?2 ELSE disabled_reason END, disabled_at = COALESCE(disabled_at, ?3), generation = generation + 1,
		version = version + 1, updated_at = ?3 WHERE tenant_id = ?4 AND endpoint_id = ?5`, string(d.Code), text(d.Reason), d.At.UnixMicro(), tenantID, id)
}

// EnableEndpoint has an endpoint called again: from where it was, and what waits for it at once and with all its tries; or
// from a position, and then what waits counts as failed, to be told once more by a replay.
func (s *Store) EnableEndpoint(ctx context.Context, tenantID, id string, from *string) error {
	now := s.now().UnixMicro()
	return s.changeEndpointWith(ctx, func(t *tx) error {
		if from == nil {
			return t.exec(`UPDATE endpoint_messages SET tries = 0, next_at = NULL WHERE endpoint_id = ? AND failed_at IS NULL`, id)
		}
		err := t.exec(`UPDATE endpoints SET cursor = ?, cursor_at = ?, ahead = NULL, replay = NULL WHERE endpoint_id = ?`, *from, now, id)
		if err != nil {
			return err
		}
		return t.exec(`UPDATE endpoint_messages SET failed_at = ?, next_at = NULL WHERE endpoint_id = ? AND failed_at IS NULL`, now, id)
	}, `UPDATE endpoints SET disabled_code = NULL, disabled_reason = NULL, disabled_at = NULL, failing_at = NULL, generation = generation + 1,
		version = version + 1, updated_at = ? WHERE tenant_id = ? AND endpoint_id = ?`, now, tenantID, id)
}

func (s *Store) changeEndpoint(ctx context.Context, query string, args ...any) error {
	return s.changeEndpointWith(ctx, func(*tx) error { return nil }, query, args...)
}

// changeEndpointWith changes an endpoint, and more with it; NotFound where there is none.
func (s *Store) changeEndpointWith(ctx context.Context, more func(*tx) error, query string, args ...any) error {
	err := s.write(ctx, func(t *tx) error {
		n, err := t.affect(query, args...)
		if err == nil && n == 0 {
			err = peal.Errorf(peal.NotFound, "there is no such endpoint")
		}
		if err != nil {
			return err
		}
		return more(t)
	})
	if err != nil {
		return fmt.Errorf("change endpoint: %w", err)
	}
	return nil
}

// DeleteEndpoint forgets an endpoint with its messages and attempts. What it does not come to, RetainEndpoints does.
func (s *Store) DeleteEndpoint(ctx context.Context, tenantID, id string) error {
	err := s.changeEndpoint(ctx, `DELETE FROM endpoints WHERE tenant_id = ? AND endpoint_id = ?`, tenantID, id)
	if err != nil {
		return err
	}
	return s.cutEndpoint(ctx, id, time.Time{})
}

// EndpointAttempts gives a page of calls of a tenant's endpoint, newest first.
func (s *Store) EndpointAttempts(ctx context.Context, id string, f peal.AttemptFilter) ([]peal.EndpointAttempt, error) {
	c := &clause{d: s.d}
	c.and("endpoint_id = ?", id)
	c.equal("notice_id", f.NoticeID)
	if f.Failed {
		c.and("ok = 0")
	}
	if f.Before != "" {
		c.and("attempt_id < ?", f.Before)
	}
	all, err := list(ctx, s.reads, func(row scanner, a *peal.EndpointAttempt) error {
		var took, ok int64
		err := row.Scan(&a.ID, &a.NoticeID, &a.Type, &a.Try, at{&a.At}, &took, &a.Status, &ok, opt[string]{&a.Code}, opt[string]{&a.Error}, at{&a.NextAt})
		a.Took, a.OK = time.Duration(took)*time.Microsecond, ok == 1
		return err
	}, `SELECT attempt_id, notice_id, type, try, at, took_us, status, ok, code, error, next_at FROM endpoint_attempts
		WHERE `+c.sql()+` ORDER BY attempt_id DESC LIMIT ?`, append(c.args, f.Limit)...)
	if err != nil {
		return nil, fmt.Errorf("read attempts: %w", err)
	}
	return all, nil
}

// Whoever reads the leases reads all of them, so those of endpoints that are no more must not pile up.
const sqlForgetLeases = `DELETE FROM leases WHERE substr(name, 1, 9) = 'endpoint:'
	AND NOT EXISTS (SELECT 1 FROM endpoints e WHERE e.endpoint_id = substr(leases.name, 10))
	AND (node_id = '' OR NOT EXISTS (SELECT 1 FROM nodes n WHERE n.node_id = leases.node_id))`

// RetainEndpoints lets go of attempts, and of messages that ran out of tries, from before a time; of attempts that went well
// from before another, for there may be very many; and of all that belongs to endpoints that are no more.
func (s *Store) RetainEndpoints(ctx context.Context, before, wellBefore time.Time) error {
	for _, table := range []string{"endpoint_attempts", "endpoint_messages"} {
		err := s.eachOf(ctx, table, "endpoint_id", func(id string) error {
			var n int
			if err := one(ctx, s.reads, scanInto, &n, `SELECT COUNT(*) FROM endpoints WHERE endpoint_id = ?`, id); err != nil {
				return err
			}
			if n == 0 {
				return s.cutEndpoint(ctx, id, time.Time{})
			}
			_, err := s.inSteps(ctx, `DELETE FROM endpoint_attempts WHERE endpoint_id = ?1 AND attempt_id IN (SELECT attempt_id FROM endpoint_attempts
				WHERE endpoint_id = ?1 AND attempt_id < ?2 AND ok = 1 ORDER BY attempt_id LIMIT ?3)`, retainStep, []any{id, idAt(wellBefore)})
			if err != nil {
				return err
			}
			return s.cutEndpoint(ctx, id, before)
		})
		if err != nil {
			return fmt.Errorf("let go of what endpoints were told: %w", err)
		}
	}
	if err := s.write(ctx, func(t *tx) error { return t.exec(sqlForgetLeases) }); err != nil {
		return fmt.Errorf("let go of endpoints' leases: %w", err)
	}
	return nil
}

// cutEndpoint lets go of an endpoint's attempts and failed messages from before the time; of everything for the zero time.
func (s *Store) cutEndpoint(ctx context.Context, id string, before time.Time) error {
	bound, condition, args := "g", "", []any{id} // beyond all ids
	if !before.IsZero() {
		bound, condition, args = idAt(before), " AND failed_at < ?2", append(args, before.UnixMicro())
	}
	_, err := s.inSteps(ctx, `DELETE FROM endpoint_attempts WHERE endpoint_id = ?1 AND attempt_id IN (SELECT attempt_id FROM endpoint_attempts
		WHERE endpoint_id = ?1 AND attempt_id < ?2 ORDER BY attempt_id LIMIT ?3)`, retainStep, []any{id, bound})
	if err == nil {
		_, err = s.inSteps(ctx, `DELETE FROM endpoint_messages WHERE endpoint_id = ?1 AND notice_id IN (SELECT notice_id FROM endpoint_messages
			WHERE endpoint_id = ?1`+condition+` ORDER BY notice_id LIMIT ?)`, retainStep, args)
	}
	return err
}
