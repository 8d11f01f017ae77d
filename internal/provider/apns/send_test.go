package apns

import (
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"peal/api"
	emulator "peal/emulator/apns"
	"peal/internal/peal"
	"peal/internal/provider"
	"peal/internal/provider/wire"
)

func TestSendShows(t *testing.T) {
	t.Parallel()
	r := setup(t, emulator.Options{Apps: []emulator.App{{Bundle: testApp, Team: "TEAM000001"}}})
	badge := 3
	m := message(testToken)
	m.ExpiresAt = time.Now().Add(time.Hour)
	m.Content.Push = &api.Push{
		Title: "Your order", Body: "It is <on> its way \u20ac", Image: "https://example.org/a.png", Sound: "default", Badge: &badge,
		Link: "https://example.org/orders/1", Actions: []api.PushAction{{ID: "track", Title: "Track it", Link: "https://example.org/t"}},
		Data: map[string]string{"order": "1", "z": `"`}, CollapseKey: "order-1", Category: "ORDER", Thread: "orders",
	}
	out := r.client.Send(t.Context(), m)
	if out.Class != peal.ClassAccepted {
		t.Fatalf("got %+v", out)
	}
	shown := r.emu.Shown(testToken)
	if len(shown) != 1 {
		t.Fatalf("it showed %d", len(shown))
	}
	s := shown[0]
	if s.Title != "Your order" || s.Body != m.Content.Push.Body || s.Image != m.Content.Push.Image || s.Sound != "default" || *s.Badge != 3 ||
		s.Link != m.Content.Push.Link || s.Category != "ORDER" || s.Thread != "orders" || s.CollapseKey != "order-1" || s.Silent || len(s.Problems) > 0 ||
		s.Data["order"] != "1" || s.Data["z"] != `"` || s.ID != out.MessageID || s.PushType != "alert" {
		t.Errorf("it shows %+v", s)
	}
	if diff := cmp.Diff([]emulator.Action{{ID: "track", Title: "Track it", Link: "https://example.org/t"}}, s.Actions); diff != "" {
		t.Error(diff)
	}
	var own struct {
		DeliveryID string `json:"delivery_id"`
	}
	if json.Unmarshal([]byte(s.Data["peal"]), &own) != nil || own.DeliveryID != testDelivery {
		t.Errorf("peal is %s", s.Data["peal"])
	}
	p := r.emu.Pushes(emulator.Query{})[0]
	if p.Topic != testApp || p.Priority != "10" || p.Expiration != strconv.FormatInt(m.ExpiresAt.Unix(), 10) {
		t.Errorf("sent %+v", p)
	}
}

// TestRepeatReplaces sends one delivery twice: the device has it once.
func TestRepeatReplaces(t *testing.T) {
	t.Parallel()
	r := setup(t, emulator.Options{})
	first, second := r.send(t), r.send(t)
	if first.MessageID == second.MessageID {
		t.Error("two attempts have one id")
	}
	if n := len(r.emu.Screen(testToken)); n != 1 || len(r.emu.Shown(testToken)) != 2 {
		t.Errorf("the screen has %d, want 1 of 2", n)
	}
}

func TestSilent(t *testing.T) {
	t.Parallel()
	r := setup(t, emulator.Options{})
	m := message(testToken)
	m.Content.Push = &api.Push{Silent: true, Title: "hidden", Urgency: "high", Data: map[string]string{"sync": "1"}}
	if out := r.client.Send(t.Context(), m); out.Class != peal.ClassAccepted {
		t.Fatalf("got %+v", out)
	}
	s, p := r.emu.Shown(testToken)[0], r.emu.Pushes(emulator.Query{})[0]
	if !s.Silent || s.Title != "" || s.Data["sync"] != "1" || p.PushType != "background" || p.Priority != "5" || len(s.Problems) > 0 {
		t.Errorf("got %+v, sent %+v", s, p)
	}
}

func TestOverrides(t *testing.T) {
	t.Parallel()
	r := setup(t, emulator.Options{})
	m := message(testToken)
	m.Content.Push.Overrides.APNs = json.RawMessage(`{"headers":{"apns-push-type":"location","apns-priority":"5"},"aps":{"alert":null,"n":12345678901234567890},"x":"<"}`)
	if out := r.client.Send(t.Context(), m); out.Class != peal.ClassAccepted {
		t.Fatalf("got %+v", out)
	}
	p := r.emu.Pushes(emulator.Query{})[0]
	if p.Topic != testApp+".location-query" || p.PushType != "location" || p.Priority != "5" ||
		string(p.Payload) != `{"aps":{"n":12345678901234567890},"peal":{"delivery_id":"`+testDelivery+`"},"x":"<"}` {
		t.Errorf("sent %+v %s", p, p.Payload)
	}
}

// TestEnvironments has each environment's devices go to its own host.
func TestEnvironments(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ base, environment, want string }{
		{"https://api.push.apple.com", peal.Production, "api.push.apple.com"},
		{"https://api.push.apple.com", peal.Sandbox, "api.sandbox.push.apple.com"},
		{"https://api.push.apple.com:2197", peal.Sandbox, "api.sandbox.push.apple.com:2197"},
		{"https://api.sandbox.push.apple.com", peal.Production, "api.push.apple.com"},
		{"https://push.example.org:8443", peal.Sandbox, "push.example.org:8443"},
	} {
		base, err := wire.BaseURL(c.base, "", "https")
		if err != nil {
			t.Fatal(err)
		}
		if got := forEnvironment(base, c.environment).Host; got != c.want {
			t.Errorf("%s, %s: got %s, want %s", c.base, c.environment, got, c.want)
		}
	}
}

func TestPreview(t *testing.T) {
	t.Parallel()
	r := setup(t, emulator.Options{})
	p, err := r.client.Preview(message(testToken))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(p.URL, r.in.BaseURL+"/3/device/") || p.Header["apns-topic"] != testApp || p.Header["authorization"] != "" {
		t.Errorf("got %+v", p)
	}
	if open, all := openConns(r.emu); open+all != 0 {
		t.Error("a preview opens a connection")
	}
}

func TestNoDevice(t *testing.T) {
	t.Parallel()
	r := setup(t, emulator.Options{})
	m := message(testToken)
	m.Device = nil
	if out := r.client.Send(t.Context(), m); out.Class != peal.ClassPermanent {
		t.Errorf("without a device: %+v", out)
	}
}

// TestNotHTTP2 has servers that do not agree to HTTP/2: nothing is sent to them.
func TestNotHTTP2(t *testing.T) {
	t.Parallel()
	calls := atomic.Int64{}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { calls.Add(1) }))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	defer srv.Close()
	plain, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: srv.TLS.Certificates, MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	silent := &http.Server{Handler: srv.Config.Handler, ErrorLog: srv.Config.ErrorLog, ReadHeaderTimeout: time.Minute}
	served := make(chan error)
	go func() { served <- silent.Serve(plain) }()
	defer func() {
		_ = silent.Close()
		<-served
	}()
	r := setup(t, emulator.Options{})
	r.in.CA = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}))
	for base, code := range map[string]string{srv.URL: "tls", "https://" + plain.Addr().String(): codeNoHTTP2} {
		r.in.BaseURL = base
		out := r.open(t).Send(t.Context(), message(testToken))
		if out.Class != peal.ClassTemporary || out.Code != code || calls.Load() != 0 {
			t.Errorf("got %+v, and %d calls, want %s", out, calls.Load(), code)
		}
	}
}

// TestUntrusted has a server whose certificate nobody vouches for.
func TestUntrusted(t *testing.T) {
	t.Parallel()
	r := setup(t, emulator.Options{})
	r.in.CA = ""
	if out := r.open(t).Send(t.Context(), message(testToken)); out.Class != peal.ClassTemporary || out.Code != "tls" {
		t.Errorf("got %+v", out)
	}
}

func TestProbeAndLookup(t *testing.T) {
	t.Parallel()
	r := setup(t, emulator.Options{})
	if h := r.client.Probe(t.Context()); !h.OK || r.emu.Counts().Requests != 0 {
		t.Errorf("got %+v", h)
	}
	var e *provider.Error
	if _, err := r.client.Lookup(t.Context(), "id"); !errors.As(err, &e) || e.Class != peal.ClassPermanent {
		t.Errorf("got %v", err)
	}
	r.emu.Close()
	other := r.open(t)
	if h := other.Probe(t.Context()); h.OK || h.State != "connection_refused" || h.Reason == "" {
		t.Errorf("got %+v", h)
	}
	r.tokens.fail(errors.New("the database is away"))
	if h := r.open(t).Probe(t.Context()); h.OK || h.State != codeToken {
		t.Errorf("got %+v", h)
	}
}

// TestOpenRefuses has settings that cannot work: each is named.
func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	r := setup(t, emulator.Options{})
	for path, change := range map[string]func(*peal.Integration){
		"credentials.team_id": func(in *peal.Integration) { in.Credentials["team_id"] = "TEAM 00001" },
		"credentials.key_id":  func(in *peal.Integration) { in.Credentials["key_id"] = "KEY" },
		"credentials.key": func(in *peal.Integration) {
			in.Credentials["key"] = strings.ReplaceAll(in.Credentials["key"], "\n", "")
		},
		"settings.ca":       func(in *peal.Integration) { in.CA = "none" },
		"settings.base_url": func(in *peal.Integration) { in.BaseURL = "http://127.0.0.1" },
	} {
		in := *r.in
		in.Credentials = maps.Clone(in.Credentials)
		change(&in)
		var e *peal.Error
		_, err := Kind{}.Open(&in, provider.Env{Dial: r.client.dial, Tokens: r.tokens})
		if !errors.As(err, &e) || e.Kind != peal.Invalid || len(e.Fields) != 1 || e.Fields[0].Path != path {
			t.Errorf("%s: got %v", path, err)
		}
	}
}
