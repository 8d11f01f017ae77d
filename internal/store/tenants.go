package store

import (
	"context"
	"strings"

	"peal/internal/peal"
)

// CreateTenant writes a tenant; Conflict when the id is taken.
func (s *Store) CreateTenant(ctx context.Context, tn peal.Tenant) error {
	var taken bool
	err := s.write(ctx, func(t *tx) error {
		n, err := t.affect(`INSERT INTO tenants (tenant_id, name, created_at, updated_at) VALUES (?1, ?2, ?3, ?3)
			ON CONFLICT DO NOTHING`, tn.ID, tn.Name, tn.CreatedAt.UnixMicro())
		taken = n == 0
		return err
	})
	if err == nil && taken {
		return peal.Errorf(peal.Conflict, "there is a tenant %q already", tn.ID)
	}
	return err
}

// UpdateTenant changes name or state; nil leaves as it is.
func (s *Store) UpdateTenant(ctx context.Context, id string, name *string, disabled *bool) error {
	var n int64
	var off any // 1 or 0
	if disabled != nil {
		off = 0
		if *disabled {
			off = 1
		}
	}
	err := s.write(ctx, func(t *tx) (err error) {
		n, err = t.affect(`UPDATE tenants SET name = COALESCE(?, name), disabled = COALESCE(?, disabled), updated_at = ?
			WHERE tenant_id = ?`, name, off, s.now().UnixMicro(), id)
		return err
	})
	if err == nil && n == 0 {
		return peal.Errorf(peal.NotFound, "there is no such tenant")
	}
	return err
}

func scanTenant(row scanner, t *peal.Tenant) error {
	return row.Scan(&t.ID, &t.Name, &t.Disabled, at{&t.CreatedAt}, &t.Limits.Rate, &t.Limits.Queued)
}

const tenantColumns = `tenant_id, name, disabled, created_at, max_rate, max_queued`

// Tenant gives one tenant.
func (s *Store) Tenant(ctx context.Context, id string) (t peal.Tenant, err error) {
	err = one(ctx, s.quick, scanTenant, &t, `SELECT `+tenantColumns+` FROM tenants WHERE tenant_id = ?`, id)
	return t, notFound(err, "tenant")
}

// Tenants gives all of them, by id.
func (s *Store) Tenants(ctx context.Context) ([]peal.Tenant, error) {
	return list(ctx, s.reads, scanTenant, `SELECT `+tenantColumns+` FROM tenants ORDER BY tenant_id`)
}

const keyColumns = `key_id, k.tenant_id, k.name, hash, scopes, k.created_at, expires_at, revoked_at, t.disabled
	FROM api_keys k JOIN tenants t ON t.tenant_id = k.tenant_id`

func scanKey(row scanner, k *peal.Key) error {
	var scopes string
	err := row.Scan(&k.ID, &k.TenantID, &k.Name, &k.Hash, &scopes, at{&k.CreatedAt}, at{&k.ExpiresAt}, at{&k.RevokedAt}, &k.Disabled)
	k.Scopes = strings.Split(scopes, ",")
	return err
}

// CreateKey writes an API key.
func (s *Store) CreateKey(ctx context.Context, k peal.Key) error {
	return s.write(ctx, func(t *tx) error {
		return t.exec(`INSERT INTO api_keys (key_id, tenant_id, name, hash, scopes, created_at, expires_at)
			VALUES (?, ?, ?, ?, ?, ?, ?)`, k.ID, k.TenantID, k.Name, k.Hash, strings.Join(k.Scopes, ","),
			k.CreatedAt.UnixMicro(), micros(k.ExpiresAt))
	})
}

// Key gives a key by its id, whatever its tenant: its secret is yet to be compared.
func (s *Store) Key(ctx context.Context, id string) (k peal.Key, err error) {
	err = one(ctx, s.quick, scanKey, &k, `SELECT `+keyColumns+` WHERE key_id = ?`, id)
	return k, notFound(err, "key")
}

// Keys gives a tenant's keys, the revoked too.
func (s *Store) Keys(ctx context.Context, tenantID string) ([]peal.Key, error) {
	return list(ctx, s.reads, scanKey, `SELECT `+keyColumns+` WHERE k.tenant_id = ? ORDER BY key_id`, tenantID)
}

// RevokeKey makes a tenant's key worthless; a second time is no error.
func (s *Store) RevokeKey(ctx context.Context, tenantID, id string) error {
	var n int64
	err := s.write(ctx, func(t *tx) (err error) {
		n, err = t.affect(`UPDATE api_keys SET revoked_at = COALESCE(revoked_at, ?) WHERE tenant_id = ? AND key_id = ?`,
			s.now().UnixMicro(), tenantID, id)
		return err
	})
	if err == nil && n == 0 {
		return peal.Errorf(peal.NotFound, "there is no such key")
	}
	return err
}
