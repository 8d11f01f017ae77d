package apns_test

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"peal/emulator/apns"
)

// control calls a control route; want is the status.
func (b *bundled) control(want int, route, body string) map[string]any {
	b.Helper()
	method, path, _ := strings.Cut(route, " ")
	w := httptest.NewRecorder()
	b.emu.Control().ServeHTTP(w, httptest.NewRequest(method, "/_emulator/"+path, strings.NewReader(body)))
	var got map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != want {
		b.Fatalf("%s: %d %s, want %d", route, w.Code, w.Body, want)
	}
	return got
}

func TestControlPlaysTheDevice(t *testing.T) {
	t.Parallel()
	b := setup(t, apns.Options{})
	const other = "cafe"
	b.control(200, "PUT apps", `{"bundle":"org.example.app","strings":{"HI":"Hi %@"}}`)
	b.control(200, "PUT devices", `{"token":"CAFE","bundle":"org.example.app","offline":true}`)
	b.send("200", to(other), with("apns-expiration", "1800000060"), saying(`{"aps":{"alert":{"loc-key":"HI","loc-args":["Ann"]}}}`))
	if d := b.control(200, "GET devices/"+other, ""); d["stored"] != true {
		t.Errorf("device %v", d)
	}
	b.control(200, "PUT devices/"+other, `{"offline":false}`)
	for _, list := range []string{"shown", "screen"} {
		got := b.control(200, "GET devices/"+other+"/"+list, "")[list].([]any)
		if len(got) != 1 || got[0].(map[string]any)["body"] != "Hi Ann" {
			t.Errorf("%s: %v", list, got)
		}
	}
	b.control(200, "PUT devices/"+other, `{"gone":"Unregistered","gone_at":"2026-11-21T10:00:00Z"}`)
	if a := b.send("Unregistered", to(other)); a.Timestamp != 1795255200000 {
		t.Errorf("timestamp %d", a.Timestamp)
	}
	if got := b.control(200, "GET devices", "")["devices"].([]any); len(got) != 2 {
		t.Errorf("devices %v", got)
	}
	got := b.control(200, "GET pushes?token=cafe&reason=Unregistered&limit=1", "")["pushes"].([]any)
	if len(got) != 1 || got[0].(map[string]any)["status"] != 410.0 {
		t.Errorf("pushes %v", got)
	}
	if c := b.control(200, "GET counts", ""); c["requests"] != 2.0 || c["by_reason"].(map[string]any)["Unregistered"] != 1.0 {
		t.Errorf("counts %v", c)
	}
}

func TestControlPlaysTheVendor(t *testing.T) {
	t.Parallel()
	b := setup(t, apns.Options{})
	id := b.control(200, "POST faults", `{"kind":"reason","reason":"TooManyRequests","times":2,"delay":"1ms"}`)["id"]
	b.send("TooManyRequests")
	if f := b.control(200, "GET faults", "")["faults"].([]any); f[0].(map[string]any)["hits"] != 1.0 || id != 1.0 {
		t.Errorf("faults %v", f)
	}
	b.control(200, "DELETE faults/1", "")
	b.control(404, "DELETE faults/1", "")
	b.control(200, "DELETE faults", "")
	b.control(200, "PUT latency", `{"latency":"1ms"}`)
	b.send("200")
	if got := b.control(200, "GET tokens", "")["tokens"].([]any); len(got) != 1 || got[0].(map[string]any)["team"] != team {
		t.Errorf("tokens %v", got)
	}
	b.control(200, "POST connections", `{"do":"streams","streams":5}`)
	b.control(200, "POST connections", `{"do":"goaway","reason":"Shutdown"}`)
	b.send("200")
	b.control(200, "POST connections", `{"do":"drop"}`)
	b.control(200, "POST connections", `{"do":"refuse"}`)
	b.control(200, "POST connections", `{"do":"allow"}`)
	waitFor(t, func() bool { return b.emu.Counts().Open == 0 })
	p8 := b.control(200, "POST keys", `{"team":"TEAM000002","id":"KEY0000002"}`)["p8"].(string)
	b.fresh().send("200", bearer(b.sign("TEAM000002", "KEY0000002", []byte(p8), b.clock.Now())))
	b.control(200, "DELETE keys/KEY0000002", "")
	if got := b.control(200, "GET connections", "")["connections"].([]any); len(got) != 3 {
		t.Errorf("%d connections", len(got))
	}
	if ca := b.control(200, "GET ca", "")["pem"].(string); ca != string(b.emu.CA()) {
		t.Error("another CA")
	}
	b.control(200, "GET health", "")
	b.control(200, "POST reset", "")
}

func TestControlNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	b := setup(t, apns.Options{})
	for route, c := range map[string]struct {
		status int
		body   string
		want   string
	}{
		"GET nothing":          {404, "", "no such control route"},
		"GET pushes?x=1":       {400, "", "x"},
		"GET pushes?limit=0":   {400, "", "limit"},
		"POST faults":          {400, `{"kind":"quake"}`, "kind"},
		"PUT devices":          {400, `{"token":"xyz","bundle":"b"}`, "token"},
		"PUT devices/beef":     {404, `{"offline":true}`, "no such device"},
		"GET devices/beef":     {404, "", "no such device"},
		"PUT devices/" + token: {400, `{"gone":"fishing"}`, "gone"},
		"PUT apps":             {400, `{}`, "bundle"},
		"PUT latency":          {400, `{"latency":5}`, "duration"},
		"POST keys":            {400, `{"team":"T","id":"K"}`, "team"},
		"POST connections":     {400, `{"do":"dance"}`, "do"},
	} {
		if got := b.control(c.status, route, c.body)["error"].(string); !strings.Contains(got, c.want) {
			t.Errorf("%s: %q", route, got)
		}
	}
	b.control(400, "POST faults", "")
	b.control(400, "POST faults", `{} {}`)
	b.control(400, "POST faults", `{"unknown":1}`)
}
