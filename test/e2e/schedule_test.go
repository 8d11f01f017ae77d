package e2e_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"peal/api"
	"peal/emulator/wasender"
	"peal/internal/stream/natstest"
)

// later is a text for a time from now.
func later(to string, d time.Duration) (api.NotificationRequest, time.Time) {
	req := text(to, "at its time")
	at := time.Now().Add(d).UTC().Truncate(time.Microsecond)
	req.SendAt = &at
	return req, at
}

// punctual waits until a delivery is sent and checks that the provider took it once, and not before its time.
func (w *world) punctual(t *testing.T, to, id string, due time.Time) {
	t.Helper()
	w.reaches(t, id, "sent", "delivered", "read")
	m := w.emu.Messages(queryTo(to))
	if len(m) != 1 || m[0].TakenAt.Before(due) {
		t.Errorf("taken %+v, due %v", m, due)
	}
}

// TestSendAt: what is for later goes out later, and not before.
func TestSendAt(t *testing.T) {
	t.Parallel()
	w := setup(t)
	to := phone()
	req, due := later(to, 2*time.Second)
	notification, id := w.send(t, req)
	if d := w.delivery(t, id); d.Status != "queued" || d.DueAt == nil || !d.DueAt.Equal(due) {
		t.Errorf("%s, due %v, want %v", d.Status, d.DueAt, due)
	}
	if n, err := w.peal.Notification(t.Context(), notification); err != nil || n.SendAt == nil || !n.SendAt.Equal(due) || n.Status != "queued" {
		t.Errorf("notification %+v, %v", n, err)
	}
	throughout(t, "before its time", time.Until(due)-50*time.Millisecond, func() error {
		return want("calls", w.emu.Counts().Arrived, 0)
	})
	w.punctual(t, to, id, due)
	past := text(phone(), "clocks differ")
	yesterday := time.Now().Add(-24 * time.Hour)
	past.SendAt = &yesterday
	_, id = w.send(t, past)
	w.reaches(t, id, "read") // at once
}

// TestScheduleSurvives: a restart forgets no time, nor does the loss of the whole broker.
func TestScheduleSurvives(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		meanwhile func(*world, *testing.T)
	}{
		{"restart", func(*world, *testing.T) {}},
		{"broker lost", (*world).loseBroker},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := setup(t)
			to, gone := phone(), phone()
			req, due := later(to, 3*time.Second)
			_, id := w.send(t, req)
			req, _ = later(gone, 3*time.Second)
			notification, _ := w.send(t, req)
			if _, err := w.peal.CancelNotification(t.Context(), notification); err != nil {
				t.Fatal(err)
			}
			w.restart(t, func() { tt.meanwhile(w, t) })
			w.punctual(t, to, id, due)
			if n := w.emu.CountByRecipient(gone); n != 0 {
				t.Errorf("what was canceled went out %d times", n)
			}
		})
	}
}

// loseBroker deletes all that the broker of a stopped Peal has.
func (w *world) loseBroker(t *testing.T) {
	t.Helper()
	if cluster != nil {
		if err := natstest.Empty(strings.Split(string(w.cfg.NatsURL), ",")); err != nil {
			t.Fatal(err)
		}
		return
	}
	dir := filepath.Join(w.cfg.Data, "broker")
	if _, err := os.Stat(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
}

// TestRetrySurvivesRestart: a retry that waits is made after the restart, and not sooner.
func TestRetrySurvivesRestart(t *testing.T) {
	t.Parallel()
	w := setup(t, func(s *api.Settings) { s.RetryBase = "3s" })
	w.fault(t, wasender.Fault{Kind: wasender.FaultStatus, Status: 503})
	to, id := w.sendText(t, "again")
	due := *w.afterAttempt(t, id, 1).DueAt
	w.restart(t)
	w.punctual(t, to, id, due)
	if d := w.delivery(t, id); d.Attempts != 2 {
		t.Errorf("attempts %d", d.Attempts)
	}
}

// TestCancel: what has not gone out can be canceled, and then it never goes; a second cancel changes nothing.
func TestCancel(t *testing.T) {
	t.Parallel()
	w := setup(t)
	to, witness := phone(), phone()
	req, _ := later(to, time.Second)
	notification, id := w.send(t, req)
	req, due := later(witness, 1200*time.Millisecond)
	_, next := w.send(t, req)
	for range 2 {
		n, err := w.peal.CancelNotification(t.Context(), notification)
		if err != nil || n.Status != "canceled" || n.Deliveries[0].Status != "canceled" || n.Deliveries[0].EndedAt == nil {
			t.Fatalf("cancel: %+v, %v", n, err)
		}
	}
	w.punctual(t, witness, next, due) // the time of the first is over
	d := w.delivery(t, id)
	if d.Status != "canceled" || kinds(d.Timeline) != "queued:queued canceled:canceled" {
		t.Errorf("%s, timeline %s", d.Status, kinds(d.Timeline))
	}
	if n := w.emu.CountByRecipient(to); n != 0 {
		t.Errorf("it went out %d times", n)
	}

	sent := w.delivery(t, next).NotificationID
	for path, code := range map[string]string{
		"/v1/notifications/" + sent + "/cancel":                                  api.CodeNotCancelable,
		"/v1/notifications/" + w.integration.ID + "/cancel":                      api.CodeNotFound,
		"/v1/notifications/0/cancel":                                             api.CodeNotFound,
		"/v1/notifications/00000000-0000-0000-0000-000000000000/cancel":          api.CodeNotFound,
		"/v1/notifications/" + notification + "%20OR%201=1/cancel":               api.CodeNotFound,
		"/v1/notifications/" + notification[:len(notification)-1] + "%00/cancel": api.CodeNotFound,
	} {
		if a := w.do(t, http.MethodPost, path, w.key, ""); a.problem(t).Code != code {
			t.Errorf("POST %s: %d %s, want %s", path, a.status, a.body, code)
		}
	}
	if d := w.delivery(t, next); d.Status == "canceled" {
		t.Error("what was sent became canceled")
	}
}

// TestCancelWhilePaused: what waits for a paused integration can be canceled, and does not go out when it is resumed.
func TestCancelWhilePaused(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.pause(t)
	to := phone()
	notification, _ := w.send(t, text(to, "no more"))
	ids := w.sendMany(t, 2)
	if n, err := w.peal.CancelNotification(t.Context(), notification); err != nil || n.Status != "canceled" {
		t.Fatalf("cancel: %+v, %v", n, err)
	}
	w.resume(t)
	w.allOnce(t, ids)
	if n := w.emu.CountByRecipient(to); n != 0 {
		t.Errorf("it went out %d times", n)
	}
}

// TestTTL: what could not be sent in its time is never sent late, whether the ledger finds it, or its job after a
// resume, or the next attempt would come too late.
func TestTTL(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		prepare func(*world, *testing.T)
		world   func(*testing.T) *world
		code    string
	}{
		{"while paused", (*world).pause, func(t *testing.T) *world { return setupWith(t, wasender.Options{}, eagerLedger) }, "expired"},
		{"found after a resume", (*world).pause, func(t *testing.T) *world { return setup(t) }, "expired"},
		{"between attempts", func(w *world, t *testing.T) {
			t.Helper()
			w.fault(t, wasender.Fault{Kind: wasender.FaultStatus, Status: 503})
		}, func(t *testing.T) *world { return setup(t, func(s *api.Settings) { s.RetryBase = "1h" }) }, "http_503"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := tt.world(t)
			tt.prepare(w, t)
			to := phone()
			req := text(to, "your one-time password")
			req.TTL = shortLife()
			notification, id := w.send(t, req)
			expires := w.delivery(t, id).ExpiresAt
			if tt.name == "found after a resume" {
				eventually(t, "its time is over", func() error { return want("over", time.Now().After(*expires), true) })
				w.resume(t)
			}
			d := w.reaches(t, id, "expired")
			if d.EndedAt == nil || d.EndedAt.Before(*expires) || d.ErrorCode != tt.code || d.DeadLetter || d.DueAt != nil {
				t.Errorf("ended %v, expires %v, error %s, dead letter %v, due %v", d.EndedAt, expires, d.ErrorCode, d.DeadLetter, d.DueAt)
			}
			if last := d.Timeline[len(d.Timeline)-1]; last.Type != "expired" {
				t.Errorf("timeline %s", kinds(d.Timeline))
			}
			if n, err := w.peal.Notification(t.Context(), notification); err != nil || n.Status != "expired" {
				t.Errorf("notification %+v, %v", n, err)
			}
			w.resume(t)
			probe, next := w.sendText(t, "the queue works")
			w.allOnce(t, map[string]string{probe: next})
			if n := w.emu.CountByRecipient(to); n != 0 {
				t.Errorf("it went out %d times", n)
			}
		})
	}
}

func (w *world) pause(t *testing.T) {
	t.Helper()
	if _, err := w.peal.PauseIntegration(t.Context(), "wa"); err != nil {
		t.Fatal(err)
	}
}

func (w *world) resume(t *testing.T) {
	t.Helper()
	if _, err := w.peal.ResumeIntegration(t.Context(), "wa"); err != nil {
		t.Fatal(err)
	}
}

// TestTTLCountsFromSendAt: a life of a second begins when the notification may be sent, not when it is accepted.
func TestTTLCountsFromSendAt(t *testing.T) {
	t.Parallel()
	w := silent(t)
	req, due := later(phone(), time.Hour)
	req.TTL = "10m"
	_, id := w.send(t, req)
	if d := w.delivery(t, id); d.ExpiresAt == nil || !d.ExpiresAt.Equal(due.Add(10*time.Minute)) {
		t.Errorf("expires %v, due %v", d.ExpiresAt, due)
	}
}
