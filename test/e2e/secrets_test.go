package e2e_test

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"peal/api"
	"peal/internal/usertoken"
)

// pemOf is a private key's file. Each of its lines is a secret.
func (w *watched) pemOf(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	file := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	for line := range strings.Lines(file) {
		if line = strings.TrimSpace(line); len(line) > 20 && !strings.Contains(line, "-----") && !w.common(line) {
			w.watch(line)
		}
	}
	return file
}

// common tells lines that are the same in all keys of a kind.
func (*watched) common(line string) bool {
	return strings.HasPrefix(line, "MC4CAQAwBQYDK2Vw") && len(line) < 30
}

// credentials of all kinds of push, and devices that go with them.
type credentials struct {
	account, p8, vapid   string
	token, apple, p, key string
	endpoint             string
}

func newCredentials(t *testing.T, w *world, web *parrot) *credentials {
	t.Helper()
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	vapid, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := vapid.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	browser, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	account, err := json.Marshal(map[string]string{
		"type": "service_account", "project_id": "shop", "private_key_id": "key-1", "private_key": w.watched.pemOf(t, rsaKey),
		"client_email": "sender@shop.iam.gserviceaccount.com", "token_uri": web.URL + "/token",
	})
	if err != nil {
		t.Fatal(err)
	}
	c := &credentials{
		account: string(account), p8: w.watched.pemOf(t, ecKey), vapid: base64.RawURLEncoding.EncodeToString(raw),
		token: secretText(22) + ":" + secretText(134), apple: fmt.Sprintf("%x", secretText(32)),
		p: base64.RawURLEncoding.EncodeToString(browser.PublicKey().Bytes()), key: secretText(21) + "A",
	}
	path := "/wpush/v2/" + secretText(80)
	c.endpoint = web.URL + path
	w.watched.watch(c.vapid, c.token, strings.Split(c.token, ":")[1], c.apple, c.p, c.key, path)
	return c
}

// connect makes an integration of each kind of push.
func (c *credentials) connect(t *testing.T, w *world, web, apple *parrot) []string {
	t.Helper()
	s := api.Settings{Limit: &api.Limit{}, MaxAttempts: 1}
	fcm, apns := s, s
	fcm.BaseURL, apns.BaseURL, apns.CA = web.URL, apple.URL, apple.ca()
	var names []string
	for _, req := range []api.IntegrationRequest{
		{Name: "android", Kind: "fcm", Settings: fcm, Credentials: map[string]string{"service_account": c.account}},
		{Name: "ios", Kind: "apns", Settings: apns, Credentials: map[string]string{"team_id": "TEAM000001", "key_id": "KEY0000001", "key": c.p8}},
		{Name: "browsers", Kind: "webpush", Settings: s, Credentials: map[string]string{"subject": "mailto:ops@example.com", "private_key": c.vapid}},
	} {
		if _, err := w.peal.CreateIntegration(t.Context(), req); err != nil {
			t.Fatalf("make %s: %v", req.Name, err)
		}
		names = append(names, req.Name)
	}
	return names
}

func (c *credentials) devices() map[string]api.DeviceRequest {
	return map[string]api.DeviceRequest{
		"android": {Kind: "fcm_token", Token: c.token},
		"iphone":  {Kind: "apns", Token: c.apple, AppID: bundle, Environment: "production"},
		"browser": {Kind: "webpush", Subscription: &api.PushSubscription{Endpoint: c.endpoint, Keys: api.PushSubscriptionKeys{P256dh: c.p, Auth: c.key}}},
	}
}

// TestCredentialsStayInside: push services and a token endpoint that answer with all that they were told, keys included. None
// of it gets into the log, the metrics, an answer of the API or the reason of a failure: newServer looks through all of
// them.
func TestCredentialsStayInside(t *testing.T) {
	t.Parallel()
	w := silent(t)
	web, apple := newParrot(t, w.watched, false), newParrot(t, w.watched, true)
	c := newCredentials(t, w, web)
	names := c.connect(t, w, web, apple)
	app := w.app(t, w.newUserKey(t), "raju")
	all := []squawk{{}}
	for _, status := range []int{200, 302, 400, 401, 403, 404, 410, 413, 429, 500, 502, 503} {
		all = append(all, squawk{status: status}, squawk{status: status, text: true})
	}
	for _, status := range []int{200, 302, 400, 401, 429, 503} {
		all = append(all, squawk{status: status, token: true}, squawk{status: status, token: true, text: true})
	}
	for _, s := range all {
		web.says.Store(&s)
		apple.says.Store(&s)
		for id, req := range c.devices() {
			if _, err := app.PutDevice(t.Context(), "raju", id, req); err != nil {
				t.Fatalf("register %s: %v", id, err)
			}
		}
		for _, name := range names { // with another limit it is another version: what it paused for is forgotten
			if _, err := w.peal.UpdateIntegration(t.Context(), name, api.IntegrationPatch{Settings: &api.Settings{}}); err != nil {
				t.Fatal(err)
			}
			if _, err := w.peal.ResumeIntegration(t.Context(), name); err != nil {
				t.Fatal(err)
			}
		}
		w.lookEverywhere(t, s, names)
	}
}

// lookEverywhere sends a push, and reads all that there is to read of it.
func (w *world) lookEverywhere(t *testing.T, s squawk, names []string) {
	t.Helper()
	push := pushTo("raju", "hello")
	if _, err := w.peal.DryRun(t.Context(), push); err != nil {
		t.Fatalf("dry run: %v", err)
	}
	sent, err := w.peal.Send(t.Context(), push)
	if err != nil || len(sent.Deliveries) != 3 {
		t.Fatalf("%+v, %v", sent, err)
	}
	for _, d := range sent.Deliveries {
		eventually(t, fmt.Sprintf("%s is tried, when the answer is %+v", d.ID, s), func() error {
			got := w.delivery(t, d.ID)
			for _, e := range got.Timeline {
				if e.Type == "attempt" {
					return nil
				}
			}
			return fmt.Errorf("it is %s %s", got.Status, got.ErrorCode)
		})
	}
	if _, err := w.peal.CancelNotification(t.Context(), sent.ID); err != nil && problemOf(err).Status != http.StatusConflict {
		t.Fatal(err)
	}
	for _, name := range names {
		if _, err := w.peal.Integration(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	for device, name := range map[string]string{"android": "android", "iphone": "ios", "browser": "browsers"} {
		// Whether it can, and whether it would, does not matter here.
		w.do(t, http.MethodPost, "/v1/integrations/"+name+"/test", w.key, `{"validate_only":true,"device":"`+device+`"}`)
	}
	for _, path := range []string{"/v1/users/raju/devices", "/v1/deliveries", "/v1/dead-letters", "/v1/user-keys", "/v1/client"} {
		w.do(t, http.MethodGet, path, w.key, "")
	}
	if _, err := w.operator(t).Metrics(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestRefusalsTellNoSecret: what a request holds of secrets is not repeated to who made it, nor logged.
func TestRefusalsTellNoSecret(t *testing.T) {
	t.Parallel()
	w := silent(t)
	web := newParrot(t, w.watched, false)
	c := newCredentials(t, w, web)
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	refused := func(method, path, key string, body any) {
		t.Helper()
		text, ok := body.(string)
		if !ok {
			b, err := json.Marshal(body)
			if err != nil {
				t.Fatal(err)
			}
			text = string(b)
		}
		if a := w.do(t, method, path, key, text); a.status < 400 || a.status >= 500 {
			t.Errorf("%s %s: %d %s", method, path, a.status, a.body)
		}
	}
	const device, integrations = "/v1/users/raju/devices/one", "/v1/integrations"
	for _, body := range []string{
		`{"kind":"fcm_token","token":"` + c.token, `{"kind":"fcm_token","token":["` + c.token + `"]}`, `{"kind":"fcm_token","token":{"a":"` + c.token + `"}}`,
		`{"kind":"fcm_token","token":"` + c.token + `"}x`, `{"kind":"fcm_token","token":"` + c.token + ` "}`, `{"kind":"apns","token":"` + c.token + `","app_id":"` + bundle + `"}`,
		`{"kind":"apns","token":"` + c.apple + `!","app_id":"` + bundle + `"}`, `{"kind":"fcm_token","token":"` + c.token + strings.Repeat("x", 2048) + `"}`,
		`{"kind":"webpush","subscription":{"endpoint":"` + strings.Replace(c.endpoint, "http://", "ftp://", 1) + `","keys":{"p256dh":"` + c.p + `","auth":"` + c.key + `"}}}`,
		`{"kind":"webpush","subscription":{"endpoint":"` + c.endpoint + ` %zz","keys":{"p256dh":"` + c.p + `","auth":"` + c.key + `"}}}`,
		`{"kind":"webpush","subscription":{"endpoint":"` + c.endpoint + `","keys":{"p256dh":"` + c.p + `x","auth":"` + c.key + `"}}}`,
		`{"kind":"webpush","subscription":{"endpoint":"` + c.endpoint + `","keys":{"p256dh":"` + c.p + `","auth":"` + c.key + `x"}}}`,
		`{"kind":"webpush","subscription":{"endpoint":"` + c.endpoint + `","keys":"` + c.key + `"}}`,
	} {
		refused(http.MethodPut, device, w.key, body)
	}
	type wrong struct {
		kind, name, value string
	}
	for _, bad := range []wrong{
		{"fcm", "service_account", c.account[1:]}, {"fcm", "service_account", c.account + "x"}, {"fcm", "service_account", c.p8},
		{"fcm", "service_account", strings.Replace(c.account, `"project_id"`, `"project"`, 1)},
		{"fcm", "service_account", strings.Replace(c.account, "BEGIN", "BEGUN", 1)}, {"fcm", "service_account", strings.Replace(c.account, "MII", "NII", 1)},
		{"fcm", "service_account", strings.Replace(c.account, web.URL, "ftp://x", 1)}, {"fcm", "key", c.account},
		{"apns", "key", c.p8[30:]}, {"apns", "key", c.account}, {"apns", "key", strings.Replace(c.p8, "M", "N", 1)}, {"apns", "key_id", c.p8}, {"apns", "team_id", c.p8},
		{"webpush", "private_key", c.vapid + "x"}, {"webpush", "private_key", c.p8[:60]}, {"webpush", "subject", c.vapid}, {"webpush", "key", c.vapid},
	} {
		given := map[string]map[string]string{
			"fcm": {"service_account": c.account}, "apns": {"team_id": "TEAM000001", "key_id": "KEY0000001", "key": c.p8},
			"webpush": {"subject": "mailto:ops@example.com", "private_key": c.vapid},
		}[bad.kind]
		given[bad.name] = bad.value
		refused(http.MethodPost, integrations, w.key, map[string]any{"name": "bad", "kind": bad.kind, "credentials": given})
	}
	refused(http.MethodPost, integrations, w.key, map[string]any{"name": "bad", "kind": "fcm", "credentials": c.account})
	refused(http.MethodPost, "/v1/user-keys", w.key, map[string]any{"name": "bad", "algorithm": "EdDSA", "public_key": w.watched.pemOf(t, private)})
	key := w.newUserKey(t)
	for user, now := range map[string]time.Time{"raju": time.Now().Add(-48 * time.Hour), "asha": time.Now().Add(48 * time.Hour)} {
		token, err := usertoken.Sign(key.ID, key.Secret, user, now, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		w.watched.watch(token, strings.Split(token, ".")[2])
		for _, as := range []string{token, token[:len(token)-4], "x" + token, token + "." + token} {
			refused(http.MethodGet, "/v1/client", as, "")
			refused(http.MethodGet, "/v1/client?token="+as, "", "")
			refused(http.MethodPost, "/v1/receipts", as, map[string]any{"receipts": []any{}})
		}
	}
	good := userToken(t, key, "raju")
	w.watched.watch(good)
	refused(http.MethodPut, "/v1/users/asha/devices/one", good, map[string]string{"kind": "fcm_token", "token": c.token})
	refused(http.MethodPost, "/v1/receipts", good, `{"receipts":[{"delivery_id":["`+good+`"]}]}`)
	refused(http.MethodGet, "/v1/client?token="+good, good, "")
}
