package store

import (
	"context"
	"path/filepath"
	"testing"

	"peal/internal/store/pgtest"
)

// TestTheEventLogIsWrittenAgain: a database that came back without its triggers has them after the next start.
func TestTheEventLogIsWrittenAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		count string
		drop  string
		cfg   func(t *testing.T) Config
	}{
		"sqlite": {sqliteTriggers, `DROP TRIGGER notice_moved`, func(t *testing.T) Config {
			t.Helper()
			return Config{Path: seeded(t, filepath.Join(t.TempDir(), "peal.db"))}
		}},
		"postgres": {pgTriggers, `DROP TRIGGER notice_moved ON communications_log`, func(t *testing.T) Config {
			t.Helper()
			return Config{URL: pgtest.URL(t)}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := c.cfg(t)
			var want []int
			for _, change := range []func(s *Store) error{
				func(s *Store) error { return s.EnableNotices(t.Context(), "a") },
				func(s *Store) error { return s.Tamper(t.Context(), c.drop) },
				func(*Store) error { return nil },
			} {
				s, err := Open(context.WithoutCancel(t.Context()), cfg)
				if err != nil {
					t.Fatal(err)
				}
				want = append(want, count(t, s.reads, c.count))
				err = change(s)
				if e := s.Close(); err != nil || e != nil {
					t.Fatal(err, e)
				}
			}
			if want[0] != 0 || want[1] != 2 || want[2] != 2 {
				t.Errorf("triggers at each start: %v", want)
			}
		})
	}
}
