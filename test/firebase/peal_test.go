package firebase_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net"
	"net/http"
	"testing"
	"time"

	googlefcm "google.golang.org/api/fcm/v1"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/provider"
	"peal/internal/provider/fcm"
)

// previewer is Peal's client of FCM, which calls nobody.
func previewer(t *testing.T) provider.Previewer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	file, err := json.Marshal(map[string]string{
		"type": "service_account", "project_id": project, "client_email": "sender@demo.iam.gserviceaccount.com", "token_uri": "https://oauth2.googleapis.com/token",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	})
	if err != nil {
		t.Fatal(err)
	}
	in := &peal.Integration{BaseURL: "https://fcm.googleapis.com", Credentials: map[string]string{"service_account": string(file)}}
	client, err := fcm.Kind{}.Open(in, provider.Env{Transport: http.DefaultTransport, Dial: (&net.Dialer{}).DialContext})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client.(provider.Previewer)
}

// TestPealsJSON holds what Peal sends against Google's types.
func TestPealsJSON(t *testing.T) {
	t.Parallel()
	c := previewer(t)
	whole := api.Push{
		Title: "Your order", Body: "It is on its way", Image: "https://example.com/a.png", Icon: "https://example.com/i.png", Sound: "default",
		Badge: new(3), Link: "https://example.com/orders/7", Actions: []api.PushAction{{ID: "track", Title: "Track it", Icon: "https://example.com/t.png"}},
		Data: map[string]string{"order": "7"}, CollapseKey: "order-7", TTL: new("1h"), Channel: "orders", Category: "ORDER", Thread: "orders",
	}
	patched := whole
	patched.Overrides.FCM = json.RawMessage(`{"android":{"notification":{"color":"#ff0000","sound":null}},"webpush":null,"fcmOptions":{"analyticsLabel":"orders"}}`)
	read := func(kind peal.DeviceKind, p api.Push) *googlefcm.Message {
		t.Helper()
		preview, err := c.Preview(&provider.Message{
			DeliveryID: "01a1fd60-4167-747f-8263-50f02ed73395", To: "installation-7", Content: api.Content{Push: &p}, ExpiresAt: time.Now().Add(time.Hour),
			Device: &peal.Device{Kind: kind, Address: "cXw4w9WgXcQ:APA91bAddress"},
		})
		if err != nil {
			t.Fatal(err)
		}
		return strict(t, preview.Body).Message
	}
	m := read(peal.DeviceFCMToken, whole)
	if m.Token == "" || m.Fid != "" || m.Notification.Title != "Your order" || m.Data["order"] != "7" || m.Android.Priority != "HIGH" || //nolint:staticcheck // deprecated, and what most apps have
		m.Android.Ttl != "3600s" || m.Android.CollapseKey != "order-7" || m.Android.Notification.ChannelId != "orders" || m.Android.Notification.NotificationCount != 3 ||
		m.Android.Notification.Tag != "order-7" || m.Webpush.FcmOptions.Link != "https://example.com/orders/7" {
		t.Errorf("%+v", m)
	}
	if m.Apns.Headers == nil || len(m.Apns.Payload) == 0 || len(m.Webpush.Notification) == 0 {
		t.Errorf("%+v %+v", m.Apns, m.Webpush)
	}
	if m = read(peal.DeviceFCMFID, api.Push{Silent: true, CollapseKey: "sync"}); m.Fid == "" || m.Notification != nil || m.Android.Notification != nil {
		t.Errorf("%+v", m)
	}
	if m = read(peal.DeviceFCMToken, patched); m.Android.Notification.Color != "#ff0000" || m.Android.Notification.Sound != "" || m.Webpush != nil || m.FcmOptions.AnalyticsLabel != "orders" {
		t.Errorf("%+v", m)
	}
}
