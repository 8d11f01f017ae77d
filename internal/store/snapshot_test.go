package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"peal/internal/peal"
	"peal/internal/pipeline"
)

func noneWaits(context.Context, func(pipeline.Held) error) error { return nil }

// accepted writes n notifications with a delivery each, and gives the deliveries' ids.
func accepted(t *testing.T, s *Store, n int, change func(i int, d *peal.Delivery)) []string {
	t.Helper()
	subs, ids := make([]pipeline.Submission, n), make([]string, n)
	for i := range subs {
		now := time.Now()
		note := peal.Notification{ID: peal.NewID(), TenantID: "acme", CreatedAt: now}
		id, err := peal.DeliveryID(note.ID, "wa", fmt.Sprint(i))
		if err != nil {
			t.Fatal(err)
		}
		d := peal.Delivery{
			ID: id, TenantID: "acme", NotificationID: note.ID, IntegrationID: "wa", Channel: "whatsapp", Recipient: "+4915112345678",
			Payload: []byte(`{"text":"` + strings.Repeat("x", 800) + `"}`), Status: peal.Queued, CreatedAt: now,
		}
		if change != nil {
			change(i, &d)
		}
		subs[i], ids[i] = pipeline.Submission{Notification: note, Deliveries: []peal.Delivery{d}, Answer: []byte(`{}`)}, id
	}
	if _, err := s.Accept(t.Context(), subs); err != nil {
		t.Fatal(err)
	}
	return ids
}

// TestSnapshotBesideTheWriter: while a snapshot is taken writes go on, and none of those from before it is missing.
func TestSnapshotBesideTheWriter(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openIn(t, dir, time.Now)
	for range 10 {
		accepted(t, s, 1000, nil)
	}
	received := time.Now()
	waiting := func(_ context.Context, each func(pipeline.Held) error) error {
		return errors.Join(each(pipeline.Held{ID: "1", IntegrationID: "wa", ReceivedAt: received, Body: []byte("one")}),
			each(pipeline.Held{ID: "2", IntegrationID: "wa", ReceivedAt: received, Body: []byte("two")}))
	}
	path, to := filepath.Join(dir, "peal.db"), filepath.Join(t.TempDir(), "copy.db")
	done := make(chan error, 1)
	go func() { done <- Snapshot(t.Context(), path, to, waiting) }()
	var err error
	during := 0
	for running := true; running; {
		accepted(t, s, 1, nil)
		select {
		case err = <-done:
			running = false
		default:
			during++
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	if during == 0 {
		t.Error("no write ended while the snapshot was taken")
	}
	t.Logf("%d writes, each waited for, while the snapshot was taken", during)
	size, err := SnapshotSize(t.Context(), path)
	if info, serr := os.Stat(to); err != nil || serr != nil || info.Size() > size || info.Mode().Perm() != 0o600 {
		t.Errorf("measured as %d bytes (%v): %+v, %v", size, err, info, serr)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(to), "*")); err != nil || len(left) != 1 {
		t.Errorf("beside the copy there is more: %v, %v", left, err)
	}
	c := openCopy(t, to)
	v, err := c.Contents(t.Context())
	if err != nil || v.Deliveries < 10_000 || v.Deliveries > int64(10_000+during) || v.Notifications != v.Deliveries || v.Webhooks != 2 {
		t.Errorf("%+v, %v", v, err)
	}
	var body string
	err = c.db.QueryRow(`SELECT body FROM held_callbacks WHERE id = '2' AND integration_id = 'wa' AND received_at = ?`, received.UnixMicro()).Scan(&body)
	if err != nil || body != "two" {
		t.Errorf("the held webhook says %q (%v)", body, err)
	}
}

func openCopy(t *testing.T, path string) *Copy {
	t.Helper()
	c, err := OpenCopy(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := c.Check(t.Context()); err != nil {
		t.Error(err)
	}
	return c
}

func TestSnapshotOfAnOlderSchema(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, to := filepath.Join(dir, "peal.db"), filepath.Join(dir, "copy.db")
	old, err := migrations.ReadFile("migrations/sqlite/0001_init.sql")
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	up, _, _ := strings.Cut(string(old), "-- +goose Down")
	if _, err := db.Exec(up + `;
		CREATE TABLE goose_db_version (id INTEGER PRIMARY KEY AUTOINCREMENT, version_id INTEGER NOT NULL, is_applied INTEGER NOT NULL, tstamp TIMESTAMP DEFAULT (datetime('now')));
		INSERT INTO goose_db_version (version_id, is_applied) VALUES (0, 1), (1, 1);
		INSERT INTO tenants VALUES ('acme', 'Acme', 0, 1, 1)`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	waiting := func(_ context.Context, each func(pipeline.Held) error) error {
		return each(pipeline.Held{ID: "1", IntegrationID: "wa", Body: []byte("x")})
	}
	if err := Snapshot(t.Context(), path, to, waiting); err != nil {
		t.Fatal(err)
	}
	if v, err := openCopy(t, to).Contents(t.Context()); err != nil || v.Tenants != 1 || v.Webhooks != 1 {
		t.Errorf("%+v, %v", v, err)
	}
	if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
		t.Errorf("the database that was copied is another now (%v)", err)
	}
	if _, err := openCopy(t, to).db.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)`); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenCopy(t.Context(), to); !errors.Is(err, ErrNewerSchema) {
		t.Errorf("of a newer schema: %v", err)
	}
}

func TestSnapshotFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openIn(t, dir, time.Now)
	accepted(t, s, 10, nil)
	path := filepath.Join(dir, "peal.db")
	if err := Snapshot(t.Context(), filepath.Join(dir, "nothing.db"), filepath.Join(dir, "copy.db"), noneWaits); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("of no database: %v", err)
	}
	away := errors.New("the broker is away")
	err := Snapshot(t.Context(), path, filepath.Join(dir, "copy2.db"), func(context.Context, func(pipeline.Held) error) error { return away })
	if !errors.Is(err, away) {
		t.Errorf("without the broker: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = Snapshot(ctx, path, filepath.Join(dir, "copy3.db"), func(context.Context, func(pipeline.Held) error) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "text.db"), []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := OpenCopy(t.Context(), filepath.Join(dir, "text.db")); err == nil {
		t.Errorf("a text was opened as a database: %v", c.Close())
	}
}

// TestDoubt: what may have been sent since becomes uncertain, and nothing else changes.
func TestDoubt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openIn(t, dir, time.Now)
	now := time.Now()
	ids := accepted(t, s, 7, func(i int, d *peal.Delivery) {
		switch i {
		case 1:
			d.DueAt = now.Add(-time.Minute)
		case 2:
			d.DueAt = now.Add(time.Hour)
		case 5:
			d.IntegrationID = "push"
		case 6:
			d.Status = peal.Skipped
		}
	})
	err := s.write(t.Context(), func(x *tx) error { // 3 is being sent; 4 is put back to the end of a pause, which may have ended early
		return errors.Join(x.exec(`UPDATE communications_log SET status = 'sending' WHERE delivery_id = ?`, ids[3]),
			x.exec(`UPDATE communications_log SET due_at = ?, put_back = 1 WHERE delivery_id = ?`, now.Add(time.Hour).UnixMicro(), ids[4]))
	})
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(dir, "copy.db")
	if err := Snapshot(t.Context(), filepath.Join(dir, "peal.db"), to, noneWaits); err != nil {
		t.Fatal(err)
	}
	c := openCopy(t, to)
	if n, err := c.Doubt(t.Context(), Doubt{Now: now, Harmless: []string{"push"}}); err != nil || n.InDoubt != 4 {
		t.Errorf("%v were set in doubt, %v; want 4", n, err)
	}
	if n, err := c.Doubt(t.Context(), Doubt{Now: now.Add(time.Minute), Harmless: []string{"push"}}); err != nil || n.InDoubt != 0 {
		t.Errorf("a second time %v, %v", n, err)
	}
	for i, want := range []string{"uncertain", "uncertain", "queued", "uncertain", "uncertain", "queued", "skipped"} {
		var status, code, look, events string
		var flight sql.NullInt64
		err := c.db.QueryRow(`SELECT status, COALESCE(error_code, ''), in_flight, attempts || ' ' || COALESCE(check_at, 0), (SELECT group_concat(type) FROM delivery_events e
			WHERE e.delivery_id = l.delivery_id AND type = 'restored' AND status = 'uncertain') IS NOT NULL
			FROM communications_log l WHERE delivery_id = ?`, ids[i]).Scan(&status, &code, &flight, &look, &events)
		doubted := want == "uncertain"
		if wantLook := fmt.Sprintf("1 %d", now.UnixMicro()); doubted && i != 3 && look != wantLook {
			t.Errorf("delivery %d has attempts and next look %s, want %s", i, look, wantLook)
		}
		if err != nil || status != want || (code == peal.CodeRestored) != doubted || (events == "1") != doubted || flight.Valid != (want != "skipped") {
			t.Errorf("delivery %d is %s, %q, events %s, in flight %v (%v); want %s", i, status, code, events, flight, err, want)
		}
	}
}
