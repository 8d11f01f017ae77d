package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"peal/api"
	"peal/emulator/wasender"
)

// sendMany accepts n texts in one batch and gives their deliveries' ids by recipient.
func (w *world) sendMany(t *testing.T, n int, change ...func(*api.NotificationRequest)) map[string]string {
	t.Helper()
	reqs := make([]api.NotificationRequest, n)
	for i := range reqs {
		to := phone()
		reqs[i] = text(to, "to "+to)
		for _, c := range change {
			c(&reqs[i])
		}
	}
	res, err := w.peal.SendBatch(t.Context(), reqs)
	if err != nil || res.Accepted != n {
		t.Fatalf("batch: %+v, %v", res, err)
	}
	ids := make(map[string]string, n)
	for i, r := range res.Results {
		ids[reqs[i].Recipient.Phone] = r.Notification.Deliveries[0].ID
	}
	return ids
}

// allOnce waits until all deliveries are sent, and checks that the provider took each once.
func (w *world) allOnce(t *testing.T, ids map[string]string) {
	t.Helper()
	for to, id := range ids {
		w.reaches(t, id, "sent", "delivered", "read")
		if n := w.emu.CountByRecipient(to); n != 1 {
			t.Errorf("the provider took the message to %s %d times", to, n)
		}
	}
}

// TestThrottled: after a 429 the integration rests as long as the provider asks, no attempt is used up, and then
// everything goes out, whatever came meanwhile too.
func TestThrottled(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		fault wasender.Fault
	}{
		{"body", wasender.Fault{Body: `{"message":"You can only send 1 message every 1 minute.","retry_after":2}`}},
		{"header", wasender.Fault{RetryAfter: "2"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := setup(t)
			tt.fault.Kind, tt.fault.Status = wasender.FaultStatus, http.StatusTooManyRequests
			w.fault(t, tt.fault)
			ids := w.sendMany(t, 1)
			in := w.paused(t, "throttled")
			if in.Paused.Until == nil {
				t.Fatalf("pause without an end: %+v", in.Paused)
			}
			until := *in.Paused.Until
			if rest := until.Sub(in.Paused.Since); rest < 2*time.Second || rest > 3*time.Second {
				t.Errorf("paused for %v, want the 2 s that the provider asked for", rest)
			}
			for to, id := range w.sendMany(t, 3) {
				ids[to] = id
			}
			throughout(t, "while it is paused", time.Until(until)-100*time.Millisecond, func() error {
				return want("calls", w.emu.Counts().Arrived, 1)
			})
			for to, id := range ids {
				d := w.reaches(t, id, "sent", "delivered", "read")
				if d.Attempts != 1 {
					t.Errorf("attempts %d, want 1: a 429 uses up none", d.Attempts)
				}
				if m := w.emu.Messages(queryTo(to)); len(m) != 1 || m[0].TakenAt.Before(until) {
					t.Errorf("taken %+v; paused until %v", m, until)
				}
			}
			w.paused(t, "")
			if strings.Contains(w.logs.text(), "not recorded") {
				t.Errorf("something was not recorded:\n%s", w.logs.wrong())
			}
		})
	}
}

// TestLimitIsExact: no window of the period ever holds more sends than the integration allows. The window looked at is
// half as long: on a busy machine two calls that begin a second apart may come to the provider with less between them.
func TestLimitIsExact(t *testing.T) {
	t.Parallel()
	w := silent(t, func(s *api.Settings) { s.Limit = &api.Limit{Rate: 20, Period: "1s", Burst: 20} })
	w.allOnce(t, w.sendMany(t, 90))
	if n := w.emu.MaxArrivedInWindow(session, 500*time.Millisecond); n > 20 {
		t.Errorf("%d calls in a window, the limit is 20", n)
	}
}

// TestWrongCredentials: a 401 pauses the integration loudly and loses nothing; new credentials let everything go, once.
func TestWrongCredentials(t *testing.T) {
	t.Parallel()
	w := setup(t)
	if _, err := w.emu.UpdateSession(session, func(s *wasender.Session) { s.APIKey = rotatedKey }); err != nil {
		t.Fatal(err)
	}
	ids := w.sendMany(t, 20)
	in := w.paused(t, "credentials")
	if in.Paused.Until != nil || in.Paused.Reason == "" {
		t.Errorf("pause %+v", in.Paused)
	}
	for to, id := range w.sendMany(t, 5) {
		ids[to] = id
	}
	eventually(t, "all wait", func() error {
		for _, id := range ids {
			if d := w.delivery(t, id); d.Status != "queued" || d.Attempts != 0 {
				return fmt.Errorf("%s with %d attempts", d.Status, d.Attempts)
			}
		}
		return nil
	})
	if n := w.emu.Counts().Accepted; n != 0 {
		t.Errorf("the provider took %d", n)
	}
	_, err := w.peal.UpdateIntegration(t.Context(), "wa", api.IntegrationPatch{Credentials: map[string]string{"api_key": rotatedKey}})
	if err != nil {
		t.Fatal(err)
	}
	w.allOnce(t, ids)
	w.paused(t, "")
}

// TestSessionLoggedOut: the phone is unlinked in the middle of a send; when it is linked again, everything goes on.
func TestSessionLoggedOut(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.fault(t, wasender.Fault{Kind: wasender.FaultLoggedOut})
	ids := w.sendMany(t, 1)
	if in := w.paused(t, "session"); in.Paused.Until != nil {
		t.Errorf("pause %+v", in.Paused)
	}
	for to, id := range w.sendMany(t, 3) {
		ids[to] = id
	}
	w.idle(t) // the webhook of the logging out must not come after the one below
	if err := w.emu.SetState(session, wasender.StateConnected); err != nil {
		t.Fatal(err)
	}
	w.paused(t, "")
	w.allOnce(t, ids)
}

// TestSessionProbe: where the provider posts no webhooks, Peal asks until the session is back, and then goes on for good.
func TestSessionProbe(t *testing.T) {
	t.Parallel()
	w := silent(t)
	w.webhooksTo(t, "")
	w.fault(t, wasender.Fault{Kind: wasender.FaultLoggedOut})
	to, id := w.sendText(t, "are you there")
	w.paused(t, "session")
	if err := w.emu.SetState(session, wasender.StateConnected); err != nil {
		t.Fatal(err)
	}
	w.allOnce(t, map[string]string{to: id})
	w.stop(t)
	w.start(t)
	w.paused(t, "") // the end of the pause is on disk
	if strings.Contains(w.logs.text(), "not recorded") {
		t.Errorf("something was not recorded:\n%s", w.logs.wrong())
	}
}

// TestSessionWebhookPauses: a session.status webhook alone stops an idle integration, and starts it again.
func TestSessionWebhookPauses(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for _, state := range []wasender.State{wasender.StateNeedScan, wasender.StateDisconnected, wasender.StateExpired} {
		if err := w.emu.SetState(session, state); err != nil {
			t.Fatal(err)
		}
		w.paused(t, "session")
		to, id := w.sendText(t, "when you are back")
		throughout(t, "while the session is "+string(state), 100*time.Millisecond, func() error {
			return want("state", w.delivery(t, id).Status, "queued")
		})
		if err := w.emu.SetState(session, wasender.StateConnected); err != nil {
			t.Fatal(err)
		}
		w.allOnce(t, map[string]string{to: id})
	}
}

// TestForbiddenAddress: an integration that leads into a private network is not called: it is paused, and says why.
func TestForbiddenAddress(t *testing.T) {
	t.Parallel()
	w := setup(t, func(s *api.Settings) { s.BaseURL = "http://127.0.0.2:9/api" })
	_, id := w.sendText(t, "metadata service")
	w.paused(t, "blocked")
	d := w.afterAttempt(t, id, 0)
	if d.ErrorCode != "address_refused" {
		t.Errorf("error %s %q", d.ErrorCode, d.ErrorReason)
	}
}

// TestPausedByHand: pause stops, resume goes on; what is accepted meanwhile waits.
func TestPausedByHand(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.pause(t)
	in := w.paused(t, "manual")
	if in.Paused.Since.IsZero() {
		t.Errorf("pause %+v", in.Paused)
	}
	ids := w.sendMany(t, 5)
	throughout(t, "while it is paused", 300*time.Millisecond, func() error {
		return want("calls", w.emu.Counts().Arrived, 0)
	})
	w.resume(t)
	w.allOnce(t, ids)
}
