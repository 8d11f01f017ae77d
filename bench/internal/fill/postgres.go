package fill

import (
	"context"
	"errors"
	"fmt"

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
