package apns

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"peal/api"
)

// FuzzAnswer feeds what an answer and a GOAWAY may hold.
func FuzzAnswer(f *testing.F) {
	for _, s := range []string{
		"", "{}", `{"reason":"BadDeviceToken"}`, `{"reason":"Unregistered","timestamp":1795262400123}`, `{"reason":["x"],"timestamp":"1"}`,
		`{"reason":"a b"}`, `{"timestamp":-1}`, `{"timestamp":1e300}`, "<html>", `{"reason":"` + strings.Repeat("x", 200) + `"}`, "\xff", `[{"reason":"x"}]`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		reason, dead := parseBody(body)
		if strings.ContainsAny(reason, " \n0123456789") || len(reason) > 64 {
			t.Errorf("the reason is %q", reason)
		}
		if !dead.IsZero() && (dead.Year() < 1970 || dead.Year() > 2100 || dead.Location() != time.UTC) {
			t.Errorf("the time is %v", dead)
		}
		if again := goAwayReason("x debug=" + string(body)); again != "" && !isReason(again) {
			t.Errorf("the reason is %q", again)
		}
	})
}

// FuzzOverride feeds what tenants may send to be merged.
func FuzzOverride(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"aps":{"badge":1}}`, `{"aps":null}`, `{"headers":{"apns-priority":"5"}}`, `{"headers":null,"x":{"y":null}}`, `{"aps":{"alert":"x"}}`,
		`{"a":1}{"b":2}`, `{"n":1e999}`, `[]`, `{"headers":{"apns-collapse-id":"\n"}}`, `{"":{"":{}}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		p := &api.Push{Body: "x", Overrides: api.PushOverrides{APNs: raw}}
		fields := Kind{}.CheckContent(&api.Content{Push: p})
		body := appendPayload(nil, anyID, p)
		if !json.Valid(body) {
			t.Errorf("%s", body)
		}
		if len(fields) == 0 && len(body) > maxPayload {
			t.Errorf("%d bytes are taken", len(body))
		}
	})
}
