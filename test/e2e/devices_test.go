package e2e_test

import (
	"crypto/ecdh"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/pipeline"
	"peal/internal/store"
)

// subscription is a browser's.
func subscription(t *testing.T) (endpoint, p256dh, auth string) {
	t.Helper()
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return "https://push.example.com/send/1", base64.RawURLEncoding.EncodeToString(key.PublicKey().Bytes()), base64.RawURLEncoding.EncodeToString(make([]byte, 16))
}

// TestDevices: an app registers, states anew what has changed, and is forgotten; nobody is shown a whole token.
func TestDevices(t *testing.T) {
	t.Parallel()
	w := silent(t)
	k := w.newUserKey(t)
	app := w.app(t, k, "raju")
	token := strings.Repeat("0123456789abcdef", 4)
	w.watched.watch(token)
	a := w.do(t, "PUT", "/v1/users/raju/devices/phone", userToken(t, k, "raju"),
		`{"kind":"apns","token":"`+strings.ToUpper(token)+`","app_id":"com.shop","locale":"hi-IN","time_zone":"Asia/Kolkata","app_version":"1.0","permission":"provisional"}`)
	if a.status != http.StatusCreated {
		t.Fatalf("%d %s", a.status, a.body)
	}
	var d api.Device
	a.decode(t, &d)
	if d.ID != "phone" || d.UserID != "raju" || d.Kind != "apns" || d.AddressHint != "…abcdef" || d.Environment != "production" || d.Platform != "ios" ||
		d.Permission != "provisional" || d.State != "active" || d.LastSeenAt.IsZero() || d.RetiredAt != nil || d.LastOKAt != nil || d.Locale != "hi-IN" {
		t.Errorf("%+v", d)
	}
	if u, err := w.peal.User(t.Context(), "raju"); err != nil || u.ID != "raju" { // was made with it
		t.Errorf("%+v, %v", u, err)
	}
	again, err := app.PutDevice(t.Context(), "raju", "phone", api.DeviceRequest{Kind: "apns", Token: token, AppID: "com.shop", Permission: "denied"})
	if err != nil || again.Permission != "denied" || again.Locale != "" || !again.CreatedAt.Equal(d.CreatedAt) || again.RegisteredAt.Equal(d.RegisteredAt) {
		t.Errorf("%+v, %v", again, err)
	}
	endpoint, p256dh, auth := subscription(t)
	web, err := app.PutDevice(t.Context(), "raju", "browser", api.DeviceRequest{
		Kind: "webpush", Subscription: &api.PushSubscription{Endpoint: endpoint, Keys: api.PushSubscriptionKeys{P256dh: p256dh + "=", Auth: auth}},
	})
	if err != nil || web.AddressHint != "push.example.com" || web.Platform != "web" || web.Permission != "granted" {
		t.Errorf("%+v, %v", web, err)
	}
	list, err := app.Devices(t.Context(), "raju")
	if err != nil || len(list.Devices) != 2 || list.Devices[0].ID != "phone" {
		t.Errorf("%+v, %v", list, err)
	}
	other := w.app(t, k, "other") // logs in on the same phone
	if _, err := other.PutDevice(t.Context(), "other", "phone", api.DeviceRequest{Kind: "apns", Token: token, AppID: "com.shop"}); err != nil {
		t.Fatal(err)
	}
	if list, err = app.Devices(t.Context(), "raju"); err != nil || len(list.Devices) != 1 || list.Devices[0].ID != "browser" {
		t.Errorf("%+v, %v", list, err)
	}
	if err := app.DeleteDevice(t.Context(), "raju", "phone"); code(err) != api.CodeNotFound {
		t.Errorf("another's device: %v", err)
	}
	if err := app.DeleteDevice(t.Context(), "raju", "browser"); err != nil {
		t.Error(err)
	}
}

func TestDeviceRefusals(t *testing.T) {
	t.Parallel()
	w := silent(t)
	endpoint, p256dh, auth := subscription(t)
	sub := func(endpoint, p256dh, auth string) string {
		return fmt.Sprintf(`{"kind":"unifiedpush","subscription":{"endpoint":%q,"keys":{"p256dh":%q,"auth":%q}}}`, endpoint, p256dh, auth)
	}
	off := "BAAA" + p256dh[4:] // not on the curve
	for body, path := range map[string]string{
		`{"token":"x"}`:                                                    "kind",
		`{"kind":"gcm","token":"x"}`:                                       "kind",
		`{"kind":"fcm_token"}`:                                             "token",
		`{"kind":"fcm_token","token":"a b"}`:                               "token",
		`{"kind":"fcm_fid","token":"` + "ä" + `"}`:                         "token",
		`{"kind":"apns","token":"<0a 0b>","app_id":"a"}`:                   "token",
		`{"kind":"apns","token":"0a0","app_id":"a"}`:                       "token",
		`{"kind":"apns","token":"0a"}`:                                     "app_id",
		`{"kind":"apns","token":"0a","app_id":"a b"}`:                      "app_id",
		`{"kind":"webpush","token":"x"}`:                                   "token subscription",
		`{"kind":"webpush"}`:                                               "subscription",
		sub("ftp://push.example.com/1", p256dh, auth):                      "subscription.endpoint",
		sub("https:///1", p256dh, auth):                                    "subscription.endpoint",
		sub("https://u:p@push.example.com", p256dh, auth):                  "subscription.endpoint",
		sub(endpoint, p256dh[:40], auth):                                   "subscription.keys.p256dh",
		sub(endpoint, off, auth):                                           "subscription.keys.p256dh",
		sub(endpoint, p256dh, "AAAA"):                                      "subscription.keys.auth",
		sub(endpoint, "", ""):                                              "subscription.keys.p256dh subscription.keys.auth",
		`{"kind":"fcm_token","token":"x","environment":"sandbox"}`:         "environment",
		`{"kind":"fcm_token","token":"x","permission":"maybe"}`:            "permission",
		`{"kind":"fcm_token","token":"x","platform":"symbian"}`:            "platform",
		`{"kind":"fcm_token","token":"x","locale":"english please"}`:       "locale",
		`{"kind":"fcm_token","token":"x","time_zone":"IST+5"}`:             "time_zone",
		`{"kind":"fcm_token","token":"x","user":"y"}`:                      "user",
		`{"kind":"fcm_token","token":"` + strings.Repeat("x", 2049) + `"}`: "token",
	} {
		a := w.do(t, "PUT", "/v1/users/u/devices/d", w.key, body)
		var paths []string
		if a.status == http.StatusUnprocessableEntity {
			for _, e := range a.problem(t).Errors {
				paths = append(paths, e.Path)
				if e.Message == "" || e.Code == "" {
					t.Errorf("%s: no mend: %s", body, a.body)
				}
			}
		}
		slices.Sort(paths)
		if want := strings.Fields(path); !slices.Equal(slices.Sorted(slices.Values(want)), paths) {
			t.Errorf("%.90s: %d %s, want a word on %s", body, a.status, a.body, path)
		}
	}
	for _, path := range []string{"/v1/users/u/devices/a%00b", "/v1/users/u/devices/" + strings.Repeat("x", 129), "/v1/users/a%07/devices/d"} {
		if a := w.do(t, "PUT", path, w.key, `{"kind":"fcm_token","token":"x"}`); a.status != http.StatusUnprocessableEntity {
			t.Errorf("%.60s: %d %s", path, a.status, a.body)
		}
	}
}

// TestBrowsers: a page of another site may call what apps call, and nothing else.
func TestBrowsers(t *testing.T) {
	t.Parallel()
	w := silent(t)
	k := w.newUserKey(t)
	const origin = "https://shop.example"
	for path, may := range map[string]bool{
		"/v1/client": true, "/v1/receipts": true, "/v1/users/raju/devices": true, "/v1/users/ra%2Fju/devices/phone": true,
		"/v1/users/raju": false, "/v1/notifications": false, "/v1/keys": false, "/v1/users/raju/devicesX": false, "/healthz": false,
	} {
		a := w.do(t, "OPTIONS", path, "", "", "Origin", origin, "Access-Control-Request-Method", "PUT", "Access-Control-Request-Headers", "authorization,content-type")
		got := a.status == http.StatusNoContent && a.header.Get("Access-Control-Allow-Origin") == "*" &&
			strings.Contains(a.header.Get("Access-Control-Allow-Headers"), "Authorization") && strings.Contains(a.header.Get("Access-Control-Allow-Methods"), "PUT")
		if got != may || !may && a.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("OPTIONS %s: %d %v", path, a.status, a.header)
		}
	}
	a := w.do(t, "GET", "/v1/client", userToken(t, k, "raju"), "", "Origin", origin)
	if a.status != 200 || a.header.Get("Access-Control-Allow-Origin") != "*" || a.header.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("%d %v", a.status, a.header)
	}
	if a := w.do(t, "GET", "/v1/client", "x.y.z", "", "Origin", origin); a.status != 401 || a.header.Get("Access-Control-Allow-Origin") != "*" { // or the page could not read why
		t.Errorf("%d %v", a.status, a.header)
	}
	if a := w.do(t, "OPTIONS", "/v1/client", "", "", "Origin", origin); a.status == http.StatusNoContent {
		t.Errorf("OPTIONS that asks for nothing: %d", a.status)
	}
}

// pushed writes push deliveries of a user, due in an hour, as accept would, and gives their ids.
func (w *world) pushed(t *testing.T, user, device string, n int) []string {
	t.Helper()
	cfg := store.Config{URL: string(w.cfg.DatabaseURL), NodeID: "tests"}
	if cfg.URL == "" {
		cfg.Path = filepath.Join(w.cfg.Data, "peal.db")
	}
	s, err := store.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	now := time.Now().UTC().Truncate(time.Microsecond)
	var ids []string
	for range n {
		no := peal.Notification{TenantID: w.tenant, ID: peal.NewID(), UserID: user, SendAt: now.Add(time.Hour), CreatedAt: now}
		id, err := peal.DeliveryID(no.ID, w.integration.ID, device)
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Accept(t.Context(), []pipeline.Submission{{Notification: no, Deliveries: []peal.Delivery{{
			TenantID: w.tenant, ID: id, NotificationID: no.ID, IntegrationID: w.integration.ID, Channel: peal.ChannelPush, Recipient: device,
			UserID: user, Payload: json.RawMessage(`{"text":"hi"}`), Status: peal.Queued, CreatedAt: now, UpdatedAt: now, DueAt: now.Add(time.Hour),
		}}, Answer: []byte(`{}`)}})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	return ids
}

// TestReceipts: what an app reports moves its user's push deliveries, each thing once, and nobody else's.
func TestReceipts(t *testing.T) {
	t.Parallel()
	w := silent(t)
	k := w.newUserKey(t)
	app := w.app(t, k, "raju")
	if _, err := app.PutDevice(t.Context(), "raju", "phone", api.DeviceRequest{Kind: "fcm_token", Token: "t"}); err != nil {
		t.Fatal(err)
	}
	ids := w.pushed(t, "raju", "phone", 4)
	theirs := w.pushed(t, "other", "their-phone", 1)[0]
	_, whatsapp := w.sendText(t, "hi")
	w.reaches(t, whatsapp, "sent")
	early, late := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	moved := w.metric(t, "peal_deliveries_total")
	report := func(want string, all ...api.ClientReceipt) {
		t.Helper()
		res, err := app.ReportReceipts(t.Context(), all...)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for i, r := range res.Results {
			if r.DeliveryID != all[i].DeliveryID {
				t.Errorf("result %d is of %s", i, r.DeliveryID)
			}
			if r.Error != nil {
				r.Status = r.Error.Code
			}
			got = append(got, r.Status)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	report("delivered read not_found not_found not_found invalid_request invalid_request invalid_request",
		api.ClientReceipt{DeliveryID: ids[0], Type: "delivered", At: &early},
		api.ClientReceipt{DeliveryID: ids[1], Type: "opened", At: &late},
		api.ClientReceipt{DeliveryID: theirs, Type: "opened"},
		api.ClientReceipt{DeliveryID: whatsapp, Type: "opened"},
		api.ClientReceipt{DeliveryID: "nonsense", Type: "opened"},
		api.ClientReceipt{DeliveryID: ids[2], Type: "action"},
		api.ClientReceipt{DeliveryID: ids[2], Type: "opened", Action: "buy"},
		api.ClientReceipt{Type: "opened", At: &late},
	)
	if got := w.metric(t, "peal_deliveries_total"); got != moved+2 {
		t.Errorf("%v moved, want 2", got-moved)
	}
	d := w.delivery(t, ids[0])
	if d.Status != "delivered" || d.DeliveredAt == nil || !d.DeliveredAt.Equal(d.CreatedAt) { // its clock is an hour slow
		t.Errorf("%+v", d)
	}
	if d = w.delivery(t, ids[1]); d.Status != "read" || d.ReadAt == nil || d.ReadAt.After(time.Now()) {
		t.Errorf("%+v", d)
	}
	for _, want := range []string{"delivered read read", "read read read"} { // the second time changes nothing
		report(want, api.ClientReceipt{DeliveryID: ids[3], Type: "dismissed"}, api.ClientReceipt{DeliveryID: ids[3], Type: "opened"},
			api.ClientReceipt{DeliveryID: ids[3], Type: "action", Action: "buy"})
		report("read", api.ClientReceipt{DeliveryID: ids[3], Type: "delivered"})
		d = w.delivery(t, ids[3])
		var told []string
		for _, e := range d.Timeline[1:] {
			told = append(told, e.Type+" "+e.Status+" "+e.Code+" "+e.Detail)
		}
		if want := []string{
			"receipt delivered client dismissed", "receipt read client opened", "receipt read client action:buy", "receipt delivered client delivered",
		}; !sameSet(told, want) || d.ErrorCode != "" || d.ErrorReason != "" {
			t.Errorf("%q, want %q; %s %s", told, want, d.ErrorCode, d.ErrorReason)
		}
	}
	for i := range 100 { // no more than fits into a timeline
		report("read", api.ClientReceipt{DeliveryID: ids[3], Type: "action", Action: fmt.Sprint(i)})
	}
	if n := len(w.delivery(t, ids[3]).Timeline); n != 33 {
		t.Errorf("its timeline has %d events", n)
	}
	a := w.do(t, "POST", "/v1/receipts", userToken(t, k, "raju"), `{"delivery_id":"`+strings.ToUpper(ids[2])+`","type":"action","action":"buy"}`)
	if a.status != http.StatusAccepted || !strings.Contains(string(a.body), `"status":"read"`) {
		t.Errorf("a single one: %d %s", a.status, a.body)
	}
	for _, body := range []string{`{}`, `{"delivery_id":"x","type":"seen"}`, `{"receipts":[]}`, `{"receipts":[{"delivery_id":"x","type":"opened"}],"type":"opened"}`, `{"receipts":[` + strings.Repeat(`{"delivery_id":"x","type":"opened"},`, 100) + `{"delivery_id":"x","type":"opened"}]}`} {
		if a := w.do(t, "POST", "/v1/receipts", userToken(t, k, "raju"), body); a.status != http.StatusUnprocessableEntity {
			t.Errorf("%.60s: %d %s", body, a.status, a.body)
		}
	}
	// The tenant's own server may report for any of its users; another tenant may not.
	res, err := w.peal.ReportReceipts(t.Context(), api.ClientReceipt{DeliveryID: theirs, Type: "delivered"})
	if err != nil || res.Results[0].Status != "delivered" {
		t.Errorf("%+v, %v", res, err)
	}
	b := w.newTenant(t, "evil")
	res, err = b.peal.ReportReceipts(t.Context(), api.ClientReceipt{DeliveryID: theirs, Type: "opened"})
	if err != nil || res.Results[0].Error == nil || res.Results[0].Error.Code != api.CodeNotFound {
		t.Errorf("%+v, %v", res, err)
	}
	if d := w.delivery(t, theirs); d.Status != "delivered" {
		t.Errorf("another tenant has moved it: %s", d.Status)
	}
}

func sameSet(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}
