package fcm_test

import (
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	emulator "peal/emulator/fcm"
	"peal/internal/peal"
	"peal/internal/provider"
	"peal/internal/provider/fcm"
)

// TestTenThousand sends over HTTP/2, as FCM speaks it, to a provider that takes 50 ms for each.
func TestTenThousand(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED by -short: nobody has looked whether 10,000 sends get through a service that takes 50 ms")
	}
	const sends, workers = 10_000, 512
	emu := emulator.New(emulator.Options{Latency: 50 * time.Millisecond, AnyDevice: true, Limits: emulator.NoLimits(), KeepShown: -1})
	t.Cleanup(emu.Close)
	var conns atomic.Int64
	srv := httptest.NewUnstartedServer(emu)
	srv.EnableHTTP2 = true
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			conns.Add(1)
		}
	}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	emu.SetURL(srv.URL)
	file := accountFile(srv.URL)
	if err := emu.AddServiceAccount([]byte(file)); err != nil {
		t.Fatal(err)
	}
	shared := &http.Transport{}
	c, err := fcm.Kind{}.Open(&peal.Integration{
		BaseURL: srv.URL, Concurrency: workers, Credentials: map[string]string{"service_account": file},
		CA: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})),
	}, provider.Env{Transport: shared, Dial: (&net.Dialer{}).DialContext})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var left atomic.Int64
	left.Store(sends)
	began := time.Now()
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if out := c.Send(t.Context(), messageTo(emulator.NewToken(emulator.NewFID()), "android", hello())); out.Class != peal.ClassAccepted {
					t.Errorf("%+v", out)
				}
			}
		})
	}
	wg.Wait()
	took := time.Since(began)
	if n := emu.Counts(); n.Accepted != sends || n.Tokens != 1 {
		t.Errorf("%d taken with %d tokens, want %d with 1", n.Accepted, n.Tokens, sends)
	}
	// One for tokens, and six lanes; a machine that stands still for seconds lets some go cold.
	if n := conns.Load(); n > 3*7 {
		t.Errorf("%d connections for %d calls at once", n, workers)
	}
	t.Logf("%.0f a second over %d connections", sends/took.Seconds(), conns.Load())
}
