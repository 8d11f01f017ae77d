package providertest

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"peal/internal/netguard"
	"peal/internal/peal"
	"peal/internal/provider"
)

// rig is a client before a stand-in, with counters between them.
type rig struct {
	suite     *Suite
	server    Server
	http      *httptest.Server
	transport *http.Transport
	in        *peal.Integration
	client    provider.Client
	sends     atomic.Int64  // calls that send
	conns     atomic.Int64  // connections accepted
	arrived   chan struct{} // gets one when a call that sends has arrived, if there is room
}

// setup starts a stand-in and opens a client of it.
func setup(t *testing.T, s *Suite) *rig {
	t.Helper()
	r := &rig{suite: s, server: s.Start(t), arrived: make(chan struct{}, 1)}
	r.http = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if r.server.IsSend(req) {
			// Arrived is what has arrived whole: over HTTP/2 the body comes after the header.
			body, _ := io.ReadAll(req.Body)
			req.Body = io.NopCloser(bytes.NewReader(body))
			r.sends.Add(1)
			select {
			case r.arrived <- struct{}{}:
			default:
			}
		}
		r.server.ServeHTTP(w, req)
	}))
	r.http.Config.ErrorLog = log.New(io.Discard, "", 0)
	r.http.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			r.conns.Add(1)
		}
	}
	r.transport = transport()
	if s.TLS {
		r.http.EnableHTTP2 = true
		r.http.StartTLS()
		r.transport.TLSClientConfig.RootCAs = x509.NewCertPool()
		r.transport.TLSClientConfig.RootCAs.AddCert(r.http.Certificate())
	} else {
		r.http.Start()
	}
	t.Cleanup(r.http.Close)
	t.Cleanup(r.transport.CloseIdleConnections)
	r.in = s.Integration(r.base())
	if s.TLS {
		r.in.CA = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.http.Certificate().Raw}))
	}
	r.client = s.open(t, r.in, r.transport)
	return r
}

func (r *rig) base() string { return r.http.URL + r.server.BasePath() }

func (r *rig) message() provider.Message { return r.suite.message(r.base()) }

// scheme is a base URL as the kind takes it.
func (s *Suite) scheme(base string) string {
	if rest, plain := strings.CutPrefix(base, "http://"); plain && s.TLS {
		return "https://" + rest
	}
	return base
}

// message is a message of its own for each call.
func (s *Suite) message(base string) provider.Message {
	m := s.Message
	if s.Device != nil {
		m.Device = s.Device(base)
	}
	return m
}

// transport is the one that production uses, with loopback allowed.
func transport() *http.Transport {
	return netguard.New(netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")).Transport(netguard.Config{})
}

// environment is what production gives a client, for one that is alone.
func environment(rt *http.Transport) provider.Env {
	return provider.Env{Transport: rt, Dial: rt.DialContext, Tokens: &tokens{all: map[string]provider.Token{}}}
}

// tokens are those of one node.
type tokens struct {
	mu  sync.Mutex
	all map[string]provider.Token
}

// SwapToken implements provider.Tokens.
func (k *tokens) SwapToken(_ context.Context, name string, old time.Time, next provider.Token) (provider.Token, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if now := k.all[name]; next.MadeAt.IsZero() || !now.MadeAt.Equal(old) {
		return now, nil
	}
	k.all[name] = next
	return next, nil
}

func (s *Suite) open(t *testing.T, in *peal.Integration, rt *http.Transport) provider.Client {
	t.Helper()
	c, err := s.Kind.Open(in, environment(rt))
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(c.Close)
	return c
}

// send sends one message, and checks what holds for every outcome.
func (r *rig) send(t *testing.T, ctx context.Context) peal.Outcome {
	t.Helper()
	m := r.message()
	out := r.client.Send(ctx, &m)
	r.suite.checkOutcome(t, r.in, out)
	return out
}

// checkOutcome holds what is true of every outcome.
func (s *Suite) checkOutcome(t *testing.T, in *peal.Integration, out peal.Outcome) {
	t.Helper()
	s.checkDiscreet(t, in, fmt.Sprintf("%+v", out))
	if out.Took < 0 || out.RetryAfter < 0 {
		t.Errorf("a negative time: %+v", out)
	}
	if n := len([]rune(out.Reason)); n > 300 {
		t.Errorf("the reason has %d characters, more than 300", n)
	}
	switch out.Class {
	case peal.ClassAccepted:
		if out.MessageID == "" {
			t.Errorf("accepted without a message id: %+v", out)
		}
	case peal.ClassIntegration, peal.ClassThrottled:
		if out.Pause == "" {
			t.Errorf("the pause has no code: %+v", out)
		}
		fallthrough
	case peal.ClassTemporary, peal.ClassGone, peal.ClassPermanent, peal.ClassUnknown:
		if out.Code == "" || out.Reason == "" || strings.ContainsAny(out.Code, " \n") || out.MessageID != "" {
			t.Errorf("a failure has a short code, a reason and no message id: %+v", out)
		}
	default:
		t.Errorf("there is no class %q", out.Class)
	}
}

// checkDiscreet fails when a text gives a secret or the recipient away.
func (s *Suite) checkDiscreet(t *testing.T, in *peal.Integration, text string) {
	t.Helper()
	for name, secret := range in.Credentials {
		if secret != "" && strings.Contains(text, secret) {
			t.Errorf("it gives away %s: %s", name, text)
		}
	}
	if number := strings.TrimPrefix(s.Message.To, "+"); number != "" && strings.Contains(text, number) {
		t.Errorf("it gives away the phone number: %s", text)
	}
	if d := s.message(in.BaseURL).Device; d != nil {
		for _, secret := range []string{d.Address, d.P256dh, d.Auth} {
			if secret != "" && strings.Contains(text, secret) {
				t.Errorf("it gives away the device's address: %s", text)
			}
		}
	}
}

// want compares an outcome's class, and how often the server was called and took something.
func (r *rig) want(t *testing.T, out peal.Outcome, class peal.Class, sends, taken int) {
	t.Helper()
	if out.Class != class {
		t.Errorf("got %+v, want class %s", out, class)
	}
	if n := r.sends.Load(); n != int64(sends) {
		t.Errorf("the provider was called %d times, want %d", n, sends)
	}
	if n := r.server.Taken(); n != taken {
		t.Errorf("the provider took %d messages, want %d", n, taken)
	}
}
