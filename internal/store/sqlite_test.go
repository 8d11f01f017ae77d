package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"peal/internal/peal"
	"peal/internal/pipeline"
)

// pragma asks the connection that writes.
func pragma(t *testing.T, s *Store, name string) (value string) {
	t.Helper()
	err := s.write(t.Context(), func(tx *tx) error {
		return tx.conn.QueryRowContext(tx.ctx, "PRAGMA "+name).Scan(&value)
	})
	if err != nil {
		t.Fatalf("PRAGMA %s: %v", name, err)
	}
	return value
}

func TestTheWriterSyncsEveryCommit(t *testing.T) {
	t.Parallel()
	s := openIn(t, t.TempDir(), time.Now)
	for name, want := range map[string]string{
		"synchronous":  "2", // FULL: the WAL is synced before a commit is answered
		"journal_mode": "wal",
		"foreign_keys": "1",
	} {
		if got := pragma(t, s, name); got != want {
			t.Errorf("PRAGMA %s is %s on the writer's connection, want %s", name, got, want)
		}
	}
	var only string
	if err := s.reads.QueryRow("PRAGMA query_only").Scan(&only); err != nil || only != "1" {
		t.Errorf("the readers' connections could write (query_only %s, %v)", only, err)
	}
	if _, err := s.reads.Exec("DELETE FROM tenants"); err == nil {
		t.Error("a reader wrote")
	}
}

func TestTheDatabaseIsNobodyElses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openIn(t, dir, time.Now)
	if err := s.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("files %v, %v", files, err)
	}
	for _, f := range files {
		if info, err := os.Stat(f); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v; others can read it", f, info.Mode(), err)
		}
	}
}

func TestANewerSchemaIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := Open(t.Context(), Config{Path: filepath.Join(dir, "peal.db")})
	if err != nil {
		t.Fatal(err)
	}
	err = s.write(t.Context(), func(tx *tx) error {
		return tx.exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)`)
	})
	if err = errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	s, err = Open(t.Context(), Config{Path: filepath.Join(dir, "peal.db")})
	if !errors.Is(err, ErrNewerSchema) || !strings.Contains(fmt.Sprint(err), "9999") {
		t.Errorf("opened with %v; want ErrNewerSchema that names the version", err)
	}
	if err == nil {
		_ = s.Close()
	}
}

func TestAFolderThatCannotBeWrittenIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	locked := filepath.Join(dir, "locked")
	if err := os.Mkdir(locked, 0o500); err != nil {
		t.Fatal(err)
	}
	folders := []string{filepath.Join(dir, "missing"), file}
	if os.Geteuid() == 0 {
		t.Log("as root every mode of a folder can be written: only a missing folder and a file are tried")
	} else {
		folders = append(folders, locked)
	}
	for _, folder := range folders {
		s, err := Open(t.Context(), Config{Path: filepath.Join(folder, "peal.db")})
		if err == nil {
			_ = s.Close()
			t.Fatalf("%s: opened", folder)
		}
		if !strings.Contains(err.Error(), "folder") || !strings.Contains(err.Error(), folder) {
			t.Errorf("the error does not name the folder: %v", err)
		}
	}
	if _, err := Open(t.Context(), Config{Path: dir}); err == nil {
		t.Error("a folder was opened as a database")
	}
	if err := os.WriteFile(file, []byte(strings.Repeat("no database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Config{Path: file}); err == nil {
		t.Error("some other file was opened as a database")
	}
}

func TestMigrations(t *testing.T) {
	t.Parallel()
	names, err := migrations.ReadDir("migrations/sqlite")
	if err != nil || len(names) == 0 {
		t.Fatalf("migrations %v, %v", names, err)
	}
	newest, err := strconv.Atoi(names[len(names)-1].Name()[:4])
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var before string
	for range 2 { // from nothing, and then again: nothing is left to do
		s, err := Open(t.Context(), Config{Path: filepath.Join(dir, "peal.db")})
		if err != nil {
			t.Fatal(err)
		}
		var version int
		if err := s.reads.QueryRow(`SELECT MAX(version_id) FROM goose_db_version`).Scan(&version); err != nil || version != newest {
			t.Errorf("the schema is at %d (%v), want %d", version, err, newest)
		}
		var schema string
		err = s.reads.QueryRow(`SELECT group_concat(sql, ';') FROM (SELECT sql FROM sqlite_master ORDER BY name)`).Scan(&schema)
		if err = errors.Join(err, s.Close()); err != nil {
			t.Fatal(err)
		}
		if before != "" && schema != before {
			t.Errorf("opening again changed the schema")
		}
		before = schema
	}
}

// some is n submissions with one delivery each.
func some(t *testing.T, n int, payload string) []pipeline.Submission {
	t.Helper()
	subs := make([]pipeline.Submission, n)
	for i := range subs {
		now := time.Now()
		n := peal.Notification{TenantID: "t", ID: peal.NewID(), Phone: "+14155550100", CreatedAt: now}
		id, err := peal.DeliveryID(n.ID, "in", n.Phone)
		if err != nil {
			t.Fatal(err)
		}
		subs[i] = pipeline.Submission{Notification: n, Answer: []byte("{}"), Deliveries: []peal.Delivery{{
			TenantID: "t", ID: id, NotificationID: n.ID, IntegrationID: "in", Channel: peal.ChannelWhatsApp, Recipient: n.Phone,
			Payload: []byte(payload), Status: peal.Queued, CreatedAt: now, UpdatedAt: now,
		}}}
	}
	return subs
}

func count(t *testing.T, db *pool, query string) (n int) {
	t.Helper()
	if err := db.QueryRow(query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestWhatWaitsIsOneTransaction holds the writer up, so that what it is given meanwhile waits together.
func TestWhatWaitsIsOneTransaction(t *testing.T) {
	t.Parallel()
	s := openIn(t, t.TempDir(), time.Now)
	held, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		err := s.write(context.Background(), func(*tx) error { close(held); <-release; return nil })
		if err != nil {
			t.Error(err)
		}
	})
	<-held
	const callers = 50
	bad := errors.New("this one fails")
	runs := make([]int, callers)
	for i := range callers {
		o := &op{ctx: t.Context(), done: make(chan error, 1), run: func(tx *tx) error {
			runs[i]++
			if err := tx.exec(`INSERT INTO users (tenant_id, user_id, created_at, updated_at) VALUES ('t', ?, 1, 1)`, fmt.Sprint(i)); err != nil {
				return err
			}
			switch i {
			case 7:
				return bad
			case 8:
				panic("a bug in a write")
			}
			return nil
		}}
		s.writer.(*sqliteWriter).ops <- o
		wg.Go(func() {
			err := <-o.done
			if i == 7 && (!errors.Is(err, bad) || peal.KindOf(err) != peal.Unavailable) {
				t.Errorf("the write that fails was answered %v", err)
			}
			if i == 8 && (err == nil || !strings.Contains(err.Error(), "panic in a write")) {
				t.Errorf("the write that panics was answered %v", err)
			}
			if i != 7 && i != 8 && err != nil {
				t.Errorf("write %d was sunk: %v", i, err)
			}
		})
	}
	close(release)
	wg.Wait()
	if runs[0] != 2 {
		t.Errorf("the first write ran %d times: they did not share a transaction, which was to fail as a whole", runs[0])
	}
	if n := count(t, s.reads, `SELECT COUNT(*) FROM users`); n != callers-2 {
		t.Errorf("%d users are written, want %d", n, callers-2)
	}
}

func TestCallersWaitAsLongAsTheyLike(t *testing.T) {
	t.Parallel()
	s := openIn(t, t.TempDir(), time.Now)
	held, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.write(context.Background(), func(*tx) error { close(held); <-release; return nil }); err != nil {
			t.Error(err)
		}
	})
	<-held
	ctx, cancel := context.WithCancel(t.Context())
	wg.Go(func() {
		if err := s.Ping(ctx); peal.KindOf(err) != peal.Overloaded || !errors.Is(err, context.Canceled) {
			t.Errorf("who gave up was answered %v", err)
		}
	})
	cancel()
	subs := some(t, 1, "{}")
	wg.Go(func() {
		if _, err := s.Accept(context.Background(), subs); err != nil {
			t.Errorf("who waited was answered %v", err)
		}
	})
	close(release)
	wg.Wait()
}

func TestCloseFinishesWhatWaits(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := Open(t.Context(), Config{Path: filepath.Join(dir, "peal.db")})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	kept := 0
	for _, sub := range some(t, 200, "{}") {
		wg.Go(func() {
			_, err := s.Accept(context.Background(), []pipeline.Submission{sub})
			if err != nil && peal.KindOf(err) != peal.Unavailable {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				kept++
			}
		})
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
	if err := s.Ping(context.Background()); peal.KindOf(err) != peal.Unavailable {
		t.Errorf("a closed store was pinged: %v", err)
	}
	again := openIn(t, dir, time.Now)
	if n := count(t, again.reads, `SELECT COUNT(*) FROM communications_log`); n != kept {
		t.Errorf("%d rows are there, %d were promised", n, kept)
	}
}

// fill writes until the database refuses, and gives what was promised.
func fill(t *testing.T, s *Store) (kept int) {
	t.Helper()
	payload := `"` + strings.Repeat("x", 20_000) + `"`
	for range 1000 {
		subs := some(t, 10, payload)
		switch _, err := s.Accept(t.Context(), subs); {
		case err == nil:
			kept += len(subs)
		case peal.KindOf(err) != peal.Unavailable:
			t.Fatalf("a full disk is answered %v; want kind unavailable", err)
		default:
			return kept
		}
	}
	t.Fatal("it never got full")
	return 0
}

// checkKept fails the test unless exactly what was promised is there.
func checkKept(t *testing.T, s *Store, kept int) {
	t.Helper()
	rows, notifications := count(t, s.reads, `SELECT COUNT(*) FROM communications_log`), count(t, s.reads, `SELECT COUNT(*) FROM notifications`)
	if rows != kept || notifications != kept {
		t.Errorf("%d rows and %d notifications are there; %d were promised", rows, notifications, kept)
	}
	var verdict string
	if err := s.reads.QueryRow(`PRAGMA integrity_check`).Scan(&verdict); err != nil || verdict != "ok" {
		t.Errorf("integrity check: %s, %v", verdict, err)
	}
}

func TestAFullDatabaseRefusesAndGoesOn(t *testing.T) {
	t.Parallel()
	s := openIn(t, t.TempDir(), time.Now)
	limit := func(pages int) { pragma(t, s, fmt.Sprintf("max_page_count = %d", pages)) }
	limit(300)
	kept := fill(t, s)
	checkKept(t, s, kept)
	limit(1 << 30)
	if _, err := s.Accept(t.Context(), some(t, 10, "{}")); err != nil {
		t.Fatalf("with space again: %v", err)
	}
	checkKept(t, s, kept+10)
}
