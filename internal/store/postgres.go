package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/stdlib"
)

// What a connection may take. The server stops what takes longer even when nobody is there any more to say so.
const (
	connectTime = 5 * time.Second
	commitTime  = 20 * time.Second // of one shared transaction
	idleTime    = 3 * time.Second  // between its statements: a process that stands still is not to keep the others from its rows
)

// Sizes of the pools. Writers have their own connections.
const (
	readConns  = 8
	quickConns = 4
)

func openPostgres(ctx context.Context, cfg Config) (*Store, error) {
	base, err := parseURL(cfg.URL)
	if err != nil {
		return nil, err
	}
	if err := migratePostgres(ctx, base); err != nil {
		return nil, err
	}
	base.Tracer = cfg.tracer
	d := postgresDialect()
	readers := map[string]string{"statement_timeout": millis(countTime), "default_transaction_read_only": "on"}
	reads, quick := openPool(base, readConns, readers), openPool(base, quickConns, readers)
	admin := openPool(base, 1, adminParams())
	admin.SetMaxIdleConns(0) // it is used once in a long while
	due := &onDue{}
	s := &Store{
		d: d, reads: &pool{DB: reads, d: d}, quick: &pool{DB: quick, d: d}, admin: admin, now: cfg.Now, log: cfg.Log,
		writer: startPostgresWriter(ctx, openPool(base, lanes, writerParams()), d, cfg, due), due: due,
	}
	if err := s.adviseServer(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if err := s.Maintain(ctx); err != nil { // a pg_dump that runs for hours is in the way of it, and should be of nothing else
		s.log.Warn("partitions not made; it is tried again, and what would lie in one that is missing lies in the default one until then", "error", err)
	}
	return s, nil
}

// What a server should have. A transaction locks every partition and index that its statements might touch.
const (
	oldestServer = 14
	enoughLocks  = 128
)

// adviseServer says of a server's settings what may become trouble.
func (s *Store) adviseServer(ctx context.Context) error {
	var server struct {
		fsync string
		locks int
	}
	err := one(ctx, s.quick, func(row scanner, _ *struct{}) error { return row.Scan(&server.fsync, &server.locks) }, &struct{}{},
		`SELECT current_setting('fsync'), current_setting('max_locks_per_transaction')::int`)
	if err != nil {
		return fmt.Errorf("read the server's settings: %w", err)
	}
	if server.fsync != "on" {
		s.log.WarnContext(ctx, "the PostgreSQL server runs with fsync = off: a crash of its machine loses what was accepted")
	}
	if server.locks < enoughLocks {
		s.log.WarnContext(ctx, "the PostgreSQL server may run out of locks with several nodes; raise max_locks_per_transaction",
			"is", server.locks, "should_be", 2*enoughLocks)
	}
	return nil
}

func parseURL(url string) (*pgx.ConnConfig, error) {
	base, err := pgx.ParseConfig(url)
	if err != nil { // which may quote the password
		return nil, errors.New("the database's URL cannot be read; write it like postgres://user:password@host:5432/peal")
	}
	if base.ConnectTimeout == 0 {
		base.ConnectTimeout = connectTime
	}
	return base, nil
}

// writerParams make a writer's plans ones that are made once and go by the indexes: its statements touch rows by their
// ids, and planning over all partitions would cost more than running.
func writerParams() map[string]string {
	return map[string]string{
		"statement_timeout": millis(commitTime), "lock_timeout": millis(commitTime / 2),
		"idle_in_transaction_session_timeout": millis(idleTime), "plan_cache_mode": "force_generic_plan",
		"enable_hashjoin": "off", "enable_mergejoin": "off", "enable_seqscan": "off",
	}
}

func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// openPool makes a pool of at most n connections; none is opened yet. What the URL says of a parameter stands.
func openPool(base *pgx.ConnConfig, n int, params map[string]string) *sql.DB {
	c := base.Copy()
	params["application_name"], params["jit"] = "peal", "off" // compiling takes longer than any of these statements
	for name, value := range params {
		if _, said := c.RuntimeParams[name]; !said {
			c.RuntimeParams[name] = value
		}
	}
	c.OnNotice = hear
	// Who gives up stops the statement, too, and does not only hang up.
	c.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: conn, DeadlineDelay: time.Second}
	}
	db := stdlib.OpenDB(*c, stdlib.OptionAfterConnect(syncCommits))
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	db.SetConnMaxIdleTime(10 * time.Minute)
	return db
}

// syncCommits holds the promise that what is answered is on disk, on a server that is told to be lax.
func syncCommits(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, `SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'`)
	return err
}

// migrationLock is how long a migration waits for a lock before it gives up: who waits for one keeps all others waiting.
const migrationLock = time.Second

// migrationTries is how often it tries again, migrationPause apart.
const (
	migrationTries = 30
	migrationPause = 2 * time.Second
)

// checkServer asks the server for its version, and refuses one that is too old.
func checkServer(ctx context.Context, db *sql.DB) error {
	var number int
	if err := db.QueryRowContext(ctx, `SELECT current_setting('server_version_num')::int`).Scan(&number); err != nil {
		return fmt.Errorf("connect to the database: %w", err)
	}
	return checkVersion(number)
}

// checkVersion judges a server's version, in the form of server_version_num: 140005 is 14.5.
func checkVersion(number int) error {
	if version := number / 10000; version < oldestServer {
		return fmt.Errorf("the PostgreSQL server is of version %d; it must be %d or newer", version, oldestServer)
	}
	return nil
}

func migratePostgres(ctx context.Context, base *pgx.ConnConfig) (err error) {
	db := openPool(base, 2, map[string]string{"lock_timeout": millis(migrationLock)})
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := checkServer(ctx, db); err != nil {
		return err
	}
	s, err := postgresSchema(db)
	if err != nil {
		return err
	}
	for try := 1; ; try++ {
		err := migrate(ctx, s)
		if pgCode(err) != "55P03" || try == migrationTries { // a lock was not to be had
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(migrationPause):
		}
	}
}

// pgAway tells of an error that the server could not be asked: it is not there, is going, or takes no more connections.
func pgAway(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) {
		return false
	}
	if code := pgCode(err); code != "" {
		return strings.HasPrefix(code, "08") || strings.HasPrefix(code, "57P") || strings.HasPrefix(code, "53")
	}
	var ne net.Error
	var ce *pgconn.ConnectError
	return errors.As(err, &ne) || errors.As(err, &ce) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, sql.ErrConnDone) || pgconn.SafeToRetry(err)
}
