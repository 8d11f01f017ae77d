package httpapi

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/provider"
)

const (
	aPoint = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
	aEntry = "BTBZMqHH6r4Tts7J_aSIgg"
)

// FuzzDevice: whatever a device says of itself, what is not refused can be called.
func FuzzDevice(f *testing.F) {
	for _, kind := range peal.DeviceKinds() {
		f.Add(string(kind), "0a0B", "https://push.example.com/1", aPoint, aEntry, "com.example", "en-IN", "Asia/Kolkata", "production")
	}
	f.Add("webpush", "", "https://push.example.com/1", aPoint+"=", aEntry, "", "", "", "")
	f.Add("webpush", "", "https://u@push.example.com:0/1#x", "", "", "", "x_y", "../..", "")
	f.Fuzz(func(t *testing.T, kind, token, endpoint, p256dh, auth, app, locale, zone, environment string) {
		req := &api.DeviceRequest{Kind: kind, Token: token, AppID: app, Locale: locale, TimeZone: zone, Environment: environment}
		if endpoint != "" {
			req.Subscription = &api.PushSubscription{Endpoint: endpoint, Keys: api.PushSubscriptionKeys{P256dh: p256dh, Auth: auth}}
		}
		d, faults := deviceIn("acme", "raju", "phone", req, nil)
		for _, fault := range faults {
			if fault.Path == "" || fault.Message == "" || fault.Code == "" {
				t.Errorf("%+v names no field, or no mend", fault)
			}
		}
		hint(&d)
		if faults != nil {
			return
		}
		if d.Address == "" || strings.ContainsAny(d.Address, " \r\n\x00") || d.Permission == "" || d.Platform == "" {
			t.Errorf("%+v cannot be called", d)
		}
		if !d.Subscription() {
			return
		}
		u, err := url.Parse(d.Address)
		key, kerr := base64.RawURLEncoding.DecodeString(d.P256dh)
		secret, serr := base64.RawURLEncoding.DecodeString(d.Auth)
		if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || kerr != nil || len(key) != 65 || serr != nil || len(secret) != 16 {
			t.Errorf("%+v cannot be called", d)
		}
	})
}

// FuzzUser: attributes that are kept are one JSON object, and not too long.
func FuzzUser(f *testing.F) {
	for _, seed := range []string{`{}`, ` { "a" : 1 } `, `null`, `[]`, `{"a":1}{}`, `{`, ``} {
		f.Add("raju", "raju@example.com", []byte(seed))
	}
	f.Fuzz(func(t *testing.T, id, email string, attributes []byte) {
		u, faults := userIn(id, &api.UserRequest{Email: email, Attributes: attributes})
		if faults != nil || u.Attributes == nil {
			return
		}
		var object map[string]any
		if err := json.Unmarshal(u.Attributes, &object); err != nil || object == nil || len(u.Attributes) > maxAttributes {
			t.Errorf("%q is kept as %q: %v", attributes, u.Attributes, err)
		}
	})
}

// judge is a kind of provider with a word of its own on devices.
type judge struct {
	provider.PushKind

	words []peal.Field
	saw   peal.Device
}

func (j *judge) CheckDevice(d *peal.Device) []peal.Field {
	j.saw = *d
	return j.words
}

// TestProviderJudgesAddresses: the provider that serves a device says what its address may be; it sees it in the form that is
// kept, and repeats nothing that was said already.
func TestProviderJudgesAddresses(t *testing.T) {
	t.Parallel()
	j := &judge{}
	http := &api.DeviceRequest{Kind: "unifiedpush", Subscription: &api.PushSubscription{
		Endpoint: "http://10.0.0.1/up", Keys: api.PushSubscriptionKeys{P256dh: aPoint + "=", Auth: aEntry + "=="},
	}}
	if _, faults := deviceIn("acme", "raju", "phone", http, nil); len(faults) != 1 || faults[0].Path != "subscription.endpoint" {
		t.Errorf("in general: %+v", faults)
	}
	d, faults := deviceIn("acme", "raju", "phone", http, j)
	if faults != nil || j.saw != d || d.P256dh != aPoint || d.Auth != aEntry {
		t.Errorf("%+v, %+v", faults, d)
	}
	apple := &api.DeviceRequest{Kind: "apns", Token: "0A", AppID: "a b"}
	j.words = []peal.Field{{Path: "app_id", Code: "invalid", Message: "x"}, {Path: "token", Code: "invalid", Message: "100% wrong"}}
	d, faults = deviceIn("acme", "raju", "phone", apple, j)
	if len(faults) != 2 || faults[0].Path != "app_id" || faults[1].Message != "100% wrong" || d.Address != "0a" || d.Environment != peal.Production {
		t.Errorf("%+v, %+v", faults, d)
	}
}
