package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"peal/internal/peal"
	"peal/internal/pipeline"
)

// maxOpsPerCommit bounds one shared transaction: beyond it the rest waits for the next, so that nobody waits long.
const maxOpsPerCommit = 1024

// op is one caller's write. Its run must be repeatable: after a failed commit it is run again on its own.
type op struct {
	ctx  context.Context //nolint:containedctx // the caller's: one that has given up by its turn is passed over
	run  func(*tx) error
	done chan error

	apart bool // it waits for no other write where that can be helped
	kind  kind // of a write that goes together with others of its kind; then there is call instead of run
	call  any
}

// kind is what sort of write it is. Those of PostgreSQL's hot paths are run by the batch.
type kind int

const (
	kindAny kind = iota
	kindAccept
	kindClaim
	kindRecord
	kindExpire
	kindChecks
	kindFold
	kinds // how many there are
)

// queue is where writes wait for a writer.
type queue struct {
	ops     chan *op
	quit    chan struct{} // closed: nothing more is taken
	stopped chan struct{} // closed: what waited has been run
}

func newQueue(size int) *queue {
	return &queue{ops: make(chan *op, size), quit: make(chan struct{}), stopped: make(chan struct{})}
}

// tx is the open transaction of a writer: it runs statements.
type tx struct {
	ctx    context.Context //nolint:containedctx // the writer's: a commit is for many callers, none may cancel it
	d      *dialect
	now    func() time.Time
	node   string // see Config.NodeID
	conn   *sql.Conn
	stmts  map[string]*sql.Stmt // each prepared once for the life of the connection; nil where the driver sees to that
	parked map[string]bool      // integrations with parked evidence, asked once per transaction
	grown  map[string]bool      // tenants whose event logs tell has added to; nil where nobody asks

	ladders map[ladderOf]bool // of which this transaction has moved deliveries
	due     []pipeline.Job    // what fell due before its time by that
}

// write runs f in a transaction shared with other callers and returns once that is on disk, or with the error that
// kept it from getting there. When ctx ends first the write may still happen.
func (s *Store) write(ctx context.Context, f func(*tx) error) error {
	return s.writer.do(ctx, &op{run: f})
}

// wrote is write for what tells something: it is given once it is on disk. A caller that gives up is given nothing, for its
// write may still be going on.
func wrote[T any](ctx context.Context, s *Store, f func(*tx) (T, error)) (T, error) {
	var v, none T
	err := s.write(ctx, func(t *tx) (err error) {
		v, err = f(t)
		return err
	})
	if err != nil {
		return none, err
	}
	return v, nil
}

// writeApart is write for what must not wait behind the work of others: leases run out meanwhile.
func (s *Store) writeApart(ctx context.Context, f func(*tx) error) error {
	return s.writer.do(ctx, &op{run: f, apart: true})
}

func (q *queue) do(ctx context.Context, o *op) error {
	o.ctx, o.done = ctx, make(chan error, 1)
	select {
	case <-q.quit:
		return peal.Errorf(peal.Unavailable, "the records are closed")
	default:
	}
	select {
	case q.ops <- o:
	case <-q.quit:
		return peal.Errorf(peal.Unavailable, "the records are closed")
	case <-ctx.Done():
		return &peal.Error{Kind: peal.Overloaded, Message: "too many writes wait", Err: ctx.Err()}
	}
	select {
	case err := <-o.done:
		return err
	case <-ctx.Done():
		return &peal.Error{Kind: peal.Overloaded, Message: "the write took too long, and may happen all the same", Err: errors.Join(peal.ErrHandedOver, ctx.Err())}
	case <-q.stopped:
		select {
		case err := <-o.done:
			return err
		default:
			return peal.Errorf(peal.Unavailable, "the records are closed")
		}
	}
}

// drain takes what waits, without waiting for more.
func (q *queue) drain(batch []*op) []*op {
	for len(batch) < maxOpsPerCommit {
		select {
		case o := <-q.ops:
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
func commitAll(batch []*op, commit func([]*op) error) {
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
	err := commit(batch)
	if err != nil && len(batch) > 1 && !final(err) {
		for _, o := range batch {
			o.done <- unavailable(commit([]*op{o}))
		}
		return
	}
	for _, o := range batch {
		o.done <- unavailable(err)
	}
}

// finalError is of a commit that is not to be tried again for each write on its own: the database is not there, or
// nobody knows whether it has committed.
type finalError struct{ error }

// Unwrap gives the cause.
func (e finalError) Unwrap() error { return e.error }

func final(err error) bool {
	_, ok := errors.AsType[finalError](err)
	return ok
}

// runAll runs the writes of a batch in the open transaction.
func (t *tx) runAll(batch []*op) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic in a write: %s", peal.PanicText(p))
		}
	}()
	t.parked, t.ladders, t.due = nil, nil, nil
	for _, o := range batch {
		if o.kind != kindAny {
			continue
		}
		if err := o.run(t); err != nil {
			return err
		}
	}
	if err := t.runTogether(batch); err != nil {
		return err
	}
	return t.climb()
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
	r, err := t.run(query, args)
	if err != nil {
		return 0, err //nolint:wrapcheck // the driver's text names the statement's trouble; callers add theirs
	}
	return r.RowsAffected()
}

func (t *tx) run(query string, args []any) (sql.Result, error) {
	if t.stmts == nil {
		return t.conn.ExecContext(t.ctx, t.d.text(query), t.d.args(args)...)
	}
	s, err := t.stmt(query)
	if err != nil {
		return nil, err
	}
	return s.ExecContext(t.ctx, args...)
}

func (t *tx) query(query string, args ...any) (*sql.Rows, error) {
	if t.stmts == nil {
		return t.queryOnce(query, args...)
	}
	s, err := t.stmt(query)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(t.ctx, args...)
}

// queryOnce is query for a statement that is put together, of which there may be many: it is not kept.
func (t *tx) queryOnce(query string, args ...any) (*sql.Rows, error) {
	return t.conn.QueryContext(t.ctx, t.d.text(query), t.d.args(args)...)
}

func (t *tx) row(query string, args ...any) (*sql.Row, error) {
	if t.stmts == nil {
		return t.conn.QueryRowContext(t.ctx, t.d.text(query), t.d.args(args)...), nil
	}
	s, err := t.stmt(query)
	if err != nil {
		return nil, err
	}
	return s.QueryRowContext(t.ctx, args...), nil
}
