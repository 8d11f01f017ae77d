package store

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// Config of a Store.
type Config struct {
	Path   string           // of the SQLite file; its folder must exist
	URL    string           // of a PostgreSQL database; then Path is not looked at
	NodeID string           // of this process, in the counts of what was accepted; default "local"
	Queue  int              // writes that may wait for a writer, default 8192; further callers wait with their context
	Now    func() time.Time // default time.Now
	Log    *slog.Logger
	Told   func(tenantIDs []string) // after a commit, whose event logs have grown; it must not wait for anything

	tracer pgx.QueryTracer // sees PostgreSQL's statements; for tests
}

// Store is the records. Create it with Open.
type Store struct {
	d        *dialect
	dir      string // of SQLite's file
	reads    *pool
	quick    *pool // for what every request needs: it never waits behind a query of the log
	writer   writer
	due      *onDue
	admin    *sql.DB                   // changes PostgreSQL's partitions; nil on SQLite
	noticed  sync.Map                  // tenants that are known to have an event log
	horizon  horizon                   // of PostgreSQL's event log
	covered  atomic.Pointer[[2]string] // ids that PostgreSQL's partitions cover without a gap; nil where there is nothing to say
	consents consenting
	now      func() time.Time
	log      *slog.Logger
}

// writer runs writes. Whatever waits becomes one transaction.
type writer interface {
	do(ctx context.Context, o *op) error
	stop() error
}

// Open opens the database, brings its schema up to date and starts the writer. It fails with ErrNewerSchema on a
// database of a newer Peal.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Queue == 0 {
		cfg.Queue = 8192
	}
	if cfg.NodeID == "" {
		cfg.NodeID = "local"
	}
	open := openSQLite
	if cfg.URL != "" {
		open = openPostgres
	}
	s, err := open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := s.keepNoting(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close finishes the writes that wait and closes the database.
func (s *Store) Close() error {
	errs := []error{s.writer.stop(), s.reads.Close(), s.quick.Close()}
	if s.admin != nil {
		errs = append(errs, s.admin.Close())
	}
	return errors.Join(errs...)
}

// pingRoom is how many bytes a disk must still take to count as not full.
const pingRoom = 256 << 10

// Ping proves that the database takes writes: it writes a row. On a full disk that may still find room in the log that
// SQLite keeps; therefore it also writes a file, which it removes.
func (s *Store) Ping(ctx context.Context) error {
	err := s.write(ctx, func(t *tx) error {
		return t.exec(`INSERT INTO heartbeat (id, at) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET at = excluded.at`, s.now().UnixMicro())
	})
	if err != nil {
		return err
	}
	if s.dir == "" {
		return nil
	}
	return unavailable(checkFolder(s.dir, pingRoom))
}
