package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations
var migrations embed.FS

// ErrNewerSchema says that the database was written by a newer Peal than this one.
var ErrNewerSchema = errors.New("the database has a newer schema than this binary knows; run the newer binary, or restore a backup made before the upgrade")

// schema is a database with the migrations that are for it.
type schema struct {
	db      *sql.DB
	folder  string
	dialect goose.Dialect
	options []goose.ProviderOption
}

func sqliteSchema(db *sql.DB) schema {
	return schema{db: db, folder: "migrations/sqlite", dialect: database.DialectSQLite3}
}

// postgresSchema locks the database's migrations while it works, so that nodes that start at once do not race.
func postgresSchema(db *sql.DB) (schema, error) {
	l, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300)) // once a second, for five minutes
	if err != nil {
		return schema{}, fmt.Errorf("make the lock of the migrations: %w", err)
	}
	return schema{db, "migrations/postgres", database.DialectPostgres, []goose.ProviderOption{goose.WithSessionLocker(l)}}, nil
}

func (s schema) provider() (*goose.Provider, error) {
	dir, err := fs.Sub(migrations, s.folder)
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	p, err := goose.NewProvider(s.dialect, s.db, dir, s.options...)
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	return p, nil
}

// current gives the schema's version; ErrNewerSchema when this binary does not know it.
func current(ctx context.Context, p *goose.Provider) (int64, error) {
	have, err := p.GetDBVersion(ctx)
	if err != nil {
		return 0, fmt.Errorf("read the schema's version: %w", err)
	}
	known := p.ListSources()
	if newest := known[len(known)-1].Version; have > newest {
		return have, fmt.Errorf("%w (schema %d, known up to %d)", ErrNewerSchema, have, newest)
	}
	return have, nil
}

func migrate(ctx context.Context, s schema) error {
	p, err := s.provider()
	if err != nil {
		return err
	}
	if _, err := current(ctx, p); err != nil {
		return err
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("bring the schema up to date: %w", err)
	}
	return nil
}
