package netguard

import (
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"testing"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

func get(t *testing.T, rt http.RoundTripper, target string) (*http.Response, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: rt, CheckRedirect: NoRedirect}
	return client.Do(req)
}

func TestTransportRefusesByAddressAndByName(t *testing.T) {
	t.Parallel()
	reached := false
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	defer srv.Close()
	u, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	tr := New().Transport(Config{})
	defer tr.CloseIdleConnections()
	for _, host := range []string{u.Host, "localhost:" + u.Port(), "[::ffff:127.0.0.1]:" + u.Port()} {
		res, err := get(t, tr, "http://"+host+"/")
		if err == nil {
			_ = res.Body.Close()
		}
		var refused *Refused
		if !errors.As(err, &refused) {
			t.Errorf("%s: got %v, want *Refused", host, err)
		}
	}
	if reached {
		t.Error("a refused call has reached the server")
	}
}

func TestTransportFollowsNoRedirect(t *testing.T) {
	t.Parallel()
	calls := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls++
		http.Redirect(w, r, "/elsewhere", http.StatusFound)
	}))
	defer srv.Close()
	tr := New(loopback...).Transport(Config{})
	defer tr.CloseIdleConnections()
	res, err := get(t, tr, srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	if res.StatusCode != http.StatusFound || calls != 1 {
		t.Errorf("got status %d after %d calls, want 302 after 1", res.StatusCode, calls)
	}
}

func TestTransportIgnoresProxyOfEnvironment(t *testing.T) {
	if New().Transport(Config{}).Proxy != nil {
		t.Error("a proxy is used without being asked for")
	}
	if New().Transport(Config{Proxy: http.ProxyFromEnvironment}).Proxy == nil {
		t.Error("the proxy that was asked for is not used")
	}
}

func TestTransportSpeaksTLSAndHTTP2(t *testing.T) {
	t.Parallel()
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Proto)
	}))
	srv.EnableHTTP2 = true
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	defer srv.Close()
	trusting := srv.Client().Transport.(*http.Transport).TLSClientConfig
	tr := New(loopback...).Transport(Config{TLS: trusting})
	defer tr.CloseIdleConnections()
	res, err := get(t, tr, srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if body, _ := io.ReadAll(res.Body); string(body) != "HTTP/2.0" {
		t.Errorf("got %q, want HTTP/2.0", body)
	}
	if trusting.MinVersion != 0 {
		t.Error("the caller's TLS settings were changed")
	}

	strict := New(loopback...).Transport(Config{})
	if res, err := get(t, strict, srv.URL); err == nil {
		_ = res.Body.Close()
		t.Error("an unknown certificate is accepted")
	}
}

// TestIdleConnectionsAreNotPinged: they are closed before it would be their time.
func TestIdleConnectionsAreNotPinged(t *testing.T) {
	t.Parallel()
	tr := New().Transport(Config{})
	if tr.IdleConnTimeout <= 0 || tr.IdleConnTimeout >= tr.HTTP2.SendPingTimeout {
		t.Errorf("idle ones are closed after %v and pinged after %v", tr.IdleConnTimeout, tr.HTTP2.SendPingTimeout)
	}
}
