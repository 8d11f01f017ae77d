package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"peal/internal/peal"
)

const (
	// readTime bounds every read, with its wait for a connection: one that takes longer is of no use to who asks, and
	// keeps others waiting.
	readTime = 5 * time.Second
	// countTime bounds what counts everything in flight, in the background.
	countTime = time.Minute
)

// list reads all rows of a query with scan.
func list[T any](ctx context.Context, db *pool, scan func(scanner, *T) error, query string, args ...any) ([]T, error) {
	return listWithin(ctx, readTime, db, scan, query, args...)
}

func listWithin[T any](ctx context.Context, most time.Duration, db *pool, scan func(scanner, *T) error, query string, args ...any) ([]T, error) {
	return listAs(ctx, most, db, db.ask, scan, query, args)
}

// listAgain is list for what is read with nearly every notification.
func listAgain[T any](ctx context.Context, db *pool, scan func(scanner, *T) error, query string, args ...any) ([]T, error) {
	return listAs(ctx, readTime, db, db.askAgain, scan, query, args)
}

type asking = func(ctx context.Context, query string, args []any) (*sql.Rows, error)

func listAs[T any](ctx context.Context, most time.Duration, db *pool, ask asking, scan func(scanner, *T) error, query string, args []any) ([]T, error) {
	rctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	var all []T
	err := db.again(rctx, func() error {
		rows, err := ask(rctx, query, args)
		all, err = collect(rows, err, scan)
		return err
	})
	return all, db.noAnswer(ctx, rctx, err)
}

// one reads the row of a query that has at most one with scan; sql.ErrNoRows when it has none.
func one[T any](ctx context.Context, db *pool, scan func(scanner, *T) error, v *T, query string, args ...any) error {
	rctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	err := db.again(rctx, func() error { return scan(db.QueryRowContext(rctx, db.d.text(query), db.d.args(args)...), v) })
	return db.noAnswer(ctx, rctx, err)
}

// readTries is how often a read is tried: a connection may have died since it was used last, and so may the next.
const readTries = 3

func (db *pool) again(ctx context.Context, read func() error) (err error) {
	for range readTries {
		if err = read(); err == nil || ctx.Err() != nil || !db.d.away(err) {
			return err
		}
	}
	return err
}

// noAnswer says of a read that failed because its time was over, or because the database is not there, that this is so.
func (db *pool) noAnswer(caller, read context.Context, err error) error {
	if err == nil || caller.Err() != nil || errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if read.Err() == nil {
		if db.d.away(err) {
			return &peal.Error{Kind: peal.Unavailable, Message: "the records could not be read", Err: err}
		}
		return err
	}
	return &peal.Error{Kind: peal.Overloaded, Message: "the records took too long to answer", Err: fmt.Errorf("%w: %w", read.Err(), err)}
}

// scanInto reads one column.
func scanInto[T any](row scanner, v *T) error { return row.Scan(v) }
