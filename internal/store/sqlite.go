package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

func openSQLite(ctx context.Context, cfg Config) (_ *Store, err error) {
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
	if err := migrate(ctx, sqliteSchema(writes)); err != nil {
		return nil, err
	}
	d := sqliteDialect()
	reads, err := open(cfg.Path, 4, "&_pragma=query_only(1)")
	if err != nil {
		return nil, err
	}
	quick, err := open(cfg.Path, 2, "&_pragma=query_only(1)")
	if err != nil {
		return nil, errors.Join(err, reads.Close())
	}
	due := &onDue{}
	w, err := startSQLiteWriter(ctx, writes, d, cfg, due)
	if err != nil {
		return nil, errors.Join(err, reads.Close(), quick.Close())
	}
	return &Store{
		d: d, dir: filepath.Dir(cfg.Path), reads: &pool{DB: reads, d: d}, quick: &pool{DB: quick, d: d}, writer: w, due: due, now: cfg.Now, log: cfg.Log,
	}, nil
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
