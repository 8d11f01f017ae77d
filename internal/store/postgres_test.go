package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"peal/internal/peal"
	"peal/internal/pipeline"
	"peal/internal/store/pgtest"
)

// onBoth runs a test on each of the databases.
func onBoth(t *testing.T, test func(t *testing.T, open func(now func() time.Time) *Store)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, func(now func() time.Time) *Store { return openIn(t, t.TempDir(), now) })
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		url := postgres(t).URL(t)
		test(t, func(now func() time.Time) *Store { return openWith(t, Config{URL: url, Now: now}) })
	})
}

func TestWhatIsAcceptedIsCounted(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, open func(func() time.Time) *Store) {
		s := open(time.Now)
		subs := some(t, 5, "{}")
		subs[1].Notification.TenantID, subs[1].Deliveries[0].TenantID = "u", "u"
		subs[2].Key, subs[3].Key = "k", "k" // a replay
		var wg sync.WaitGroup
		for _, sub := range some(t, 40, "{}") {
			wg.Go(func() {
				if _, err := s.Accept(t.Context(), []pipeline.Submission{sub}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if _, err := s.Accept(t.Context(), subs); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Accept(t.Context(), subs[:1]); err == nil { // it is there already, so the call fails
			t.Error("the same id was accepted twice")
		}
		for _, tenant := range []string{"t", "u"} {
			var got, want [2]int
			err := s.reads.QueryRow(`SELECT SUM(notifications), SUM(deliveries) FROM accepted WHERE tenant_id = '`+tenant+`' AND node_id = 'local'`).Scan(&got[0], &got[1])
			if err != nil {
				t.Fatal(err)
			}
			want[0] = count(t, s.reads, `SELECT COUNT(*) FROM notifications WHERE tenant_id = '`+tenant+`'`)
			want[1] = count(t, s.reads, `SELECT COUNT(*) FROM communications_log WHERE tenant_id = '`+tenant+`'`)
			if got != want || want[0] == 0 {
				t.Errorf("of tenant %s %d notifications and deliveries are counted, %d are there", tenant, got, want)
			}
		}
		if hour := count(t, s.reads, `SELECT MAX(hour) FROM accepted`); hour != int(time.Now().Unix()/3600) && hour != int(time.Now().Unix()/3600)-1 {
			t.Errorf("they are counted in hour %d", hour)
		}
	})
}

func TestTheTwoSchemasHaveTheSameColumns(t *testing.T) {
	t.Parallel()
	pg := openWith(t, Config{URL: pgtest.URL(t)}) // from nothing
	lite := openIn(t, t.TempDir(), time.Now)
	ours := columnsOf(t, lite.reads, `SELECT m.name || '.' || p.name FROM sqlite_master m JOIN pragma_table_info(m.name) p
		WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name <> 'goose_db_version' ORDER BY 1`)
	theirs := columnsOf(t, pg.reads, `SELECT c.relname || '.' || a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
		WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace AND a.attnum > 0
		AND NOT a.attisdropped AND c.relname <> 'goose_db_version'`)
	delete(ours, "communications_log.row_id") // SQLite's own number of a row
	for name := range ours {
		if !theirs[name] {
			t.Errorf("PostgreSQL has no column %s", name)
		}
	}
	for name := range theirs {
		if !ours[name] {
			t.Errorf("SQLite has no column %s", name)
		}
	}
	if len(ours) < 50 {
		t.Errorf("only %d columns were compared", len(ours))
	}
}

func columnsOf(t *testing.T, db *pool, query string) map[string]bool {
	t.Helper()
	names, err := list(t.Context(), db, scanInto[string], query)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]bool{}
	for _, name := range names {
		all[name] = true
	}
	return all
}

// TestNodesThatStartAtOnce make the schema once.
func TestNodesThatStartAtOnce(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	var wg sync.WaitGroup
	stores := make([]*Store, 4)
	for i := range stores {
		wg.Go(func() {
			s, err := Open(context.WithoutCancel(t.Context()), Config{URL: url})
			if err != nil {
				t.Error(err)
				return
			}
			stores[i] = s
		})
	}
	wg.Wait()
	for _, s := range stores {
		if s == nil {
			continue
		}
		if err := errors.Join(s.Ping(t.Context()), s.Close()); err != nil {
			t.Error(err)
		}
	}
}

func TestANewerSchemaIsRefusedOnPostgres(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	s, err := Open(t.Context(), Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	err = s.write(t.Context(), func(tx *tx) error {
		return tx.exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, true)`)
	})
	if err = errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	s, err = Open(t.Context(), Config{URL: url})
	if !errors.Is(err, ErrNewerSchema) || !strings.Contains(fmt.Sprint(err), "9999") {
		t.Errorf("opened with %v; want ErrNewerSchema that names the version", err)
	}
	if err == nil {
		_ = s.Close()
	}
}

func TestAnOldServerIsRefused(t *testing.T) {
	t.Parallel()
	for number, refused := range map[int]bool{90624: true, 100023: true, 130023: true, 139999: true, 140000: false, 140023: false, 180004: false} {
		if err := checkVersion(number); (err != nil) != refused {
			t.Errorf("of %d it says %v; want it refused: %v", number, err, refused)
		}
	}
	if err := checkVersion(130023); err == nil || !strings.Contains(err.Error(), "version 13; it must be 14 or newer") {
		t.Errorf("13.23 is refused with %v", err)
	}
}

// TestOneKeyOverThreeNodes makes one notification, and one answer for all.
func TestOneKeyOverThreeNodes(t *testing.T) {
	t.Parallel()
	url := postgres(t).URL(t)
	stores := []*Store{openWith(t, Config{URL: url}), openWith(t, Config{URL: url}), openWith(t, Config{URL: url})}
	subs := some(t, 100, "{}")
	answers := make([]string, len(subs))
	var firsts sync.Map
	var wg sync.WaitGroup
	for i := range subs {
		subs[i].Key, subs[i].Answer = "k", []byte(subs[i].Notification.ID)
		wg.Go(func() {
			v, err := stores[i%3].Accept(t.Context(), subs[i:i+1])
			if err != nil {
				t.Error(err)
				return
			}
			answers[i] = string(v[0].Answer)
			if !v[0].Replayed {
				firsts.Store(answers[i], true)
			}
		})
	}
	wg.Wait()
	for i := range answers {
		if answers[i] != answers[0] || answers[i] == "" {
			t.Fatalf("one was answered %q, another %q", answers[0], answers[i])
		}
	}
	if _, ok := firsts.Load(answers[0]); !ok {
		t.Error("the answer is not that of the one who was first")
	}
	for table, want := range map[string]int{"notifications": 1, "communications_log": 1, "idempotency": 1} {
		if n := count(t, stores[0].reads, `SELECT COUNT(*) FROM `+table); n != want {
			t.Errorf("%d rows in %s, want %d", n, table, want)
		}
	}
	if n := count(t, stores[0].reads, `SELECT SUM(notifications) FROM accepted`); n != 1 {
		t.Errorf("%d are counted", n)
	}
}

// TestPartitionsAreMadeAheadAndDropped goes through the weeks.
func TestPartitionsAreMadeAheadAndDropped(t *testing.T) {
	t.Parallel()
	s := openWith(t, Config{URL: pgtest.URL(t)})
	ctx := t.Context()
	far := time.Now().Add(100 * partitionSpan)
	stray := some(t, 1, "{}")[0] // from a node whose clock is wrong
	stray.Notification.ID = idAt(far) + stray.Notification.ID[13:]
	id, err := peal.DeliveryID(stray.Notification.ID, "in", "x")
	if err != nil {
		t.Fatal(err)
	}
	stray.Deliveries[0].ID, stray.Deliveries[0].NotificationID = id, stray.Notification.ID
	if _, err := s.Accept(ctx, []pipeline.Submission{stray, some(t, 1, "{}")[0]}); err != nil {
		t.Fatal(err)
	}
	if n := count(t, s.reads, `SELECT COUNT(*) FROM communications_log_default`); n != 1 {
		t.Fatalf("%d rows are in the default partition, want 1", n)
	}
	for range 2 {
		if err := s.maintain(ctx, far); err != nil {
			t.Fatal(err)
		}
	}
	week := weekOf(far)
	for _, table := range []string{"communications_log", "notifications"} {
		if n := count(t, s.reads, `SELECT COUNT(*) FROM `+table+week.suffix()); n != 1 {
			t.Errorf("%d rows are in %s, want 1", n, table+week.suffix())
		}
		if n := count(t, s.reads, `SELECT COUNT(*) FROM `+table+`_default`); n != 0 {
			t.Errorf("%d rows are in the default partition of %s", n, table)
		}
	}
	if _, _, err := s.Delivery(ctx, "t", id); err != nil {
		t.Errorf("what moved is not found: %v", err)
	}
	before, err := s.partitions(ctx)
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Retain(ctx, week.start)
	if err != nil {
		t.Fatal(err)
	}
	after, err := s.partitions(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Kept) != 1 || r.Kept[0].InFlight != 1 || r.Kept[0].Name != "communications_log"+weekOf(time.Now()).suffix() {
		t.Errorf("kept are %+v; want this week, for the row that is in flight", r.Kept)
	}
	if len(before)-len(after) != 3*len(r.Partitions) || len(r.Partitions) == 0 {
		t.Errorf("%d partitions were there, %d are; said to be dropped are %v", len(before), len(after), r.Partitions)
	}
	if n := count(t, s.reads, `SELECT SUM(notifications) FROM accepted`); n != 2 {
		t.Errorf("%d are counted; the counts of what stays are to stay", n)
	}
	if _, _, err := s.Delivery(ctx, "t", id); err != nil {
		t.Errorf("what is young left: %v", err)
	}
}
