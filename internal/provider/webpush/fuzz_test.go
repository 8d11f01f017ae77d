package webpush

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"peal/api"
	"peal/internal/peal"
)

// FuzzPlaintext builds texts of anything: what CheckContent takes is JSON that fits, and is never refused later.
func FuzzPlaintext(f *testing.F) {
	f.Add([]byte(`{"title":"a","link":"https://example.com","data":{"k":"v"},"overrides":{"webpush":{"notification":{"x":null}}}}`), "https://shop.example.com")
	f.Add([]byte(`{"silent":true,"badge":0,"overrides":{"webpush":{"data":7}}}`), "")
	f.Add([]byte(`{"body":"\ud800","actions":[{"id":"a","title":"b","link":"::"}],"overrides":{"webpush":{"notification":[]}}}`), "http://[::1")
	f.Fuzz(func(t *testing.T, raw []byte, app string) {
		var p api.Push
		if json.Unmarshal(raw, &p) != nil {
			t.Skip()
		}
		if len((Kind{}).CheckContent(&api.Content{Push: &p})) > 0 {
			t.Skip()
		}
		b, err := plaintext(&p, testDelivery, "")
		if err != nil || !json.Valid(b) || len(b) > maxPlaintext || b[0] != '{' {
			t.Errorf("got %d bytes, %v: %.200s", len(b), err, b)
		}
		if b, err = plaintext(&p, testDelivery, app); err != nil || !json.Valid(b) {
			t.Errorf("for app %q: %v: %.200s", app, err, b)
		}
	})
}

// FuzzAnswer reads answers of anything.
func FuzzAnswer(f *testing.F) {
	f.Add(429, "120", "https://push.example.com/m/1", []byte(`{"code":429,"errno":201,"message":"slow down"}`))
	f.Add(301, "Sat, 21 Nov 2026 12:00:00 GMT", "http://10.0.0.1/x", []byte(`{"reason":"BadJwtToken"}`))
	f.Add(201, "", "::", []byte("\xff{"))
	b := &client{now: account().CreatedAt.Local}
	d := at("https://push.example.com/secret-endpoint-1234")
	d.UserID = "user-4711"
	m := message(d)
	p := &parcel{device: d, origin: "https://push.example.com"}
	var err error
	if p.url, err = parseEndpoint(d.Kind, d.Address); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, status int, wait, location string, body []byte) {
		r := &reply{status: status, header: http.Header{"Retry-After": {wait}, "Location": {location}}, body: body}
		out := b.judge(r, p, m)
		if out.Class == peal.ClassAccepted {
			if out.MessageID == "" || len(out.MessageID) > 128 || !plainID(out.MessageID) {
				t.Errorf("message id %q", out.MessageID)
			}
			return
		}
		if out.Code == "" || out.Reason == "" || !utf8.ValidString(out.Reason) || utf8.RuneCountInString(out.Reason) > 300 || out.RetryAfter < 0 {
			t.Errorf("got %+v", out)
		}
		for _, secret := range []string{d.Address, d.P256dh, d.Auth, d.UserID} {
			if strings.Contains(out.Reason, secret) {
				t.Errorf("it gives %s away: %s", secret, out.Reason)
			}
		}
	})
}

// FuzzEndpoint reads endpoints of anything.
func FuzzEndpoint(f *testing.F) {
	f.Add("https://push.example.com/x")
	f.Add("http://[::1]:80/x?y#z")
	f.Fuzz(func(t *testing.T, s string) {
		u, err := parseEndpoint(peal.DeviceWebPush, s)
		if err != nil {
			return
		}
		if u.User != nil || u.Fragment != "" || u.Hostname() == "" || !strings.HasPrefix(originOf(u), u.Scheme+"://") {
			t.Errorf("%q is taken as %+v", s, u)
		}
	})
}
