package wasender_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"peal/api"
	emulator "peal/emulator/wasender"
	"peal/internal/netguard"
	"peal/internal/peal"
	"peal/internal/provider"
	"peal/internal/provider/wasender"
)

// hooks collects what the emulator's webhooks say.
type hooks struct {
	kind wasender.Kind
	in   *peal.Integration

	mu    sync.Mutex
	facts []provider.Fact
	bad   []string
}

func (h *hooks) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != nil || !h.kind.CheckWebhook(h.in, r.Header, body) {
		h.bad = append(h.bad, fmt.Sprintf("%v, or the secret is wrong", err))
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	facts, err := h.kind.ParseWebhook(r.Header, body)
	if err != nil {
		h.bad = append(h.bad, fmt.Sprintf("%v: %s", err, body))
	}
	h.facts = append(h.facts, facts...)
}

// seen are the statuses that were told of a message, by its key.
func (h *hooks) seen(key string) map[peal.Status]int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := map[peal.Status]int{}
	for _, f := range h.facts {
		if f.Evidence != nil && f.Evidence.MessageKey == key {
			n[f.Evidence.Status]++
		}
	}
	return n
}

// setup starts an emulator with webhooks, and opens a client of it.
func setup(t *testing.T, script emulator.Script) (*emulator.Server, provider.Client, *hooks) {
	t.Helper()
	h := &hooks{}
	receiver := httptest.NewServer(h)
	t.Cleanup(receiver.Close)
	emu := emulator.New(emulator.Options{Script: &script, Sessions: []emulator.Session{{
		APIKey: "key-0f3", WebhookSecret: "secret-0f3", WebhookURL: receiver.URL,
	}}})
	t.Cleanup(emu.Close)
	srv := httptest.NewServer(emu)
	t.Cleanup(srv.Close)
	h.in = &peal.Integration{
		BaseURL: srv.URL + "/api", Timeout: 10 * time.Second,
		Credentials: map[string]string{"api_key": "key-0f3", "webhook_secret": "secret-0f3"},
	}
	rt := netguard.New(netip.MustParsePrefix("127.0.0.0/8")).Transport(netguard.Config{})
	t.Cleanup(rt.CloseIdleConnections)
	c, err := wasender.Kind{}.Open(h.in, provider.Env{Transport: rt})
	if err != nil {
		t.Fatal(err)
	}
	return emu, c, h
}

func idle(t *testing.T, emu *emulator.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := emu.Idle(ctx); err != nil {
		t.Fatal(err)
	}
}

// Every shape of webhook that the emulator knows says the same to us.
func TestWebhooksOfEveryShape(t *testing.T) {
	t.Parallel()
	text := "hello"
	n := 0
	for _, data := range []string{"object", "array"} {
		for _, status := range []string{"int", "string"} {
			for _, stamp := range []string{"s", "ms"} {
				for _, jid := range []string{"pn", "lid"} {
					shape := emulator.Shape{Data: data, Messages: data, Status: status, Timestamp: stamp, RemoteJID: jid}
					n++
					t.Run(strings.Join([]string{data, status, stamp, jid}, "-"), func(t *testing.T) {
						t.Parallel()
						script := emulator.StatusScript(0, 1, 2, 3, 4, 5)
						script.Shape, script.MessageSent = shape, true
						script.Steps = append(script.Steps, emulator.Step{Event: "messages.upsert", Status: 2},
							emulator.Step{Event: "message-receipt.update", Status: 3})
						emu, c, h := setup(t, script)
						start := time.Now().Add(-time.Second).Truncate(time.Second)
						out := c.Send(t.Context(), &provider.Message{To: "+919812345678", Content: api.Content{Text: &text}})
						if out.Class != peal.ClassAccepted {
							t.Fatalf("got %+v", out)
						}
						idle(t, emu)
						ev, err := c.Lookup(t.Context(), out.MessageID)
						if err != nil || ev.MessageKey == "" || ev.Status != peal.Read {
							t.Fatalf("got %+v, %v", ev, err)
						}
						got := h.seen(ev.MessageKey)
						// sent by message.sent, status 2 and the upsert; delivered by status 3 and the receipt
						if got[peal.Sent] < 2 || got[peal.Delivered] != 2 || got[peal.Read] != 2 || got[peal.Failed] != 0 {
							t.Errorf("got %v", got)
						}
						h.mu.Lock()
						defer h.mu.Unlock()
						if len(h.bad) > 0 {
							t.Error(h.bad)
						}
						for _, f := range h.facts {
							if at := f.Evidence.At; at.Before(start) || at.After(time.Now().Add(time.Second)) {
								t.Errorf("the time is %v", at)
							}
						}
					})
				}
			}
		}
	}
	if n == 0 {
		t.Fatal("no shape was tried")
	}
}

func TestFailureAndSessionByWebhook(t *testing.T) {
	t.Parallel()
	emu, c, h := setup(t, emulator.StatusScript(0, 2, 0))
	text := "hello"
	out := c.Send(t.Context(), &provider.Message{To: "+919812345678", Content: api.Content{Text: &text}})
	idle(t, emu)
	ev, err := c.Lookup(t.Context(), out.MessageID)
	if err != nil || ev.Status != peal.Failed || ev.Code == "" {
		t.Fatalf("got %+v, %v", ev, err)
	}
	if got := h.seen(ev.MessageKey); got[peal.Failed] != 1 || got[peal.Sent] != 1 {
		t.Errorf("got %v", got)
	}
	session := emu.Sessions()[0].ID
	for state, ok := range map[emulator.State]bool{
		emulator.StateConnecting: false, emulator.StateDisconnected: false, emulator.StateNeedScan: false,
		emulator.StateLoggedOut: false, emulator.StateExpired: false, emulator.StateConnected: true,
	} {
		h.mu.Lock()
		h.facts = nil
		h.mu.Unlock()
		if err := emu.SetState(session, emulator.StateConnecting); err != nil {
			t.Fatal(err)
		}
		if err := emu.SetState(session, state); err != nil {
			t.Fatal(err)
		}
		idle(t, emu)
		h.mu.Lock()
		found := false
		for _, f := range h.facts {
			found = found || f.Session != nil && f.Session.State == string(state) && f.Session.OK == ok
		}
		h.mu.Unlock()
		if state != emulator.StateConnecting && !found {
			t.Errorf("%s: no webhook said so", state)
		}
		if got := c.Probe(t.Context()); got.OK != ok || got.State != string(state) {
			t.Errorf("%s: Probe says %+v", state, got)
		}
		if out := c.Send(t.Context(), &provider.Message{To: "+919812345678", Content: api.Content{Text: &text}}); !ok && out.Code != "session_"+string(state) {
			t.Errorf("%s: Send says %+v", state, out)
		}
		idle(t, emu)
	}
}

// Every kind of content that we take, the emulator takes.
func TestEveryContentIsTaken(t *testing.T) {
	t.Parallel()
	emu, c, _ := setup(t, emulator.Script{})
	text := "hello"
	for kind, content := range map[string]api.Content{
		"text":     {Text: &text, Mentions: []string{"+4915112345678"}},
		"image":    {Image: &api.Media{URL: "https://example.com/a.png", Caption: "c", ViewOnce: true}},
		"video":    {Video: &api.Media{URL: "https://example.com/a.mp4", Caption: "c"}},
		"document": {Document: &api.Document{URL: "https://example.com/a.pdf", Filename: "a.pdf", Caption: "c"}},
		"audio":    {Audio: &api.Audio{URL: "https://example.com/a.ogg"}},
		"sticker":  {Sticker: &api.Sticker{URL: "https://example.com/a.webp"}},
		"contact":  {Contact: &api.Contact{Name: "Ann", Phone: "+4915112345678"}},
		"location": {Location: &api.Location{Latitude: new(1.5), Longitude: new(-2.5), Name: "n", Address: "a"}},
		"poll":     {Poll: &api.Poll{Question: "?", Options: []string{"a", "b"}, MultiSelect: true}},
	} {
		if fields := (wasender.Kind{}).CheckContent(&content); len(fields) > 0 {
			t.Errorf("%s: we refuse it: %+v", kind, fields)
		}
		out := c.Send(t.Context(), &provider.Message{To: "+919812345678", Content: content})
		if out.Class != peal.ClassAccepted {
			t.Errorf("%s: got %+v", kind, out)
			continue
		}
		if m := emu.Messages(emulator.Query{Limit: 1}); len(m) != 1 || m[0].Kind != kind || fmt.Sprint(m[0].MsgID) != out.MessageID {
			t.Errorf("%s: the emulator took %+v", kind, m)
		}
	}
	first := emu.Messages(emulator.Query{Limit: 1})[0].MsgID
	out := c.Send(t.Context(), &provider.Message{To: "+919812345678", Content: api.Content{Text: &text, ReplyTo: fmt.Sprint(first)}})
	if out.Class != peal.ClassAccepted {
		t.Errorf("a reply: got %+v", out)
	}
}

// The limits of the vendor's plans, as it words them.
func TestThrottledByPlan(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*emulator.Session){
		"trial":              func(s *emulator.Session) { s.Plan = emulator.PlanTrial },
		"protection":         func(s *emulator.Session) { s.AccountProtection = true },
		"reset in seconds":   func(s *emulator.Session) { s.AccountProtection, s.ResetInSeconds = true, true },
		"a limit of its own": func(s *emulator.Session) { s.Limit = emulator.Limit{Requests: 1, Period: 30 * time.Second} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			emu, c, _ := setup(t, emulator.Script{})
			if _, err := emu.UpdateSession(emu.Sessions()[0].ID, change); err != nil {
				t.Fatal(err)
			}
			text := "hello"
			m := &provider.Message{To: "+919812345678", Content: api.Content{Text: &text}}
			if out := c.Send(t.Context(), m); out.Class != peal.ClassAccepted {
				t.Fatalf("got %+v", out)
			}
			out := c.Send(t.Context(), m)
			if out.Class != peal.ClassThrottled || out.RetryAfter <= 0 || out.RetryAfter > time.Minute {
				t.Errorf("got %+v", out)
			}
		})
	}
}
