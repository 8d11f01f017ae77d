package webpush

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"peal/api"
	emulator "peal/emulator/webpush"
	"peal/internal/netguard"
	"peal/internal/peal"
	"peal/internal/provider"
)

// bench is a client before the emulator.
type bench struct {
	emu    *emulator.Server
	http   *httptest.Server
	client *client
	now    time.Time // the client's and the emulator's; changed between calls only
}

func setup(t testing.TB, opt emulator.Options) *bench {
	t.Helper()
	b := &bench{now: time.Now()}
	opt.Clock = func() time.Time { return b.now }
	b.emu = emulator.New(opt)
	b.http = httptest.NewServer(b.emu)
	t.Cleanup(b.http.Close)
	t.Cleanup(b.emu.Close)
	if err := b.emu.SetOrigin(b.http.URL); err != nil {
		t.Fatal(err)
	}
	b.client = open(t, account(), netguard.New(netip.MustParsePrefix("127.0.0.0/8")))
	b.client.now, b.client.origins.now = opt.Clock, opt.Clock
	return b
}

func open(t testing.TB, in *peal.Integration, guard *netguard.Guard) *client {
	t.Helper()
	rt := guard.Transport(netguard.Config{})
	return openWith(t, in, rt, rt.DialContext)
}

func openWith(t testing.TB, in *peal.Integration, rt *http.Transport, dial dialer) *client {
	t.Helper()
	c, err := Kind{}.Open(in, provider.Env{Transport: rt, Dial: dial})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(rt.CloseIdleConnections)
	t.Cleanup(c.Close)
	return c.(*client)
}

// subscribe makes a browser that has worked before.
func (b *bench) subscribe(t testing.TB) *peal.Device {
	t.Helper()
	sub, err := b.emu.Subscribe(Kind{}.Public(account())[publicName])
	if err != nil {
		t.Fatal(err)
	}
	d := device(sub)
	d.LastOKAt = b.now.Add(-time.Hour)
	return d
}

func (b *bench) fault(t testing.TB, f emulator.Fault) {
	t.Helper()
	if _, err := b.emu.AddFault(f); err != nil {
		t.Fatal(err)
	}
}

func message(d *peal.Device) *provider.Message {
	return &provider.Message{
		DeliveryID: "01a1fd60-4167-747f-8263-50f02ed73395", To: d.ID, Device: d,
		Content: api.Content{Push: &api.Push{Title: "Your order", Body: "It is on its way", Link: "https://example.com/orders/7"}},
	}
}

// dialTo dials there, whatever is asked for.
func dialTo(dial dialer, address string) dialer {
	return func(ctx context.Context, network, _ string) (net.Conn, error) { return dial(ctx, network, address) }
}
