package wasender_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"peal/emulator/wasender"
)

const phone = "+4915112345678"

// clock is set by hand.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Unix(1_700_000_000, 0)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// hook is a webhook that a receiver got.
type hook struct {
	signature string
	body      string
	event     map[string]any
}

// receiver is the other end of the webhooks.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	got    []hook
	answer func(n int) int // status for the n-th post, from 1
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{answer: func(int) int { return http.StatusOK }}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		h := hook{signature: req.Header.Get("X-Webhook-Signature"), body: string(body)}
		_ = json.Unmarshal(body, &h.event)
		r.mu.Lock()
		r.got = append(r.got, h)
		status := r.answer(len(r.got))
		r.mu.Unlock()
		w.WriteHeader(status)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) hooks() []hook {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]hook(nil), r.got...)
}

// bundle is an emulator on a real port with a receiver for session 1.
type bundle struct {
	*testing.T
	emu  *wasender.Server
	srv  *httptest.Server
	recv *receiver
}

func setup(t *testing.T, opt wasender.Options) *bundle {
	t.Helper()
	b := &bundle{T: t, recv: newReceiver(t)}
	if len(opt.Sessions) == 0 {
		opt.Sessions = []wasender.Session{{LogMessages: true}}
	}
	if opt.Sessions[0].WebhookURL == "" {
		opt.Sessions[0].WebhookURL = b.recv.URL + "/hooks"
	}
	if opt.Script == nil {
		opt.Script = &wasender.Script{}
	}
	if opt.FirstMsgID == 0 {
		opt.FirstMsgID = 100_000
	}
	b.emu = wasender.New(opt)
	b.srv = httptest.NewServer(b.emu)
	t.Cleanup(b.srv.Close)
	t.Cleanup(b.emu.Close)
	return b
}

type answer struct {
	status int
	header http.Header
	body   string
	json   map[string]any
}

// call sends a request; err is of the connection.
func (b *bundle) call(method, path, token, body string) (answer, error) {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), method, b.srv.URL+path, strings.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := b.srv.Client().Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	a := answer{status: resp.StatusCode, header: resp.Header, body: string(raw)}
	_ = json.Unmarshal(raw, &a.json)
	return a, err
}

// do is call where the connection must not fail and the status is known.
func (b *bundle) do(method, path, token, body string, want int) answer {
	b.Helper()
	a, err := b.call(method, path, token, body)
	if err != nil {
		b.Fatalf("%s %s: %v", method, path, err)
	}
	if a.status != want {
		b.Fatalf("%s %s: status %d, want %d: %s", method, path, a.status, want, a.body)
	}
	return a
}

func (b *bundle) send(body string, want int) answer {
	b.Helper()
	return b.do("POST", "/api/send-message", wasender.DefaultAPIKey, body, want)
}

// text sends a text to phone and returns its msgId.
func (b *bundle) text(text string) int64 {
	b.Helper()
	a := b.send(`{"to":"`+phone+`","text":"`+text+`"}`, 200)
	return int64(a.json["data"].(map[string]any)["msgId"].(float64))
}

func (b *bundle) session(method, path, body string, want int) answer {
	b.Helper()
	return b.do(method, "/api"+path, wasender.DefaultAPIKey, body, want)
}

func (b *bundle) pat(method, path, body string, want int) answer {
	b.Helper()
	return b.do(method, "/api"+path, wasender.DefaultPAT, body, want)
}

func (b *bundle) control(method, path, body string, want int) answer {
	b.Helper()
	return b.do(method, "/_emulator/"+path, "", body, want)
}

func (b *bundle) idle() {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 20*time.Second)
	defer cancel()
	if err := b.emu.Idle(ctx); err != nil {
		b.Fatalf("not idle: %v", err)
	}
}

func (b *bundle) fault(f wasender.Fault) int64 {
	b.Helper()
	id, err := b.emu.AddFault(f)
	if err != nil {
		b.Fatal(err)
	}
	return id
}

// statuses are those of the messages.update events, as JSON values.
func statuses(b *bundle, hooks []hook) []string {
	b.Helper()
	var list []string
	for _, h := range hooks {
		data, _ := h.event["data"].(map[string]any)
		if array, ok := h.event["data"].([]any); ok {
			data, _ = array[0].(map[string]any)
		}
		update, _ := data["update"].(map[string]any)
		raw, err := json.Marshal(update["status"])
		if err != nil {
			b.Fatal(err)
		}
		list = append(list, string(raw))
	}
	return list
}

// at walks maps and arrays of decoded JSON; numbers of parts are indexes.
func at(v any, path ...any) any {
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[p]
		case int:
			list, _ := v.([]any)
			if p >= len(list) {
				return nil
			}
			v = list[p]
		}
	}
	return v
}

// eventually polls a condition without sleeping.
func (b *bundle) eventually(what string, ok func() bool) {
	b.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			b.Fatal("never happened: " + what)
		}
	}
}

func jsonEqual(t *testing.T, got, want string) {
	t.Helper()
	var g, w bytes.Buffer
	if err := json.Compact(&g, []byte(got)); err != nil {
		t.Fatalf("%v: %s", err, got)
	}
	if err := json.Compact(&w, []byte(want)); err != nil {
		t.Fatal(err)
	}
	if g.String() != w.String() {
		t.Errorf("got  %s\nwant %s", g.String(), w.String())
	}
}
