package webpush

import (
	"context"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"peal/internal/netguard"
	"peal/internal/peal"
)

// at is a device whose endpoint is that URL.
func at(endpoint string) *peal.Device {
	return &peal.Device{ID: "installation-77", Kind: peal.DeviceUnifiedPush, Address: endpoint, P256dh: vectorReceiver, Auth: vectorAuth}
}

func TestPrivateAddressesAreNotCalled(t *testing.T) {
	t.Parallel()
	var called atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called.Add(1) }))
	defer srv.Close()
	port := srv.URL[strings.LastIndexByte(srv.URL, ':'):]
	c := open(t, account(), netguard.New())
	for _, endpoint := range []string{
		srv.URL, "https://127.0.0.1" + port, "https://10.0.0.5/x", "https://169.254.169.254/latest/meta-data", "https://[::1]" + port,
		"https://[::ffff:10.0.0.5]/x", "http://10.0.0.5/x",
		"https://localhost" + port, "http://localhost" + port, // a name that looks like any other until it is resolved
	} {
		d := at(endpoint)
		out := c.Send(t.Context(), message(d))
		if out.Class != peal.ClassPermanent || out.Code != "address_refused" || out.Device != dead {
			t.Errorf("%s: got %+v", endpoint, out)
		}
		d.LastOKAt = time.Now() // what worked once may be a name that leads astray for a while
		if out := c.Send(t.Context(), message(d)); out.Device != doubts {
			t.Errorf("%s: got %+v", endpoint, out)
		}
	}
	if called.Load() != 0 {
		t.Errorf("%d calls arrived", called.Load())
	}
}

// TestNamesThatChange has a name that leads to a public address when it is looked at, and to a private one when it is
// dialed: only what is dialed counts.
func TestNamesThatChange(t *testing.T) {
	t.Parallel()
	var called atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called.Add(1) }))
	defer srv.Close()
	rt := netguard.New().Transport(netguard.Config{})
	rt.DialContext = dialTo(rt.DialContext, srv.Listener.Addr().String())
	c := openWith(t, account(), rt, rt.DialContext)
	for _, endpoint := range []string{"https://rebind.example.com/x", "http://rebind.example.com/x"} {
		if out := c.Send(t.Context(), message(at(endpoint))); out.Code != "address_refused" {
			t.Errorf("%s: got %+v", endpoint, out)
		}
	}
	if called.Load() != 0 {
		t.Errorf("%d calls arrived", called.Load())
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	var inside atomic.Int64
	target := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { inside.Add(1) }))
	defer target.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		srv := httptest.NewServer(http.RedirectHandler(target.URL, status))
		c := open(t, account(), netguard.New(netip.MustParsePrefix("127.0.0.0/8")))
		out := c.Send(t.Context(), message(at(srv.URL)))
		if out.Class == peal.ClassAccepted || strings.Contains(out.Reason, target.URL) {
			t.Errorf("%d: got %+v", status, out)
		}
		srv.Close()
	}
	if inside.Load() != 0 {
		t.Errorf("%d calls were led astray", inside.Load())
	}
}

// abroad is a connection to a public address, as far as anybody can see.
type abroad struct {
	net.Conn

	written *atomic.Int64
}

func (abroad) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(8, 8, 8, 8), Port: 80} }

func (a abroad) Write(b []byte) (int, error) {
	a.written.Add(int64(len(b)))
	return a.Conn.Write(b)
}

func TestPlainHTTPStaysInside(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusCreated) }))
	defer srv.Close()
	rt := netguard.New(netip.MustParsePrefix("127.0.0.0/8")).Transport(netguard.Config{})
	var written atomic.Int64
	inner := dialTo(rt.DialContext, srv.Listener.Addr().String())
	out := func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := inner(ctx, network, address)
		return abroad{conn, &written}, err
	}
	c := openWith(t, account(), rt, out)
	got := c.Send(t.Context(), message(at("http://push.example.com/x")))
	if got.Class != peal.ClassPermanent || got.Code != codePlain || got.Device != dead || written.Load() != 0 {
		t.Errorf("got %+v, and %d bytes were written", got, written.Load())
	}
	if got := openWith(t, account(), rt, inner).Send(t.Context(), message(at("http://push.lan/x"))); got.Class != peal.ClassAccepted {
		t.Errorf("to a private address: got %+v", got)
	}
}

// TestTLS calls over HTTP/2 with a certificate that the integration trusts.
func TestTLS(t *testing.T) {
	t.Parallel()
	var proto atomic.Value
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		proto.Store(r.Proto)
		w.WriteHeader(http.StatusCreated)
	}))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()
	in := account()
	in.CA = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}))
	c := open(t, in, netguard.New(netip.MustParsePrefix("127.0.0.0/8")))
	if out := c.Send(t.Context(), message(at(srv.URL+"/x"))); out.Class != peal.ClassAccepted || proto.Load() != "HTTP/2.0" {
		t.Errorf("got %+v over %v", out, proto.Load())
	}
	in.CA = ""
	c = open(t, in, netguard.New(netip.MustParsePrefix("127.0.0.0/8")))
	if out := c.Send(t.Context(), message(at(srv.URL+"/x"))); out.Class != peal.ClassTemporary || out.Code != "tls" {
		t.Errorf("an unknown certificate: got %+v", out)
	}
}
