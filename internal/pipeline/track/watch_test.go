package track_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/pipeline/track"
	"peal/internal/provider"
)

// ahead is a clock that is set forward.
type ahead struct{ by atomic.Int64 }

func (a *ahead) now() time.Time       { return time.Now().Add(time.Duration(a.by.Load())) }
func (a *ahead) add(by time.Duration) { a.by.Add(int64(by)) }

// watched runs everything that hears of integrations and watches them, by a clock that the test sets forward.
func watched(t *testing.T, c *carrier) (*bundle, *ahead) {
	t.Helper()
	b, clock := setupWith(t, c), &ahead{}
	if err := b.store.EnableNotices(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	heard := track.NewSightings(b.store, slog.New(slog.DiscardHandler), clock.now)
	b.door.Now, b.door.Sightings = clock.now, heard
	f := b.folder()
	f.Now, f.Sightings = clock.now, heard
	b.run(heard)
	b.run(f)
	b.run(&track.Watcher{
		Integrations: b.service, Records: b.store, Env: provider.Env{Transport: http.DefaultTransport}, Metrics: b.metrics,
		Log: slog.New(slog.DiscardHandler), Now: clock.now,
	})
	return b, clock
}

// told are the notices of a type.
func (b *bundle) told(of string) []peal.Notice {
	b.Helper()
	page, _, err := b.store.Notices(b.Context(), "a", "", []string{of}, 100)
	if err != nil {
		b.Fatal(err)
	}
	return page
}

func (b *bundle) watch() peal.Watch {
	b.Helper()
	w, err := b.store.Watched(context.WithoutCancel(b.Context()), b.in.ID, time.Now())
	if err != nil {
		b.Fatal(err)
	}
	return w
}

// TestSuspect: enough was sent, and nothing has come back. That is told once, with what to look at, and its end, too.
func TestSuspect(t *testing.T) {
	t.Parallel()
	b, clock := watched(t, &carrier{lookups: map[string]int{}, keyless: true})
	b.eventually("it is watched", func() bool { return !b.watch().Since.IsZero() })
	if err := b.door.Take(t.Context(), b.in.Kind, b.in.HookToken, http.Header{"X-Secret": {"wrong"}}, []byte(`[]`)); err == nil {
		t.Fatal("a webhook with the wrong secret was taken")
	}
	b.eventually("it is counted", func() bool { return b.watch().Refused == 1 })
	for range 20 {
		b.sent(b.in, 0)
	}
	clock.add(11 * time.Minute) // the next look is at most 30 s away
	b.eventually("it is suspect", func() bool { return !b.watch().SuspectSince.IsZero() })
	w := b.watch()
	if !strings.Contains(w.SuspectReason, "20 messages") || !strings.Contains(w.SuspectReason, "1 webhooks were refused") {
		t.Errorf("the reason is %q", w.SuspectReason)
	}
	b.eventually("it is shown", func() bool { return b.value(b.metrics.Suspect.WithLabelValues(b.in.ID)) == 1 })

	last := b.sent(b.in, 0)
	b.tell(b.in, fact{ID: "m-" + last.ID, Status: peal.Sent, At: time.Now()})
	b.eventually("the receipt is heard of", func() bool { return !b.watch().LastReceipt.IsZero() })
	clock.add(time.Minute)
	b.eventually("it is above suspicion", func() bool { return b.watch().SuspectSince.IsZero() })
	b.eventually("it is shown", func() bool { return b.value(b.metrics.Suspect.WithLabelValues(b.in.ID)) == 0 })
	all := b.told(peal.NoticeIntegrationSuspect)
	if len(all) != 2 {
		t.Fatalf("it was told %d times", len(all))
	}
	for i, n := range all {
		var said api.IntegrationEvent
		if err := json.Unmarshal(n.Data, &said); err != nil {
			t.Fatal(err)
		}
		if said.Ended != (i == 1) || said.IntegrationID != b.in.ID || said.Reason == "" || said.Code != track.CodeNoReceipts || n.Subject != b.in.ID {
			t.Errorf("told %+v", said)
		}
	}
}

// TestASessionThatGoesUpAndDown: thousands of events in minutes are a handful of notices and pauses, and in the end what is told
// is as it is.
func TestASessionThatGoesUpAndDown(t *testing.T) {
	t.Parallel()
	b, clock := watched(t, &carrier{lookups: map[string]int{}})
	const events, every = 2000, 100 * time.Millisecond // over 200 s
	states := []string{"connecting", "connected", "disconnected"}
	for i := range events {
		b.tell(b.in, fact{Session: states[i%len(states)]})
		if clock.add(every); i%200 == 0 {
			b.backlog(0)
		}
	}
	b.backlog(0)
	b.tell(b.in, fact{Session: "logged_out"})
	b.backlog(0)
	b.eventually("it is paused", func() bool {
		in := b.service.ByID(b.in.ID)
		return in.Pause != nil && in.Pause.Code == peal.PauseSession
	})
	b.eventually("the last is heard of", func() bool { return b.watch().Heard == "logged_out" })
	clock.add(2 * time.Minute)
	b.eventually("the last is told", func() bool { return b.watch().Session == "logged_out" })
	const handful = 12
	for _, of := range []string{peal.NoticeIntegrationSession, peal.NoticeIntegrationPaused, peal.NoticeIntegrationResumed} {
		if n := len(b.told(of)); n > handful || of == peal.NoticeIntegrationSession && n == 0 {
			t.Errorf("%s was told %d times", of, n)
		}
	}
	all := b.told(peal.NoticeIntegrationSession)
	var said api.SessionEvent
	if err := json.Unmarshal(all[len(all)-1].Data, &said); err != nil || said.Status != "logged_out" || said.PreviousStatus == "logged_out" {
		t.Errorf("told last %+v, %v", said, err)
	}
}

// TestAnOldWordOfASession: webhooks that waited somewhere come late, and tell nothing of now.
func TestAnOldWordOfASession(t *testing.T) {
	t.Parallel()
	b, _ := watched(t, &carrier{lookups: map[string]int{}})
	now := time.Now()
	b.tell(b.in, fact{Session: "connected", At: now.Add(-time.Minute)})
	b.backlog(0)
	for i := range 5 {
		b.tell(b.in, fact{Session: "logged_out", At: now.Add(-time.Hour - time.Duration(i)*time.Second)})
	}
	b.backlog(0)
	if in := b.service.ByID(b.in.ID); in.Pause != nil {
		t.Errorf("it is paused: %+v", in.Pause)
	}
	b.eventually("what is known is the newer", func() bool { return b.watch().Heard == "connected" })
	b.tell(b.in, fact{Session: "logged_out", At: now})
	b.eventually("it is paused", func() bool { return b.service.ByID(b.in.ID).Pause != nil })
	if p := b.service.ByID(b.in.ID).Pause; p.Code != peal.PauseSession || !strings.Contains(p.Reason, "logged_out") {
		t.Errorf("paused %+v", p)
	}
}
