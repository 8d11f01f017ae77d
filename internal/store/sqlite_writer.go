package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// checkpointEvery is how often what is in the WAL is moved into the database while there are writes. See backfill.
const checkpointEvery = 500 * time.Millisecond

// sqliteWriter owns the one connection that writes. It turns whatever waits into one transaction.
type sqliteWriter struct {
	*queue

	db     *sql.DB
	conn   *sql.Conn
	tx     *tx
	due    *onDue
	closed error
	told   func([]string) // see Config.Told
	newest int64          // of what it was called for, the last one

	dirty      bool          // there were commits since the last checkpoint began
	backfilled chan struct{} // a checkpoint beside the writer has ended; nil while none runs
}

func startSQLiteWriter(ctx context.Context, db *sql.DB, d *dialect, cfg Config, due *onDue) (*sqliteWriter, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("open the writer's connection: %w", err)
	}
	w := &sqliteWriter{
		queue: newQueue(cfg.Queue), db: db, conn: conn, told: cfg.Told, due: due,
		tx: &tx{
			ctx: context.WithoutCancel(ctx), d: d, now: cfg.Now, node: cfg.NodeID, conn: conn, stmts: map[string]*sql.Stmt{},
		},
	}
	if err := conn.QueryRowContext(ctx, `SELECT COALESCE(MAX(seq), 0) FROM notices`).Scan(&w.newest); err != nil {
		return nil, errors.Join(fmt.Errorf("read the end of the event log: %w", err), conn.Close())
	}
	go w.loop()
	return w, nil
}

// stop runs what waits and closes the connection.
func (w *sqliteWriter) stop() error {
	close(w.quit)
	<-w.stopped
	return errors.Join(w.closed, w.db.Close())
}

func (w *sqliteWriter) loop() {
	defer close(w.stopped)
	tick := time.NewTicker(checkpointEvery)
	defer tick.Stop()
	batch := make([]*op, 0, maxOpsPerCommit)
	for {
		batch = batch[:0]
		select {
		case o := <-w.ops:
			batch = w.drain(append(batch, o))
			commitAll(batch, w.commit)
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
				commitAll(batch, w.commit)
			}
		}
	}
}

func (w *sqliteWriter) commit(batch []*op) (err error) {
	if err := w.tx.exec("BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer func() {
		if err != nil {
			if rerr := w.tx.exec("ROLLBACK"); rerr != nil && !strings.Contains(rerr.Error(), "no transaction is active") {
				err = errors.Join(err, fmt.Errorf("roll back: %w", rerr))
			}
		}
	}()
	if err := w.tx.runAll(batch); err != nil {
		return err
	}
	grown, newest, err := w.grown()
	if err != nil {
		return err
	}
	if err := w.tx.exec("COMMIT"); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	if w.newest = newest; len(grown) > 0 {
		w.told(grown)
	}
	w.due.tell(w.tx.due)
	return nil
}

// grown are the tenants whose event logs this transaction has added to.
func (w *sqliteWriter) grown() (tenants []string, newest int64, err error) {
	if w.told == nil {
		return nil, 0, nil
	}
	newest = w.newest
	// By number: SQLite would rather walk the index of all events, tenant by tenant, with every commit.
	rows, err := w.tx.query(`SELECT tenant_id, MAX(seq) FROM notices WHERE seq > ? GROUP BY +tenant_id`, w.newest)
	tenants, err = collect(rows, err, func(row scanner, tenant *string) error {
		var last int64
		err := row.Scan(tenant, &last)
		newest = max(newest, last)
		return err
	})
	if err != nil {
		return nil, 0, fmt.Errorf("read whose event logs have grown: %w", err)
	}
	return tenants, newest, nil
}

// backfill begins to move the WAL into the database beside the writer, on a connection of its own, so that no commit
// waits for it. When it has ended the writer moves the little that was written meanwhile; then all is moved, and the
// next commit begins the WAL anew. SQLite's own checkpoints would do it all while the writer stands still, or, beside
// it, never reach the end and let the WAL grow.
func (w *sqliteWriter) backfill() {
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
func (w *sqliteWriter) checkpoint(conn *sql.Conn) {
	rows, err := conn.QueryContext(w.tx.ctx, "PRAGMA wal_checkpoint(PASSIVE)")
	if err == nil {
		_ = rows.Close()
	}
}

func (w *sqliteWriter) close() error {
	var errs []error
	for _, s := range w.tx.stmts {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, w.conn.Close())...)
}
