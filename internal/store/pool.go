package store

import (
	"context"
	"database/sql"
	"errors"
	"sync"
)

// pool is connections that read, with the words of their database.
type pool struct {
	*sql.DB

	d    *dialect
	kept sync.Map // statements by their texts: *sql.Stmt
}

// ask asks once.
func (db *pool) ask(ctx context.Context, query string, args []any) (*sql.Rows, error) {
	return db.QueryContext(ctx, db.d.text(query), db.d.args(args)...)
}

// askAgain asks what is asked all the time. The statement is kept: SQLite takes longer to read a short one than to answer
// it. PostgreSQL's driver keeps them itself.
func (db *pool) askAgain(ctx context.Context, query string, args []any) (*sql.Rows, error) {
	if db.d.bulk {
		return db.ask(ctx, query, args)
	}
	s, ok := db.kept.Load(query)
	if !ok {
		made, err := db.PrepareContext(ctx, db.d.text(query))
		if err != nil {
			return nil, err
		}
		if s, ok = db.kept.LoadOrStore(query, made); ok { // another was quicker
			if err := made.Close(); err != nil { //nolint:sqlclosecheck // the one that is kept stays open
				return nil, err
			}
		}
	}
	stmt, ok := s.(*sql.Stmt)
	if !ok {
		return nil, errors.New("what is kept is no statement")
	}
	return stmt.QueryContext(ctx, db.d.args(args)...)
}
