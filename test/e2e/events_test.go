package e2e_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"peal/api"
	"peal/client"
	"peal/emulator/wasender"
)

// followed are the events that a reader has got.
type followed struct {
	mu     sync.Mutex
	of     map[string][]string // types, by delivery or integration
	ids    map[string]int
	resets int
	last   string
}

// follow reads a tenant's events until the test ends.
func follow(t *testing.T, c *client.Client, q client.EventQuery) *followed {
	t.Helper()
	f := &followed{of: map[string][]string{}, ids: map[string]int{}}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for e, err := range c.Events(ctx, q) {
			f.mu.Lock()
			switch {
			case err != nil && ctx.Err() == nil:
				t.Errorf("following ended: %v", err)
			case e.Reset:
				f.resets++
			case err == nil:
				var of struct {
					Delivery    string `json:"delivery_id"`
					Integration string `json:"integration_id"`
				}
				if err := json.Unmarshal(e.Data, &of); err != nil {
					t.Errorf("the data of %s: %v", e.ID, err)
				}
				about := of.Delivery
				if about == "" {
					about = of.Integration
				}
				f.of[about] = append(f.of[about], strings.TrimPrefix(e.Type, "delivery."))
				f.ids[e.ID]++
				f.last = e.Position
			}
			f.mu.Unlock()
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	return f
}

// told waits until just this was told of something.
func (f *followed) told(t *testing.T, about, types string) {
	t.Helper()
	eventually(t, "it is told: "+types, func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		return want("told of "+about, strings.Join(f.of[about], " "), types)
	})
}

// TestEvents: a reader follows what happens, each thing once and in order, over restarts of Peal; others see nothing of it.
func TestEvents(t *testing.T) {
	t.Parallel()
	w := silent(t)
	evil := w.newTenant(t, "evil")
	others := follow(t, evil.peal, client.EventQuery{After: client.FirstEvent})
	all := follow(t, w.peal, client.EventQuery{After: client.FirstEvent})
	skips := follow(t, w.peal, client.EventQuery{After: client.FirstEvent, Types: []string{"delivery.canceled", "integration.*"}})
	begun(t, w, w.key)
	begun(t, w, evil.key)

	_, first := w.sendText(t, "one")
	all.told(t, first, "queued sent")
	key := w.keyed(t, first)
	for _, status := range []int{wasender.StatusDelivered, wasender.StatusDelivered, wasender.StatusSent, wasender.StatusRead, wasender.StatusRead} {
		if a := w.do(t, "POST", w.hook(), "", update(key, status), "X-Webhook-Signature", wasender.DefaultWebhookSecret); a.status != http.StatusOK {
			t.Fatalf("webhook: %d %s", a.status, a.body)
		}
		if status == wasender.StatusDelivered {
			all.told(t, first, "queued sent delivered")
		}
	}
	all.told(t, first, "queued sent delivered read")

	w.pause(t)
	in := w.integration.ID
	all.told(t, in, "integration.paused")
	waiting, second := w.send(t, text(phone(), "two"))
	if _, err := w.peal.CancelNotification(t.Context(), waiting); err != nil {
		t.Fatal(err)
	}
	_, third := w.send(t, text(phone(), "three"))
	w.restart(t)
	w.resume(t)
	all.told(t, in, "integration.paused integration.resumed")
	all.told(t, third, "queued sent")
	all.told(t, second, "queued canceled")
	skips.told(t, second, "canceled")
	skips.told(t, in, "integration.paused integration.resumed")

	all.mu.Lock()
	defer all.mu.Unlock()
	for id, n := range all.ids {
		if n != 1 {
			t.Errorf("event %s was told %d times", id, n)
		}
	}
	if all.resets > 0 {
		t.Error("a reset was told")
	}
	page, err := w.peal.EventPage(t.Context(), client.EventQuery{After: client.FirstEvent, Delivery: first})
	if err != nil || len(page.Events) != 4 || page.Next == "" || page.Reset {
		t.Errorf("the page of one delivery is %+v, %v", page, err)
	}
	rest, err := w.peal.EventPage(t.Context(), client.EventQuery{After: all.last})
	if err != nil || len(rest.Events) > 0 {
		t.Errorf("after the last there is %+v, %v", rest, err)
	}
	others.mu.Lock()
	defer others.mu.Unlock()
	if len(others.ids) > 0 {
		t.Errorf("another tenant was told of %v", others.of)
	}
}

// TestEventsOfAllNodes: a reader is told on one node of what happens on another.
func TestEventsOfAllNodes(t *testing.T) {
	t.Parallel()
	onlyLarge(t)
	w := silent(t)
	other := w.another(t)
	begun(t, w, w.key)
	told := follow(t, other.peal, client.EventQuery{After: client.FirstEvent})
	_, id := w.sendText(t, "one")
	told.told(t, id, "queued sent")
}

// begun makes sure that a tenant's log has begun: a reader of its own may be on its way still.
func begun(t *testing.T, w *world, key string) {
	t.Helper()
	if a := w.do(t, "GET", "/v1/events", key, ""); a.status != http.StatusOK {
		t.Fatalf("events: %d %s", a.status, a.body)
	}
}

// TestEventStream: what goes over the wire is as browsers and proxies want it; a place that is not known begins anew, and
// says so; bad requests are refused.
func TestEventStream(t *testing.T) {
	t.Parallel()
	w := setup(t)
	begun(t, w, w.key)
	_, id := w.sendText(t, "hello")
	w.reaches(t, id, "read")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/v1/events?type=delivery.read", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+w.key)
	req.Header.Set("Accept", "text/event-stream")
	req.Header.Set("Last-Event-ID", "zzzzzzzz")
	res, err := w.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // a test's
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/event-stream" || res.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %v", res.StatusCode, res.Header)
	}
	var got []string
	for lines := bufio.NewScanner(res.Body); len(got) < 7 && lines.Scan(); {
		got = append(got, lines.Text())
	}
	if len(got) < 7 || got[0] != "retry: 1000" || got[1] != "id: 0" || got[2] != "event: reset" || !strings.HasPrefix(got[3], "data: {") ||
		got[4] != "" || !strings.HasPrefix(got[5], "id: ") || got[6] != "event: delivery.read" {
		t.Errorf("the stream began with %q", got)
	}
	for _, path := range []string{"after=-", "type=delivery.sending", "since=yesterday", "limit=0", "colour=red"} {
		a := w.do(t, "GET", "/v1/events?"+path, w.key, "")
		if a.status != http.StatusUnprocessableEntity || a.problem(t).Code != api.CodeInvalidRequest || !strings.Contains(string(a.body), strings.Split(path, "=")[0]) {
			t.Errorf("%s: %s", path, fmt.Sprint(a.status, " ", string(a.body)))
		}
	}
}
