package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"peal/internal/peal"
)

// Bounds of one shared transaction: beyond them the rest waits for the next, so that nobody waits long.
const (
	maxOpsPerCommit = 1024
	// checkpointEvery is how often what is in the WAL is moved into the database while there are writes. See checkpoints.
	checkpointEvery = 500 * time.Millisecond
)

// op is one caller's write. Its run must be repeatable: after a failed commit it is run again on its own.
type op struct {
	ctx  context.Context //nolint:containedctx // the caller's: one that has given up by its turn is passed over
	run  func(*tx) error
	done chan error
}

// writer owns the one connection that writes. It turns whatever waits into one transaction.
type writer struct {
	db      *sql.DB
	conn    *sql.Conn
	ops     chan *op
	quit    chan struct{}
	stopped chan struct{}
	tx      *tx
	closed  error

	dirty      bool          // there were commits since the last checkpoint began
	backfilled chan struct{} // a checkpoint beside the writer has ended; nil while none runs
}

// tx is the open transaction of the writer: it runs statements, each prepared once for the life of the connection.
type tx struct {
	ctx    context.Context //nolint:containedctx // lives as long as the writer: a commit is for many callers, none may cancel it
	conn   *sql.Conn
	stmts  map[string]*sql.Stmt
	parked map[string]bool // integrations with parked evidence, asked once per transaction
}

func startWriter(ctx context.Context, db *sql.DB, cfg Config) (*writer, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("open the writer's connection: %w", err)
	}
	w := &writer{
		db: db, conn: conn, ops: make(chan *op, cfg.Queue), quit: make(chan struct{}), stopped: make(chan struct{}),
		tx: &tx{ctx: context.WithoutCancel(ctx), conn: conn, stmts: map[string]*sql.Stmt{}},
	}
	go w.loop()
	return w, nil
}

// write runs f in a transaction shared with other callers and returns once that is on disk, or with the error that
// kept it from getting there. When ctx ends first the write may still happen.
func (s *Store) write(ctx context.Context, f func(*tx) error) error {
	return s.writer.do(ctx, f)
}

func (w *writer) do(ctx context.Context, f func(*tx) error) error {
	o := &op{ctx: ctx, run: f, done: make(chan error, 1)}
	select {
	case <-w.quit:
		return peal.Errorf(peal.Unavailable, "the records are closed")
	default:
	}
	select {
	case w.ops <- o:
	case <-w.quit:
		return peal.Errorf(peal.Unavailable, "the records are closed")
	case <-ctx.Done():
		return &peal.Error{Kind: peal.Overloaded, Message: "too many writes wait", Err: ctx.Err()}
	}
	select {
	case err := <-o.done:
		return err
	case <-ctx.Done():
		return &peal.Error{Kind: peal.Overloaded, Message: "the write took too long, and may happen all the same", Err: errors.Join(peal.ErrHandedOver, ctx.Err())}
	case <-w.stopped:
		select {
		case err := <-o.done:
			return err
		default:
			return peal.Errorf(peal.Unavailable, "the records are closed")
		}
	}
}

// stop runs what waits and closes the connection.
func (w *writer) stop() error {
	close(w.quit)
	<-w.stopped
	return errors.Join(w.closed, w.db.Close())
}

func (w *writer) loop() {
	defer close(w.stopped)
	tick := time.NewTicker(checkpointEvery)
	defer tick.Stop()
	batch := make([]*op, 0, maxOpsPerCommit)
	for {
		batch = batch[:0]
		select {
		case o := <-w.ops:
			batch = w.drain(append(batch, o))
			w.commitAll(batch)
			w.dirty = true
		case <-tick.C:
			w.backfill()
		case <-w.backfilled:
			w.backfilled = nil
			w.checkpoint(w.conn)
		case <-w.quit:
			if w.backfilled != nil {
				<-w.backfilled
			}
			for {
				if batch = w.drain(batch[:0]); len(batch) == 0 {
					w.closed = w.close()
					return
				}
				w.commitAll(batch)
			}
		}
	}
}

// drain takes what waits, without waiting for more.
func (w *writer) drain(batch []*op) []*op {
	for len(batch) < maxOpsPerCommit {
		select {
		case o := <-w.ops:
			batch = append(batch, o)
		default:
			return batch
		}
	}
	return batch
}

// commitAll commits the batch as one transaction. If that fails, each goes on its own, so that one bad write does not
// sink the others.
//
// Whoever has given up is passed over: what nobody waits for any more is not to happen after all.
func (w *writer) commitAll(batch []*op) {
	batch = slices.DeleteFunc(batch, func(o *op) bool {
		gone := o.ctx.Err()
		if gone != nil {
			o.done <- &peal.Error{Kind: peal.Overloaded, Message: "too many writes wait", Err: gone}
		}
		return gone != nil
	})
	if len(batch) == 0 {
		return
	}
	err := w.commit(batch)
	if err != nil && len(batch) > 1 {
		for _, o := range batch {
			o.done <- unavailable(w.commit([]*op{o}))
		}
		return
	}
	for _, o := range batch {
		o.done <- unavailable(err)
	}
}

func (w *writer) commit(batch []*op) (err error) {
	if err := w.tx.exec("BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic in a write: %v", p)
		}
		if err != nil {
			if rerr := w.tx.exec("ROLLBACK"); rerr != nil && !strings.Contains(rerr.Error(), "no transaction is active") {
				err = errors.Join(err, fmt.Errorf("roll back: %w", rerr))
			}
		}
	}()
	w.tx.parked = nil
	for _, o := range batch {
		if err := o.run(w.tx); err != nil {
			return err
		}
	}
	if err := w.tx.exec("COMMIT"); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// backfill begins to move the WAL into the database beside the writer, on a connection of its own, so that no commit
// waits for it. When it has ended the writer moves the little that was written meanwhile; then all is moved, and the
// next commit begins the WAL anew. SQLite's own checkpoints would do it all while the writer stands still, or, beside
// it, never reach the end and let the WAL grow.
func (w *writer) backfill() {
	if !w.dirty || w.backfilled != nil {
		return
	}
	w.dirty = false
	done := make(chan struct{})
	w.backfilled = done
	go func() {
		defer close(done)
		conn, err := w.db.Conn(w.tx.ctx)
		if err != nil {
			return // the writer does it all, then
		}
		w.checkpoint(conn)
		_ = conn.Close() // back to the pool
	}()
}

// checkpoint moves what it can without waiting for anybody. What it cannot it leaves for the next time.
func (w *writer) checkpoint(conn *sql.Conn) {
	rows, err := conn.QueryContext(w.tx.ctx, "PRAGMA wal_checkpoint(PASSIVE)")
	if err == nil {
		_ = rows.Close()
	}
}

func (w *writer) close() error {
	var errs []error
	for _, s := range w.tx.stmts {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, w.conn.Close())...)
}

// unavailable says that a write failed for a reason of the database; the caller's own errors pass as they are.
func unavailable(err error) error {
	var pe *peal.Error
	if err == nil || errors.As(err, &pe) {
		return err
	}
	return &peal.Error{Kind: peal.Unavailable, Message: "the records could not be written", Err: err}
}

func (t *tx) stmt(query string) (*sql.Stmt, error) {
	if s, ok := t.stmts[query]; ok {
		return s, nil
	}
	s, err := t.conn.PrepareContext(t.ctx, query)
	if err != nil {
		return nil, fmt.Errorf("prepare: %w", err)
	}
	t.stmts[query] = s
	return s, nil
}

func (t *tx) exec(query string, args ...any) error {
	_, err := t.affect(query, args...)
	return err
}

// affect runs a statement and tells how many rows it changed.
func (t *tx) affect(query string, args ...any) (int64, error) {
	s, err := t.stmt(query)
	if err != nil {
		return 0, err
	}
	r, err := s.ExecContext(t.ctx, args...)
	if err != nil {
		return 0, err //nolint:wrapcheck // the driver's text names the statement's trouble; callers add theirs
	}
	return r.RowsAffected()
}

func (t *tx) query(query string, args ...any) (*sql.Rows, error) {
	s, err := t.stmt(query)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(t.ctx, args...)
}

func (t *tx) row(query string, args ...any) (*sql.Row, error) {
	s, err := t.stmt(query)
	if err != nil {
		return nil, err
	}
	return s.QueryRowContext(t.ctx, args...), nil
}
