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

	"peal/internal/peal"
	"peal/internal/pipeline/track"
)

// house notes what is asked of it.
type house struct {
	maintained int
	before     []time.Time
	events     []time.Time
	err        error
}

func (h *house) Maintain(context.Context) error { h.maintained++; return h.err }

func (h *house) Retain(_ context.Context, before time.Time) (peal.Retention, error) {
	h.before = append(h.before, before)
	return peal.Retention{Partitions: []string{"communications_log_p20260101"}, Kept: []peal.Held{{Name: "communications_log_p20260108", DeadLetters: 3}}}, h.err
}

func (h *house) RetainNotices(_ context.Context, before time.Time) (int64, error) {
	h.events = append(h.events, before)
	return 7, h.err
}

func TestRetainerKeepsHouse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, logs := &house{err: errors.New("not now")}, &bytes.Buffer{}
		start := time.Now()
		k := &track.Retainer{Records: h, Retention: 48 * time.Hour, Events: time.Hour, Log: slog.New(slog.NewTextHandler(logs, nil)), Now: time.Now}
		ctx, cancel := context.WithTimeout(t.Context(), 90*time.Minute)
		defer cancel()
		if err := k.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if h.maintained != 2 || len(h.before) != 2 || !h.before[0].Equal(start.Add(-48*time.Hour)) {
			t.Errorf("in 90 minutes it was asked %d times, with %v", h.maintained, h.before)
		}
		if len(h.events) != 2 || !h.events[1].Equal(start) {
			t.Errorf("events were let go that are older than %v", h.events)
		}
		for _, want := range []string{"not now", "events=7", "communications_log_p20260101", "communications_log_p20260108 in_flight=0 dead_letters=3"} {
			if !strings.Contains(logs.String(), want) {
				t.Errorf("the log has no %q:\n%s", want, logs)
			}
		}
	})
	h := &house{}
	k := &track.Retainer{Records: h, Log: slog.New(slog.DiscardHandler), Now: time.Now}
	if k.Retain(t.Context()); h.maintained != 1 || len(h.before)+len(h.events) > 0 {
		t.Error("with no retention something was let go")
	}
}
