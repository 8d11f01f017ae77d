package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"peal/internal/store/pgtest"
	"peal/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	_ storetest.Store    = (*Store)(nil)
	_ storetest.Tamperer = (*Store)(nil)
)

// Tamper implements storetest.Tamperer.
func (s *Store) Tamper(ctx context.Context, query string, args ...any) error {
	return s.write(ctx, func(t *tx) error { return t.exec(query, args...) })
}

// openIn opens a store in the folder and closes it at the end of the test.
// seeded puts an empty file that is up to date at a path, unless there is one: to migrate each test's own takes more than a
// second of processor time under the race detector. (Package sqlitetest cannot be used here: it needs this one.)
func seeded(t *testing.T, path string) string {
	t.Helper()
	if _, err := os.Stat(path); err == nil {
		return path
	}
	b, err := emptyFile()
	if err == nil {
		err = os.WriteFile(path, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var emptyFile = sync.OnceValues(func() (b []byte, err error) {
	dir, err := os.MkdirTemp("", "peal-records-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, "peal.db")
	s, err := Open(context.Background(), Config{Path: path})
	if err == nil {
		err = s.Close()
	}
	if err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

func openIn(t *testing.T, dir string, now func() time.Time) *Store {
	t.Helper()
	return openWith(t, Config{Path: seeded(t, filepath.Join(dir, "peal.db")), Now: now})
}

func openWith(t *testing.T, cfg Config) *Store {
	t.Helper()
	s, err := Open(context.WithoutCancel(t.Context()), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		var wrong int
		err := s.reads.QueryRow(`SELECT COUNT(*) FROM communications_log
			WHERE (COALESCE(in_flight, 0) = 1) <> (status IN ('queued', 'sending', 'uncertain')) OR in_flight NOT IN (1)`).Scan(&wrong)
		if err != nil || wrong > 0 {
			t.Errorf("of %d rows in_flight does not say what status says (%v)", wrong, err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// postgres gives databases with the schema as it is now; without a server the test is skipped.
func postgres(t testing.TB) *pgtest.Pool {
	t.Helper()
	files, err := fs.Glob(migrations, "migrations/postgres/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.New()
	for _, name := range files {
		text, err := migrations.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		sum.Write(text)
	}
	version := fmt.Sprintf("%x %s", sum.Sum(nil), time.Now().Format(time.DateOnly)) // partitions are made by the day
	return pgtest.NewPool(t, "store", version, func(url string) error {
		s, err := Open(context.Background(), Config{URL: url})
		if err != nil {
			return err
		}
		return s.Close()
	})
}

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, now func() time.Time) storetest.Store { return openIn(t, t.TempDir(), now) })
}
