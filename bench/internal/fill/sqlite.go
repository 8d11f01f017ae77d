package fill

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

const perTransaction = 50_000 // rows

// SQLite fills the database of a Peal that is stopped. Nothing is synced until the end: whoever interrupts it starts anew.
func SQLite(ctx context.Context, path string, tenant string, rows int, progress func(done int)) (_ *Plan, err error) {
	const loose = "?_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)&_pragma=cache_size(-1000000)&_pragma=wal_autocheckpoint(50000)"
	db, err := sql.Open("sqlite", "file:"+path+loose)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	defer func() { err = errors.Join(err, db.Close()) }()
	p := plan(tenant, rows)
	if err := db.QueryRowContext(ctx, integrationOf, tenant).Scan(&p.Integration); err != nil {
		return nil, fmt.Errorf("the integration bench: %w", err)
	}
	if _, err := db.ExecContext(ctx, strings.Replace(noBounds, "$1", "?", 1), tenant); err != nil {
		return nil, fmt.Errorf("tenant without bounds: %w", err)
	}
	g, hours := newGenerator(p), map[int64]int{}
	for g.next < rows {
		if err := sqliteBatch(ctx, db, g, min(perTransaction, rows-g.next), hours); err != nil {
			return nil, err
		}
		progress(g.next)
	}
	for hour, n := range hours {
		_, err := db.ExecContext(ctx, `INSERT INTO accepted (tenant_id, hour, node_id, notifications, deliveries) VALUES (?, ?, 'fill', ?, ?)`,
			tenant, hour, n, n)
		if err != nil {
			return nil, err
		}
	}
	_, err = db.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
	return p, err
}

func sqliteBatch(ctx context.Context, db *sql.DB, g *generator, n int, hours map[int64]int) (err error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, tx.Rollback())
		}
	}()
	var stmts [3]*sql.Stmt
	for i, t := range tables() {
		q := fmt.Sprintf("INSERT INTO %s (%s) VALUES (?%s)", t.name, strings.Join(t.columns, ", "), strings.Repeat(", ?", len(t.columns)-1))
		if stmts[i], err = tx.PrepareContext(ctx, q); err != nil {
			return err
		}
	}
	for range n {
		r := g.row()
		hours[r.hour]++
		if _, err := stmts[0].ExecContext(ctx, r.notification...); err != nil {
			return err
		}
		if _, err := stmts[1].ExecContext(ctx, r.delivery...); err != nil {
			return err
		}
		for _, e := range r.events {
			if _, err := stmts[2].ExecContext(ctx, e...); err != nil {
				return err
			}
		}
	}
	return tx.Commit()
}
