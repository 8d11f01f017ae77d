package e2e_test

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"peal/api"
	"peal/emulator/wasender"
)

// checkDue looks at when the next attempt of a delivery is due: wait after the last one, and up to a tenth later.
func checkDue(t *testing.T, d *api.Delivery, wait time.Duration) {
	t.Helper()
	if d.DueAt == nil {
		t.Fatalf("no due time after attempt %d: %+v", d.Attempts, d)
	}
	last := d.Timeline[len(d.Timeline)-1]
	got := d.DueAt.Sub(last.At)
	const rounding = time.Millisecond
	if got < wait-rounding || got > wait+wait/10+rounding {
		t.Errorf("after attempt %d the next is due in %v, want %v and up to a tenth more", d.Attempts, got, wait)
	}
}

// afterAttempt waits until a delivery waits for its next attempt, having had n.
func (w *world) afterAttempt(t *testing.T, id string, n int) *api.Delivery {
	t.Helper()
	var d *api.Delivery
	eventually(t, fmt.Sprintf("delivery waits after attempt %d", n), func() error {
		d = w.delivery(t, id)
		if d.Status != "queued" || d.DueAt == nil {
			return fmt.Errorf("it is %s, due %v", d.Status, d.DueAt)
		}
		return want("attempts", d.Attempts, n)
	})
	return d
}

// TestProviderFailsOnce: a 500, then a 503, then success; the message arrives once, and nobody had to do anything.
func TestProviderFailsOnce(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.fault(t, wasender.Fault{Kind: wasender.FaultStatus, Status: 500})
	w.fault(t, wasender.Fault{Kind: wasender.FaultStatus, Status: 503})
	to, id := w.sendText(t, "patience")
	d := w.reaches(t, id, "read")
	if d.Attempts != 3 || d.ErrorCode != "" || d.DeadLetter {
		t.Errorf("attempts %d, error %q, dead letter %v", d.Attempts, d.ErrorCode, d.DeadLetter)
	}
	if got := kinds(d.Timeline); !strings.HasPrefix(got, "queued:queued attempt:queued attempt:queued attempt:sent ") {
		t.Errorf("timeline: %s", got)
	}
	for i, code := range []string{"http_500", "http_503"} {
		if e := d.Timeline[1+i]; e.Outcome != "temporary" || e.Code != code || e.Attempt != i+1 {
			t.Errorf("attempt %+v, want temporary, %s", e, code)
		}
	}
	if n := w.emu.CountByRecipient(to); n != 1 {
		t.Errorf("the provider took it %d times", n)
	}
}

// TestRetryLadder: each wait is three times the one before; after the last attempt it is a dead letter.
func TestRetryLadder(t *testing.T) {
	t.Parallel()
	w := setup(t, func(s *api.Settings) { s.MaxAttempts = 4 })
	w.fault(t, wasender.Fault{Kind: wasender.FaultStatus, Status: 503, Every: true})
	to, id := w.sendText(t, "never")
	for n, wait := range []time.Duration{100 * time.Millisecond, 300 * time.Millisecond, 900 * time.Millisecond} {
		checkDue(t, w.afterAttempt(t, id, n+1), wait)
	}
	d := w.reaches(t, id, "failed")
	if !d.DeadLetter || d.Attempts != 4 || d.ErrorCode != "http_503" || d.ErrorReason == "" || d.EndedAt == nil || d.DueAt != nil {
		t.Errorf("dead letter %v, attempts %d, error %s %q, ended %v, due %v", d.DeadLetter, d.Attempts, d.ErrorCode, d.ErrorReason, d.EndedAt, d.DueAt)
	}
	n, err := w.peal.Notification(t.Context(), d.NotificationID)
	if err != nil || n.Status != "failed" {
		t.Errorf("notification %+v, %v", n, err)
	}
	if n := w.emu.Counts().Arrived; n != 4 || w.emu.CountByRecipient(to) != 0 {
		t.Errorf("the provider was called %d times", n)
	}
}

// TestDefaultRetry: where nothing is set the second attempt is due after 5 seconds, and it is not made before.
func TestDefaultRetry(t *testing.T) {
	t.Parallel()
	w := setup(t, func(s *api.Settings) { s.RetryBase = "" })
	w.fault(t, wasender.Fault{Kind: wasender.FaultStatus, Status: 500})
	to, id := w.sendText(t, "five seconds")
	first := w.afterAttempt(t, id, 1)
	checkDue(t, first, 5*time.Second)
	d := w.reaches(t, id, "sent", "delivered", "read")
	if m := w.emu.Messages(queryTo(to)); len(m) != 1 || m[0].TakenAt.Before(*first.DueAt) {
		t.Errorf("taken %+v, due at %v", m, first.DueAt)
	}
	if d.Attempts != 2 {
		t.Errorf("attempts %d", d.Attempts)
	}
}

// TestRetryAfterIsAFloor: a 503 that asks for 2 seconds is not asked again sooner, though the ladder says so.
func TestRetryAfterIsAFloor(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.fault(t, wasender.Fault{Kind: wasender.FaultStatus, Status: 503, RetryAfter: "2"})
	to, id := w.sendText(t, "later")
	first := w.afterAttempt(t, id, 1)
	checkDue(t, first, 2*time.Second)
	w.reaches(t, id, "sent", "delivered", "read")
	if m := w.emu.Messages(queryTo(to)); len(m) != 1 || m[0].TakenAt.Before(*first.DueAt) {
		t.Errorf("taken %+v, due at %v", m, first.DueAt)
	}
	if in := w.paused(t, ""); in.Paused != nil {
		t.Errorf("one message's failure has paused the integration: %+v", in.Paused)
	}
}

// TestProviderUnreachable: nothing listens there; that is no doubt about a message, so it is tried again.
func TestProviderUnreachable(t *testing.T) {
	t.Parallel()
	w := setup(t)
	closed := "http://" + closedPort(t) + "/api"
	settings := func(url string) api.IntegrationPatch {
		return api.IntegrationPatch{Settings: &api.Settings{BaseURL: url}}
	}
	if _, err := w.peal.UpdateIntegration(t.Context(), "wa", settings(closed)); err != nil {
		t.Fatal(err)
	}
	to, id := w.sendText(t, "is anybody there")
	d := w.afterAttempt(t, id, 1)
	if d.ErrorCode != "connection_refused" {
		t.Errorf("error %s %q", d.ErrorCode, d.ErrorReason)
	}
	if _, err := w.peal.UpdateIntegration(t.Context(), "wa", settings(w.emuURL)); err != nil {
		t.Fatal(err)
	}
	w.reaches(t, id, "read")
	if n := w.emu.CountByRecipient(to); n != 1 {
		t.Errorf("the provider took it %d times", n)
	}
}

// closedPort is an address on which nothing listens. Its port stays taken, so that nobody else comes to listen there.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	// A connection from the port keeps it from being given to others after the listener is gone.
	accepted := make(chan net.Conn, 1)
	go func() {
		c, err := l.Accept()
		if err == nil {
			accepted <- c
		}
		close(accepted)
	}()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	held := <-accepted
	t.Cleanup(func() {
		for _, c := range []net.Conn{c, held} {
			if c != nil {
				_ = c.Close()
			}
		}
	})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return l.Addr().String()
}

// TestRefusedByProvider: a 422 is final: failed at once, no second call, and no dead letter, for no repeat would help.
func TestRefusedByProvider(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.fault(t, wasender.Fault{Kind: wasender.FaultStatus, Status: http.StatusUnprocessableEntity,
		Body: `{"success":false,"message":"Validation failed","errors":{"to":["The JID does not exist on WhatsApp."]}}`})
	to, id := w.sendText(t, "nobody")
	d := w.reaches(t, id, "failed")
	if d.DeadLetter || d.Attempts != 1 || d.ErrorCode != "validation" || !strings.Contains(d.ErrorReason, "does not exist on WhatsApp") {
		t.Errorf("dead letter %v, attempts %d, error %s %q", d.DeadLetter, d.Attempts, d.ErrorCode, d.ErrorReason)
	}
	if e := d.Timeline[1]; e.Outcome != "permanent" || e.Status != "failed" {
		t.Errorf("attempt %+v", e)
	}
	_, next := w.sendText(t, "somebody")
	w.reaches(t, next, "read") // the others go on
	if n := w.emu.Counts().Arrived; n != 2 || w.emu.CountByRecipient(to) != 0 {
		t.Errorf("the provider was called %d times", n)
	}
}
