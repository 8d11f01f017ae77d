package fill

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"peal/bench/internal/services"
)

const rows = 1000

// schema is Peal's own, as its migrations make it.
func schema(t *testing.T, dialect string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", "..", "internal", "store", "migrations", dialect, "*.sql"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no migrations: %v", err)
	}
	slices.Sort(files)
	var all strings.Builder
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		up, _, _ := strings.Cut(string(raw), "-- +goose Down")
		all.WriteString(up)
	}
	return all.String()
}

const tenant = `INSERT INTO tenants (tenant_id, name, created_at, updated_at) VALUES ('t', 't', 1, 1);`

func TestSQLite(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "peal.db")
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(schema(t, "sqlite") + tenant + integration("x''")); err != nil {
		t.Fatal(err)
	}
	p, err := SQLite(t.Context(), path, "t", rows, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	check(t, db, p)
}

func TestPostgres(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "peal-fill-") // t.TempDir is closed to the user that PostgreSQL runs as
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	pg, err := services.StartPostgres(t.Context(), dir, false)
	if errors.Is(err, services.ErrMissing) {
		t.Skipf("SKIPPED, the log on PostgreSQL is not filled: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pg.Stop(); err != nil {
			t.Error(err)
		}
	})
	if err := pg.Exec(t.Context(), schema(t, "postgres")+tenant+integration("''")); err != nil {
		t.Fatal(err)
	}
	p, err := Postgres(t.Context(), pg.URL, "t", rows, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("pgx", pg.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	check(t, db, p)
	if n := number(t, db, `SELECT (SELECT COUNT(*) FROM communications_log_default) + (SELECT COUNT(*) FROM delivery_events_default)`); n != 0 {
		t.Errorf("%d rows beside the partitions", n)
	}
}

func integration(noBytes string) string {
	return `INSERT INTO integrations (integration_id, tenant_id, name, kind, channel, settings, secrets, version, created_at, updated_at)
		VALUES ('i', 't', 'bench', 'wasender', 'whatsapp', '{}', ` + noBytes + `, 1, 1, 1);`
}

func number(t *testing.T, db *sql.DB, query string, args ...any) (n int) {
	t.Helper()
	if err := db.QueryRow(query, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

func check(t *testing.T, db *sql.DB, p *Plan) {
	t.Helper()
	for query, want := range map[string]int{
		`SELECT COUNT(*) FROM notifications`: rows,
		`SELECT COUNT(*) FROM communications_log WHERE integration_id = 'i' AND in_flight IS NULL`:                   rows,
		`SELECT COUNT(DISTINCT recipient) FROM communications_log`:                                                   rows / rowsPerPhone,
		`SELECT SUM(deliveries) FROM accepted WHERE tenant_id = 't'`:                                                 rows,
		`SELECT COUNT(*) FROM communications_log WHERE substr(delivery_id, 1, 18) <> substr(notification_id, 1, 18)`: 0,
		`SELECT COUNT(*) FROM communications_log WHERE substr(delivery_id, 15, 1) <> '7'`:                            0,
		`SELECT COUNT(*) FROM delivery_events WHERE type = 'attempt'`:                                                rows,
		`SELECT COUNT(*) FROM delivery_events WHERE type = 'receipt'`:                                                number(t, db, `SELECT COUNT(*) FROM communications_log WHERE delivered_at IS NOT NULL`),
	} {
		if n := number(t, db, query); n != want {
			t.Errorf("%s: %d, want %d", query, n, want)
		}
	}
	for _, row := range []int{0, 1, rows / 2, rows - 1} {
		if n := number(t, db, `SELECT COUNT(*) FROM communications_log WHERE recipient = $1 AND created_at = $2`, p.Phone(row), p.At(row).UnixMicro()); n != 1 {
			t.Errorf("row %d is there %d times", row, n)
		}
	}
}
