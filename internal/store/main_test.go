package store

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"peal/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var _ storetest.Store = (*Store)(nil)

// openIn opens a store in the folder and closes it at the end of the test.
func openIn(t *testing.T, dir string, now func() time.Time) *Store {
	t.Helper()
	s, err := Open(context.WithoutCancel(t.Context()), Config{Path: filepath.Join(dir, "peal.db"), Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		var wrong int
		err := s.reads.QueryRow(`SELECT COUNT(*) FROM communications_log
			WHERE (in_flight IS 1) <> (status IN ('queued', 'sending', 'uncertain')) OR in_flight NOT IN (1)`).Scan(&wrong)
		if err != nil || wrong > 0 {
			t.Errorf("of %d rows in_flight does not say what status says (%v)", wrong, err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, now func() time.Time) storetest.Store { return openIn(t, t.TempDir(), now) })
}
