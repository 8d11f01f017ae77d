package e2e_test

import (
	"net/http/httptest"
	"testing"

	"peal/api"
	"peal/emulator/webpush"
)

// TestWebPush: a browser subscribes with the key that Peal made, is shown what is sent, and is retired when it has gone.
func TestWebPush(t *testing.T) {
	t.Parallel()
	w := silent(t)
	emu := webpush.New(webpush.Options{})
	t.Cleanup(emu.Close)
	srv := httptest.NewServer(emu)
	t.Cleanup(srv.Close)
	if err := emu.SetOrigin(srv.URL); err != nil {
		t.Fatal(err)
	}
	in, err := w.peal.CreateIntegration(t.Context(), api.IntegrationRequest{
		Name: "browsers", Kind: "webpush", Credentials: map[string]string{"subject": "mailto:ops@example.com"},
	})
	if err != nil {
		t.Fatal(err)
	}
	app := w.app(t, w.newUserKey(t), "raju")
	known, err := app.ClientConfig(t.Context())
	if err != nil || len(known.WebPush) != 1 || known.WebPush[0].IntegrationID != in.ID {
		t.Fatalf("%+v, %v", known, err)
	}
	sub, err := emu.Subscribe(known.WebPush[0].PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	w.watched.watch(sub.Endpoint, sub.Keys.P256dh, sub.Keys.Auth)
	_, err = app.PutDevice(t.Context(), "raju", "browser", api.DeviceRequest{
		Kind: "webpush", Subscription: &api.PushSubscription{Endpoint: sub.Endpoint, Keys: api.PushSubscriptionKeys{P256dh: sub.Keys.P256dh, Auth: sub.Keys.Auth}},
	})
	if err != nil {
		t.Fatal(err)
	}
	push := api.NotificationRequest{
		Recipient: api.Recipient{UserID: "raju"}, Content: api.Content{Push: &api.Push{Title: "Your order", Link: "https://example.com/7"}},
	}
	_, id := w.send(t, push)
	if d := w.reaches(t, id, "sent", "failed"); d.Status != "sent" || d.Recipient != "browser" {
		t.Fatalf("%+v", d)
	}
	all := emu.Messages(webpush.Query{})
	if len(all) != 1 || all[0].Shown == nil || all[0].Shown.Title != "Your order" || all[0].Shown.Data["peal.delivery_id"] != id || !all[0].Shown.Declarative {
		t.Fatalf("%+v", all)
	}
	if err := emu.Unsubscribe(sub.Endpoint); err != nil {
		t.Fatal(err)
	}
	_, id = w.send(t, push)
	if d := w.reaches(t, id, "failed"); d.ErrorCode != "gone" {
		t.Fatalf("%+v", d)
	}
	devices, err := app.Devices(t.Context(), "raju")
	if err != nil || len(devices.Devices) != 1 || devices.Devices[0].State != "retired" || devices.Devices[0].RetiredReason != "gone" {
		t.Errorf("%+v, %v", devices, err)
	}
}
