package webpush_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"peal/emulator/webpush"
)

func TestWhatWaits(t *testing.T) {
	t.Parallel()
	b := setup(t, webpush.Options{})
	sub := b.subscribe()
	online := func(v bool) {
		t.Helper()
		if err := b.emu.SetOnline(sub.Endpoint, v); err != nil {
			t.Fatal(err)
		}
	}
	online(false)
	b.push(sub, "now or never", 201, set("TTL", "0"))
	b.push(sub, "old", 201, set("Topic", "news"))
	b.push(sub, "short", 201, set("TTL", "5"))
	b.push(sub, "new", 201, set("Topic", "news"))
	b.push(sub, "kept", 201)
	cancelled := b.push(sub, "cancelled", 201)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, cancelled.header.Get("Location"), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, status := range []int{204, 404} {
		if a, err := b.do(req); err != nil || a.status != status {
			t.Errorf("delete: %+v %v, want %d", a, err, status)
		}
	}
	req.Method = http.MethodGet
	if a, err := b.do(req); err != nil || a.status != 405 {
		t.Errorf("get: %+v %v", a, err)
	}
	if list := b.emu.Subscriptions(0); list[0].Online || list[0].Waiting != 3 || len(b.seen()) != 0 {
		t.Errorf("%+v", list)
	}
	b.pass(10 * time.Second)
	online(true)
	var texts []string
	for _, s := range b.seen() {
		texts = append(texts, s.Body)
		if !s.At.Equal(b.now) {
			t.Error("shown before the browser was back")
		}
	}
	if got := strings.Join(texts, ","); got != "new,kept" {
		t.Errorf("shown: %s", got)
	}
	states := map[string]webpush.State{}
	for _, m := range b.emu.Messages(webpush.Query{}) {
		states[m.Text] = m.State
	}
	want := map[string]webpush.State{"now or never": "lost", "old": "replaced", "short": "expired", "new": "shown", "kept": "shown", "cancelled": "cancelled"}
	if fmt.Sprint(states) != fmt.Sprint(want) {
		t.Errorf("%v", states)
	}
	online(false)
	b.push(sub, "never", 201)
	if err := b.emu.Unsubscribe(sub.Endpoint); err != nil {
		t.Fatal(err)
	}
	if c, err := b.emu.CountsOf(sub.Endpoint); err != nil || c.Replaced != 1 || c.Expired != 1 || c.Lost != 2 || c.Shown != 2 {
		t.Errorf("%+v %v", c, err)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	b := setup(t, webpush.Options{Keep: 3, MaxWaiting: 2})
	sub := b.subscribe()
	first := b.push(sub, "0", 201)
	for i := range 5 {
		b.push(sub, fmt.Sprint(i+1), 201)
	}
	m := b.emu.Messages(webpush.Query{})
	if len(m) != 3 || m[0].Text != "5" || m[2].Text != "3" {
		t.Errorf("%+v", m)
	}
	_, id, _ := strings.Cut(first.header.Get("Location"), "/message/")
	if _, err := b.emu.Message(id); err == nil {
		t.Error("the first is still kept")
	}
	if err := b.emu.SetOnline(sub.Endpoint, false); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		b.push(sub, "x", 201)
	}
	if list := b.emu.Subscriptions(1); list[0].Waiting != 2 || list[0].Counts.Lost != 3 {
		t.Errorf("%+v", list)
	}
}

func TestControlRoutes(t *testing.T) {
	t.Parallel()
	b := setup(t, webpush.Options{})
	a := b.control("POST", "subscriptions", `{"vapid_public_key":"`+public(b.key)+`","count":2,"platform":"linux","lifetime":"1h"}`, 200)
	list := a.json["subscriptions"].([]any)
	endpoint := list[0].(map[string]any)["endpoint"].(string)
	keys := list[0].(map[string]any)["keys"].(map[string]any)
	sub := webpush.Subscription{Endpoint: endpoint, Keys: webpush.Keys{P256dh: keys["p256dh"].(string), Auth: keys["auth"].(string)}}
	if len(list) != 2 {
		t.Fatal(a.body)
	}
	b.control("POST", "faults", `{"kind":"status","status":429,"retry_after_in":"1m","endpoint":"`+endpoint+`"}`, 200)
	a = b.control("GET", "faults", "", 200)
	if !strings.Contains(a.body, `"retry_after_in":"1m0s"`) || !strings.Contains(a.body, `"times":1`) {
		t.Error(a.body)
	}
	b.push(sub, "x", 429)
	b.push(sub, "hello", 201)
	a = b.control("GET", "messages?contains=ell&limit=5", "", 200)
	m := a.json["messages"].([]any)[0].(map[string]any)
	if m["text"] != "hello" || m["shown"].(map[string]any)["platform"] != "linux" {
		t.Error(a.body)
	}
	b.control("GET", "messages/"+m["id"].(string), "", 200)
	if a = b.control("GET", "counts", "", 200); a.json["accepted"] != 1.0 || a.json["subscriptions"] != 2.0 || a.json["faulted"] != 1.0 {
		t.Error(a.body)
	}
	if a = b.control("GET", "counts?endpoint="+endpoint, "", 200); a.json["shown"] != 1.0 {
		t.Error(a.body)
	}
	b.control("PUT", "subscriptions", `{"endpoint":"`+endpoint+`","online":false,"gone":410}`, 200)
	if a = b.control("GET", "subscriptions?limit=1", "", 200); !strings.Contains(a.body, `"gone":410`) || !strings.Contains(a.body, `"online":false`) {
		t.Error(a.body)
	}
	b.control("PUT", "latency", `{"latency":"1ms"}`, 200)
	b.control("POST", "faults", `{"kind":"hold"}`, 200)
	b.control("DELETE", "faults/2", "", 200)
	b.control("DELETE", "faults", "", 200)
	b.control("GET", "health", "", 200)
	b.control("POST", "reset", "", 200)
	if a = b.control("GET", "counts", "", 200); a.json["arrived"] != 0.0 || a.json["subscriptions"] != 0.0 {
		t.Error(a.body)
	}
}

func TestControlErrors(t *testing.T) {
	t.Parallel()
	b := setup(t, webpush.Options{})
	for _, tc := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "nothing", "", 404, "no such control route"},
		{"GET", "messages/", "", 404, "no such control route"},
		{"GET", "messages/7", "", 404, "not found"},
		{"GET", "messages?recipient=x", "", 400, `unknown parameter "recipient"`},
		{"GET", "messages?limit=0", "", 400, "limit"},
		{"GET", "counts?endpoint=x", "", 404, "endpoint"},
		{"POST", "faults", "", 400, "empty"},
		{"POST", "faults", `{"kind":"status","code":500}`, 400, "code"},
		{"POST", "faults", `{"kind":"status","status":500}{}`, 400, "more than one"},
		{"POST", "faults", `{"kind":"delay","delay":5}`, 400, "duration"},
		{"POST", "faults", `{"kind":"delay","delay":"5 min"}`, 400, "duration"},
		{"POST", "faults", `{"kind":"hold","id":4}`, 400, "given by the emulator"},
		{"DELETE", "faults/4", "", 404, "not found"},
		{"DELETE", "faults/x", "", 404, "not found"},
		{"POST", "subscriptions", `{}`, 400, "vapid_public_key"},
		{"POST", "subscriptions", `{"ntfy":true,"count":100001}`, 400, "count"},
		{"POST", "subscriptions", `{"ntfy":true,"lifetime":"-1s"}`, 400, "lifetime"},
		{"PUT", "subscriptions", `{"endpoint":"x"}`, 400, "online, gone"},
		{"PUT", "subscriptions", `{"endpoint":"x","gone":410}`, 404, "endpoint"},
		{"PUT", "subscriptions", `{"endpoint":"x","gone":500}`, 400, "gone"},
		{"PUT", "latency", `{"latency":"-1s"}`, 400, "latency"},
		{"POST", "faults", `{"kind":"` + strings.Repeat("x", 1<<20) + `"}`, 413, "too large"},
	} {
		a := b.control(tc.method, tc.path, tc.body, tc.status)
		if text, _ := a.json["error"].(string); !strings.Contains(text, tc.want) {
			t.Errorf("%s %s: %s, want %q", tc.method, tc.path, a.body, tc.want)
		}
	}
}

func TestControlAdoptsTheOrigin(t *testing.T) {
	t.Parallel()
	b := setup(t, webpush.Options{})
	fresh := webpush.New(webpush.Options{})
	b.emu = fresh
	srv := newServer(t, fresh)
	b.url = srv
	a := b.control("POST", "subscriptions", `{"ntfy":true}`, 200)
	if !strings.Contains(a.body, `"endpoint":"`+srv+`/up`) {
		t.Error(a.body)
	}
}
