package store

import (
	"context"
	"encoding/json"
	"fmt"

	"peal/internal/peal"
)

// PutUser writes the full truth about a user.
func (s *Store) PutUser(ctx context.Context, tenantID string, u peal.User) error {
	return s.write(ctx, func(t *tx) error {
		return t.exec(`INSERT INTO users (tenant_id, user_id, phone, whatsapp_user_id, email, locale, time_zone, attributes, created_at, updated_at)
			VALUES (?1, ?2, ?3, ?9, ?4, ?5, ?6, ?7, ?8, ?8)
			ON CONFLICT (tenant_id, user_id) DO UPDATE SET phone = excluded.phone,
			whatsapp_user_id = excluded.whatsapp_user_id, email = excluded.email, locale = excluded.locale,
			time_zone = excluded.time_zone, attributes = excluded.attributes, updated_at = excluded.updated_at`,
			tenantID, u.ID, text(u.Phone), text(u.Email), text(u.Locale), text(u.TimeZone), text(string(u.Attributes)), u.UpdatedAt.UnixMicro(), text(u.WhatsAppUserID))
	})
}

// User gives a tenant's user.
func (s *Store) User(ctx context.Context, tenantID, id string) (u peal.User, err error) {
	u.ID = id
	err = one(ctx, s.quick, func(row scanner, u *peal.User) error {
		return row.Scan(opt[string]{&u.Phone}, opt[string]{&u.WhatsAppUserID}, opt[string]{&u.Email}, opt[string]{&u.Locale}, opt[string]{&u.TimeZone},
			opt[json.RawMessage]{&u.Attributes}, at{&u.UpdatedAt})
	}, &u, `SELECT phone, whatsapp_user_id, email, locale, time_zone, attributes, updated_at FROM users WHERE tenant_id = ? AND user_id = ?`, tenantID, id)
	return u, notFound(err, "user")
}

// UserPhone gives a user's phone number and WhatsApp user id; empty when there is no such user, or none is known.
func (s *Store) UserPhone(ctx context.Context, tenantID, id string) (phone, whatsappUserID string, err error) {
	u, err := s.User(ctx, tenantID, id)
	if peal.KindOf(err) == peal.NotFound {
		return "", "", nil
	}
	return u.Phone, u.WhatsAppUserID, err
}

// DeleteUser forgets a user and their devices; what was accepted for them stays.
func (s *Store) DeleteUser(ctx context.Context, tenantID, id string) error {
	var n int64
	err := s.write(ctx, func(t *tx) (err error) {
		n, err = t.affect(`DELETE FROM users WHERE tenant_id = ? AND user_id = ?`, tenantID, id)
		if err != nil {
			return err
		}
		return t.exec(`DELETE FROM devices`+byUser+` WHERE tenant_id = ? AND user_id = ?`, tenantID, id)
	})
	if err != nil {
		return fmt.Errorf("delete user: %w", err)
	}
	if n == 0 {
		return peal.Errorf(peal.NotFound, "there is no such user")
	}
	return nil
}
