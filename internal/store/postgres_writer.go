package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"peal/internal/peal"
)

// postgresWriter runs writes in lanes, each with a connection of its own: whatever waits in a lane becomes one
// transaction. Writes of one kind share a lane, so that they do not wait for each other's rows.
type postgresWriter struct {
	db      *sql.DB
	lanes   [lanes]*pgLane
	running sync.WaitGroup
}

// The lanes.
const (
	laneAccept  = iota
	laneClaim   // before the calls to providers
	laneOutcome // after them
	laneFold    // takes integrations' locks alone, which is to be before any row's; see sharedLock
	laneOthers
	laneApart
	lanes // how many there are
)

func laneOf(k kind) int {
	switch k {
	case kindAccept:
		return laneAccept
	case kindClaim:
		return laneClaim
	case kindRecord, kindExpire, kindChecks:
		return laneOutcome
	case kindFold:
		return laneFold
	default:
		return laneOthers
	}
}

func startPostgresWriter(ctx context.Context, db *sql.DB, d *dialect, cfg Config, due *onDue) *postgresWriter {
	w := &postgresWriter{db: db}
	for i := range w.lanes {
		l := &pgLane{queue: newQueue(cfg.Queue), db: db, tx: tx{d: d, now: cfg.Now, node: cfg.NodeID}, ctx: context.WithoutCancel(ctx), told: cfg.Told, due: due}
		w.lanes[i] = l
		w.running.Go(l.loop)
	}
	return w
}

func (w *postgresWriter) do(ctx context.Context, o *op) error {
	if o.apart {
		return w.lanes[laneApart].do(ctx, o)
	}
	return w.lanes[laneOf(o.kind)].do(ctx, o)
}

// stop runs what waits and closes the connections.
func (w *postgresWriter) stop() error {
	for _, l := range w.lanes {
		close(l.quit)
	}
	w.running.Wait()
	return w.db.Close()
}

// pgLane is one writer with its connection, which it opens when it needs one.
type pgLane struct {
	*queue

	ctx  context.Context //nolint:containedctx // lives as long as the writer
	db   *sql.DB
	conn *sql.Conn
	tx   tx             // what every transaction begins as
	told func([]string) // see Config.Told
	due  *onDue
}

func (l *pgLane) loop() {
	defer close(l.stopped)
	defer l.drop()
	batch := make([]*op, 0, maxOpsPerCommit)
	for {
		select {
		case o := <-l.ops:
			batch = l.drain(append(batch[:0], o))
			commitAll(batch, l.commit)
		case <-l.quit:
			for {
				if batch = l.drain(batch[:0]); len(batch) == 0 {
					return
				}
				commitAll(batch, l.commit)
			}
		}
	}
}

func (l *pgLane) drop() {
	if l.conn != nil {
		_ = l.conn.Close() // back to the pool, which looks whether it is of any use
		l.conn = nil
	}
}

// tries is how often a transaction is run that others got in the way of.
const tries = 4

func (l *pgLane) commit(batch []*op) (err error) {
	for range tries {
		if err = l.commitOnce(batch); !retriable(err) && !errors.Is(err, errBroken) {
			break
		}
	}
	return err
}

// errBroken is in an error of a transaction whose connection broke before it was to be committed: the server has undone
// it, and it can be run again.
var errBroken = errors.New("the connection broke")

// retriable is so of a transaction that the database has undone because of others.
func retriable(err error) bool {
	code := pgCode(err)
	return code == "40001" || code == "40P01" // serialization failure, deadlock
}

func (l *pgLane) commitOnce(batch []*op) (err error) {
	ctx, cancel := context.WithTimeout(l.ctx, commitTime)
	defer cancel()
	if err := l.begin(ctx); err != nil {
		return finalError{fmt.Errorf("begin: %w", err)}
	}
	t := l.tx
	t.ctx, t.conn, t.grown = ctx, l.conn, map[string]bool{}
	l.heard(nil) // of a transaction that came to nothing
	if err := t.runAll(batch); err != nil {
		return l.rollBack(ctx, err)
	}
	l.heard(t.grown)
	if err := l.end(ctx); err != nil {
		return err
	}
	if l.told != nil && len(t.grown) > 0 {
		l.told(slices.Collect(maps.Keys(t.grown)))
	}
	l.due.tell(t.due)
	return nil
}

// noticeCode is of the notices in which the database says whose event log has grown; see migration 0004.
const noticeCode = "PL001"

// hear keeps what a connection is told of event logs until it is asked for by heard.
func hear(conn *pgconn.PgConn, n *pgconn.Notice) {
	if n.Code == noticeCode {
		said, _ := conn.CustomData()[noticeCode].([]string)
		conn.CustomData()[noticeCode] = append(said, n.Message)
	}
}

// heard adds the tenants whose event logs have grown, by what the database said since it was called last.
func (l *pgLane) heard(grown map[string]bool) {
	_ = l.conn.Raw(func(c any) error {
		data := pgxConn(c).PgConn().CustomData()
		said, _ := data[noticeCode].([]string)
		delete(data, noticeCode)
		if grown != nil {
			for _, tenant := range said {
				grown[tenant] = true
			}
		}
		return nil
	})
}

// begin opens a transaction; on a new connection when the old one has died.
func (l *pgLane) begin(ctx context.Context) (err error) {
	for range 2 {
		if l.conn == nil {
			if l.conn, err = l.db.Conn(ctx); err != nil {
				l.conn = nil
				return err
			}
		}
		if _, err = l.conn.ExecContext(ctx, "BEGIN"); err == nil {
			return nil
		}
		l.drop()
	}
	return err
}

// end commits. An answer that is lost on the way leaves open whether it happened: that must be told, and not be
// repeated.
func (l *pgLane) end(ctx context.Context) error {
	var undone bool
	err := l.conn.Raw(func(c any) error {
		tag, err := pgxConn(c).Exec(ctx, "COMMIT")
		undone = tag.String() == "ROLLBACK"
		return err
	})
	switch {
	case err == nil && undone:
		return errors.New("commit: the transaction had failed, and was rolled back")
	case err == nil:
		return nil
	case pgCode(err) != "" && !l.tx.d.away(err):
		return fmt.Errorf("commit: %w", err)
	}
	l.drop()
	return finalError{&peal.Error{
		Kind: peal.Unavailable, Message: "the records went away during the write, which may have happened all the same",
		Err: errors.Join(peal.ErrHandedOver, fmt.Errorf("commit: %w", err)),
	}}
}

// rollBack undoes what failed with err. A connection that cannot do that is given up, and the server undoes by itself.
func (l *pgLane) rollBack(ctx context.Context, err error) error {
	_, rerr := l.conn.ExecContext(ctx, "ROLLBACK")
	if rerr == nil && pgCode(err) != "25006" { // a server that is only read from: perhaps another is the first one now
		return err
	}
	_ = l.conn.Raw(func(c any) error { return pgxConn(c).Close(ctx) })
	l.drop()
	if ctx.Err() == nil {
		rerr = errors.Join(errBroken, rerr)
	}
	return finalError{fmt.Errorf("%w; roll back: %w", err, rerr)}
}

// pgxConn is the connection below database/sql's.
func pgxConn(c any) *pgx.Conn {
	return c.(*stdlib.Conn).Conn() //nolint:forcetypeassert // the pool makes no others
}
