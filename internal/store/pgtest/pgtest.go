// Package pgtest gives tests a PostgreSQL database of their own, on the server that PEAL_TEST_POSTGRES names.
package pgtest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Variable names the environment's word for the server: a URL of a role that may create databases.
const Variable = "PEAL_TEST_POSTGRES"

// patience bounds what is asked of the server here.
const patience = time.Minute

// URL gives the URL of an empty database, which is dropped at the end of the test. Without a server the test is skipped.
func URL(tb testing.TB) string {
	tb.Helper()
	url := create(tb, "template0")
	tb.Cleanup(func() { drop(tb, url) })
	return url
}

// Pool lends databases with a schema to tests, one after the other: emptying one is quicker than making one.
type Pool struct {
	template string
	mu       sync.Mutex
	free     []string // URLs
}

// NewPool makes a pool of copies of a database that prepare makes. That is made once for all pools of the same name and
// version, and stays on the server. Without a server the test is skipped.
func NewPool(tb testing.TB, name, version string, prepare func(url string) error) *Pool {
	tb.Helper()
	server := serverURL(tb)
	sum := sha256.Sum256([]byte(name + "\x00" + version))
	p := &Pool{template: "peal_template_" + hex.EncodeToString(sum[:8])}
	err := withServer(server, func(ctx context.Context, conn *pgx.Conn) error {
		return makeTemplate(ctx, conn, server, p.template, prepare)
	})
	if err != nil {
		tb.Fatalf("prepare the template of test databases: %v", err)
	}
	tb.Cleanup(func() {
		for _, url := range p.free {
			drop(tb, url)
		}
	})
	return p
}

// URL gives the URL of a database that is the test's until it ends: with the template's tables, and without a row.
func (p *Pool) URL(tb testing.TB) string {
	tb.Helper()
	url := p.take()
	if url == "" {
		url = create(tb, p.template)
	}
	tb.Cleanup(func() {
		if err := withServer(url, empty); err != nil {
			tb.Errorf("empty the test database: %v", err)
			drop(tb, url)
			return
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.free = append(p.free, url)
	})
	return url
}

func (p *Pool) take() (url string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.free); n > 0 {
		url, p.free = p.free[n-1], p.free[:n-1]
	}
	return url
}

// empty deletes every row but those of the migrations, of tables that others refer to last.
func empty(ctx context.Context, conn *pgx.Conn) error {
	rows, err := conn.Query(ctx, `SELECT relname FROM pg_class c WHERE relkind IN ('r', 'p') AND NOT relispartition
		AND relnamespace = current_schema()::regnamespace AND relname <> 'goose_db_version'
		ORDER BY (SELECT COUNT(*) FROM pg_constraint WHERE confrelid = c.oid), relname`)
	if err != nil {
		return err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	b := &pgx.Batch{}
	for _, name := range names {
		b.Queue(`DELETE FROM ` + name)
	}
	return conn.SendBatch(ctx, b).Close()
}

// makeTemplate makes it under another name first: what has the name is whole.
func makeTemplate(ctx context.Context, conn *pgx.Conn, server, template string, prepare func(url string) error) error {
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock(hashtext('peal_test_template'))`); err != nil {
		return err
	}
	var there bool
	err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)`, template).Scan(&there)
	if err != nil || there {
		return err
	}
	draft := template + "_draft"
	if _, err := conn.Exec(ctx, `DROP DATABASE IF EXISTS `+draft+` WITH (FORCE)`); err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, `CREATE DATABASE `+draft+` TEMPLATE template0`); err != nil {
		return err
	}
	if err := prepare(named(server, draft)); err != nil {
		return err
	}
	_, err = conn.Exec(ctx, `ALTER DATABASE `+draft+` RENAME TO `+template)
	return err
}

func create(tb testing.TB, template string) string {
	tb.Helper()
	server := serverURL(tb)
	id := make([]byte, 8)
	rand.Read(id) // never fails since Go 1.24: it stops the program instead
	name := "peal_test_" + hex.EncodeToString(id)
	err := withServer(server, func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, `CREATE DATABASE `+name+` TEMPLATE `+template)
		return err
	})
	if err != nil {
		tb.Fatalf("create a test database: %v", err)
	}
	return named(server, name)
}

func drop(tb testing.TB, database string) {
	tb.Helper()
	err := withServer(serverURL(tb), func(ctx context.Context, conn *pgx.Conn) error {
		u, err := url.Parse(database)
		if err == nil {
			_, err = conn.Exec(ctx, `DROP DATABASE `+strings.TrimPrefix(u.Path, "/")+` WITH (FORCE)`)
		}
		return err
	})
	if err != nil {
		tb.Errorf("drop the test database: %v", err)
	}
}

func serverURL(tb testing.TB) string {
	tb.Helper()
	server := os.Getenv(Variable)
	if server == "" {
		tb.Skipf("PostgreSQL column SKIPPED: set %s", Variable)
	}
	return server
}

func named(server, database string) string {
	u, err := url.Parse(server)
	if err != nil {
		return server // whoever uses it says what is wrong
	}
	u.Path = "/" + database
	return u.String()
}

func withServer(server string, f func(context.Context, *pgx.Conn) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return fmt.Errorf("connect to the server that %s names: %w", Variable, err)
	}
	defer conn.Close(ctx) //nolint:errcheck // nothing is left to be said
	return f(ctx, conn)
}
