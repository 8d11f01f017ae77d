package e2e_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"peal/api"
	"peal/client"
	"peal/internal/config"
)

func upTo(n int) *int { return &n }

// limit gives the tenant limits of its own.
func (w *world) limit(t *testing.T, l api.Limits) {
	t.Helper()
	tn, err := w.operator(t).UpdateTenant(t.Context(), w.tenant, api.TenantPatch{Limits: &l})
	if err != nil {
		t.Fatal(err)
	}
	if (l.Rate != nil || l.Queued != nil) && (tn.Limits == nil || fmt.Sprint(deref(tn.Limits.Rate), deref(tn.Limits.Queued)) != fmt.Sprint(deref(l.Rate), deref(l.Queued))) {
		t.Errorf("its limits are %+v", tn.Limits)
	}
}

func deref(n *int) string {
	if n == nil {
		return "none"
	}
	return strconv.Itoa(*n)
}

// over fails the test unless the answer is the problem of a limit, with all that a caller needs to know.
func over(t *testing.T, a answer, code string) {
	t.Helper()
	if a.status != http.StatusTooManyRequests || a.problem(t).Code != code {
		t.Errorf("%d %s, want %s", a.status, a.body, code)
	}
	if s, err := strconv.Atoi(a.header.Get("Retry-After")); err != nil || s < 1 {
		t.Errorf("Retry-After is %q", a.header.Get("Retry-After"))
	}
}

// TestTheRateOfATenant: what is over it is refused, by item in a batch, and told so; a repeat is answered all the same, and
// other tenants are not concerned.
func TestTheRateOfATenant(t *testing.T) {
	t.Parallel()
	w := silent(t)
	if a := w.do(t, "POST", post, w.key, body(phone(), "x")); a.status != 202 || a.header.Get("RateLimit-Limit") != "" {
		t.Errorf("without a rate: %d, %v", a.status, a.header)
	}
	w.limit(t, api.Limits{Rate: upTo(1)})
	to := phone()
	first := w.do(t, "POST", post, w.key, body(to, "first"), "Idempotency-Key", "k")
	for name, want := range map[string]string{
		"RateLimit-Limit": "1", "RateLimit-Remaining": "0", "RateLimit-Reset": "1",
	} {
		if got := first.header.Get(name); first.status != 202 || got != want {
			t.Errorf("%d, %s is %q, want %q", first.status, name, got, want)
		}
	}
	policy, left := first.header.Get("RateLimit-Policy"), first.header.Get("RateLimit")
	if !strings.HasPrefix(policy, `"rate";q=1;w=1`) || !strings.HasPrefix(left, `"rate";r=0;t=1`) {
		t.Errorf("policy %s, left %s", policy, left)
	}
	refused := 0
	for i := range 20 { // however slow the machine, not all of them are a second apart
		a := w.do(t, "POST", post, w.key, body(phone(), "more"), "Idempotency-Key", "k2-"+strconv.Itoa(i))
		if a.status != 202 {
			refused++
			over(t, a, api.CodeRateLimited)
		}
		again := w.do(t, "POST", post, w.key, body(to, "first"), "Idempotency-Key", "k")
		if again.status != 202 || string(again.body) != string(first.body) || again.header.Get("Idempotent-Replayed") != "true" {
			t.Errorf("the repeat is answered %d %s", again.status, again.body)
		}
	}
	if refused == 0 {
		t.Error("nothing was refused")
	}
	if a := w.do(t, "POST", post, w.key, body(to, "another"), "Idempotency-Key", "k"); a.status != 422 && a.status != 429 {
		t.Errorf("another body under the key is answered %d", a.status)
	}

	var items []string
	for range 10 {
		items = append(items, body(phone(), "in a batch"))
	}
	a := w.do(t, "POST", post+"/batch", w.key, `{"notifications":[`+strings.Join(items, ",")+`]}`)
	var res api.BatchResponse
	a.decode(t, &res)
	if a.status != 202 || res.Refused < 8 || a.header.Get("Retry-After") == "" {
		t.Errorf("the batch: %d, %d refused, Retry-After %q", a.status, res.Refused, a.header.Get("Retry-After"))
	}
	for _, r := range res.Results {
		if r.Error != nil && (r.Status != 429 || r.Error.Code != api.CodeRateLimited) {
			t.Errorf("%+v", r.Error)
		}
	}

	o := w.newTenant(t, "other")
	for range 5 {
		if a := w.do(t, "GET", "/v1/deliveries", o.key, ""); a.status != 200 {
			t.Errorf("another tenant is answered %d", a.status)
		}
	}
	w.limit(t, api.Limits{})
	for range 5 {
		if a := w.do(t, "POST", post, w.key, body(phone(), "free")); a.status != 202 {
			t.Errorf("without a rate again: %d %s", a.status, a.body)
		}
	}
	// A client that may try again waits as long as it is told.
	w.limit(t, api.Limits{Rate: upTo(2)})
	patient := w.as(t, w.key, client.WithRetries(10))
	for range 5 {
		if _, err := patient.Send(t.Context(), text(phone(), "patient")); err != nil {
			t.Error(err)
		}
	}
}

// TestTheQueueOfATenant: when it is full nothing more is taken, until something has gone out.
func TestTheQueueOfATenant(t *testing.T) {
	t.Parallel()
	w := setupWith(t, wasenderDefault(), func(c *config.Config) { c.TenantMaxQueued = 5 })
	w.pause(t)
	ids := w.sendMany(t, 4)
	a := w.do(t, "POST", post, w.key, body(phone(), "fifth"))
	if left := a.header.Get("RateLimit"); a.status != 202 || left != `"queued";r=0` || a.header.Get("RateLimit-Policy") != `"queued";q=5` {
		t.Errorf("%d %s; left %q", a.status, a.body, left)
	}
	over(t, w.do(t, "POST", post, w.key, body(phone(), "sixth")), api.CodeQuotaExceeded)
	w.resume(t)
	w.allOnce(t, ids)
	eventually(t, "there is room again", func() error {
		a, err := w.try(t.Context(), "POST", post, w.key, body(phone(), "again"))
		if err != nil {
			return err
		}
		return want("status", a.status, 202)
	})
}

// TestTheEstimate: an answer tells how many stand before it and when it goes out, urgent ones have fewer before them, a
// repeat gives the first estimate again, and a look at it later a newer one.
func TestTheEstimate(t *testing.T) {
	t.Parallel()
	w := silent(t, func(s *api.Settings) { s.Limit = &api.Limit{Rate: 10, Period: "1m", Burst: 1} })
	w.pause(t)
	w.sendMany(t, 50)
	estimate := func(priority, key string) (api.Accepted, answer) {
		t.Helper()
		said := strings.Replace(body("+919812345678", "x"), "{", `{"priority":"`+priority+`",`, 1)
		a := w.do(t, "POST", post, w.key, said, "Idempotency-Key", key)
		var acc api.Accepted
		a.decode(t, &acc)
		if a.status != 202 || acc.Queue == nil {
			t.Fatalf("%d %s", a.status, a.body)
		}
		return acc, a
	}
	if e, _ := estimate("normal", "paused"); e.Queue.Ahead < 50 || e.Queue.Ahead > 52 || e.Queue.ETA != nil {
		t.Errorf("paused: %+v; it goes out when nobody knows", e.Queue)
	}
	w.resume(t)
	normal, first := estimate("normal", "n")
	urgent, _ := estimate("critical", "c")
	bulk, _ := estimate("bulk", "b")
	for _, e := range []struct {
		name          string
		of            api.Accepted
		least, most   int64
		soonest, last time.Duration
	}{
		{"normal", normal, 40, 53, 4 * time.Minute, 6 * time.Minute},
		{"urgent", urgent, 0, 1, -time.Minute, 10 * time.Second},
		{"bulk", bulk, 40, 55, 4 * time.Minute, 6 * time.Minute},
	} {
		q := e.of.Queue
		if q.Ahead < e.least || q.Ahead > e.most || q.ETA == nil || q.ETA.Sub(e.of.CreatedAt) < e.soonest || q.ETA.Sub(e.of.CreatedAt) > e.last {
			t.Errorf("%s: %+v", e.name, q)
		}
	}
	_, again := estimate("normal", "n")
	if string(again.body) != string(first.body) || again.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("the repeat is answered %s, first it was %s", again.body, first.body)
	}
	later := w.sendMany(t, 20)
	n, err := w.peal.Notification(t.Context(), normal.ID)
	if err != nil || n.Queue == nil || n.Queue.Ahead > normal.Queue.Ahead+15 || n.Queue.ETA == nil {
		t.Errorf("looked at later: %+v, %v; most of the 20 that came after it do not stand before it", n.Queue, err)
	}
	for _, id := range later {
		d := w.delivery(t, id)
		n, err := w.peal.Notification(t.Context(), d.NotificationID)
		if err != nil || n.Queue == nil || n.Queue.Ahead < 40 {
			t.Errorf("one that came last: %+v, %v", n.Queue, err)
		}
		break
	}
	at := time.Now().Add(24 * time.Hour).Truncate(time.Second)
	sent, err := w.peal.Send(t.Context(), api.NotificationRequest{
		Recipient: api.Recipient{Phone: phone()}, Content: text(phone(), "x").Content, SendAt: &at,
	})
	if err != nil || sent.Queue == nil || sent.Queue.ETA == nil || sent.Queue.ETA.Before(at) {
		t.Errorf("for later: %+v, %v", sent, err)
	}
}
