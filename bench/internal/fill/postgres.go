package fill

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Postgres fills the database of a Peal that is stopped, by COPY.
func Postgres(ctx context.Context, url string, tenant string, rows int, progress func(done int)) (_ *Plan, err error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	p := plan(tenant, rows)
	if err := conn.QueryRow(ctx, integrationOf, tenant).Scan(&p.Integration); err != nil {
		return nil, fmt.Errorf("the integration bench: %w", err)
	}
	if _, err := conn.Exec(ctx, noBounds, tenant); err != nil {
		return nil, fmt.Errorf("tenant without bounds: %w", err)
	}
	if err := partitions(ctx, conn, p); err != nil {
		return nil, fmt.Errorf("partitions of the past: %w", err)
	}
	g, hours := newGenerator(p), map[int64]int{}
	for g.next < rows {
		var parts [3][][]any
		for range min(perTransaction, rows-g.next) {
			r := g.row()
			hours[r.hour]++
			parts[0], parts[1], parts[2] = append(parts[0], r.notification), append(parts[1], r.delivery), append(parts[2], r.events...)
		}
		for i, t := range tables() {
			if _, err := conn.CopyFrom(ctx, pgx.Identifier{t.name}, t.columns, pgx.CopyFromRows(parts[i])); err != nil {
				return nil, fmt.Errorf("copy into %s: %w", t.name, err)
			}
		}
		progress(g.next)
	}
	for hour, n := range hours {
		_, err := conn.Exec(ctx, `INSERT INTO accepted (tenant_id, hour, node_id, notifications, deliveries) VALUES ($1, $2, 'fill', $3, $3)`,
			tenant, hour, n)
		if err != nil {
			return nil, err
		}
	}
	// As autovacuum would have by then.
	_, err = conn.Exec(ctx, "VACUUM (ANALYZE)")
	return p, err
}

// partitions makes those of the weeks that the rows are of, named and cut as Peal would have when their time came.
func partitions(ctx context.Context, conn *pgx.Conn, p *Plan) error {
	const week = 7 * 24 * time.Hour
	id := func(t time.Time) string {
		return fmt.Sprintf("%08x-%04x", t.UnixMilli()>>16, t.UnixMilli()&0xffff)
	}
	for ms := p.From.UnixMilli() / week.Milliseconds() * week.Milliseconds(); ms <= p.To.UnixMilli(); ms += week.Milliseconds() {
		start := time.UnixMilli(ms).UTC()
		for _, t := range tables() {
			_, err := conn.Exec(ctx, fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s_p%s PARTITION OF %s FOR VALUES FROM ('%s') TO ('%s')",
				t.name, start.Format("20060102"), t.name, id(start), id(start.Add(week))))
			if err != nil {
				return err
			}
		}
	}
	return nil
}
