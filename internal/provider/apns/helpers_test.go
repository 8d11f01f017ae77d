package apns

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"net"
	"sync"
	"testing"
	"time"

	"peal/api"
	emulator "peal/emulator/apns"
	"peal/internal/peal"
	"peal/internal/provider"
)

// newP8 makes a key as Apple hands it out.
func newP8(t testing.TB) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// sharedTokens are those of several nodes.
type sharedTokens struct {
	mu   sync.Mutex
	all  map[string]provider.Token
	made int
	err  error
}

func (k *sharedTokens) SwapToken(_ context.Context, name string, old time.Time, next provider.Token) (provider.Token, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.err != nil {
		return provider.Token{}, k.err
	}
	if now := k.all[name]; next.MadeAt.IsZero() || !now.MadeAt.Equal(old) {
		return now, nil
	}
	if k.all == nil {
		k.all = map[string]provider.Token{}
	}
	k.all[name] = next
	k.made++
	return next, nil
}

// rig is a client before the emulator.
type rig struct {
	emu    *emulator.Server
	in     *peal.Integration
	tokens *sharedTokens
	client *client
}

const (
	testToken    = "aa11bb22cc33dd44ee55ff66aa11bb22cc33dd44ee55ff66aa11bb22cc33dd44"
	testApp      = "org.example.app"
	testDelivery = "01a1fd60-4167-747f-8263-50f02ed73395"
)

// setup starts an emulator that knows one device, and opens a client of it.
func setup(t testing.TB, opt emulator.Options, change ...func(*client)) *rig {
	t.Helper()
	opt.Devices = append(opt.Devices, emulator.Device{Token: testToken, Bundle: testApp})
	r := &rig{emu: emulator.New(opt), tokens: &sharedTokens{}}
	t.Cleanup(r.emu.Close)
	addr, err := r.emu.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.in = &peal.Integration{
		ID: "in-1", Kind: "apns", BaseURL: "https://" + addr.String(), Timeout: 20 * time.Second, CA: string(r.emu.CA()),
		Credentials: map[string]string{"team_id": "TEAM000001", "key_id": "KEY0000001", "key": string(r.emu.NewKey("TEAM000001", "KEY0000001"))},
	}
	r.client = r.open(t, change...)
	return r
}

// open opens a further client, as another node would.
func (r *rig) open(t testing.TB, change ...func(*client)) *client {
	t.Helper()
	opened, err := Kind{}.Open(r.in, provider.Env{Dial: (&net.Dialer{}).DialContext, Tokens: r.tokens})
	if err != nil {
		t.Fatal(err)
	}
	c := opened.(*client)
	for _, f := range change {
		f(c)
	}
	t.Cleanup(c.Close)
	return c
}

// message is one to a device.
func message(token string) *provider.Message {
	return &provider.Message{
		DeliveryID: testDelivery,
		Content:    api.Content{Push: &api.Push{Title: "Your order", Body: "It is on its way"}},
		Device:     &peal.Device{ID: "phone-1", Kind: peal.DeviceAPNs, Address: token, AppID: testApp, Environment: peal.Production},
	}
}

func (r *rig) send(t testing.TB) peal.Outcome {
	t.Helper()
	return r.client.Send(t.Context(), message(testToken))
}

// fault starts a fault.
func (r *rig) fault(t testing.TB, f emulator.Fault) {
	t.Helper()
	if _, err := r.emu.AddFault(f); err != nil {
		t.Fatal(err)
	}
}

// sendMany sends so many at once, and counts the outcomes' classes.
func (r *rig) sendMany(t testing.TB, n int) map[peal.Class]int {
	t.Helper()
	var mu sync.Mutex
	got := map[peal.Class]int{}
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			out := r.client.Send(t.Context(), message(testToken))
			mu.Lock()
			defer mu.Unlock()
			got[out.Class]++
			if out.Class != peal.ClassAccepted && got[out.Class] == 1 {
				t.Logf("%+v", out)
			}
		})
	}
	wg.Wait()
	return got
}

// wantAccepted fails unless all were.
func wantAccepted(t testing.TB, got map[peal.Class]int, n int) {
	t.Helper()
	if got[peal.ClassAccepted] != n {
		t.Errorf("got %v, want all %d accepted", got, n)
	}
}

// open counts the emulator's connections that are open.
func openConns(emu *emulator.Server) (open, all int) {
	for _, c := range emu.Connections() {
		all++
		if c.ClosedAt.IsZero() {
			open++
		}
	}
	return open, all
}

// until waits for a condition.
func until(t testing.TB, what string, is func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("it did not come to pass: %s", what)
		}
	}
}
