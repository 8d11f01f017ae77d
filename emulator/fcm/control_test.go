package fcm_test

import (
	"net/url"
	"strings"
	"testing"

	"peal/emulator/fcm"
)

func TestControl(t *testing.T) {
	t.Parallel()
	b := setup(t, fcm.Options{})
	b.control("GET", "health", "", 200)
	a := b.control("POST", "service-accounts", `{"project":"demo"}`, 200)
	if a.json["token_uri"] != b.srv.URL+"/token" || a.json["type"] != "service_account" || a.json["project_id"] != "demo" {
		t.Errorf("%s", a.body)
	}
	b.control("DELETE", "service-accounts?project=demo", "", 200)
	phone := b.control("POST", "devices", `{"project":"demo","platform":"ios","app":"com.example"}`, 200)
	token := phone.json["token"].(string)
	address := url.QueryEscape(token)
	b.control("PUT", "devices", `{"address":"`+token+`","online":false}`, 200)
	if a = b.control("GET", "devices", "", 200); !strings.Contains(a.body, `"offline": true`) {
		t.Errorf("%s", a.body)
	}
	b.control("PUT", "devices", `{"address":"`+token+`","online":true}`, 200)
	b.message(token, `"notification":{"title":"T"}`, 200)
	if a = b.control("GET", "shown?address="+address, "", 200); at(a.json, "shown", 0, "title") != "T" {
		t.Errorf("%s", a.body)
	}
	if a = b.control("GET", "screen?address="+address, "", 200); at(a.json, "screen", 0, "platform") != "ios" {
		t.Errorf("%s", a.body)
	}
	b.control("DELETE", "devices?address="+address, "", 200)
	b.message(token, "", 404)
	a = b.control("GET", "counts?project=demo&window=1s&address="+address, "", 200)
	if a.json["accepted"] != float64(1) || a.json["calls"] != float64(2) || a.json["taken"] != float64(1) || a.json["max_in_window"] != float64(1) || a.json["max_arrived_in_window"] != float64(2) {
		t.Errorf("%s", a.body)
	}
	b.control("PUT", "platform-auth", `{"project":"demo","platform":"web","ok":false}`, 200)
	b.control("PUT", "latency", `{"send":"1ms","token":"1ms"}`, 200)
	b.control("DELETE", "access-tokens?project=demo", "", 200)
	b.message(b.phone.Token, "", 401)
	b.bearer, _ = b.control("POST", "access-tokens", `{"project":"demo"}`, 200).json["access_token"].(string)
	b.message(b.phone.Token, "", 200)
	b.control("POST", "reset", "", 200)
	b.message(b.phone.Token, "", 401)
	if c := b.emu.Counts(); c.Arrived != 1 || len(b.emu.Devices()) != 0 || len(b.emu.Shown("")) != 0 {
		t.Errorf("%+v", c)
	}
}

func TestControlFaults(t *testing.T) {
	t.Parallel()
	b := setup(t, fcm.Options{})
	b.control("POST", "faults", `{"kind":"error","failure":"unavailable","times":2,"retry_after":"30","address":"`+b.phone.Token+`"}`, 200)
	if a := b.message(b.phone.Token, "", 503); a.header.Get("Retry-After") != "30" {
		t.Errorf("%v", a.header)
	}
	a := b.control("POST", "faults", `{"kind":"delay","delay":"1ms","every":true}`, 200)
	if a.json["id"] != float64(2) {
		t.Errorf("%s", a.body)
	}
	a = b.control("GET", "faults", "", 200)
	if at(a.json, "faults", 0, "hits") != float64(1) || at(a.json, "faults", 1, "delay") != "1ms" || at(a.json, "faults", 1, "route") != "send" {
		t.Errorf("%s", a.body)
	}
	b.control("DELETE", "faults?id=2", "", 200)
	b.control("DELETE", "faults?id=2", "", 404)
	b.control("DELETE", "faults", "", 200)
	b.message(b.phone.Token, "", 200)
}

func TestControlRefuses(t *testing.T) {
	t.Parallel()
	b := setup(t, fcm.Options{MaxBody: 1000})
	for _, tc := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "nope", "", 404, "no such control route"},
		{"PUT", "faults", "", 404, "no such control route"},
		{"POST", "faults", "", 400, "empty"},
		{"POST", "faults", `{"kind":"hold"}{}`, 400, "more than one"},
		{"POST", "faults", `{"kinds":"hold"}`, 400, "unknown field"},
		{"POST", "faults", `{"kind":"delay","delay":"x"}`, 400, "delay"},
		{"POST", "faults", `{"kind":"x"}`, 400, "kind"},
		{"POST", "faults", `{"kind":"` + strings.Repeat("x", 1000) + `"}`, 413, "too large"},
		{"DELETE", "faults?id=x", "", 400, "id"},
		{"GET", "shown?phone=x", "", 400, "unknown parameter"},
		{"GET", "counts?window=x", "", 400, "window"},
		{"POST", "devices", `{"project":"demo","platform":"x"}`, 400, "platform"},
		{"PUT", "devices", `{"address":"x"}`, 400, "online"},
		{"PUT", "devices", `{"address":"x","online":true}`, 404, "not found"},
		{"DELETE", "devices", "", 400, "address"},
		{"DELETE", "devices?address=x", "", 404, "not found"},
		{"POST", "service-accounts", `{}`, 400, "project"},
		{"POST", "access-tokens", `{}`, 400, "project"},
		{"PUT", "latency", `{"send":"x"}`, 400, "send"},
		{"PUT", "platform-auth", `{"project":"demo","platform":"android"}`, 400, "platform"},
	} {
		a := b.control(tc.method, tc.path, tc.body, tc.status)
		if text, _ := a.json["error"].(string); !strings.Contains(text, tc.want) {
			t.Errorf("%s %s %s: %s, want %q", tc.method, tc.path, tc.body, a.body, tc.want)
		}
	}
}
