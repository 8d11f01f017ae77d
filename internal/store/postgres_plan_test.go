package store

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"peal/internal/store/pgtest"
	"peal/internal/store/storetest"
)

// pgRecorder notes every statement that goes to PostgreSQL.
type pgRecorder struct {
	mu      sync.Mutex
	queries map[string]bool
}

func (r *pgRecorder) note(query string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.queries[strings.Join(strings.Fields(query), " ")] = true
}

func (r *pgRecorder) TraceQueryStart(ctx context.Context, _ *pgx.Conn, d pgx.TraceQueryStartData) context.Context {
	r.note(d.SQL)
	return ctx
}

func (r *pgRecorder) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (r *pgRecorder) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return ctx
}

func (r *pgRecorder) TraceBatchQuery(_ context.Context, _ *pgx.Conn, d pgx.TraceBatchQueryData) {
	r.note(d.SQL)
}

func (r *pgRecorder) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

var (
	parameter = regexp.MustCompile(`\$(\d+)`)
	between   = regexp.MustCompile(`l\.delivery_id BETWEEN \$(\d+) AND \$(\d+)`)
	seqScan   = regexp.MustCompile(`Seq Scan on (\w+)`)
)

// TestStoreOnPostgres runs the whole suite; and then it is asked whether the statements use the indexes.
func TestStoreOnPostgres(t *testing.T) {
	t.Parallel()
	pool := postgres(t)
	rec := &pgRecorder{queries: map[string]bool{}}
	t.Run("suite", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T, now func() time.Time) storetest.Store {
			return openWith(t, Config{URL: pool.URL(t), Now: now, tracer: rec})
		})
	})
	t.Run("plans", func(t *testing.T) { plansOnPostgres(t, rec) })
}

// plansOnPostgres asks PostgreSQL how it goes about each of the statements of a suite that was run to its end, whatever
// their arguments are. It is told to walk a table only where there is no other way.
func plansOnPostgres(t *testing.T, rec *pgRecorder) {
	t.Helper()
	url := pgtest.URL(t)
	openWith(t, Config{URL: url})
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background()) //nolint:errcheck // a test's
	for name, value := range writerParams() {
		if _, err := conn.Exec(t.Context(), `SET `+name+` = '`+value+`'`); err != nil {
			t.Fatal(err)
		}
	}
	// What may be walked from end to end: tables that stay small.
	small := []string{"endpoints", "tenants", "integration_watch", "notice_tenants", "notices_seq", "nodes", "integrations", "leases", "heartbeat", "whole", "catalogues", "goose_db_version"}
	intended := map[string]string{
		"UPDATE communications_log l SET status = CASE WHEN l.rung IS": "tenant_id_delivery_id_idx",
		"status = CASE WHEN l.in_flight = 1 THEN 'sent'":               "tenant_id_delivery_id_idx",
		"AND l.message_key = u.message_key ORDER BY":                   "integration_id_message_key_idx",
		"AND l.message_id = u.message_id AND":                          "tenant_id_message_id_idx",
		"WHERE tenant_id = $1 AND recipient = $2 ORDER BY":             "tenant_id_recipient_delivery_i_idx",
		"WHERE in_flight = 1 AND (integration_id, delivery_id) >":      "integration_id_delivery_id_idx",
		"check_at IS NOT NULL AND check_at <= $2":                      "integration_id_check_at_idx",
		"WHERE tenant_id = $1 AND dead_at IS NOT NULL ORDER BY":        "tenant_id_delivery_id_idx1",
		"SELECT delivery_id FROM communications_log WHERE tenant_id =": "tenant_id_message_id_idx",
		"FROM delivery_events WHERE delivery_id = $1":                  "delivery_events",
	}
	// Pages that come in the order of the index, partition after partition, without sorting what there is.
	ordered := []string{"WHERE tenant_id = $1 AND recipient = $2 ORDER BY", "WHERE tenant_id = $1 AND delivery_id >= $2 AND delivery_id < $3 ORDER BY"}
	met := map[string]bool{}
	for i, query := range slices.Sorted(maps.Keys(rec.queries)) {
		plan := explainGeneric(t, conn, i, query)
		for _, m := range seqScan.FindAllStringSubmatch(plan, -1) {
			if !slices.Contains(small, m[1]) && !strings.HasPrefix(m[1], "pg_") && !strings.Contains(query, "SELECT EXISTS (SELECT 1 FROM "+m[1]) {
				t.Errorf("walks %s from end to end:\n%s\n%s", m[1], query, plan)
				break
			}
		}
		for fragment, index := range intended {
			if strings.Contains(query, fragment) {
				if met[fragment] = true; !strings.Contains(plan, index) {
					t.Errorf("does not use %s:\n%s\n%s", index, query, plan)
				}
			}
		}
		for _, fragment := range ordered {
			if strings.Contains(query, fragment) {
				if met[fragment] = true; regexp.MustCompile(`\bSort\b `).MatchString(strings.ReplaceAll(plan, "Sort Key", "")) {
					t.Errorf("sorts:\n%s\n%s", query, plan)
				}
			}
		}
	}
	if len(rec.queries) < 50 {
		t.Errorf("only %d statements were noted", len(rec.queries))
	}
	for _, fragment := range slices.Concat(slices.Collect(maps.Keys(intended)), ordered) {
		if !met[fragment] {
			t.Errorf("no statement has %q any more; the test looks for what is gone", fragment)
		}
	}
	pageOfTime(t, conn)
}

// pageOfTime asks for the plan of a page within the partitions: one after the other, and those that are not needed never.
// PostgreSQL 14 reads no table that has a default partition so, even if that one is not needed; it merges them as they are
// ordered, which looks at one row of each more than the page has.
func pageOfTime(t *testing.T, conn *pgx.Conn) {
	t.Helper()
	from, to := idAt(weekOf(time.Now()).start), idAt(weekOf(time.Now()).end().Add(partitionSpan))
	plan := rowsOf(t, conn, fmt.Sprintf(`EXPLAIN (COSTS OFF) SELECT delivery_id FROM communications_log WHERE tenant_id = 't'
		AND delivery_id >= '%s' AND delivery_id < '%s' ORDER BY delivery_id DESC LIMIT 10`, from, to))
	if rowsOf(t, conn, `SELECT current_setting('server_version_num')::int / 10000`) == "14" {
		plan = regexp.MustCompile(`Merge Append\n\s*Sort Key: .*`).ReplaceAllString(plan, "Append")
	}
	if !strings.Contains(plan, "Append") || strings.Contains(plan, "Merge Append") || strings.Contains(plan, "Sort") || strings.Contains(plan, "_default") ||
		strings.Count(plan, "Index Only Scan Backward")+strings.Count(plan, "Index Scan Backward") != 2 {
		t.Errorf("a page of two weeks is not read from two partitions, one after the other:\n%s", plan)
	}
}

// explainGeneric gives the plan of a statement that is prepared; nothing for those that have none.
func explainGeneric(t *testing.T, conn *pgx.Conn, n int, query string) string {
	t.Helper()
	verb, _, _ := strings.Cut(query, " ")
	if !slices.Contains([]string{"SELECT", "INSERT", "UPDATE", "DELETE", "WITH"}, verb) || strings.Contains(query, "goose_db_version") ||
		strings.Contains(query, "COALESCE(in_flight") || // the tests' own
		strings.Contains(query, "_p2") { // of a partition that may be no more
		return ""
	}
	params := 0
	for _, m := range parameter.FindAllStringSubmatch(query, -1) {
		i, _ := strconv.Atoi(m[1])
		params = max(params, i)
	}
	args := ""
	if params > 0 {
		list := slices.Repeat([]string{"NULL"}, params)
		if m := between.FindStringSubmatch(query); m != nil { // else no partition would be looked at
			from, _ := strconv.Atoi(m[1])
			to, _ := strconv.Atoi(m[2])
			list[from-1], list[to-1] = "'0'", "'z'"
		}
		args = "(" + strings.Join(list, ", ") + ")"
	}
	name := fmt.Sprintf("q%d", n)
	if _, err := conn.PgConn().Exec(t.Context(), "PREPARE "+name+" AS "+query).ReadAll(); err != nil {
		t.Fatalf("prepare %s: %v", query, err)
	}
	return rowsOf(t, conn, "EXPLAIN EXECUTE "+name+args)
}

func rowsOf(t *testing.T, conn *pgx.Conn, query string) string {
	t.Helper()
	results, err := conn.PgConn().Exec(t.Context(), query).ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	var lines []string
	for _, row := range results[0].Rows {
		lines = append(lines, string(row[0]))
	}
	return strings.Join(lines, "\n")
}
