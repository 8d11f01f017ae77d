package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"peal/internal/store/storetest"
)

// recorder notes every statement that goes to the database.
type recorder struct {
	mu      sync.Mutex
	queries map[string][]any // with arguments that it came with, none where it was prepared
}

func (r *recorder) note(query string, args []driver.NamedValue) {
	r.mu.Lock()
	defer r.mu.Unlock()
	query = strings.Join(strings.Fields(query), " ")
	if old, ok := r.queries[query]; !ok || len(old) < len(args) {
		r.queries[query] = nil
		for _, a := range args {
			r.queries[query] = append(r.queries[query], a.Value)
		}
	}
}

type recordingConnector struct {
	dsn string
	drv driver.Driver
	rec *recorder
}

func (c recordingConnector) Driver() driver.Driver { return c.drv }

func (c recordingConnector) Connect(context.Context) (driver.Conn, error) {
	conn, err := c.drv.Open(c.dsn)
	return &recordingConn{conn, c.rec}, err
}

type recordingConn struct {
	driver.Conn
	rec *recorder
}

func (c *recordingConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	c.rec.note(query, nil)
	return c.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, query)
}

func (c *recordingConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	c.rec.note(query, args)
	return c.Conn.(driver.QueryerContext).QueryContext(ctx, query, args)
}

// record opens a store whose statements are noted.
func (r *recorder) open(t *testing.T, now func() time.Time) *Store {
	t.Helper()
	path := seeded(t, filepath.Join(t.TempDir(), "peal.db"))
	s, err := Open(t.Context(), Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	drv, d := s.reads.Driver(), s.d
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db := func() *sql.DB {
		db := sql.OpenDB(recordingConnector{"file:" + path + "?_txlock=immediate&_pragma=busy_timeout(5000)", drv, r})
		db.SetMaxOpenConns(2)
		return db
	}
	due := &onDue{}
	w, err := startSQLiteWriter(context.WithoutCancel(t.Context()), db(), d, Config{Queue: 1024, Now: now, NodeID: "n", Told: func([]string) {}}, due)
	if err != nil {
		t.Fatal(err)
	}
	s = &Store{d: d, reads: &pool{DB: db(), d: d}, quick: &pool{DB: db(), d: d}, writer: w, due: due, now: now}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

var scan = regexp.MustCompile(`^SCAN (\w+)( USING (?:COVERING )?INDEX (\w+))?`)

// TestStatementsUseTheIndexes runs the whole suite, and asks SQLite how it goes about each of the statements.
func TestStatementsUseTheIndexes(t *testing.T) {
	t.Parallel()
	if underRace {
		t.Skip("SKIPPED under -race: it runs the suite a second time, for its statements only")
	}
	rec := &recorder{queries: map[string][]any{}}
	t.Run("suite", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T, now func() time.Time) storetest.Store { return rec.open(t, now) })
	})
	// What may be walked from end to end: tables that stay small, and indexes that only hold what is wanted.
	small := []string{"tenants", "integration_watch", "nodes", "leases", "integrations", "json_each", "CONSTANT", "bounded", "both_tables", "placed", "catalogues", "e"} // e: endpoints
	wanted := []string{"log_in_flight", "log_dead", "unmatched_parked", "idempotency_age", "expansions_open", "replays_open", "held_callbacks_waiting", "held_callbacks_folded"}
	intended := map[string]string{
		"UPDATE communications_log SET status = CASE WHEN rung IS":                                                   "log_delivery",
		"status = CASE WHEN in_flight = 1 THEN 'sent'":                                                               "log_delivery",
		"AND message_key = ? ORDER BY delivery_id || '' DESC LIMIT 1":                                                "log_key",
		"AND message_id = ? AND integration_id = ? ORDER BY delivery_id || '' DESC LIMIT 1":                          "log_message",
		"SELECT body_hash, answer FROM idempotency":                                                                  "PRIMARY KEY",
		"FROM communications_log INDEXED BY log_in_flight":                                                           "log_in_flight",
		"AND check_at <= ? AND status = 'uncertain'":                                                                 "log_check",
		"attempts > 0 AND updated_at >= ?":                                                                           "log_recipient",
		"AND message_id IS NOT NULL AND message_id IN":                                                               "log_message",
		"AND status = 'uncertain' AND status IN (":                                                                   "log_ends",
		"check_at IS NOT NULL AND check_at <= ?":                                                                     "log_check",
		"AND dead_at IS NOT NULL GROUP BY":                                                                           "log_dead",
		"WHERE tenant_id = ? AND recipient = ? ORDER BY":                                                             "log_recipient",
		"WHERE tenant_id = ? AND status = ? AND status IN ('failed', 'skipped', 'canceled', 'expired', 'uncertain')": "log_ends",
		"WHERE tenant_id = ? AND dead_at IS NOT NULL ORDER BY delivery_id DESC":                                      "log_dead",
		"AND delivery_id BETWEEN ? AND ? AND notification_id = ? ORDER BY delivery_id":                               "log_delivery",
		"FROM communications_log INDEXED BY log_message":                                                             "log_message",
		"FROM communications_log INDEXED BY log_key":                                                                 "log_key",
		"INDEXED BY log_in_flight WHERE tenant_id = ? AND in_flight = 1 AND integration_id IN (SELECT":               "log_in_flight (integration_id=?",
		"AND delivery_id >= ?4 AND delivery_id < ?5 GROUP BY status":                                                 "log_delivery (tenant_id=? AND delivery_id>? AND delivery_id<?)",
		"FROM devices INDEXED BY devices_user WHERE tenant_id = ? AND user_id":                                       "devices_user (tenant_id=? AND user_id=?)",
		"FROM communications_log INDEXED BY log_put_back WHERE":                                                      "log_put_back",
		"FROM delivery_events WHERE delivery_id = ?":                                                                 "PRIMARY KEY",
	}
	met := map[string]bool{}
	s := openIn(t, t.TempDir(), time.Now)
	if len(rec.queries) < 50 {
		t.Fatalf("only %d statements were noted", len(rec.queries))
	}
	for _, query := range slices.Sorted(maps.Keys(rec.queries)) {
		plan := explain(t, s, query, rec.queries[query])
		for _, line := range plan {
			m := scan.FindStringSubmatch(line)
			// Counting an audience is the one thing that has to.
			if strings.HasPrefix(line, "SEARCH devices USING PRIMARY KEY (tenant_id=?)") && !strings.Contains(query, "COUNT(*) FROM devices") {
				t.Errorf("walks through all devices of a tenant:\n%s\n\t%s", query, strings.Join(plan, "\n\t"))
			}
			if m != nil && !slices.Contains(small, m[1]) && !slices.Contains(wanted, m[3]) {
				t.Errorf("walks %s from end to end:\n%s\n\t%s", m[1], query, strings.Join(plan, "\n\t"))
			}
		}
		for fragment, index := range intended {
			if !strings.Contains(query, fragment) {
				continue
			}
			met[fragment] = true
			if !strings.Contains(strings.Join(plan, "\n"), index) {
				t.Errorf("does not use %s:\n%s\n\t%s", index, query, strings.Join(plan, "\n\t"))
			}
		}
	}
	for fragment := range intended {
		if !met[fragment] {
			t.Errorf("no statement has %q any more; the test looks for what is gone", fragment)
		}
	}
}

// explain gives SQLite's plan; nothing for statements that have none.
func explain(t *testing.T, s *Store, query string, args []any) (plan []string) {
	t.Helper()
	if args == nil { // it was prepared; what the arguments are makes no difference to the plan
		n := strings.Count(query, "?")
		if m := numbered.FindAllStringSubmatch(query, -1); m != nil {
			n = 0
			for _, number := range m {
				i, _ := strconv.Atoi(number[1])
				n = max(n, i)
			}
			n += len(plain.FindAllString(query, -1))
		}
		args = make([]any, n)
	}
	rows, err := s.reads.Query("EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		t.Fatalf("explain %s: %v", query, err)
	}
	defer rows.Close() //nolint:errcheck // read to the end
	for rows.Next() {
		var id, parent, unused int
		var line string
		if err := rows.Scan(&id, &parent, &unused, &line); err != nil {
			t.Fatal(err)
		}
		plan = append(plan, line)
	}
	return plan
}

var (
	numbered = regexp.MustCompile(`\?(\d+)`)
	plain    = regexp.MustCompile(`\?(?:\D|$)`)
)
