package store

import (
	"context"
	"fmt"
	"strings"

	"peal/internal/peal"
	"peal/internal/pipeline"
)

// AcceptedHours gives what was counted as accepted of a tenant, by hours from one until another.
func (s *Store) AcceptedHours(ctx context.Context, tenantID string, from, to int64) ([]peal.HourCount, error) {
	all, err := list(ctx, s.reads, func(row scanner, c *peal.HourCount) error {
		return row.Scan(&c.Hour, &c.Notifications, &c.Deliveries)
	}, `SELECT hour, CAST(SUM(notifications) AS BIGINT), CAST(SUM(deliveries) AS BIGINT) FROM accepted
		WHERE tenant_id = ? AND hour >= ? AND hour < ? GROUP BY hour ORDER BY hour`, tenantID, from, to)
	if err != nil {
		return nil, fmt.Errorf("read what was counted: %w", err)
	}
	return all, nil
}

// AuditTally counts a tenant's rows of a span beside the counters. It is one statement, so it sees one moment. Of a part of
// an hour it leaves the counters out, and of a span that is only counted the statuses.
func (s *Store) AuditTally(ctx context.Context, tenantID string, sp peal.Span) (peal.Tally, error) {
	t := peal.Tally{TenantID: tenantID, ByStatus: map[peal.Status]int64{}}
	type line struct {
		what, status string
		a, b         int64
	}
	toHour := sp.ToHour
	if sp.Part {
		toHour = sp.FromHour
	}
	deliveries := `status, COUNT(*), COUNT(CASE WHEN ` + contradiction() + ` THEN 1 END)`
	grouped := " GROUP BY status"
	if sp.CountOnly {
		deliveries, grouped = "'', COUNT(*), 0", ""
	}
	lines, err := listWithin(ctx, countTime, s.reads, func(row scanner, l *line) error {
		return row.Scan(&l.what, &l.status, &l.a, &l.b)
	}, `SELECT 'counted', '', CAST(COALESCE(SUM(notifications), 0) AS BIGINT), CAST(COALESCE(SUM(deliveries), 0) AS BIGINT)
			FROM accepted WHERE tenant_id = ?1 AND hour >= ?2 AND hour < ?3
		UNION ALL SELECT 'notifications', '', COUNT(deliveries), COUNT(*) FROM notifications
			WHERE tenant_id = ?1 AND notification_id >= ?4 AND notification_id < ?5
		UNION ALL SELECT 'deliveries', `+deliveries+` FROM communications_log
			WHERE tenant_id = ?1 AND delivery_id >= ?4 AND delivery_id < ?5`+grouped,
		tenantID, sp.FromHour, toHour, sp.From, sp.To)
	if err != nil {
		return t, fmt.Errorf("count rows: %w", err)
	}
	for _, l := range lines {
		switch l.what {
		case "counted":
			t.Notifications, t.Deliveries = l.a, l.b
		case "notifications":
			t.NotificationRows, t.Uncounted = l.a, l.b-l.a
		default:
			t.DeliveryRows += l.a
			t.Wrong += l.b
			if !sp.CountOnly {
				t.ByStatus[peal.Status(l.status)] += l.a
			}
		}
	}
	return t, nil
}

// AuditRows names what does not agree among a tenant's rows of a span, at most limit of each kind: notifications without
// their planned number of deliveries, deliveries without their notification, those whose columns contradict each other,
// and, where rows are fewer than were counted, what is known of the missing; of a span that is only counted just these.
func (s *Store) AuditRows(ctx context.Context, tenantID string, sp peal.Span, t *peal.Tally, limit int) ([]peal.Difference, error) {
	var found []peal.Difference
	if !sp.CountOnly {
		some, err := s.auditPlans(ctx, tenantID, sp, limit)
		if err != nil {
			return nil, err
		}
		found = some
	}
	if t.Wrong > 0 {
		wrong, err := s.auditStates(ctx, tenantID, sp, limit)
		if err != nil {
			return nil, err
		}
		found = append(found, wrong...)
	}
	if t.Notifications > t.NotificationRows || t.Deliveries > t.DeliveryRows {
		vanished, err := s.auditVanished(ctx, tenantID, sp, limit)
		if err != nil {
			return nil, err
		}
		found = append(found, vanished...)
	}
	for i := range found {
		found[i].TenantID, found[i].Hour = tenantID, peal.HourOf(found[i].ID)
	}
	return found, nil
}

func (s *Store) auditPlans(ctx context.Context, tenantID string, sp peal.Span, limit int) ([]peal.Difference, error) {
	found, err := listWithin(ctx, countTime, s.reads, func(row scanner, d *peal.Difference) error {
		var there, planned, rows int64
		err := row.Scan(&d.ID, &there, &planned, &rows)
		d.Kind, d.Detail = peal.DiffPlan, fmt.Sprintf("%d deliveries were planned, %d are there", planned, rows)
		if there == 0 {
			d.Kind, d.Detail = peal.DiffOrphan, fmt.Sprintf("%d deliveries are there, their notification is not", rows)
		}
		return err
	}, `SELECT notification_id, CAST(SUM(there) AS BIGINT), CAST(SUM(planned) AS BIGINT), CAST(SUM(found) AS BIGINT) FROM (
			SELECT notification_id, 1 AS there, COALESCE(deliveries, 0) AS planned, 0 AS found,
				CASE WHEN deliveries IS NULL THEN 1 ELSE 0 END AS uncounted
			FROM notifications WHERE tenant_id = ?1 AND notification_id >= ?2 AND notification_id < ?3
			UNION ALL SELECT notification_id, 0, 0, 1, 0 FROM communications_log
			WHERE tenant_id = ?1 AND delivery_id >= ?2 AND delivery_id < ?3) AS both_tables
		GROUP BY notification_id HAVING SUM(there) = 0 OR (SUM(uncounted) = 0 AND SUM(planned) <> SUM(found))
		ORDER BY notification_id LIMIT ?4`, tenantID, sp.From, sp.To, limit)
	if err != nil {
		return nil, fmt.Errorf("compare notifications and deliveries: %w", err)
	}
	return found, nil
}

func (s *Store) auditStates(ctx context.Context, tenantID string, sp peal.Span, limit int) ([]peal.Difference, error) {
	found, err := listWithin(ctx, countTime, s.reads, func(row scanner, d *peal.Difference) error {
		var status string
		err := row.Scan(&d.ID, &status, &d.Detail)
		d.Kind, d.Detail = peal.DiffState, "it is "+status+": "+d.Detail
		return err
	}, `SELECT delivery_id, status, CASE`+explained()+` END FROM communications_log
		WHERE tenant_id = ?1 AND delivery_id >= ?2 AND delivery_id < ?3 AND (`+contradiction()+`)
		ORDER BY delivery_id LIMIT ?4`, tenantID, sp.From, sp.To, limit)
	if err != nil {
		return nil, fmt.Errorf("name rows that contradict themselves: %w", err)
	}
	return found, nil
}

// auditVanished looks for what speaks of rows that are not there. Timelines know no tenant, so what it names may have been
// another's.
func (s *Store) auditVanished(ctx context.Context, tenantID string, sp peal.Span, limit int) ([]peal.Difference, error) {
	scan := func(detail string) func(scanner, *peal.Difference) error {
		return func(row scanner, d *peal.Difference) error {
			d.Kind, d.Detail = peal.DiffVanished, detail
			return row.Scan(&d.ID)
		}
	}
	found, err := listWithin(ctx, countTime, s.reads, scan("an idempotency key stands for this notification, and it is not there"),
		`SELECT notification_id FROM idempotency k WHERE tenant_id = ?1 AND notification_id >= ?2 AND notification_id < ?3
		AND NOT EXISTS (SELECT 1 FROM notifications n WHERE n.tenant_id = k.tenant_id AND n.notification_id = k.notification_id)
		ORDER BY notification_id LIMIT ?4`, tenantID, sp.From, sp.To, limit)
	if err != nil {
		return nil, fmt.Errorf("name notifications that are gone: %w", err)
	}
	rows, err := listWithin(ctx, countTime, s.reads, scan("the timeline of this delivery is there, its row is not"),
		`SELECT DISTINCT delivery_id FROM delivery_events e WHERE delivery_id >= ?1 AND delivery_id < ?2 AND NOT EXISTS (
		SELECT 1 FROM tenants CROSS JOIN communications_log l WHERE l.tenant_id = tenants.tenant_id AND l.delivery_id = e.delivery_id)
		ORDER BY delivery_id LIMIT ?3`, sp.From, sp.To, limit)
	if err != nil {
		return nil, fmt.Errorf("name deliveries that are gone: %w", err)
	}
	return append(found, rows...), nil
}

// invariant is a condition that no row may meet, and what it says of one that does.
type invariant struct{ broken, says string }

// invariants are what the columns of every delivery keep to, whatever has happened to it.
func invariants() []invariant {
	return []invariant{
		{
			`status NOT IN ('queued', 'sending', 'uncertain', 'sent', 'delivered', 'read', 'failed', 'skipped', 'canceled', 'expired')`,
			"there is no such status",
		},
		{`status IN ('queued', 'sending', 'uncertain') AND in_flight IS NULL`, "it is not marked as in flight"},
		{`status NOT IN ('queued', 'sending', 'uncertain') AND in_flight IS NOT NULL`, "it is marked as in flight"},
		{`status IN ('failed', 'skipped', 'canceled', 'expired') AND ended_at IS NULL`, "it has no time of its end"},
		{`status NOT IN ('failed', 'skipped', 'canceled', 'expired') AND ended_at IS NOT NULL`, "it has a time of its end"},
		{`status = 'sent' AND sent_at IS NULL`, "it has no time of being sent"},
		{`status = 'delivered' AND delivered_at IS NULL`, "it has no time of being delivered"},
		{`status = 'read' AND read_at IS NULL`, "it has no time of being read"},
		{`dead_at IS NOT NULL AND status <> 'failed'`, "it is a dead letter"},
		{`status = 'sending' AND attempts = 0`, "no attempt is counted"},
		{`round > attempts`, "it has fewer attempts than before it was re-driven"},
	}
}

// contradiction is a condition that is met where any invariant is broken.
func contradiction() string {
	var all []string
	for _, i := range invariants() {
		all = append(all, "("+i.broken+")")
	}
	return strings.Join(all, " OR ")
}

// explained are the branches of a CASE that says which invariant is broken.
func explained() string {
	var b strings.Builder
	for _, i := range invariants() {
		b.WriteString(" WHEN " + i.broken + " THEN '" + i.says + "'")
	}
	return b.String()
}

// StillInFlight tells of rows that were found in flight which are as they were: nobody has touched them since.
func (s *Store) StillInFlight(ctx context.Context, rows []pipeline.InFlight) ([]bool, error) {
	byTenant := map[string][]string{}
	for i := range rows {
		byTenant[rows[i].TenantID] = append(byTenant[rows[i].TenantID], rows[i].DeliveryID)
	}
	now := map[string]pipeline.InFlight{}
	for tenantID, ids := range byTenant {
		c := &clause{d: s.d}
		c.and("tenant_id = ?", tenantID)
		c.in("delivery_id", ids)
		found, err := list(ctx, s.reads, func(row scanner, f *pipeline.InFlight) error {
			return row.Scan(&f.DeliveryID, &f.Status, at{&f.UpdatedAt})
		}, `SELECT delivery_id, status, updated_at FROM communications_log WHERE `+c.sql(), c.args...)
		if err != nil {
			return nil, fmt.Errorf("look at rows again: %w", err)
		}
		for _, f := range found {
			now[tenantID+"/"+f.DeliveryID] = f
		}
	}
	same := make([]bool, len(rows))
	for i := range rows {
		f := now[rows[i].TenantID+"/"+rows[i].DeliveryID]
		same[i] = f.Status == rows[i].Status && f.UpdatedAt.Equal(rows[i].UpdatedAt)
	}
	return same, nil
}
