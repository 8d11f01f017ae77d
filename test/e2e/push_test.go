package e2e_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"peal/api"
	"peal/emulator/fcm"
)

const project = "shop-17"

// firebase is an emulated FCM, and an integration that leads to it.
type firebase struct {
	*fcm.Server

	integration *api.Integration
}

func (w *world) firebase(t *testing.T, settings ...func(*api.Settings)) *firebase {
	t.Helper()
	f := &firebase{Server: fcm.New(fcm.Options{})}
	t.Cleanup(f.Close)
	srv := httptest.NewServer(f)
	t.Cleanup(srv.Close)
	f.SetURL(srv.URL)
	file, err := f.NewServiceAccount(project)
	if err != nil {
		t.Fatal(err)
	}
	s := api.Settings{BaseURL: srv.URL, Limit: &api.Limit{}, RetryBase: "100ms"}
	for _, change := range settings {
		change(&s)
	}
	f.integration, err = w.peal.CreateIntegration(t.Context(), api.IntegrationRequest{
		Name: "android", Kind: "fcm", Settings: s, Credentials: map[string]string{"service_account": string(file)},
	})
	if err != nil {
		t.Fatalf("make integration: %v", err)
	}
	return f
}

// phone gives a user a phone with the app. It tells its token.
func (f *firebase) phone(t *testing.T, w *world, user, id string, change ...func(*api.DeviceRequest)) string {
	t.Helper()
	d, err := f.Register(fcm.Device{Project: project})
	if err != nil {
		t.Fatal(err)
	}
	w.watched.watch(d.Token)
	req := api.DeviceRequest{Kind: "fcm_token", Token: d.Token}
	for _, c := range change {
		c(&req)
	}
	if _, err := w.peal.PutDevice(t.Context(), user, id, req); err != nil {
		t.Fatalf("register: %v", err)
	}
	return d.Token
}

func pushTo(user, body string) api.NotificationRequest {
	return api.NotificationRequest{Recipient: api.Recipient{UserID: user}, Content: api.Content{Push: &api.Push{Title: "Shop", Body: body}}}
}

// by are a notification's deliveries by their devices.
func by(n *api.Notification) map[string]api.Delivery {
	out := map[string]api.Delivery{}
	for _, d := range n.Deliveries {
		out[d.Recipient] = d
	}
	return out
}

// ended waits until nothing of a notification is on its way.
func (w *world) ended(t *testing.T, id string) (n *api.Notification) {
	t.Helper()
	eventually(t, "all deliveries end", func() (err error) {
		if n, err = w.peal.Notification(t.Context(), id); err != nil {
			return err
		}
		for _, d := range n.Deliveries {
			if d.Status == "queued" || d.Status == "sending" {
				return fmt.Errorf("%s is %s %s", d.Recipient, d.Status, d.ErrorCode)
			}
		}
		return nil
	})
	return n
}

// TestPush: a push reaches all phones of a user that it may, each once; a phone that is dead is called once.
func TestPush(t *testing.T) {
	t.Parallel()
	w := silent(t)
	f := w.firebase(t)
	one, dead := f.phone(t, w, "raju", "one"), f.phone(t, w, "raju", "dead")
	f.phone(t, w, "raju", "denied", func(r *api.DeviceRequest) { r.Permission = "denied" })
	other := f.phone(t, w, "asha", "hers")
	if err := f.Unregister(dead); err != nil {
		t.Fatal(err)
	}

	dry, err := w.peal.DryRun(t.Context(), pushTo("raju", "hello"))
	if err != nil || len(dry.Deliveries) != 3 || f.Counts().Arrived != 0 {
		t.Fatalf("%+v, %v", dry, err)
	}
	for _, d := range dry.Deliveries {
		if (d.Status == "queued") != (d.Request != nil) || (d.Request != nil && !strings.Contains(string(d.Request.Body), "hello")) {
			t.Errorf("it would be %+v", d)
		}
	}
	sent, err := w.peal.Send(t.Context(), pushTo("raju", "hello"))
	if err != nil || len(sent.Deliveries) != 3 {
		t.Fatalf("%+v, %v", sent, err)
	}
	n := w.ended(t, sent.ID)
	got := by(n)
	if n.Status != "sent" || got["one"].Status != "sent" || got["one"].MessageID == "" || got["dead"].Status != "failed" || got["dead"].ErrorCode != "UNREGISTERED" ||
		got["denied"].Status != "skipped" || got["denied"].ErrorCode != "permission_denied" {
		t.Errorf("%+v", n)
	}
	if f.Taken(one) != 1 || f.Calls(dead) != 1 || f.Calls(other) != 0 {
		t.Errorf("taken %d, called %d and %d", f.Taken(one), f.Calls(dead), f.Calls(other))
	}
	devices, err := w.peal.Devices(t.Context(), "raju")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range devices.Devices {
		if (d.ID == "dead") != (d.State == "retired" && d.RetiredReason == "UNREGISTERED") {
			t.Errorf("a device is %+v", d)
		}
	}
	sent, err = w.peal.Send(t.Context(), pushTo("raju", "again"))
	if err != nil {
		t.Fatal(err)
	}
	if got = by(w.ended(t, sent.ID)); got["dead"].ErrorCode != "device_retired" || got["one"].Status != "sent" || f.Calls(dead) != 1 {
		t.Errorf("%+v, called %d times", got, f.Calls(dead))
	}
	sent, err = w.peal.Send(t.Context(), pushTo("nobody", "hello"))
	if err != nil || len(sent.Deliveries) != 1 || sent.Deliveries[0].Reason != "no_device" {
		t.Errorf("%+v, %v", sent, err)
	}
	_, err = w.peal.Send(t.Context(), pushTo("raju", strings.Repeat("x", 4000)+""))
	if err == nil {
		_, err = w.peal.Send(t.Context(), func() api.NotificationRequest {
			r := pushTo("raju", strings.Repeat("x", 3900))
			r.Content.Push.Data = map[string]string{"k": strings.Repeat("v", 3900)}
			return r
		}())
	}
	if p := problemOf(err); p == nil || p.Status != 422 || len(p.Errors) == 0 || !strings.HasPrefix(p.Errors[0].Path, "content.push") {
		t.Errorf("what is too large: %v", err)
	}
}

// TestPushIntegrationIsTested: FCM is asked, and nobody is shown anything; and then a real one.
func TestPushIntegrationIsTested(t *testing.T) {
	t.Parallel()
	w := silent(t)
	f := w.firebase(t)
	one, dead := f.phone(t, w, "raju", "one"), f.phone(t, w, "raju", "dead")
	if err := f.Unregister(dead); err != nil {
		t.Fatal(err)
	}
	for device, want := range map[string]string{"one": "accepted", "dead": "gone"} {
		v, err := w.peal.ValidateIntegration(t.Context(), "android", api.TestRequest{Device: device})
		if err != nil || v.Class != want {
			t.Errorf("%s: %+v, %v", device, v, err)
		}
	}
	if c := f.Counts(); c.Shown != 0 || c.Accepted != 0 {
		t.Errorf("%+v", c)
	}
	a, err := w.peal.TestIntegration(t.Context(), "android", api.TestRequest{Device: "one"})
	if err != nil || len(a.Deliveries) != 1 {
		t.Fatalf("%+v, %v", a, err)
	}
	w.reaches(t, a.Deliveries[0].ID, "sent")
	if f.Taken(one) != 1 {
		t.Errorf("it took %d", f.Taken(one))
	}
}
