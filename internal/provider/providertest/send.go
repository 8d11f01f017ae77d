package providertest

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"peal/internal/netguard"
	"peal/internal/peal"
)

func testAccepted(t *testing.T, s *Suite) {
	r := setup(t, s)
	first := r.send(t, t.Context())
	r.want(t, first, peal.ClassAccepted, 1, 1)
	if first.Took <= 0 {
		t.Error("Took is not set")
	}
	second := r.send(t, t.Context())
	r.want(t, second, peal.ClassAccepted, 2, 2)
	if first.MessageID == second.MessageID {
		t.Errorf("two messages have the id %s", first.MessageID)
	}
	if h := r.client.Probe(t.Context()); !h.OK {
		t.Errorf("an account that sends is not well: %+v", h)
	}
}

func testStatuses(t *testing.T, s *Suite) {
	statuses := s.Statuses
	if statuses == nil {
		statuses = []Status{
			{Status: http.StatusInternalServerError, Class: peal.ClassTemporary},
			{Status: http.StatusBadGateway, Class: peal.ClassUnknown},
			{Status: http.StatusServiceUnavailable, RetryAfter: "9", Class: peal.ClassTemporary, Wait: 9 * time.Second},
			{Status: http.StatusGatewayTimeout, Class: peal.ClassUnknown},
			{Status: http.StatusTooManyRequests, RetryAfter: "7", Class: peal.ClassThrottled, Wait: 7 * time.Second, Pause: peal.PauseThrottled},
			{Status: http.StatusUnauthorized, Class: peal.ClassIntegration, Pause: peal.PauseCredentials},
			{Status: http.StatusForbidden, Class: peal.ClassIntegration, Pause: peal.PauseCredentials},
			{Status: http.StatusFound, Class: peal.ClassIntegration, Pause: peal.PauseBlocked},
		}
	}
	for _, c := range statuses {
		t.Run(http.StatusText(c.Status), func(t *testing.T) {
			r := setup(t, s)
			r.server.Fail(t, Failure{Mode: ModeStatus, Status: c.Status, RetryAfter: c.RetryAfter})
			out := r.send(t, t.Context())
			calls := max(1, c.Calls)
			r.want(t, out, c.Class, calls, 0)
			if out.RetryAfter != c.Wait || out.Pause != c.Pause {
				t.Errorf("got wait %v and pause %q, want %v and %q", out.RetryAfter, out.Pause, c.Wait, c.Pause)
			}
			r.server.Fail(t, Failure{})
			r.want(t, r.send(t, t.Context()), peal.ClassAccepted, calls+1, 1)
		})
	}
}

func testLost(t *testing.T, s *Suite) {
	for _, c := range []struct {
		mode  Mode
		taken int
	}{{ModeDropBefore, 0}, {ModeDropAfter, 1}, {ModeGarbage, 1}} {
		t.Run(string(c.mode), func(t *testing.T) {
			if s.AnyAnswer && c.mode == ModeGarbage {
				t.Skip("its answers need not be read")
			}
			r := setup(t, s)
			r.server.Fail(t, Failure{Mode: c.mode})
			r.want(t, r.send(t, t.Context()), peal.ClassUnknown, 1, c.taken)
		})
	}
	t.Run("on a connection that was used", func(t *testing.T) { // where a transport may be tempted to try again
		r := setup(t, s)
		r.want(t, r.send(t, t.Context()), peal.ClassAccepted, 1, 1)
		r.server.Fail(t, Failure{Mode: ModeDropAfter})
		r.want(t, r.send(t, t.Context()), peal.ClassUnknown, 2, 2)
	})
}

func testNeverWritten(t *testing.T, s *Suite) {
	closed := httptest.NewServer(nil)
	closed.Close()
	guarded := peal.ClassIntegration
	if s.NoBaseURL {
		guarded = peal.ClassPermanent
	}
	dialing := func(err error) *http.Transport {
		return &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, err }}
	}
	for name, c := range map[string]struct {
		base      string
		transport *http.Transport
		class     peal.Class
	}{
		"refused": {closed.URL, transport(), peal.ClassTemporary},
		"dns":     {"http://provider.invalid", dialing(&net.DNSError{Err: "no such host", Name: "provider.invalid", IsNotFound: true}), peal.ClassTemporary},
		"dial":    {"http://provider.invalid", dialing(&net.OpError{Op: "dial", Err: errors.New("no route to host")}), peal.ClassTemporary},
		"tls":     {"https" + strings.TrimPrefix(closed.URL, "http"), dialing(&tls.CertificateVerificationError{Err: errors.New("expired")}), peal.ClassTemporary},
		"guard":   {closed.URL, netguard.New().Transport(netguard.Config{}), guarded},
	} {
		t.Run(name, func(t *testing.T) {
			defer c.transport.CloseIdleConnections()
			base := s.scheme(c.base)
			in := s.Integration(base)
			m := s.message(base)
			out := s.open(t, in, c.transport).Send(t.Context(), &m)
			s.checkOutcome(t, in, out)
			if out.Class != c.class {
				t.Errorf("got %+v, want class %s", out, c.class)
			}
		})
	}
}

func testContext(t *testing.T, s *Suite) {
	t.Run("ended before", func(t *testing.T) {
		r := setup(t, s)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		r.want(t, r.send(t, ctx), peal.ClassTemporary, 0, 0)
	})
	t.Run("canceled while waiting", func(t *testing.T) {
		r := setup(t, s)
		r.server.Fail(t, Failure{Mode: ModeHold})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() {
			select {
			case <-r.arrived:
			case <-ctx.Done():
			}
			cancel()
		}()
		r.want(t, r.send(t, ctx), peal.ClassUnknown, 1, 0)
	})
	t.Run("out of time while waiting", func(t *testing.T) {
		r := setup(t, s)
		r.want(t, r.send(t, t.Context()), peal.ClassAccepted, 1, 1) // there is a connection now, so that it arrives in time
		r.server.Fail(t, Failure{Mode: ModeHold})
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		r.want(t, r.send(t, ctx), peal.ClassUnknown, 2, 1)
	})
	t.Run("out of time while dialing", func(t *testing.T) {
		ended := make(chan struct{})
		defer close(ended) // a transport goes on dialing for whoever comes next
		rt := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-ended:
				return nil, net.ErrClosed
			}
		}}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		base := s.scheme("http://provider.invalid")
		in := s.Integration(base)
		m := s.message(base)
		if out := s.open(t, in, rt).Send(ctx, &m); out.Class != peal.ClassTemporary {
			t.Errorf("got %+v, want class %s", out, peal.ClassTemporary)
		}
	})
}

// testDiscretion has the provider repeat what it must not be quoted with.
func testDiscretion(t *testing.T, s *Suite) {
	r := setup(t, s)
	text := "for " + s.Message.To
	for _, secret := range r.in.Credentials {
		text += " with " + secret
	}
	if d := r.message().Device; d != nil {
		text = "for " + d.Address + " " + text
	}
	r.server.Fail(t, Failure{Mode: ModeRefuse, Text: text + strings.Repeat(" and so on", 100)})
	r.want(t, r.send(t, t.Context()), peal.ClassPermanent, 1, 0)
}

func testReuse(t *testing.T, s *Suite) {
	r := setup(t, s)
	for i := range 20 {
		mode := Failure{}
		if i%4 == 3 { // an error's answer has to be read to its end too
			mode = Failure{Mode: ModeStatus, Status: http.StatusServiceUnavailable}
		}
		r.server.Fail(t, mode)
		r.send(t, t.Context())
	}
	if n, want := r.conns.Load(), int64(max(1, s.Connections)); n != want {
		t.Errorf("20 calls in a row used %d connections, want %d", n, want)
	}
}

func testConcurrent(t *testing.T, s *Suite) {
	const workers, each = 16, 8
	r := setup(t, s)
	var mu sync.Mutex
	ids := map[string]bool{}
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range each {
				m := r.message()
				out := r.client.Send(t.Context(), &m)
				mu.Lock()
				if out.Class != peal.ClassAccepted {
					t.Errorf("got %+v", out)
				}
				ids[out.MessageID] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if n := r.server.Taken(); n != workers*each || len(ids) != n {
		t.Errorf("%d messages with %d ids, want %d of both", n, len(ids), workers*each)
	}
}

func testClose(t *testing.T, s *Suite) {
	before := goleak.IgnoreCurrent()
	t.Run("", func(t *testing.T) { // its end closes the stand-in and the transport
		r := setup(t, s)
		r.want(t, r.send(t, t.Context()), peal.ClassAccepted, 1, 1)
		r.client.Probe(t.Context())
		r.client.Close()
		r.client.Close()
	})
	goleak.VerifyNone(t, before)
}

func testOffline(t *testing.T, s *Suite) {
	if s.NoSession {
		t.Skip("the provider has no sessions")
	}
	r := setup(t, s)
	r.server.Fail(t, Failure{Mode: ModeOffline})
	out := r.send(t, t.Context())
	r.want(t, out, peal.ClassIntegration, 1, 0)
	if out.Pause != peal.PauseSession {
		t.Errorf("got pause %q, want %q", out.Pause, peal.PauseSession)
	}
	if h := r.client.Probe(t.Context()); h.OK || h.State == "" || h.Reason == "" {
		t.Errorf("got %+v, want it not well, with state and reason", h)
	}
	r.server.Fail(t, Failure{})
	if h := r.client.Probe(t.Context()); !h.OK {
		t.Errorf("got %+v, want it well again", h)
	}
}
