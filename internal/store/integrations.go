package store

import (
	"context"
	"encoding/json"
	"fmt"

	"peal/internal/peal"
)

const integrationColumns = `integration_id, tenant_id, name, kind, channel, settings, secrets, pause_code, pause_reason,
	paused_at, paused_until, version, created_at, updated_at`

func scanIntegration(row scanner, in *peal.SealedIntegration) error {
	var p peal.Pause
	err := row.Scan(&in.ID, &in.TenantID, &in.Name, &in.Kind, &in.Channel, opt[json.RawMessage]{&in.Settings}, &in.Secrets,
		opt[peal.PauseCode]{&p.Code}, opt[string]{&p.Reason}, at{&p.Since}, at{&p.Until}, &in.Version, at{&in.CreatedAt}, at{&in.UpdatedAt})
	if p.Code != "" {
		in.Pause = &p
	}
	return err
}

// Integrations gives every integration of every tenant that is not deleted.
func (s *Store) Integrations(ctx context.Context) ([]peal.SealedIntegration, error) {
	all, err := list(ctx, s.reads, scanIntegration, `SELECT `+integrationColumns+` FROM integrations WHERE deleted_at IS NULL ORDER BY integration_id`)
	if err != nil {
		return nil, fmt.Errorf("read integrations: %w", err)
	}
	return all, nil
}

// CreateIntegration writes an integration; Conflict when the tenant has one of that name.
func (s *Store) CreateIntegration(ctx context.Context, in *peal.SealedIntegration) error {
	err := s.write(ctx, func(t *tx) error {
		err := t.exec(`INSERT INTO integrations (integration_id, tenant_id, name, kind, channel, settings, secrets, version,
			created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1, ?8, ?8)`, in.ID, in.TenantID, in.Name, in.Kind,
			in.Channel, string(in.Settings), in.Secrets, in.CreatedAt.UnixMicro())
		return nameTaken(t, err, in.Name)
	})
	return err
}

// nameTaken says of a row that a unique index refused why.
func nameTaken(t *tx, err error, name string) error {
	if t.d.unique(err) {
		return peal.Errorf(peal.Conflict, "there is an integration named %q already", name)
	}
	return err
}

// UpdateIntegration writes name, settings and secrets over those of the version that in has, and lifts any pause.
// Conflict when somebody else was quicker, or the name is taken.
func (s *Store) UpdateIntegration(ctx context.Context, in *peal.SealedIntegration) error {
	var n int64
	err := s.write(ctx, func(t *tx) (err error) {
		if err := tellPause(t, in.ID, in.Version, nil, s.now()); err != nil {
			return err
		}
		n, err = t.affect(`UPDATE integrations SET name = ?, settings = ?, secrets = ?, pause_code = NULL, pause_reason = NULL,
			paused_at = NULL, paused_until = NULL, version = version + 1, updated_at = ?
			WHERE tenant_id = ? AND integration_id = ? AND version = ? AND deleted_at IS NULL`, in.Name, string(in.Settings),
			in.Secrets, s.now().UnixMicro(), in.TenantID, in.ID, in.Version)
		return nameTaken(t, err, in.Name)
	})
	switch {
	case err != nil:
		return fmt.Errorf("update integration: %w", err)
	case n == 0:
		return peal.Errorf(peal.Conflict, "the integration was changed or deleted meanwhile; read it again")
	}
	return nil
}

// SetPause pauses an integration, or with nil resumes it. With version not 0 it does so only if that is still the
// integration's version: a failure under old credentials must not pause the new ones. It tells whether it did.
func (s *Store) SetPause(ctx context.Context, id string, version int64, p *peal.Pause) (bool, error) {
	var n int64
	err := s.write(ctx, func(t *tx) (err error) {
		if err := tellPause(t, id, version, p, s.now()); err != nil {
			return err
		}
		var code, reason, since, until any
		if p != nil {
			code, reason, since, until = string(p.Code), text(p.Reason), micros(p.Since), micros(p.Until)
		}
		n, err = t.affect(`UPDATE integrations SET pause_code = ?1, pause_reason = ?2, paused_at = ?3, paused_until = ?4
			WHERE integration_id = ?5 AND (?6 = 0 OR version = ?6) AND deleted_at IS NULL`, code, reason, since, until, id, version)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("pause integration: %w", err)
	}
	return n > 0, nil
}

// cancelStep is how many deliveries are canceled in one transaction: others wait for it.
const cancelStep = 500

// DeleteIntegration deletes an integration and cancels what waits in it, step by step. It tells how many deliveries it
// canceled; when ctx ends before it has canceled all, the ledger does the rest.
func (s *Store) DeleteIntegration(ctx context.Context, tenantID, id string) (canceled int, err error) {
	var gone bool
	err = s.write(ctx, func(t *tx) error {
		n, err := t.affect(`UPDATE integrations SET deleted_at = ?, version = version + 1 WHERE tenant_id = ? AND integration_id = ?
			AND deleted_at IS NULL`, s.now().UnixMicro(), tenantID, id)
		gone = n == 0
		return err
	})
	switch {
	case err != nil:
		return 0, fmt.Errorf("delete integration: %w", err)
	case gone:
		return 0, peal.Errorf(peal.NotFound, "there is no such integration")
	}
	for {
		n, err := s.cancelSome(ctx, tenantID, id)
		canceled += n
		if err != nil || n == 0 {
			return canceled, err
		}
	}
}

// cancelSome cancels one step of what waits in a deleted integration, and tells how many these were.
func (s *Store) cancelSome(ctx context.Context, tenantID, id string) (int, error) {
	return wrote(ctx, s, func(t *tx) (canceled int, err error) {
		rows, err := t.query(`SELECT delivery_id FROM communications_log INDEXED BY log_in_flight
			WHERE in_flight = 1 AND integration_id = ? AND status = 'queued' LIMIT ?`, id, cancelStep)
		waiting, err := collect(rows, err, func(row scanner, id *string) error { return row.Scan(id) })
		if err != nil {
			return 0, err
		}
		if err := t.climbsOf(tenantID, waiting); err != nil {
			return 0, err
		}
		for _, d := range waiting {
			ok, err := cancelOne(t, tenantID, d, "its integration was deleted", s.now())
			if err != nil {
				return 0, err
			}
			if ok {
				canceled++
			}
		}
		return canceled, nil
	})
}

// IntegrationDeleted tells whether an integration was deleted; what never was counts as deleted.
func (s *Store) IntegrationDeleted(ctx context.Context, id string) (bool, error) {
	var n int64
	err := one(ctx, s.quick, scanInto, &n, `SELECT COUNT(*) FROM integrations WHERE integration_id = ? AND deleted_at IS NULL`, id)
	if err != nil {
		return false, fmt.Errorf("look for the integration: %w", err)
	}
	return n == 0, nil
}
