package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"peal/api"
	"peal/emulator/apns"
)

const bundle = "org.example.shop"

// apple is an emulated APNs, and an integration that leads to it.
type apple struct {
	*apns.Server

	integration *api.Integration
}

func (w *world) apple(t *testing.T) *apple {
	t.Helper()
	a := &apple{Server: apns.New(apns.Options{})}
	t.Cleanup(a.Close)
	addr, err := a.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p8 := string(a.NewKey("TEAM000001", "KEY0000001"))
	w.watched.watch(strings.TrimSpace(strings.Split(p8, "\n")[1]))
	a.integration, err = w.peal.CreateIntegration(t.Context(), api.IntegrationRequest{
		Name: "ios", Kind: "apns",
		Settings:    api.Settings{BaseURL: "https://" + addr.String(), CA: string(a.CA()), Limit: &api.Limit{}, RetryBase: "100ms"},
		Credentials: map[string]string{"team_id": "TEAM000001", "key_id": "KEY0000001", "key": p8},
	})
	if err != nil {
		t.Fatalf("make integration: %v", err)
	}
	return a
}

// iphone gives a user an iPhone with the app. It tells its token.
func (a *apple) iphone(t *testing.T, w *world, user, id string, number int) string {
	t.Helper()
	token := strings.Repeat(fmt.Sprintf("%04x", 0xab00+number), 16)
	w.watched.watch(token)
	if err := a.Register(apns.Device{Token: token, Bundle: bundle}); err != nil {
		t.Fatal(err)
	}
	req := api.DeviceRequest{Kind: "apns", Token: token, AppID: bundle, Environment: "production"}
	if _, err := w.peal.PutDevice(t.Context(), user, id, req); err != nil {
		t.Fatalf("register: %v", err)
	}
	return token
}

// TestPushOverAPNs: an iPhone shows a push once, though the answer to the first try was lost. One whose token is dead is
// retired, unless it has registered since the time that Apple names.
func TestPushOverAPNs(t *testing.T) {
	t.Parallel()
	w := silent(t)
	a := w.apple(t)
	one, dead, back := a.iphone(t, w, "raju", "one", 1), a.iphone(t, w, "raju", "dead", 2), a.iphone(t, w, "raju", "back", 3)
	for token, at := range map[string]time.Time{dead: time.Now().Add(time.Hour), back: time.Now().Add(-time.Hour)} {
		if err := a.Unregister(token, at); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := a.AddFault(apns.Fault{Kind: apns.FaultReset, TakeFirst: true, Token: one}); err != nil {
		t.Fatal(err)
	}
	sent, err := w.peal.Send(t.Context(), pushTo("raju", "hello"))
	if err != nil || len(sent.Deliveries) != 3 {
		t.Fatalf("%+v, %v", sent, err)
	}
	got := by(w.ended(t, sent.ID))
	if got["one"].Status != "sent" || got["one"].MessageID == "" || got["dead"].ErrorCode != "Unregistered" || got["back"].ErrorCode != "Unregistered" {
		t.Errorf("%+v", got)
	}
	if screen, shown := a.Screen(one), a.Shown(one); len(screen) != 1 || len(shown) != 2 || screen[0].Body != "hello" {
		t.Errorf("of %d on the screen: %+v", len(shown), screen)
	}
	devices, err := w.peal.Devices(t.Context(), "raju")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range devices.Devices {
		if (d.ID == "dead") != (d.State == "retired" && d.RetiredReason == "Unregistered") {
			t.Errorf("a device is %+v", d)
		}
	}
	if n := len(a.Tokens()); n != 1 {
		t.Errorf("Apple saw %d provider tokens", n)
	}
	_, err = w.peal.PutDevice(t.Context(), "raju", "two", api.DeviceRequest{Kind: "apns", Token: "<740f 4707>", Environment: "production"})
	if p := problemOf(err); p == nil || p.Status != 422 || len(p.Errors) != 2 {
		t.Errorf("a device that cannot be: %v", err)
	}
}
