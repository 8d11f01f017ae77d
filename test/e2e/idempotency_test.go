package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"peal/api"
	"peal/client"
)

const post = "/v1/notifications"

// body is a text to a number as JSON.
func body(to, s string) string {
	return fmt.Sprintf(`{"recipient":{"phone":%q},"integration":"wa","content":{"text":%q}}`, to, s)
}

// count tells how many deliveries the log has for a recipient.
func (w *world) count(t *testing.T, to string) int {
	t.Helper()
	page, err := w.peal.DeliveryPage(t.Context(), client.DeliveryQuery{Recipient: to})
	if err != nil {
		t.Fatal(err)
	}
	return len(page.Deliveries)
}

// TestOneKeyAtOnce: a hundred impatient retries of one request are one notification, and all get the same answer.
func TestOneKeyAtOnce(t *testing.T) {
	t.Parallel()
	w := setup(t)
	const n = 100
	to := phone()
	answers := make([]answer, n)
	errs := make([]error, n)
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			answers[i], errs[i] = w.try(context.Background(), http.MethodPost, post, w.key, body(to, "once"), "Idempotency-Key", "order-17")
		})
	}
	close(start)
	wg.Wait()
	replayed := 0
	for i, a := range answers {
		if errs[i] != nil || a.status != http.StatusAccepted || !bytes.Equal(a.body, answers[0].body) {
			t.Fatalf("answer %d: %d %s, %v; the first was %s", i, a.status, a.body, errs[i], answers[0].body)
		}
		switch a.header.Get("Idempotent-Replayed") {
		case "true":
			replayed++
		case "":
		default:
			t.Errorf("header %q", a.header.Get("Idempotent-Replayed"))
		}
	}
	if replayed != n-1 {
		t.Errorf("%d answers are replays, want %d", replayed, n-1)
	}
	var first api.Accepted
	answers[0].decode(t, &first)
	w.reaches(t, first.Deliveries[0].ID, "read")
	if got := w.count(t, to); got != 1 || w.emu.CountByRecipient(to) != 1 {
		t.Errorf("%d deliveries in the log, %d taken by the provider", got, w.emu.CountByRecipient(to))
	}
}

// TestSameKeyOtherBody: a key that comes again with another body is a mistake of the caller's, and is told so.
func TestSameKeyOtherBody(t *testing.T) {
	t.Parallel()
	w := silent(t)
	to := phone()
	send := func(body string) answer { return w.do(t, http.MethodPost, post, w.key, body, "Idempotency-Key", "k") }
	if a := send(body("12345", "one")); a.status != http.StatusUnprocessableEntity { // what is refused uses up no key
		t.Errorf("%d %s", a.status, a.body)
	}
	first := send(body(to, "one"))
	if first.status != http.StatusAccepted {
		t.Fatalf("%d %s", first.status, first.body)
	}
	for _, other := range []string{body(to, "two"), body(phone(), "one"), strings.Replace(body(to, "one"), "{", `{"ttl":"1h",`, 1)} {
		if a := send(other); a.status != http.StatusUnprocessableEntity || a.problem(t).Code != api.CodeIdempotencyConflict {
			t.Errorf("%s: %d %s", other, a.status, a.body)
		}
	}
	// The same body in other words: order of keys, white space, escapes.
	for _, same := range []string{
		fmt.Sprintf("{ \"content\": {\"text\":\"one\"},\n\t\"recipient\":{\"phone\":%q}, \"integration\" : \"wa\"}", to),
		fmt.Sprintf(`{"recipient":{"phone":%q},"integration":"wa","content":{"text":"\u006fne"}}`, to),
	} {
		a := send(same)
		if a.status != http.StatusAccepted || !bytes.Equal(a.body, first.body) || a.header.Get("Idempotent-Replayed") != "true" {
			t.Errorf("%s: %d %s", same, a.status, a.body)
		}
	}
	if n := w.count(t, to); n != 1 {
		t.Errorf("%d deliveries in the log", n)
	}
}

// TestKeysOfABatch: every item has its own key; one that stands twice is one notification, also across requests.
func TestKeysOfABatch(t *testing.T) {
	t.Parallel()
	w := silent(t)
	to := phone()
	item := func(s, key string) api.NotificationRequest {
		r := text(to, s)
		r.IdempotencyKey = key
		return r
	}
	res, err := w.peal.SendBatch(t.Context(), []api.NotificationRequest{
		item("a", "k1"), item("b", "k2"), item("a", "k1"), item("other", "k1"), item("c", ""), item("c", ""),
	})
	if err != nil || res.Accepted != 5 || res.Refused != 1 {
		t.Fatalf("%+v, %v", res, err)
	}
	r := res.Results
	if !r[2].Replayed || r[2].Notification.ID != r[0].Notification.ID || r[0].Replayed || r[1].Replayed {
		t.Errorf("the same key twice: %+v and %+v", r[0], r[2])
	}
	if r[3].Status != 422 || r[3].Error.Code != api.CodeIdempotencyConflict {
		t.Errorf("the same key with another body: %+v", r[3])
	}
	if r[4].Notification.ID == r[5].Notification.ID {
		t.Error("two items without a key are one notification")
	}
	// A single request with an item's key and body is that item.
	sent, err := w.peal.Send(t.Context(), item("b", "k2"))
	if err != nil || !sent.Replayed || sent.ID != r[1].Notification.ID {
		t.Errorf("a batch item's key again: %+v, %v", sent, err)
	}
	if n := w.count(t, to); n != 4 {
		t.Errorf("%d deliveries in the log, want 4", n)
	}
}

// TestKeyFromEvent: a caller who names the event needs no key: the same event for the same person is told once.
func TestKeyFromEvent(t *testing.T) {
	t.Parallel()
	w := silent(t)
	to := phone()
	at := time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC)
	send := func(to, event string, at time.Time) *client.Sent {
		t.Helper()
		req := text(to, "shipped")
		req.Event = &api.EventRef{Type: event, OccurredAt: at}
		sent, err := w.peal.Send(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		return sent
	}
	first := send(to, "order.shipped", at)
	if again := send(to, "order.shipped", at); !again.Replayed || again.ID != first.ID {
		t.Errorf("the same event: %+v, want %s again", again, first.ID)
	}
	for name, other := range map[string]*client.Sent{
		"another time":   send(to, "order.shipped", at.Add(time.Second)),
		"another event":  send(to, "order.paid", at),
		"another person": send(phone(), "order.shipped", at),
	} {
		if other.Replayed || other.ID == first.ID {
			t.Errorf("%s: %+v", name, other)
		}
	}
	n, err := w.peal.Notification(t.Context(), first.ID)
	if err != nil || n.Event == nil || n.Event.Type != "order.shipped" || !n.Event.OccurredAt.Equal(at) {
		t.Errorf("the notification's event is %+v, %v", n.Event, err)
	}
}

// TestKeyOfTwoTenants: tenants do not share keys.
func TestKeyOfTwoTenants(t *testing.T) {
	t.Parallel()
	w := silent(t)
	other := w.newTenant(t, "other")
	to := phone()
	a := w.do(t, http.MethodPost, post, w.key, body(to, "hi"), "Idempotency-Key", "k")
	b := w.do(t, http.MethodPost, post, other.key, body(to, "hi"), "Idempotency-Key", "k")
	if a.status != 202 || b.status != 202 || bytes.Equal(a.body, b.body) || b.header.Get("Idempotent-Replayed") != "" {
		t.Errorf("%d %s and %d %s", a.status, a.body, b.status, b.body)
	}
}

// TestKeySurvivesRestart: a caller whose answer was lost with the server gets it after the restart.
func TestKeySurvivesRestart(t *testing.T) {
	t.Parallel()
	w := silent(t)
	to := phone()
	first := w.do(t, http.MethodPost, post, w.key, body(to, "hi"), "Idempotency-Key", "k")
	w.restart(t)
	again := w.do(t, http.MethodPost, post, w.key, body(to, "hi"), "Idempotency-Key", "k")
	if again.header.Get("Idempotent-Replayed") != "true" || !bytes.Equal(first.body, again.body) {
		t.Errorf("%d %s, before the restart %s", again.status, again.body, first.body)
	}
}

// TestBadKeys: a key that no header could carry back is refused, with its place.
func TestBadKeys(t *testing.T) {
	t.Parallel()
	w := silent(t)
	for _, key := range []string{strings.Repeat("k", 256), "two words", "gr\u00fc\u00df"} {
		a := w.do(t, http.MethodPost, post, w.key, body(phone(), "hi"), "Idempotency-Key", key)
		if p := a.problem(t); a.status != 422 || len(p.Errors) != 1 || p.Errors[0].Path != "idempotency_key" {
			t.Errorf("key %.20q: %d %s", key, a.status, a.body)
		}
	}
}
