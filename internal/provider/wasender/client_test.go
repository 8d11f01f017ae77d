package wasender

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"peal/internal/netguard"
	"peal/internal/peal"
	"peal/internal/provider"
)

const accepted = `{"success":true,"data":{"msgId":100000,"jid":"+123456789","status":"in_progress"}}`

func TestSendOnTheWire(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	c := open(t, func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if r.Method != http.MethodPost || r.URL.Path != "/api/send-message" || r.URL.RawQuery != "" {
			t.Errorf("got %s %s", r.Method, r.URL)
		}
		if want := `{"to":"` + testPhone + `","text":"Your order is on its way"}`; string(body) != want || r.ContentLength != int64(len(want)) {
			t.Errorf("got body %s of length %d", body, r.ContentLength)
		}
		for k, want := range map[string]string{
			"Authorization": "Bearer " + testKey, "Content-Type": "application/json", "Accept": "application/json", "User-Agent": "peal",
		} {
			if got := r.Header.Get(k); got != want {
				t.Errorf("%s: got %q, want %q", k, got, want)
			}
		}
		_, _ = io.WriteString(w, accepted)
	})
	if got := c.Send(t.Context(), textMessage()); got.Class != peal.ClassAccepted || got.MessageID != "100000" {
		t.Errorf("got %+v", got)
	}
	if calls.Load() != 1 {
		t.Errorf("got %d calls", calls.Load())
	}
}

// TestPreview: what is shown is what is sent, without the secrets.
func TestPreview(t *testing.T) {
	t.Parallel()
	shown := make(chan provider.Preview, 1)
	c := open(t, func(w http.ResponseWriter, r *http.Request) {
		want := <-shown
		body, err := io.ReadAll(r.Body)
		if err != nil || string(body) != string(want.Body) || "http://"+r.Host+r.URL.Path != want.URL {
			t.Errorf("sent %s to %s, shown were %s and %s, %v", body, r.URL, want.Body, want.URL, err)
		}
		for name, v := range want.Header {
			if name == "Authorization" || r.Header.Get(name) != v {
				t.Errorf("shown was %s: %s", name, v)
			}
		}
		_, _ = io.WriteString(w, accepted)
	})
	p, err := c.Preview(textMessage())
	if err != nil {
		t.Fatal(err)
	}
	shown <- p
	if got := c.Send(t.Context(), textMessage()); got.Class != peal.ClassAccepted {
		t.Errorf("got %+v", got)
	}
}

// fakeTransport is a transport made of one function.
type fakeTransport func(*http.Request) (*http.Response, error)

func (f fakeTransport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

var errBroken = errors.New("broken pipe to " + testPhone)

func TestSendBeforeAndAfterTheMessageIsWritten(t *testing.T) {
	t.Parallel()
	readSome := func(r io.Reader) { _, _ = io.ReadFull(r, make([]byte, 3)) }
	for name, c := range map[string]struct {
		transport fakeTransport
		want      peal.Class
	}{
		"nothing read": {func(*http.Request) (*http.Response, error) { return nil, errBroken }, peal.ClassTemporary},
		"closed only":  {func(r *http.Request) (*http.Response, error) { _ = r.Body.Close(); return nil, errBroken }, peal.ClassTemporary},
		"some read":    {func(r *http.Request) (*http.Response, error) { readSome(r.Body); return nil, errBroken }, peal.ClassUnknown},
		"all read": {func(r *http.Request) (*http.Response, error) {
			_, _ = io.ReadAll(r.Body)
			return nil, errBroken
		}, peal.ClassUnknown},
		"nothing read of the second": {func(r *http.Request) (*http.Response, error) {
			readSome(r.Body)
			_, _ = r.GetBody()
			return nil, errBroken
		}, peal.ClassTemporary},
		"some read of the second": {func(r *http.Request) (*http.Response, error) {
			b, _ := r.GetBody()
			readSome(b)
			return nil, errBroken
		}, peal.ClassUnknown},
	} {
		got := openAt(t, "http://example.com/api", c.transport).Send(t.Context(), textMessage())
		if got.Class != c.want || got.Code != "connection_lost" || strings.Contains(got.Reason, testPhone) {
			t.Errorf("%s: got %+v, want class %s", name, got, c.want)
		}
	}
}

func TestSendGivesNoByteAfterItWasGivenUp(t *testing.T) {
	t.Parallel()
	var body io.Reader
	c := openAt(t, "http://example.com/api", fakeTransport(func(r *http.Request) (*http.Response, error) {
		body = r.Body
		return nil, errBroken
	}))
	if got := c.Send(t.Context(), textMessage()); got.Class != peal.ClassTemporary {
		t.Fatalf("got %+v", got)
	}
	if n, err := body.Read(make([]byte, 100)); n != 0 || err == nil || err == io.EOF {
		t.Errorf("a late read gets %d bytes and %v", n, err)
	}
}

func TestSendWithoutAnswer(t *testing.T) {
	t.Parallel()
	closed := httptest.NewServer(nil)
	closed.Close()
	plain := httptest.NewUnstartedServer(nil)
	plain.Config.ErrorLog = log.New(io.Discard, "", 0)
	plain.Start()
	t.Cleanup(plain.Close)
	secure := httptest.NewUnstartedServer(nil)
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	hangUp := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body)
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(hangUp.Close)
	half := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "500")
		_, _ = io.WriteString(w, `{"success":true,`)
	}))
	t.Cleanup(half.Close)
	dial := func(err error) *http.Transport {
		return &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, err }}
	}

	for name, c := range map[string]struct {
		base      string
		transport *http.Transport
		want      peal.Outcome
	}{
		"refused":       {closed.URL, &http.Transport{}, peal.Outcome{Class: peal.ClassTemporary, Code: "connection_refused"}},
		"no such name":  {"http://provider.invalid", dial(&net.DNSError{Err: "no such host", Name: "provider.invalid", IsNotFound: true}), peal.Outcome{Class: peal.ClassTemporary, Code: "dns"}},
		"unreachable":   {"http://example.com", dial(&net.OpError{Op: "dial", Err: errors.New("no route")}), peal.Outcome{Class: peal.ClassTemporary, Code: "connect"}},
		"no TLS there":  {"https" + strings.TrimPrefix(plain.URL, "http"), &http.Transport{}, peal.Outcome{Class: peal.ClassTemporary, Code: "tls"}},
		"certificate":   {secure.URL, &http.Transport{}, peal.Outcome{Class: peal.ClassTemporary, Code: "tls"}},
		"TLS version":   {secure.URL, &http.Transport{TLSClientConfig: &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}}, peal.Outcome{Class: peal.ClassTemporary, Code: "tls"}},
		"guard":         {plain.URL, netguard.New().Transport(netguard.Config{}), peal.Outcome{Class: peal.ClassIntegration, Code: "address_refused", Pause: peal.PauseBlocked}},
		"hangs up":      {hangUp.URL, &http.Transport{}, peal.Outcome{Class: peal.ClassUnknown, Code: "connection_lost"}},
		"half a answer": {half.URL, &http.Transport{}, peal.Outcome{Class: peal.ClassUnknown, Code: "connection_lost"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := openAt(t, c.base, c.transport).Send(t.Context(), textMessage())
			if got.Reason == "" || strings.Contains(got.Reason, "127.0.0.1") {
				t.Errorf("reason %q", got.Reason)
			}
			got.Took, got.Reason = 0, ""
			if got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestSendEndsWithItsContext(t *testing.T) {
	t.Parallel()
	t.Run("before", func(t *testing.T) {
		t.Parallel()
		c := open(t, func(http.ResponseWriter, *http.Request) { t.Error("a call was made") })
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if got := c.Send(ctx, textMessage()); got.Class != peal.ClassTemporary || got.Code != "canceled" {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("while dialing", func(t *testing.T) {
		t.Parallel()
		c := openAt(t, "http://example.com", &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}})
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if got := c.Send(ctx, textMessage()); got.Class != peal.ClassTemporary || got.Code != "timeout" {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("while waiting", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		c := open(t, func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.ReadAll(r.Body)
			cancel()
			<-r.Context().Done()
		})
		if got := c.Send(ctx, textMessage()); got.Class != peal.ClassUnknown || got.Code != "canceled" {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("while reading", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		c := open(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, `{"success":`)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		})
		if got := c.Send(ctx, textMessage()); got.Class != peal.ClassUnknown || got.Code != "timeout" {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("the integration's timeout", func(t *testing.T) {
		t.Parallel()
		c := open(t, func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.ReadAll(r.Body) // only then the server notices that the client has gone
			<-r.Context().Done()
		})
		c.timeout = 50 * time.Millisecond
		if got := c.Send(context.Background(), textMessage()); got.Class != peal.ClassUnknown || got.Code != "timeout" {
			t.Errorf("got %+v", got)
		}
	})
}

func TestSendOverHTTP2(t *testing.T) {
	t.Parallel()
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if body, err := io.ReadAll(r.Body); err != nil || len(body) == 0 || r.ProtoMajor != 2 {
			t.Errorf("got %q, %v over %s", body, err, r.Proto)
		}
		_, _ = io.WriteString(w, accepted)
	}))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	t.Cleanup(srv.Close)
	c := openAt(t, srv.URL, srv.Client().Transport)
	for range 3 {
		if got := c.Send(t.Context(), textMessage()); got.Class != peal.ClassAccepted {
			t.Fatalf("got %+v", got)
		}
	}
}

// brokenConn fails to write a second request, as a connection does that the other side has closed meanwhile.
type brokenConn struct {
	net.Conn
	broken *atomic.Bool
}

func (c brokenConn) Write(p []byte) (int, error) {
	if c.broken.CompareAndSwap(true, false) {
		return 0, errBroken
	}
	return c.Conn.Write(p)
}

// The transport dials anew when nothing could be written on an idle connection: that is one call, not an outcome.
func TestSendOnIdleConnectionThatBroke(t *testing.T) {
	t.Parallel()
	var broken atomic.Bool
	var taken, dialed atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		taken.Add(1)
		_, _ = io.WriteString(w, accepted)
	}))
	t.Cleanup(srv.Close)
	c := openAt(t, srv.URL, &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		dialed.Add(1)
		conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		return brokenConn{conn, &broken}, err
	}})
	for i := range int32(3) {
		broken.Store(i > 0)
		if got := c.Send(t.Context(), textMessage()); got.Class != peal.ClassAccepted || taken.Load() != i+1 || dialed.Load() != i+1 {
			t.Fatalf("send %d: got %+v, %d taken, %d dialed", i, got, taken.Load(), dialed.Load())
		}
	}
}

// Answers that come in pieces, and long ones, are read to their end, so that the connection is used again.
func TestConnectionIsUsedAgain(t *testing.T) {
	t.Parallel()
	var conns, calls atomic.Int32
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if calls.Add(1)%2 == 0 {
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(w, strings.Repeat("<p>", 10_000))
			return
		}
		for i := range len(accepted) {
			_, _ = io.WriteString(w, accepted[i:i+1])
			_ = http.NewResponseController(w).Flush()
		}
	}))
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			conns.Add(1)
		}
	}
	srv.Start()
	t.Cleanup(srv.Close)
	c := openAt(t, srv.URL, &http.Transport{})
	for i := range 6 {
		want := [...]peal.Class{peal.ClassAccepted, peal.ClassTemporary}[i%2]
		if got := c.Send(t.Context(), textMessage()); got.Class != want {
			t.Fatalf("got %+v, want class %s", got, want)
		}
	}
	if conns.Load() != 1 {
		t.Errorf("6 calls used %d connections", conns.Load())
	}
}

func BenchmarkSend(b *testing.B) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		h := w.Header()
		h["Content-Type"] = []string{"application/json"}
		_, _ = io.WriteString(w, accepted)
	}))
	b.Cleanup(srv.Close)
	c := openAt(b, srv.URL, &http.Transport{MaxIdleConnsPerHost: 64})
	m := textMessage()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if out := c.Send(context.Background(), m); out.Class != peal.ClassAccepted {
				b.Errorf("got %+v", out)
				return
			}
		}
	})
}

func BenchmarkAppendPayload(b *testing.B) {
	m := textMessage()
	b.ReportAllocs()
	for b.Loop() {
		_ = appendPayload(make([]byte, 0, sizeHint(m)), m)
	}
}

// BenchmarkSendAlone leaves net/http out: what a send costs in this package.
func BenchmarkSendAlone(b *testing.B) {
	body := strings.NewReader(accepted)
	c := openAt(b, "http://example.com", fakeTransport(func(r *http.Request) (*http.Response, error) {
		_, _ = io.Copy(io.Discard, r.Body)
		body.Reset(accepted)
		return &http.Response{StatusCode: 200, Body: io.NopCloser(body)}, nil
	}))
	m := textMessage()
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	b.ReportAllocs()
	for b.Loop() {
		if out := c.Send(ctx, m); out.Class != peal.ClassAccepted {
			b.Fatalf("got %+v", out)
		}
	}
}
