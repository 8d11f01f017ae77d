package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"

	"peal/internal/pipeline"
)

// Snapshot copies the SQLite database at path, as it is at one moment, into the new file to, whoever else writes to it
// meanwhile: nobody waits for it. Before that moment it gathers what waiting gives, and puts it into the copy as held
// webhooks: what is folded in between stands in the rows as well, and twice changes nothing. The copy has the schema of
// this binary. The folder of to also takes a file or two of a moment.
func Snapshot(ctx context.Context, path, to string, waiting func(ctx context.Context, each func(pipeline.Held) error) error) (err error) {
	gathered := to + ".held"
	if err := gather(ctx, gathered, waiting); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(gathered)) }()
	if err := vacuumInto(ctx, path, to); err != nil {
		return err
	}
	c, err := OpenCopy(ctx, to)
	if err != nil {
		return err
	}
	return errors.Join(c.hold(ctx, gathered), c.Close())
}

// InOneFile tells whether the records are a file of SQLite, of which there can be a Snapshot.
func (s *Store) InOneFile() bool { return s.dir != "" }

// SnapshotSize is how many bytes a snapshot of the database at path takes, at most.
func SnapshotSize(ctx context.Context, path string) (size int64, err error) {
	db, err := openPlain(path)
	if err != nil {
		return 0, err
	}
	err = db.QueryRowContext(ctx, `SELECT (page_count - freelist_count) * page_size
		FROM pragma_page_count, pragma_freelist_count, pragma_page_size`).Scan(&size)
	if err = errors.Join(err, db.Close()); err != nil {
		return 0, fmt.Errorf("measure the database: %w", err)
	}
	return size, nil
}

// gather writes held webhooks into a database of their own: they may be many, and a snapshot goes into an empty file.
func gather(ctx context.Context, path string, waiting func(ctx context.Context, each func(pipeline.Held) error) error) error {
	if err := private(path); err != nil {
		return err
	}
	db, err := openPlain(path)
	if err != nil {
		return err
	}
	err = func() error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback() //nolint:errcheck // after the commit it does nothing
		if _, err := tx.ExecContext(ctx, `CREATE TABLE held (id TEXT, integration_id TEXT, received_at INTEGER, body BLOB)`); err != nil {
			return err
		}
		err = waiting(ctx, func(h pipeline.Held) error {
			_, err := tx.ExecContext(ctx, `INSERT INTO held VALUES (?, ?, ?, ?)`, h.ID, h.IntegrationID, h.ReceivedAt.UnixMicro(), h.Body)
			return err
		})
		return errors.Join(err, tx.Commit())
	}()
	if err = errors.Join(err, db.Close()); err != nil {
		return fmt.Errorf("gather the webhooks that wait: %w", err)
	}
	return nil
}

func vacuumInto(ctx context.Context, path, to string) error {
	if err := private(to); err != nil { // SQLite takes an empty file that is there
		return err
	}
	db, err := openPlain(path)
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, `VACUUM INTO ?`, to)
	if err = errors.Join(err, db.Close()); err != nil {
		return fmt.Errorf("copy the database: %w", err)
	}
	return nil
}

// openPlain opens a database file that is there as it is: its journal stays of the kind that it was.
func openPlain(path string) (*sql.DB, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("there is no database: %w", err)
	}
	db, err := sql.Open("sqlite", "file:"+path+"?mode=rw&_txlock=immediate&_pragma=busy_timeout(5000)&_pragma=synchronous(FULL)&_pragma=cache_size(-8192)")
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	db.SetMaxOpenConns(1)
	return db, nil
}
