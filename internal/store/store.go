package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

//go:embed migrations
var migrations embed.FS

// ErrNewerSchema says that the database was written by a newer Peal than this one.
var ErrNewerSchema = errors.New("the database has a newer schema than this binary knows; run the newer binary, or restore a backup made before the upgrade")

// Config of a Store.
type Config struct {
	Path  string           // of the SQLite file; its folder must exist
	Queue int              // writes that may wait for the writer, default 8192; further callers wait with their context
	Now   func() time.Time // default time.Now
	Log   *slog.Logger
}

// Store is the records. Create it with Open.
type Store struct {
	dir    string
	reads  *sql.DB
	quick  *sql.DB // for what every request needs: it never waits behind a query of the log
	writer *writer
	now    func() time.Time
	log    *slog.Logger
}

// Open opens the database, brings its schema up to date and starts the writer. It fails with ErrNewerSchema on a
// database of a newer Peal.
func Open(ctx context.Context, cfg Config) (_ *Store, err error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Queue == 0 {
		cfg.Queue = 8192
	}
	if err := checkFolder(filepath.Dir(cfg.Path), 0); err != nil {
		return nil, err
	}
	if err := private(cfg.Path); err != nil {
		return nil, err
	}
	writes, err := open(cfg.Path, 2, "&_pragma=wal_autocheckpoint(32768)") // the writer, and its checkpoints; 128 MB is only a last resort
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, writes.Close())
		}
	}()
	if err := migrate(ctx, writes); err != nil {
		return nil, err
	}
	reads, err := open(cfg.Path, 4, "&_pragma=query_only(1)")
	if err != nil {
		return nil, err
	}
	quick, err := open(cfg.Path, 2, "&_pragma=query_only(1)")
	if err != nil {
		return nil, errors.Join(err, reads.Close())
	}
	w, err := startWriter(ctx, writes, cfg)
	if err != nil {
		return nil, errors.Join(err, reads.Close(), quick.Close())
	}
	return &Store{dir: filepath.Dir(cfg.Path), reads: reads, quick: quick, writer: w, now: cfg.Now, log: cfg.Log}, nil
}

// Close finishes the writes that wait and closes the database.
func (s *Store) Close() error {
	return errors.Join(s.writer.stop(), s.reads.Close(), s.quick.Close())
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
	return unavailable(checkFolder(s.dir, pingRoom))
}

func open(path string, conns int, extra string) (*sql.DB, error) {
	dsn := "file:" + path + "?_txlock=immediate&_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)" +
		"&_pragma=foreign_keys(1)&_pragma=cache_size(-8192)&_pragma=temp_store(MEMORY)" + extra
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	return db, nil
}

// checkFolder writes a file of some size and removes it. It gives a better error than the driver's "unable to open
// database file".
func checkFolder(dir string, size int) error {
	f, err := os.CreateTemp(dir, ".peal-write-test-*")
	if err != nil {
		return fmt.Errorf("the data folder cannot be written: %w", err)
	}
	_, err = f.Write(make([]byte, size))
	if err = errors.Join(err, f.Close(), os.Remove(f.Name())); err != nil {
		return fmt.Errorf("the data folder takes no file of %d bytes: %w", size, err)
	}
	return nil
}

// private makes the file readable for nobody else before SQLite would make it for everybody.
func private(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("the database cannot be opened: %w", err)
	}
	return f.Close()
}

func migrate(ctx context.Context, db *sql.DB) error {
	dir, err := fs.Sub(migrations, "migrations/sqlite")
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	p, err := goose.NewProvider(database.DialectSQLite3, db, dir)
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	have, err := p.GetDBVersion(ctx)
	if err != nil {
		return fmt.Errorf("read the schema's version: %w", err)
	}
	known := p.ListSources()
	if newest := known[len(known)-1].Version; have > newest {
		return fmt.Errorf("%w (schema %d, known up to %d)", ErrNewerSchema, have, newest)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("bring the schema up to date: %w", err)
	}
	return nil
}
