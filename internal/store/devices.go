package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"peal/internal/peal"
)

// maxDevices is how many devices a user has at most; the stalest gives way to a new one.
const maxDevices = 20

// seenStep is how much later a device has to be heard of to be worth a write.
const seenStep = time.Hour

// byUser is for statements that look for devices of users. Without it SQLite reads all devices of the tenant, whose key
// begins with the tenant as well: it takes a tenant for one that has ten.
const byUser = ` INDEXED BY devices_user`

const deviceColumns = `tenant_id, device_id, user_id, kind, address, p256dh, auth, environment, app_id, platform, locale, time_zone,
	app_version, permission, state, retired_reason, retired_at, created_at, registered_at, seen_at, ok_at`

const (
	// The user's row is there from now on, and nobody else's to change until the transaction ends: so that their devices
	// are counted right, and none outlives them.
	sqlHoldUser = `INSERT INTO users (tenant_id, user_id, created_at, updated_at) VALUES (?1, ?2, ?3, ?3)
		ON CONFLICT (tenant_id, user_id) DO UPDATE SET updated_at = users.updated_at`
	sqlTakeAddress = `DELETE FROM devices WHERE tenant_id = ? AND kind = ? AND address = ? AND device_id <> ?`
	sqlPutDevice   = `INSERT INTO devices (` + deviceColumns + `)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, 'active', NULL, NULL, ?15, ?15, ?15, NULL)
		ON CONFLICT (tenant_id, device_id) DO UPDATE SET user_id = excluded.user_id, kind = excluded.kind, address = excluded.address,
		p256dh = excluded.p256dh, auth = excluded.auth, environment = excluded.environment, app_id = excluded.app_id,
		platform = excluded.platform, locale = excluded.locale, time_zone = excluded.time_zone, app_version = excluded.app_version,
		permission = excluded.permission, state = 'active', retired_reason = NULL, retired_at = NULL,
		registered_at = excluded.registered_at, seen_at = excluded.seen_at,
		ok_at = CASE WHEN devices.kind = excluded.kind AND devices.address = excluded.address THEN devices.ok_at END`
	sqlOthersOf = `SELECT device_id FROM devices` + byUser + ` WHERE tenant_id = ? AND user_id = ? AND device_id <> ?
		ORDER BY CASE state WHEN 'retired' THEN 1 ELSE 0 END, seen_at DESC, device_id`
	sqlRetireDevice = `UPDATE devices SET state = 'retired', retired_reason = ?1, retired_at = ?2
		WHERE tenant_id = ?3 AND device_id = ?4 AND kind = ?5 AND address = ?6 AND state <> 'retired' AND (registered_at < ?7 OR ?7 = 0)`
	sqlDoubtDevice = `UPDATE devices SET state = 'suspect'
		WHERE tenant_id = ?1 AND device_id = ?2 AND kind = ?3 AND address = ?4 AND state = 'active' AND (registered_at < ?5 OR ?5 = 0)`
	sqlRetireUnseen = `UPDATE devices SET state = 'retired', retired_reason = ?1, retired_at = ?2
		WHERE state <> 'retired' AND seen_at < ?4 AND (tenant_id, device_id) IN (SELECT tenant_id, device_id FROM devices
		WHERE kind = ?3 AND seen_at < ?4 AND state <> 'retired' ORDER BY seen_at LIMIT ?5)`
)

func scanDevice(row scanner, d *peal.Device) error {
	return row.Scan(&d.TenantID, &d.ID, &d.UserID, &d.Kind, &d.Address, opt[string]{&d.P256dh}, opt[string]{&d.Auth},
		opt[string]{&d.Environment}, opt[string]{&d.AppID}, opt[string]{&d.Platform}, opt[string]{&d.Locale}, opt[string]{&d.TimeZone},
		opt[string]{&d.AppVersion}, &d.Permission, &d.State, opt[string]{&d.RetiredReason}, at{&d.RetiredAt}, at{&d.CreatedAt},
		at{&d.RegisteredAt}, at{&d.LastSeenAt}, at{&d.LastOKAt})
}

// PutDevice writes the full truth about an installation, and gives it as it is kept. Its times and its state are not
// looked at: it is active from now on, whatever it was, and was registered and seen now. Another installation that had the
// address is no more. Its user is made if there is no such user; of more than maxDevices of the user the stalest leave.
func (s *Store) PutDevice(ctx context.Context, d peal.Device) (peal.Device, error) {
	var put peal.Device // no result: a write that is given up on may still be going on when this returns
	var err error
	for range tries { // on PostgreSQL another node may take the same address at the same time
		err = s.write(ctx, func(t *tx) (err error) {
			put, err = putDevice(t, &d, s.now())
			return err
		})
		if !s.d.unique(err) {
			break
		}
	}
	if err != nil {
		return peal.Device{}, fmt.Errorf("write device: %w", err)
	}
	return put, nil
}

func putDevice(t *tx, d *peal.Device, now time.Time) (put peal.Device, err error) {
	at := now.UnixMicro()
	if err := t.exec(sqlHoldUser, d.TenantID, d.UserID, at); err != nil {
		return put, err
	}
	if err := t.exec(sqlTakeAddress, d.TenantID, string(d.Kind), d.Address, d.ID); err != nil {
		return put, err
	}
	err = t.exec(sqlPutDevice, d.TenantID, d.ID, d.UserID, string(d.Kind), d.Address, text(d.P256dh), text(d.Auth), text(d.Environment),
		text(d.AppID), text(d.Platform), text(d.Locale), text(d.TimeZone), text(d.AppVersion), string(d.Permission), at)
	if err != nil {
		return put, err
	}
	rows, err := t.query(sqlOthersOf, d.TenantID, d.UserID, d.ID)
	others, err := collect(rows, err, scanInto[string])
	if err != nil {
		return put, err
	}
	if len(others) >= maxDevices {
		err := t.exec(`DELETE FROM devices WHERE tenant_id = ? AND device_id`+t.d.anyOf, d.TenantID, t.d.list(others[maxDevices-1:]))
		if err != nil {
			return put, err
		}
	}
	row, err := t.row(`SELECT `+deviceColumns+` FROM devices WHERE tenant_id = ? AND device_id = ?`, d.TenantID, d.ID)
	if err != nil {
		return put, err
	}
	return put, scanDevice(row, &put)
}

// Devices gives those of a tenant's devices that there are, by id.
func (s *Store) Devices(ctx context.Context, tenantID string, ids []string) ([]peal.Device, error) {
	c := &clause{d: s.d}
	c.and("tenant_id = ?", tenantID)
	c.and("device_id"+s.d.anyOf, s.d.list(ids))
	return s.devices(ctx, "", c, "device_id")
}

// UserDevices gives a user's devices, the oldest first.
func (s *Store) UserDevices(ctx context.Context, tenantID, userID string) ([]peal.Device, error) {
	c := &clause{d: s.d}
	c.and("tenant_id = ?", tenantID)
	c.and("user_id = ?", userID)
	return s.devices(ctx, byUser, c, "created_at, device_id")
}

func (s *Store) devices(ctx context.Context, hint string, c *clause, order string) ([]peal.Device, error) {
	all, err := listAgain(ctx, s.quick, scanDevice, `SELECT `+deviceColumns+` FROM devices`+hint+` WHERE `+c.sql()+` ORDER BY `+order, c.args...)
	if err != nil {
		return nil, fmt.Errorf("read devices: %w", err)
	}
	return all, nil
}

// Device gives one of a tenant's devices.
func (s *Store) Device(ctx context.Context, tenantID, id string) (d peal.Device, err error) {
	err = one(ctx, s.quick, scanDevice, &d, `SELECT `+deviceColumns+` FROM devices WHERE tenant_id = ? AND device_id = ?`, tenantID, id)
	return d, notFound(err, "device")
}

// DeleteDevice forgets a user's device.
func (s *Store) DeleteDevice(ctx context.Context, tenantID, userID, id string) error {
	var n int64
	err := s.write(ctx, func(t *tx) (err error) {
		n, err = t.affect(`DELETE FROM devices WHERE tenant_id = ? AND device_id = ? AND user_id = ?`, tenantID, id, userID)
		return err
	})
	if err != nil {
		return fmt.Errorf("delete device: %w", err)
	}
	if n == 0 {
		return peal.Errorf(peal.NotFound, "there is no such device")
	}
	return nil
}

// RetireDevices retires devices, or writes down doubts about them, and tells how many that changed. It concerns the address
// that was called: a device that has another one by now, or that stated its own after the provider found it dead, stays.
func (s *Store) RetireDevices(ctx context.Context, all []peal.Retirement) (int, error) {
	var n int
	all = slices.SortedFunc(slices.Values(all), func(a, b peal.Retirement) int { // in one order for all, so that nobody waits in a circle
		return cmp.Or(cmp.Compare(a.TenantID, b.TenantID), cmp.Compare(a.DeviceID, b.DeviceID))
	})
	err := s.write(ctx, func(t *tx) error {
		n = 0
		for i := range all {
			changed, err := retireDevice(t, &all[i])
			if err != nil {
				return fmt.Errorf("retire device: %w", err)
			}
			n += int(changed)
		}
		return nil
	})
	if err != nil { // the write may still be going on
		return 0, err
	}
	return n, nil
}

func retireDevice(t *tx, r *peal.Retirement) (int64, error) {
	dead := int64(0)
	if !r.Dead.IsZero() {
		dead = r.Dead.UnixMicro()
	}
	switch r.Verdict {
	case peal.DeviceDead:
		return t.affect(sqlRetireDevice, r.Reason, r.At.UnixMicro(), r.TenantID, r.DeviceID, string(r.Kind), r.Address, dead)
	case peal.DeviceDoubts:
		return t.affect(sqlDoubtDevice, r.TenantID, r.DeviceID, string(r.Kind), r.Address, dead)
	case peal.DeviceFine:
	}
	return 0, nil
}

// RetireUnseen retires up to limit devices of a kind that were not heard of since before, and tells how many.
func (s *Store) RetireUnseen(ctx context.Context, kind peal.DeviceKind, before time.Time, limit int) (int64, error) {
	var n int64
	err := s.write(ctx, func(t *tx) (err error) {
		n, err = t.affect(sqlRetireUnseen, peal.RetiredUnseen, s.now().UnixMicro(), string(kind), before.UnixMicro(), limit)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("retire devices that are not heard of: %w", err)
	}
	return n, nil
}

// DevicesOK says of a tenant's devices that their provider took something for them: what was suspect is active again. It
// is exact to an hour, so that a device which is sent much is not written as often. Of one that registered later it says
// nothing: it may have another address.
func (s *Store) DevicesOK(ctx context.Context, tenantID string, ids []string, when time.Time) error {
	return s.touch(ctx, tenantID, ids, `UPDATE devices SET ok_at = ?1, state = CASE state WHEN 'suspect' THEN 'active' ELSE state END
		WHERE tenant_id = ?2 AND registered_at <= ?1 AND (ok_at IS NULL OR ok_at < ?3 OR state = 'suspect') AND device_id`, when)
}

// DevicesSeen says of a tenant's devices that their app was heard of. It is exact to an hour.
func (s *Store) DevicesSeen(ctx context.Context, tenantID string, ids []string, when time.Time) error {
	return s.touch(ctx, tenantID, ids, `UPDATE devices SET seen_at = ?1 WHERE tenant_id = ?2 AND seen_at < ?3 AND device_id`, when)
}

func (s *Store) touch(ctx context.Context, tenantID string, ids []string, query string, when time.Time) error {
	if len(ids) == 0 {
		return nil
	}
	err := s.write(ctx, func(t *tx) error {
		if t.d.forUpdate != "" { // in one order for all
			rows, err := t.query(`SELECT device_id FROM devices WHERE tenant_id = ? AND device_id`+t.d.anyOf+` ORDER BY device_id`+t.d.forUpdate,
				tenantID, t.d.list(ids))
			if _, err = collect(rows, err, scanInto[string]); err != nil {
				return err
			}
		}
		return t.exec(query+t.d.anyOf, when.UnixMicro(), tenantID, when.Add(-seenStep).UnixMicro(), t.d.list(ids))
	})
	if err != nil {
		return fmt.Errorf("write when devices were heard of: %w", err)
	}
	return nil
}
