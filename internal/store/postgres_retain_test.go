package store

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	"peal/internal/peal"
	"peal/internal/store/pgtest"
)

// TestAHeldWeek is kept for what somebody waits for in it; the rest of it leaves row by row.
func TestAHeldWeek(t *testing.T) {
	t.Parallel()
	s := openWith(t, Config{URL: pgtest.URL(t)})
	ctx := t.Context()
	ids := accepted(t, s, 2*retainStep+5, func(i int, d *peal.Delivery) {
		if i > 2 {
			d.Status = peal.Skipped // it is done
		}
	})
	err := s.write(ctx, func(x *tx) error { // 0 waits, 1 is uncertain, 2 is a dead letter
		return errors.Join(x.exec(`UPDATE communications_log SET status = 'uncertain' WHERE delivery_id = ?`, ids[1]),
			x.exec(`UPDATE communications_log SET status = 'failed', in_flight = NULL, ended_at = 1, dead_at = 1 WHERE delivery_id = ?`, ids[2]),
			x.exec(`INSERT INTO delivery_events (delivery_id, mark, at, type) SELECT delivery_id, 'x', 1, 'attempt' FROM communications_log`))
	})
	if err != nil {
		t.Fatal(err)
	}
	w := weekOf(time.Now())
	log := "communications_log" + w.suffix()
	if n := count(t, s.reads, `SELECT COUNT(*) FROM `+log); n != len(ids) {
		t.Skipf("a new week has begun while the rows were written: %d of %d are in %s", n, len(ids), log)
	}
	left := func(want int) {
		t.Helper()
		for table, column := range map[string]string{"communications_log": "delivery_id", "notifications": "notification_id", "delivery_events": "DISTINCT delivery_id"} {
			if n := count(t, s.reads, `SELECT COUNT(`+column+`) FROM `+table); n != want {
				t.Errorf("%d are left in %s, want %d", n, table, want)
			}
		}
	}
	r, err := s.Retain(ctx, w.end().Add(-time.Second)) // the week is not over
	if err != nil || r.Deliveries != 0 {
		t.Errorf("a week too early it lets go: %+v, %v", r, err)
	}
	left(len(ids))
	held := peal.Held{Name: log, Before: w.end(), InFlight: 2, DeadLetters: 1}
	for _, gone := range []int64{int64(len(ids)) - 3, 0} {
		r, err := s.Retain(ctx, w.end())
		if err != nil || r.Deliveries != gone || len(r.Kept) != 1 || r.Kept[0] != held {
			t.Errorf("let go are %+v, %v; want %d, and %+v kept", r, err, gone, held)
		}
		left(3)
	}
	for _, id := range ids[:3] {
		if _, events, err := s.Delivery(ctx, "acme", id); err != nil || len(events) == 0 {
			t.Errorf("what is waited for has left, or its timeline: %v", err)
		}
	}
	err = s.write(ctx, func(x *tx) error {
		return x.exec(`UPDATE communications_log SET status = 'canceled', in_flight = NULL, ended_at = 1, dead_at = NULL`)
	})
	if err != nil {
		t.Fatal(err)
	}
	if r, err = s.Retain(ctx, w.end()); err != nil || len(r.Kept) > 0 || len(r.Partitions) == 0 || r.Partitions[len(r.Partitions)-1] != log {
		t.Errorf("nobody waits for anything in it any more: %+v, %v", r, err)
	}
	left(0)
}

// TestAMigrationThatWaits for a lock gives up soon, so that nobody stands behind it, and tries again until it gets it.
func TestAMigrationThatWaits(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	base, err := parseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	db := openPool(base, 3, map[string]string{})
	defer db.Close() //nolint:errcheck // a test's
	firstMigration(t, db)

	reader, err := db.BeginTx(t.Context(), nil) // as a pg_dump has
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Rollback() //nolint:errcheck // after the end it does nothing
	if _, err := reader.ExecContext(t.Context(), `LOCK TABLE tenants IN ACCESS SHARE MODE`); err != nil {
		t.Fatal(err)
	}
	opened := make(chan error, 1)
	go func() {
		s, err := Open(context.WithoutCancel(t.Context()), Config{URL: url})
		if err == nil {
			err = s.Close()
		}
		opened <- err
	}()
	waits := func() bool {
		var n int
		if err := db.QueryRow(`SELECT COUNT(*) FROM pg_locks WHERE NOT granted AND relation = 'tenants'::regclass`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n > 0
	}
	for _, want := range []bool{true, false, true} { // it stands behind the reader, gives up, and comes again
		until(t, want, waits, opened)
	}
	if err := reader.Rollback(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-opened:
		if err != nil {
			t.Errorf("opened with %v", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("it does not come to an end")
	}
	if pending, err := PendingMigrations(t.Context(), Config{URL: url}); err != nil || len(pending) > 0 {
		t.Errorf("steps are left: %v, %v", pending, err)
	}
}

// firstMigration makes the schema of the first version.
func firstMigration(t *testing.T, db *sql.DB) {
	t.Helper()
	s, err := postgresSchema(db)
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.provider()
	if err == nil {
		_, err = p.UpTo(t.Context(), 1)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// until waits for something to be so, unless the other thing ends before.
func until(t *testing.T, want bool, is func() bool, ended <-chan error) {
	t.Helper()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	limit := time.After(time.Minute)
	for is() != want {
		select {
		case <-again.C:
		case err := <-ended:
			t.Fatalf("it came to an end, with %v", err)
		case <-limit:
			t.Fatalf("never came to be %v", want)
		}
	}
}
