package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

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
	exists  string // asks whether there is any
	options []goose.ProviderOption
}

const (
	sqliteHasSchema   = `SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'goose_db_version')`
	postgresHasSchema = `SELECT to_regclass('goose_db_version') IS NOT NULL`
)

func sqliteSchema(db *sql.DB) schema {
	return schema{db: db, folder: "migrations/sqlite", dialect: database.DialectSQLite3, exists: sqliteHasSchema}
}

// postgresSchema locks the database's migrations while it works, so that nodes that start at once do not race.
func postgresSchema(db *sql.DB) (schema, error) {
	l, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300)) // once a second, for five minutes
	if err != nil {
		return schema{}, fmt.Errorf("make the lock of the migrations: %w", err)
	}
	return schema{db, "migrations/postgres", database.DialectPostgres, postgresHasSchema, []goose.ProviderOption{goose.WithSessionLocker(l)}}, nil
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

// Migration is a step of the schema.
type Migration struct {
	Version int64
	Name    string   // of its file
	Changes []string // what it does, a line for each statement
}

// PendingMigrations gives the steps that Open would take. It writes nothing, and a database that is not there yet needs
// all of them. It fails with ErrNewerSchema on a database of a newer Peal.
func PendingMigrations(ctx context.Context, cfg Config) (_ []Migration, err error) {
	s, err := schemaToRead(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.db.Close()) }()
	have, err := s.version(ctx)
	if err != nil {
		return nil, err
	}
	all, err := s.steps()
	if err != nil {
		return nil, err
	}
	if newest := all[len(all)-1].Version; have > newest {
		return nil, fmt.Errorf("%w (schema %d, known up to %d)", ErrNewerSchema, have, newest)
	}
	return slices.DeleteFunc(all, func(m Migration) bool { return m.Version <= have }), nil
}

// schemaToRead opens a database only to look at its schema.
func schemaToRead(ctx context.Context, cfg Config) (schema, error) {
	if cfg.URL != "" {
		base, err := parseURL(cfg.URL)
		if err != nil {
			return schema{}, err
		}
		db := openPool(base, 1, map[string]string{"default_transaction_read_only": "on"})
		if err := checkServer(ctx, db); err != nil {
			return schema{}, errors.Join(err, db.Close())
		}
		return postgresSchema(db)
	}
	file := cfg.Path
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		file = ":memory:"
	}
	db, err := open(file, 1, "&_pragma=query_only(1)")
	return sqliteSchema(db), err
}

// version is that of the schema; 0 where there is none.
func (s schema) version(ctx context.Context) (have int64, err error) {
	var there bool
	err = s.db.QueryRowContext(ctx, s.exists).Scan(&there)
	if err == nil && there {
		err = s.db.QueryRowContext(ctx, `SELECT COALESCE(MAX(version_id), 0) FROM goose_db_version`).Scan(&have)
	}
	if err != nil {
		return 0, fmt.Errorf("read the schema's version: %w", err)
	}
	return have, nil
}

// steps are all that this binary knows, in their order.
func (s schema) steps() ([]Migration, error) {
	names, err := fs.Glob(migrations, s.folder+"/*.sql")
	if err != nil || len(names) == 0 {
		return nil, fmt.Errorf("read migrations: there are %d, %w", len(names), err)
	}
	all := make([]Migration, len(names))
	for i, name := range names {
		text, err := migrations.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read migrations: %w", err)
		}
		all[i].Name = path.Base(name)
		if all[i].Version, err = goose.NumericComponent(name); err != nil {
			return nil, fmt.Errorf("read migrations: %w", err)
		}
		all[i].Changes = changes(string(text))
	}
	return all, nil
}

// changes are the beginnings of the statements that lead up.
func changes(text string) (all []string) {
	up, _, _ := strings.Cut(text, "-- +goose Down")
	begun := false
	for line := range strings.Lines(up) {
		line, _, _ = strings.Cut(line, "--")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if !begun {
			all = append(all, strings.TrimRight(line, " (;"))
		}
		begun = !strings.HasSuffix(line, ";")
	}
	return all
}
