package store

import (
	"context"

	"peal/internal/peal"
)

// DevicesOf gives the devices of a tenant's users, each user's in the order that they were made.
func (s *Store) DevicesOf(ctx context.Context, tenantID string, userIDs []string) ([]peal.Device, error) {
	c := &clause{d: s.d}
	c.and("tenant_id = ?", tenantID)
	c.and("user_id"+s.d.anyOf, s.d.list(userIDs))
	return s.devices(ctx, byUser, c, "user_id, created_at, device_id")
}
