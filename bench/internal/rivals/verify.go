package rivals

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"
)

// Every recipient of a run is another one, so recipients tell messages apart.
const countRows = `SELECT COUNT(*), COUNT(DISTINCT recipient),
	COALESCE(SUM(CASE WHEN status IN ('sent', 'delivered', 'read') AND message_id IS NOT NULL AND attempts = 1 THEN 1 ELSE 0 END), 0) FROM `

func verifySQLite(ctx context.Context, path string, want int, stall time.Duration) error {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=query_only(1)&_pragma=busy_timeout(5000)")
	if err != nil {
		return err
	}
	defer db.Close()
	return verify(ctx, db, "communications_log", want, stall)
}

func verifyPostgres(ctx context.Context, url, table string, want int, stall time.Duration) error {
	db, err := sql.Open("pgx", url)
	if err != nil {
		return err
	}
	defer db.Close()
	return verify(ctx, db, table, want, stall)
}

// verify waits until each accepted message has one row that says that it was sent, by one attempt: outcomes are written
// after the provider has the message.
func verify(ctx context.Context, db *sql.DB, table string, want int, stall time.Duration) error {
	again := time.NewTicker(500 * time.Millisecond)
	defer again.Stop()
	best, since := -1, time.Now()
	for {
		var rows, recipients, sent int
		if err := db.QueryRowContext(ctx, countRows+table).Scan(&rows, &recipients, &sent); err != nil {
			return fmt.Errorf("counting rows: %w", err)
		}
		if rows == want && recipients == want && sent == want {
			return nil
		}
		if sent > best {
			best, since = sent, time.Now()
		}
		if time.Since(since) > stall || rows > want {
			return fmt.Errorf("of %d accepted there are %d rows of %d recipients, %d of them sent by one attempt", want, rows, recipients, sent)
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
