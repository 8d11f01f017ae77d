package store

import (
	"context"

	"peal/internal/peal"
)

const userKeyColumns = `key_id, k.tenant_id, k.name, algorithm, public_key, secret, k.created_at, revoked_at, t.disabled
	FROM user_keys k JOIN tenants t ON t.tenant_id = k.tenant_id`

func scanUserKey(row scanner, k *peal.UserKey) error {
	return row.Scan(&k.ID, &k.TenantID, &k.Name, &k.Algorithm, &k.PublicKey, &k.Secret, at{&k.CreatedAt}, at{&k.RevokedAt}, &k.Disabled)
}

// CreateUserKey writes a key that signs user tokens.
func (s *Store) CreateUserKey(ctx context.Context, k peal.UserKey) error {
	return s.write(ctx, func(t *tx) error {
		return t.exec(`INSERT INTO user_keys (key_id, tenant_id, name, algorithm, public_key, secret, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)`,
			k.ID, k.TenantID, k.Name, k.Algorithm, k.PublicKey, k.Secret, k.CreatedAt.UnixMicro())
	})
}

// UserKey gives a key by its id, whatever its tenant: the token that names it is yet to be verified.
func (s *Store) UserKey(ctx context.Context, id string) (k peal.UserKey, err error) {
	err = one(ctx, s.quick, scanUserKey, &k, `SELECT `+userKeyColumns+` WHERE key_id = ?`, id)
	return k, notFound(err, "user key")
}

// UserKeys gives a tenant's keys, the revoked too.
func (s *Store) UserKeys(ctx context.Context, tenantID string) ([]peal.UserKey, error) {
	return list(ctx, s.reads, scanUserKey, `SELECT `+userKeyColumns+` WHERE k.tenant_id = ? ORDER BY key_id`, tenantID)
}

// RevokeUserKey makes a tenant's key worthless, and with it every token that it signed; a second time is no error.
func (s *Store) RevokeUserKey(ctx context.Context, tenantID, id string) error {
	var n int64
	err := s.write(ctx, func(t *tx) (err error) {
		n, err = t.affect(`UPDATE user_keys SET revoked_at = COALESCE(revoked_at, ?) WHERE tenant_id = ? AND key_id = ?`,
			s.now().UnixMicro(), tenantID, id)
		return err
	})
	if err == nil && n == 0 {
		return peal.Errorf(peal.NotFound, "there is no such user key")
	}
	return err
}
