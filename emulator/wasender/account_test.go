package wasender_test

import (
	"strings"
	"testing"

	"peal/emulator/wasender"
)

func TestSessionsNeedThePAT(t *testing.T) {
	t.Parallel()
	b := setup(t, wasender.Options{})
	for _, route := range []string{
		"GET /whatsapp-sessions", "POST /whatsapp-sessions", "GET /whatsapp-sessions/1", "PUT /whatsapp-sessions/1",
		"DELETE /whatsapp-sessions/1", "POST /whatsapp-sessions/1/connect", "GET /whatsapp-sessions/1/qrcode",
		"POST /whatsapp-sessions/1/disconnect", "POST /whatsapp-sessions/1/restart",
		"POST /whatsapp-sessions/1/regenerate-key", "GET /whatsapp-sessions/1/message-logs", "GET /whatsapp-sessions/1/session-logs",
	} {
		method, path, _ := strings.Cut(route, " ")
		b.do(method, "/api"+path, wasender.DefaultAPIKey, "", 401)
		b.do(method, "/api"+path, "", "", 401)
		if strings.Contains(path, "/1") {
			b.pat(method, strings.Replace(path, "/1", "/77", 1), "", 404)
		}
	}
}

func TestSessionLife(t *testing.T) {
	t.Parallel()
	b := setup(t, wasender.Options{})
	a := b.pat("POST", "/whatsapp-sessions", `{"name":"shop","phone_number":"+4915100000000","account_protection":false,
		"log_messages":true,"webhook_url":"`+b.recv.URL+`","webhook_enabled":true,"webhook_events":["session.status"],"always_online":true}`, 201)
	if at(a.json, "data", "id") != float64(2) || at(a.json, "data", "status") != "disconnected" {
		t.Errorf("created %s", a.body)
	}
	key, _ := at(a.json, "data", "api_key").(string)
	if list := b.pat("GET", "/whatsapp-sessions", "", 200); at(list.json, "data", 1, "name") != "shop" || strings.Contains(list.body, key) {
		t.Errorf("list %s", list.body)
	}
	if a = b.pat("GET", "/whatsapp-sessions/2", "", 200); at(a.json, "data", "webhook_secret") == "" || at(a.json, "data", "api_key") != key {
		t.Errorf("details %s", a.body)
	}
	b.pat("GET", "/whatsapp-sessions/2/qrcode", "", 400)
	a = b.pat("POST", "/whatsapp-sessions/2/connect", `{"qr_as_image":false}`, 200)
	qr, _ := at(a.json, "data", "qrCode").(string)
	if at(a.json, "data", "status") != "NEED_SCAN" || !strings.HasPrefix(qr, "2@") {
		t.Errorf("connect %s", a.body)
	}
	if a = b.pat("GET", "/whatsapp-sessions/2/qrcode", "", 200); at(a.json, "data", "qrCode") != qr {
		t.Errorf("qrcode %s", a.body)
	}
	if err := b.emu.SetState(2, wasender.StateConnected); err != nil {
		t.Fatal(err)
	}
	if a = b.pat("POST", "/whatsapp-sessions/2/connect", "", 200); at(a.json, "data", "status") != "CONNECTED" {
		t.Errorf("connect again %s", a.body)
	}
	b.pat("POST", "/whatsapp-sessions/2/restart", "", 200)
	a = b.pat("POST", "/whatsapp-sessions/2/regenerate-key", "", 200)
	newKey, _ := a.json["api_key"].(string)
	if newKey == "" || newKey == key {
		t.Errorf("regenerate-key %s", a.body)
	}
	b.do("GET", "/api/status", key, "", 401)
	b.do("GET", "/api/status", newKey, "", 200)
	if a = b.pat("POST", "/whatsapp-sessions/2/disconnect", "", 200); at(a.json, "data", "status") != "disconnected" {
		t.Errorf("disconnect %s", a.body)
	}
	b.pat("POST", "/whatsapp-sessions/2/restart", "", 200)
	b.idle()
	var seen []string
	for _, h := range b.recv.hooks() {
		seen = append(seen, at(h.event, "data", "status").(string))
	}
	if got := strings.Join(seen, " "); got != "need_scan connected connecting connected disconnected connecting" {
		t.Errorf("session.status events: %s", got)
	}
	b.pat("DELETE", "/whatsapp-sessions/2", "", 200)
	b.pat("GET", "/whatsapp-sessions/2", "", 404)
	b.do("GET", "/api/status", newKey, "", 401)
}

func TestSessionValidation(t *testing.T) {
	t.Parallel()
	b := setup(t, wasender.Options{})
	for body, field := range map[string]string{
		`{"phone_number":"+4915100000000"}`: "name",
		`{"name":"x"}`:                      "phone_number",
		`{"name":"x","phone_number":"12"}`:  "phone_number",
		`{"name":"x","phone_number":"+4915100000000","log_messages":"y"}`:      "log_messages",
		`{"name":"x","phone_number":"+4915100000000","webhook_url":"nope"}`:    "webhook_url",
		`{"name":"x","phone_number":"+4915100000000","webhook_events":"all"}`:  "webhook_events",
		`{"name":"x","phone_number":"+4915100000000","webhook_enabled":"yes"}`: "webhook_enabled",
	} {
		if a := b.pat("POST", "/whatsapp-sessions", body, 422); at(a.json, "errors", field, 0) == nil {
			t.Errorf("%s: %s", body, a.body)
		}
	}
	b.pat("POST", "/whatsapp-sessions", `{`, 400)
	b.pat("PUT", "/whatsapp-sessions/1", `{"webhook_url":"nope"}`, 422)
	a := b.pat("PUT", "/whatsapp-sessions/1", `{"webhook_url":null,"account_protection":true,"webhook_enabled":false,"webhook_events":null}`, 200)
	if at(a.json, "data", "webhook_url") != nil || at(a.json, "data", "account_protection") != true || at(a.json, "data", "webhook_enabled") != false {
		t.Errorf("updated %s", a.body)
	}
	if c, _ := b.emu.Session(1); c.WebhookURL != "" || !c.WebhookDisabled || !c.LogMessages {
		t.Errorf("session %+v", c)
	}
}

func TestMessageLogs(t *testing.T) {
	t.Parallel()
	b := setup(t, wasender.Options{})
	for status, n := range map[int]int{wasender.StatusError: 2, wasender.StatusPending: 1, wasender.StatusRead: 3} {
		if err := b.emu.SetScript(wasender.StatusScript(0, status)); err != nil {
			t.Fatal(err)
		}
		for range n {
			b.text("logged")
		}
	}
	b.idle()
	if _, err := b.emu.UpdateSession(1, func(c *wasender.Session) { c.LogMessages = false }); err != nil {
		t.Fatal(err)
	}
	if err := b.emu.SetScript(wasender.StatusScript(0, wasender.StatusRead)); err != nil {
		t.Fatal(err)
	}
	b.text("not logged")
	b.idle()
	logs := "/whatsapp-sessions/1/message-logs"
	for query, want := range map[string]float64{"": 7, "?status=failed": 2, "?status=in_progress": 1, "?status=sent": 4} {
		if a := b.pat("GET", logs+query, "", 200); at(a.json, "data", "total") != want {
			t.Errorf("%s: %s", query, a.body)
		}
	}
	a := b.pat("GET", logs+"?per_page=4&page=2", "", 200)
	rows, _ := at(a.json, "data", "data").([]any)
	if len(rows) != 3 || at(a.json, "data", "last_page") != float64(2) || at(a.json, "data", "next_page_url") != nil ||
		at(rows, 2, "id") != "100000" || at(rows, 2, "to") != phone || at(rows, 2, "content") != `{"text":"logged"}` ||
		at(rows, 2, "failed_reason") != nil != (at(rows, 2, "status") == "failed") {
		t.Errorf("page 2: %s", a.body)
	}
	// What was sent while logging was off is listed without what it said and to whom.
	a = b.pat("GET", logs+"?per_page=1", "", 200)
	if newest := at(a.json, "data", "data", 0); at(newest, "content") != nil || at(newest, "to") != nil || at(newest, "status") != "sent" ||
		at(a.json, "data", "next_page_url") == nil {
		t.Errorf("page 1: %s", a.body)
	}
	for _, query := range []string{"?status=odd", "?page=0", "?per_page=101", "?per_page=x"} {
		b.pat("GET", logs+query, "", 422)
	}
}

func TestSessionLogs(t *testing.T) {
	t.Parallel()
	b := setup(t, wasender.Options{})
	for _, state := range []wasender.State{wasender.StateDisconnected, wasender.StateConnected, wasender.StateConnected} {
		if err := b.emu.SetState(1, state); err != nil {
			t.Fatal(err)
		}
	}
	a := b.pat("GET", "/whatsapp-sessions/1/session-logs?per_page=2", "", 200)
	if at(a.json, "meta", "total") != float64(3) || at(a.json, "data", 0, "status") != "connected" || at(a.json, "data", 1, "status") != "disconnected" {
		t.Errorf("logs %s", a.body)
	}
	b.pat("GET", "/whatsapp-sessions/1/session-logs?page=0", "", 422)
}
