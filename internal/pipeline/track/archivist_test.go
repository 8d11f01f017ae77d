package track_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"peal/internal/metrics"
	"peal/internal/pipeline"
	"peal/internal/pipeline/track"
)

// shelf has so many bytes, of which it lets go as it is told.
type shelf struct {
	bytes      uint64
	old        uint64 // bytes that are too old
	remembered int
	before     time.Time
	most       uint64
	err        error
}

func (s *shelf) Archive(context.Context) (pipeline.Archive, error) {
	return pipeline.Archive{Bytes: s.bytes}, s.err
}

func (s *shelf) Remember(context.Context) error { s.remembered++; return s.err }

func (s *shelf) Trim(_ context.Context, before time.Time, most uint64) (gone uint64, err error) {
	s.before = before
	gone, s.bytes, s.old = s.old, s.bytes-s.old, 0
	if most > 0 {
		s.most = most
		if s.bytes > most {
			gone, s.bytes = gone+s.bytes-most, most
		}
	}
	return gone, s.err
}

func TestArchivistKeepsTheBounds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		shelf shelf
		most  uint64
		room  func() uint64
		left  uint64
		says  string
	}{
		"all fits":             {shelf{bytes: 100}, 200, nil, 100, ""},
		"old ones":             {shelf{bytes: 100, old: 30}, 200, nil, 70, "webhooks=30"},
		"too many":             {shelf{bytes: 300, old: 30}, 200, nil, 200, "is full"},
		"without a bound":      {shelf{bytes: 300}, 0, nil, 300, ""},
		"room enough":          {shelf{bytes: 100}, 0, func() uint64 { return 1000 }, 100, ""},
		"the disk fills up":    {shelf{bytes: 300}, 1000, func() uint64 { return 100 }, 200, "is full"},
		"no room at all":       {shelf{bytes: 1}, 0, func() uint64 { return 0 }, 1, ""},
		"room without a bound": {shelf{bytes: 300}, 200, func() uint64 { return 1<<64 - 1 }, 200, "is full"},
		"the broker is away":   {shelf{bytes: 100, err: errors.New("no broker")}, 10, nil, 100, "no broker"},
	} {
		logs := &bytes.Buffer{}
		now := time.Now()
		a := &track.Archivist{
			Shelf: &c.shelf, Retention: time.Hour, MaxBytes: c.most, Room: c.room, Metrics: metrics.New(),
			Log: slog.New(slog.NewTextHandler(logs, nil)), Now: func() time.Time { return now },
		}
		a.Trim(t.Context())
		if c.shelf.bytes != c.left || !c.shelf.before.Equal(now.Add(-time.Hour)) {
			t.Errorf("%s: %d bytes are left, want %d", name, c.shelf.bytes, c.left)
		}
		if said := logs.String(); !strings.Contains(said, c.says) || c.says == "" && said != "" {
			t.Errorf("%s: it says %q", name, said)
		}
	}
}

func TestArchivistRemembers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{}
		a := &track.Archivist{Shelf: s, Metrics: metrics.New(), Log: slog.New(slog.DiscardHandler), Now: time.Now}
		ctx, cancel := context.WithTimeout(t.Context(), 35*time.Second)
		defer cancel()
		if err := a.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if s.remembered != 3 {
			t.Errorf("in 35 s it was remembered %d times", s.remembered)
		}
	})
}
