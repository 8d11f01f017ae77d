package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"peal/api"
	"peal/client"
)

// TestLogSearch: support asks by number, by the provider's id in either form, by notification, status and time.
func TestLogSearch(t *testing.T) {
	t.Parallel()
	w := setup(t, oneAttempt)
	to, id := w.sendText(t, "where is it")
	d := w.reaches(t, id, "read")
	w.dead(t, 1, 503)
	past := time.Now().Add(-time.Hour)
	for name, tt := range map[string]struct {
		q client.DeliveryQuery
		n int
	}{
		"recipient":           {client.DeliveryQuery{Recipient: to}, 1},
		"message id":          {client.DeliveryQuery{MessageID: d.MessageID}, 1},
		"message key":         {client.DeliveryQuery{MessageID: d.MessageKey}, 1},
		"notification":        {client.DeliveryQuery{NotificationID: d.NotificationID}, 1},
		"status":              {client.DeliveryQuery{Status: "read"}, 1},
		"failed":              {client.DeliveryQuery{Status: "failed", Integration: "wa", Channel: "whatsapp"}, 1},
		"since":               {client.DeliveryQuery{Since: past}, 2},
		"until":               {client.DeliveryQuery{Until: past}, 0},
		"contradiction":       {client.DeliveryQuery{Recipient: to, Status: "failed"}, 0},
		"unknown integration": {client.DeliveryQuery{Integration: "nope"}, 0},
		"all":                 {client.DeliveryQuery{}, 2},
	} {
		var got []api.Delivery
		tt.q.Limit = 1
		for d, err := range w.peal.Deliveries(t.Context(), tt.q) {
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			got = append(got, d)
		}
		if len(got) != tt.n || tt.n == 1 && name != "failed" && got[0].ID != id {
			t.Errorf("by %s: %d found, want %d", name, len(got), tt.n)
		}
	}
	for _, bad := range []string{"limit=0", "limit=501", "cursor=x", "status=lost", "since=yesterday", "color=red"} {
		if a := w.do(t, "GET", "/v1/deliveries?"+bad, w.key, ""); a.status != 422 || a.problem(t).Code != api.CodeInvalidRequest {
			t.Errorf("%s: %d %s", bad, a.status, a.body)
		}
	}
	since := w.do(t, "GET", "/v1/deliveries?since=yesterday", w.key, "").problem(t)
	if got := fmt.Sprint(since.Errors); !strings.Contains(got, "2026-07-20T09:30:00Z") {
		t.Errorf("it does not say how to write a time: %s", got)
	}
	// A plus that was not escaped is a space by the rules of forms; it is understood.
	var page api.DeliveryPage
	w.do(t, "GET", "/v1/deliveries?recipient="+to, w.key, "").decode(t, &page)
	if len(page.Deliveries) != 1 {
		t.Errorf("with a bare plus: %d found", len(page.Deliveries))
	}
}

// TestPagingWhileWriting: whoever walks the log while more comes in sees every row of before once, newest first.
func TestPagingWhileWriting(t *testing.T) {
	t.Parallel()
	w := silent(t)
	ids := values(w.sendMany(t, 30))
	seen := map[string]int{}
	last := ""
	for d, err := range w.peal.Deliveries(t.Context(), client.DeliveryQuery{Limit: 7}) {
		if err != nil {
			t.Fatal(err)
		}
		if last != "" && d.ID >= last {
			t.Errorf("%s comes after %s", d.ID, last)
		}
		last = d.ID
		seen[d.ID]++
		w.sendText(t, "meanwhile")
	}
	for _, id := range ids {
		if seen[id] != 1 {
			t.Errorf("%s was seen %d times", id, seen[id])
		}
	}
	if len(seen) != len(ids) {
		t.Errorf("%d rows seen, want %d", len(seen), len(ids))
	}
}
