package wasender_test

import (
	"strings"
	"testing"
	"time"

	"peal/emulator/wasender"
)

func TestControlMessagesAndCounts(t *testing.T) {
	t.Parallel()
	b := setup(t, wasender.Options{})
	for _, text := range []string{"apple", "pear", "apple pie"} {
		b.text(text)
	}
	b.send(`{"to":"+4900000001","text":"apple"}`, 200)
	b.send(`{}`, 422)

	a := b.control("GET", "messages?to=%2B4915112345678&contains=apple", "", 200)
	list, _ := a.json["messages"].([]any)
	if len(list) != 2 || at(list, 0, "text") != "apple pie" || at(list, 1, "body", "text") != "apple" {
		t.Errorf("messages %s", a.body)
	}
	if a = b.control("GET", "messages?limit=1&session=1", "", 200); len(at(a.json, "messages").([]any)) != 1 {
		t.Errorf("limit %s", a.body)
	}
	if a = b.control("GET", "messages?session=2", "", 200); len(at(a.json, "messages").([]any)) != 0 {
		t.Errorf("session %s", a.body)
	}
	if a = b.control("GET", "messages/100001", "", 200); a.json["text"] != "pear" || a.json["msg_id"] != float64(100001) {
		t.Errorf("message %s", a.body)
	}
	a = b.control("GET", "counts?contains=apple&window=1h", "", 200)
	for field, want := range map[string]float64{
		"accepted": 4, "arrived": 5, "invalid": 1, "kept": 4, "matching": 3, "max_in_window": 4, "max_arrived_in_window": 5,
	} {
		if a.json[field] != want {
			t.Errorf("%s = %v, want %v", field, a.json[field], want)
		}
	}
	if at(a.json, "by_status", "422") != float64(1) || at(a.json, "sessions", "1", "accepted") != float64(4) {
		t.Errorf("counts %s", a.body)
	}
	if a = b.control("GET", "counts", "", 200); a.json["matching"] != nil || a.json["max_in_window"] != nil {
		t.Errorf("plain counts %s", a.body)
	}
}

func TestControlErrors(t *testing.T) {
	t.Parallel()
	b := setup(t, wasender.Options{MaxBody: 2000})
	for _, tc := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "nothing", "", 404, "no such control route"},
		{"PATCH", "faults", "", 404, "no such control route"},
		{"GET", "messages?recipient=x", "", 400, `unknown parameter "recipient"`},
		{"GET", "messages?limit=0", "", 400, "limit"},
		{"GET", "messages?session=x", "", 400, "session"},
		{"GET", "messages/7", "", 404, "not found"},
		{"GET", "counts?window=soon", "", 400, "window"},
		{"GET", "counts?session=9&window=1s", "", 404, "session 9"},
		{"GET", "idle?timeout=never", "", 400, "timeout"},
		{"POST", "faults", "", 400, "empty"},
		{"POST", "faults", `{"kind":"status","code":500}`, 400, "code"},
		{"POST", "faults", `{"kind":"status","status":500}{}`, 400, "more than one"},
		{"POST", "faults", `{"kind":"status"}`, 400, "status: must be"},
		{"POST", "faults", `{"kind":"delay","delay":5}`, 400, "duration"},
		{"POST", "faults", `{"kind":"delay","delay":"5 min"}`, 400, "duration"},
		{"POST", "faults", `{"kind":"empty","id":4}`, 400, "given by the emulator"},
		{"DELETE", "faults/4", "", 404, "not found"},
		{"PUT", "script", `{"steps":[{"status":9}]}`, 400, "steps[0].status"},
		{"PUT", "script", `{"steps":[{"state":1}]}`, 400, "state"},
		{"GET", "script?for=x", "", 400, "unknown parameter"},
		{"PUT", "sessions/1", `{"state":"tired"}`, 400, "state"},
		{"PUT", "sessions/1", `{"id":2}`, 400, "id"},
		{"PUT", "sessions/1", `{"limits":{}}`, 400, "limits"},
		{"PUT", "sessions/1", `{"limit":{"requests":0,"period":"1s"}}`, 400, "limit.requests"},
		{"PUT", "sessions/9", `{}`, 404, "not found"},
		{"GET", "sessions/9", "", 404, "not found"},
		{"POST", "sessions", `{"id":1}`, 400, "exists"},
		{"POST", "sessions", `{"api_key":"wasender-key-1"}`, 400, "api_key"},
		{"POST", "inbound", `{"from":"x"}`, 400, "from"},
		{"POST", "inbound", `{"from":"` + phone + `","kind":"x"}`, 400, "kind"},
		{"POST", "webhook", `{"session":1}`, 400, "body"},
		{"POST", "messages/7/status", `{"status":2}`, 404, "not found"},
		{"POST", "messages/7/status", `{}`, 400, "status"},
		{"POST", "faults", `{"kind":"` + strings.Repeat("x", 2000) + `"}`, 413, "too large"},
	} {
		a := b.control(tc.method, tc.path, tc.body, tc.status)
		if text, _ := a.json["error"].(string); !strings.Contains(text, tc.want) {
			t.Errorf("%s %s %s: %s, want %q", tc.method, tc.path, tc.body, a.body, tc.want)
		}
	}
}

func TestControlFaults(t *testing.T) {
	t.Parallel()
	b := setup(t, wasender.Options{})
	b.control("POST", "faults", `{"kind":"status","status":503,"times":1,"to":"`+phone+`","retry_after":"2","body":"busy"}`, 200)
	if a := b.send(hello, 503); a.body != "busy" || a.header.Get("Retry-After") != "2" {
		t.Errorf("%s %v", a.body, a.header)
	}
	a := b.control("POST", "faults", `{"kind":"hold","every":true,"delay":"1ms"}`, 200)
	if a.json["id"] != float64(2) {
		t.Errorf("added %s", a.body)
	}
	a = b.control("GET", "faults", "", 200)
	if at(a.json, "faults", 0, "done") != true || at(a.json, "faults", 1, "delay") != "1ms" || at(a.json, "faults", 1, "path") != "/send-message" {
		t.Errorf("faults %s", a.body)
	}
	b.control("DELETE", "faults/2", "", 200)
	b.send(hello, 200)
	if a = b.control("DELETE", "faults", "", 200); len(a.json["faults"].([]any)) != 0 {
		t.Errorf("cleared %s", a.body)
	}
}

func TestControlScript(t *testing.T) {
	t.Parallel()
	b := setup(t, wasender.Options{})
	in := `{"steps":[{"event":"messages.upsert","status":2,"delay":"1ms","times":2,"shape":{"status":"string"}},{"status":3,"drop":true,"before_answer":true}],` +
		`"order":"reverse","seed":7,"drop_chance":0.5,"duplicate_chance":0.5,"shape":{"data":"array"},"message_sent":true}`
	jsonEqual(t, b.control("PUT", "script", in, 200).body, in)
	jsonEqual(t, b.control("GET", "script", "", 200).body, in)
	own := `{"steps":[{"status":4}],"shape":{}}`
	b.control("PUT", "script?to=%2B4900000001", own, 200)
	jsonEqual(t, b.control("GET", "script?to=%2B4900000001", "", 200).body, own)
	jsonEqual(t, b.control("GET", "script?to=%2B4900000002", "", 200).body, in)
}

func TestControlSessions(t *testing.T) {
	t.Parallel()
	b := setup(t, wasender.Options{})
	a := b.control("POST", "sessions", `{"name":"b","api_key":"key-b","webhook_url":"`+b.recv.URL+`","limit":{"requests":1,"period":"1h"}}`, 200)
	if a.json["id"] != float64(2) || a.json["webhook_secret"] != "wasender-secret-2" || at(a.json, "limit", "period") != "1h0m0s" {
		t.Errorf("added %s", a.body)
	}
	b.do("POST", "/api/send-message", "key-b", hello, 200)
	b.do("POST", "/api/send-message", "key-b", hello, 429)
	a = b.control("PUT", "sessions/2", `{"state":"logged_out","webhook_secret":"s","webhook_events":["session.status"],"webhook_enabled":true,"plan":"trial",`+
		`"account_protection":true,"log_messages":true,"reset_in_seconds":true,"phone_number":"+4915100000000"}`, 200)
	if a.json["state"] != "logged_out" || a.json["plan"] != "trial" || a.json["name"] != "b" {
		t.Errorf("updated %s", a.body)
	}
	b.do("POST", "/api/send-message", "key-b", hello, 400)
	b.idle()
	if h := b.recv.hooks(); len(h) != 1 || h[0].signature != "s" || at(h[0].event, "data", "session_id") != "2" {
		t.Errorf("hooks %v", h)
	}
	if a = b.control("GET", "sessions", "", 200); at(a.json, "sessions", 1, "api_key") != "key-b" {
		t.Errorf("sessions %s", a.body)
	}
	b.control("GET", "sessions/2", "", 200)
}

func TestControlPlays(t *testing.T) {
	t.Parallel()
	b := setup(t, wasender.Options{})
	b.text("x")
	b.control("GET", "health", "", 200)
	b.control("POST", "messages/100000/status", `{"status":0,"shape":{"data":"array"}}`, 200)
	b.control("GET", "idle?timeout=20s", "", 200)
	a := b.control("POST", "inbound", `{"from":"`+phone+`","text":"hi","key_id":"K1"}`, 200)
	if a.json["key_id"] != "K1" {
		t.Errorf("inbound %s", a.body)
	}
	b.control("GET", "idle", "", 200)
	b.control("POST", "webhook", `{"body":{"event":"call"}}`, 200)
	b.control("GET", "idle", "", 200)
	h := b.recv.hooks()
	if len(h) != 3 || at(h[0].event, "data", 0, "update", "status") != float64(0) || h[1].event["event"] != "messages.received" || h[2].body != `{"event":"call"}` {
		t.Errorf("hooks %v", h)
	}
	late := wasender.StatusScript(time.Hour, 2)
	if err := b.emu.SetScript(late); err != nil {
		t.Fatal(err)
	}
	b.text("late")
	b.control("GET", "idle?timeout=1ms", "", 504)
}

func TestReset(t *testing.T) {
	t.Parallel()
	b := setup(t, wasender.Options{Sessions: []wasender.Session{{Plan: wasender.PlanTrial}}})
	if err := b.emu.SetScript(wasender.StatusScript(time.Hour, 2)); err != nil {
		t.Fatal(err)
	}
	first := b.text("x")
	b.fault(wasender.Fault{Kind: wasender.FaultEmpty, Every: true, To: "nobody"})
	if err := b.emu.SetState(1, wasender.StateExpired); err != nil {
		t.Fatal(err)
	}
	if _, err := b.emu.AddSession(wasender.Session{}); err != nil {
		t.Fatal(err)
	}
	b.control("POST", "reset", "", 200)
	b.idle()
	if c := b.emu.Counts(); c.Arrived != 0 || c.Kept != 0 || len(b.emu.Faults()) != 0 || len(b.emu.Sessions()) != 1 || len(b.emu.Script("").Steps) != 0 {
		t.Errorf("after reset: %+v", c)
	}
	if b.emu.MaxInWindow(1, time.Hour) != 0 {
		t.Error("the high-water mark is left")
	}
	if second := b.text("y"); second != first+1 { // the limit is fresh, ids go on
		t.Errorf("msgId %d after %d", second, first)
	}
}
