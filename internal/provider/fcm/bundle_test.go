package fcm_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"go.uber.org/goleak"

	"peal/api"
	emulator "peal/emulator/fcm"
	"peal/internal/peal"
	"peal/internal/provider"
	"peal/internal/provider/fcm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bundle is a client before an emulator.
type bundle struct {
	*testing.T
	emu    *emulator.Server
	in     *peal.Integration
	client provider.Client
}

func setup(t *testing.T, options emulator.Options) *bundle {
	t.Helper()
	emu := emulator.New(options)
	t.Cleanup(emu.Close)
	srv := httptest.NewServer(emu)
	t.Cleanup(srv.Close)
	emu.SetURL(srv.URL)
	file := accountFile(srv.URL)
	if err := emu.AddServiceAccount([]byte(file)); err != nil {
		t.Fatal(err)
	}
	b := &bundle{T: t, emu: emu, in: &peal.Integration{
		ID: "in-1", Kind: "fcm", BaseURL: srv.URL, Timeout: 10 * time.Second, Credentials: map[string]string{"service_account": file},
	}}
	b.client = b.open()
	return b
}

// open makes a client more.
func (b *bundle) open() provider.Client {
	b.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 128}
	b.Cleanup(transport.CloseIdleConnections)
	c, err := fcm.Kind{}.Open(b.in, provider.Env{Transport: transport})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.Close)
	return c
}

// phone registers a device, and gives a message to it.
func (b *bundle) phone(platform emulator.Platform, push api.Push) *provider.Message {
	b.Helper()
	d, err := b.emu.Register(emulator.Device{Project: project, Platform: platform})
	if err != nil {
		b.Fatal(err)
	}
	return messageTo(d.Token, string(platform), push)
}

func messageTo(token, platform string, push api.Push) *provider.Message {
	return &provider.Message{
		DeliveryID: "01a1fd60-4167-747f-8263-50f02ed73395", To: "installation-7", Content: api.Content{Push: &push},
		Device: &peal.Device{ID: "installation-7", UserID: "user-3", Kind: peal.DeviceFCMToken, Address: token, Platform: platform},
	}
}

func (b *bundle) fault(f emulator.Fault) {
	b.Helper()
	if _, err := b.emu.AddFault(f); err != nil {
		b.Fatal(err)
	}
}

func hello() api.Push { return api.Push{Title: "Your order", Body: "It is on its way"} }
