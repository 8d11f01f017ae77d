package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"peal/internal/peal"
	"peal/internal/pipeline"
)

const (
	sqlPutExpansion = `INSERT INTO expansions (tenant_id, notification_id, request, priority, due_at, expires_at, created_at, reached, planned)
		VALUES (?, ?, ?, ?, ?, ?, ?, '', 0)`
	sqlMoveExpansion = `UPDATE expansions SET reached = ?1, planned = planned + ?2, started_at = COALESCE(started_at, ?3),
		ended_at = ?4, outcome = ?5 WHERE tenant_id = ?6 AND notification_id = ?7 AND reached = ?8 AND ended_at IS NULL`
	sqlEndExpansion = `UPDATE expansions SET ended_at = ?1, outcome = ?2 WHERE tenant_id = ?3 AND notification_id = ?4 AND ended_at IS NULL`
	sqlMoreOf       = `UPDATE notifications SET deliveries = deliveries + ? WHERE tenant_id = ? AND notification_id = ?`
	// A tenant's oldest ones, so that nobody's many hide another's.
	sqlOpenExpansions = `SELECT tenant_id, notification_id, request, priority, due_at, expires_at, created_at, reached FROM (
		SELECT tenant_id, notification_id, request, priority, due_at, expires_at, created_at, reached, ROW_NUMBER() OVER (PARTITION BY tenant_id ORDER BY notification_id) AS place FROM expansions
		WHERE ended_at IS NULL AND (due_at IS NULL OR due_at <= ?)) AS placed
		WHERE place <= ? ORDER BY tenant_id, notification_id`
)

func expansionArgs(x *pipeline.Expansion) []any {
	return []any{
		x.TenantID, x.NotificationID, string(x.Request), int(x.Priority), micros(x.DueAt), micros(x.ExpiresAt), x.CreatedAt.UnixMicro(),
	}
}

// queueExpansions is sqlPutExpansion in a batch. There are few.
func queueExpansions(b *pgx.Batch, d *dialect, subs []*pipeline.Submission) {
	for _, s := range subs {
		if s.Expansion != nil {
			b.Queue(d.text(sqlPutExpansion), d.args(expansionArgs(s.Expansion))...)
		}
	}
}

// OpenExpansions gives the expansions that have begun or may, the oldest ones of each tenant.
func (s *Store) OpenExpansions(ctx context.Context, now time.Time, perTenant int) ([]pipeline.Expansion, error) {
	all, err := list(ctx, s.quick, func(row scanner, x *pipeline.Expansion) error {
		return row.Scan(&x.TenantID, &x.NotificationID, opt[jsonText]{(*jsonText)(&x.Request)}, &x.Priority, at{&x.DueAt}, at{&x.ExpiresAt},
			at{&x.CreatedAt}, &x.Cursor)
	}, sqlOpenExpansions, now.UnixMicro(), perTenant)
	if err != nil {
		return nil, fmt.Errorf("read open expansions: %w", err)
	}
	return all, nil
}

// jsonText is JSON in a column of texts.
type jsonText []byte

// Expand writes the next step of an expansion: its deliveries, their number, and where it has come to, all or nothing. It
// is false, and nothing is written, when the expansion has ended or was moved on by somebody else.
func (s *Store) Expand(ctx context.Context, step *pipeline.ExpansionStep) (bool, error) {
	var moved bool
	err := s.write(ctx, func(t *tx) (err error) {
		moved, err = expand(t, step)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("expand: %w", err)
	}
	return moved, nil
}

func expand(t *tx, step *pipeline.ExpansionStep) (bool, error) {
	ended := time.Time{}
	if step.End != peal.ExpansionOpen {
		ended = step.At
	}
	n, err := t.affect(sqlMoveExpansion, step.Next, len(step.Deliveries), step.At.UnixMicro(), micros(ended), text(string(step.End)),
		step.TenantID, step.NotificationID, step.Cursor)
	if err != nil || n == 0 || len(step.Deliveries) == 0 {
		return n > 0, err
	}
	if err := t.exec(sqlMoreOf, len(step.Deliveries), step.TenantID, step.NotificationID); err != nil {
		return false, fmt.Errorf("count deliveries: %w", err)
	}
	if err := putDeliveries(t, step.Deliveries); err != nil {
		return false, err
	}
	// Under a name of its own, so that it and accept do not wait for each other's row.
	err = t.exec(sqlCountAccepted, step.TenantID, hourOf(step.NotificationID, step.CreatedAt), t.node+"+route", 0, len(step.Deliveries))
	if err != nil {
		return false, fmt.Errorf("count what was planned: %w", err)
	}
	return true, nil
}

func putDeliveries(t *tx, all []peal.Delivery) error {
	if t.d.bulk {
		ds := make([]*peal.Delivery, len(all))
		for i := range all {
			ds[i] = &all[i]
		}
		b := &pgx.Batch{}
		queueDeliveries(b, ds)
		return wrap("write deliveries", t.send(b))
	}
	for i := range all {
		if err := putDelivery(t, &all[i]); err != nil {
			return err
		}
	}
	return nil
}

// Expansion tells how far a notification to an audience has come; nil when it is to somebody.
func (s *Store) Expansion(ctx context.Context, tenantID, notificationID string) (*peal.Expansion, error) {
	x := &peal.Expansion{Counts: map[peal.Status]int64{}}
	err := one(ctx, s.quick, func(row scanner, x *peal.Expansion) error {
		return row.Scan(opt[jsonText]{(*jsonText)(&x.Request)}, &x.Planned, at{&x.StartedAt}, at{&x.EndedAt}, opt[peal.ExpansionEnd]{&x.End})
	}, x, `SELECT request, planned, started_at, ended_at, outcome FROM expansions WHERE tenant_id = ? AND notification_id = ?`,
		tenantID, notificationID)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil //nolint:nilnil // there is none, and that is no error
	}
	if err != nil {
		return nil, fmt.Errorf("read expansion: %w", err)
	}
	from, to, err := peal.DeliveryRange(notificationID)
	if err != nil {
		return nil, err
	}
	type line struct {
		status peal.Status
		n      int64
	}
	lines, err := listWithin(ctx, countTime, s.reads, func(row scanner, l *line) error { return row.Scan(&l.status, &l.n) },
		`SELECT status, COUNT(*) FROM communications_log WHERE tenant_id = ? AND delivery_id BETWEEN ? AND ? AND notification_id = ?
		GROUP BY status`, tenantID, from, to, notificationID)
	if err != nil {
		return nil, fmt.Errorf("count deliveries: %w", err)
	}
	for _, l := range lines {
		x.Counts[l.status] = l.n
	}
	return x, nil
}

// audienceWindow is among how many devices those of an audience are looked for at once, and audienceWindows how often a
// call goes on to the next when there are few: who reads gives others a turn.
const (
	audienceWindow  = 2000
	audienceWindows = 16
)

// audience is the condition that devices of an audience fulfil. Those that are retired are of none.
func (c *clause) audience(a peal.Audience) {
	c.and("state <> 'retired'")
	c.equal("app_id", a.AppID)
	c.equal("platform", a.Platform)
	if a.Locale != "" {
		c.and("(lower(locale) = lower(?) OR substr(lower(locale), 1, ?) = lower(?))", a.Locale, len(a.Locale)+1, a.Locale+"-")
	}
}

// AudienceDevices gives the next devices of an audience by their ids, up to limit, after the one that is named; and after
// which to go on, with whether there may be more. There may be more though it gives none.
func (s *Store) AudienceDevices(ctx context.Context, tenantID string, a peal.Audience, after string, limit int) (found []peal.Device, next string, more bool, err error) {
	for range audienceWindows {
		bound, err := s.deviceAhead(ctx, tenantID, after)
		if err != nil {
			return nil, "", false, err
		}
		c := &clause{d: s.d}
		c.and("tenant_id = ?", tenantID)
		c.and("device_id > ?", after)
		if bound != "" {
			c.and("device_id <= ?", bound)
		}
		c.audience(a)
		most := limit - len(found)
		some, err := list(ctx, s.quick, scanDevice, `SELECT `+deviceColumns+` FROM devices WHERE `+c.sql()+` ORDER BY device_id LIMIT ?`,
			append(c.args, most)...)
		if err != nil {
			return nil, "", false, fmt.Errorf("read an audience's devices: %w", err)
		}
		if found = append(found, some...); len(some) == most {
			return found, some[most-1].ID, true, nil
		}
		if bound == "" {
			last := after
			if len(some) > 0 {
				last = some[len(some)-1].ID
			}
			return found, last, false, nil
		}
		after = bound
	}
	return found, after, true, nil
}

// deviceAhead is the device a window further on; empty when there are not as many.
func (s *Store) deviceAhead(ctx context.Context, tenantID, after string) (id string, err error) {
	err = one(ctx, s.quick, scanInto[string], &id, `SELECT device_id FROM devices WHERE tenant_id = ? AND device_id > ?
		ORDER BY device_id LIMIT 1 OFFSET ?`, tenantID, after, audienceWindow-1)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("read an audience's devices: %w", err)
	}
	return id, nil
}

// CountAudience counts the devices of an audience.
func (s *Store) CountAudience(ctx context.Context, tenantID string, a peal.Audience) ([]peal.AudienceGroup, error) {
	c := &clause{d: s.d}
	c.and("tenant_id = ?", tenantID)
	c.audience(a)
	all, err := listWithin(ctx, countTime, s.reads, func(row scanner, g *peal.AudienceGroup) error {
		return row.Scan(&g.Kind, opt[string]{&g.AppID}, &g.Permission, &g.Devices)
	}, `SELECT kind, app_id, permission, COUNT(*) FROM devices WHERE `+c.sql()+` GROUP BY kind, app_id, permission
		ORDER BY kind, app_id, permission`, c.args...)
	if err != nil {
		return nil, fmt.Errorf("count an audience: %w", err)
	}
	return all, nil
}
