package whatsappcloud_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"peal/emulator/whatsappcloud"
)

const (
	phone    = "4915112345678"
	number   = whatsappcloud.DefaultNumber
	account  = whatsappcloud.DefaultAccount
	token    = whatsappcloud.DefaultToken
	messages = "/v23.0/" + number + "/messages"
)

// clock is set by hand.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)} }

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

// receiver is the other end of the webhooks, handshake included.
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
		if req.Method == http.MethodGet {
			q := req.URL.Query()
			if q.Get("hub.mode") != "subscribe" || q.Get("hub.verify_token") != whatsappcloud.DefaultVerifyToken {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			_, _ = io.WriteString(w, q.Get("hub.challenge"))
			return
		}
		body, _ := io.ReadAll(req.Body)
		h := hook{signature: req.Header.Get("X-Hub-Signature-256"), body: string(body)}
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

// items are all entries of one list (statuses, messages) in the order they came.
func (r *receiver) items(kind string) []map[string]any {
	var list []map[string]any
	for _, h := range r.hooks() {
		entries, _ := h.event["entry"].([]any)
		for _, e := range entries {
			changes, _ := at(e, "changes").([]any)
			for _, c := range changes {
				found, _ := at(c, "value", kind).([]any)
				for _, i := range found {
					list = append(list, i.(map[string]any))
				}
			}
		}
	}
	return list
}

func (r *receiver) statuses() string {
	var list []string
	for _, i := range r.items("statuses") {
		list = append(list, i["status"].(string))
	}
	return strings.Join(list, " ")
}

// bundle is an emulator on a real port with a receiver.
type bundle struct {
	*testing.T
	emu  *whatsappcloud.Server
	srv  *httptest.Server
	recv *receiver
}

func setup(t *testing.T, opt whatsappcloud.Options) *bundle {
	t.Helper()
	b := &bundle{T: t, recv: newReceiver(t)}
	if len(opt.Accounts) == 0 {
		opt.Accounts = []whatsappcloud.Account{{}}
	}
	opt.Accounts[0].WebhookURL = b.recv.URL + "/hooks"
	if opt.Script == nil {
		opt.Script = &whatsappcloud.Script{}
	}
	b.emu = whatsappcloud.New(opt)
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

func (a answer) code() int {
	c, ok := at(a.json, "error", "code").(float64)
	if !ok {
		return -1
	}
	return int(c)
}

func (a answer) id() string {
	id, _ := at(a.json, "messages", 0, "id").(string)
	return id
}

// call sends a request; err is of the connection.
func (b *bundle) call(method, path, body string, header ...string) (answer, error) {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), method, b.srv.URL+path, strings.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
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
func (b *bundle) do(method, path, body string, want int, header ...string) answer {
	b.Helper()
	a, err := b.call(method, path, body, header...)
	if err != nil {
		b.Fatalf("%s %s: %v", method, path, err)
	}
	if a.status != want {
		b.Fatalf("%s %s: status %d, want %d: %s", method, path, a.status, want, a.body)
	}
	return a
}

// send posts a message to phone whose type and content are given:
// `"type":"text","text":{"body":"x"}`.
func (b *bundle) send(rest string, want int) answer {
	b.Helper()
	return b.sendTo(`"to":"`+phone+`"`, rest, want)
}

func (b *bundle) sendTo(to, rest string, want int) answer {
	b.Helper()
	return b.do("POST", messages, `{"messaging_product":"whatsapp",`+to+`,`+rest+`}`, want)
}

const hello = `"type":"text","text":{"body":"hello"}`

// refused sends and wants this code.
func (b *bundle) refused(rest string, code int) answer {
	b.Helper()
	a, err := b.call("POST", messages, `{"messaging_product":"whatsapp","to":"`+phone+`",`+rest+`}`)
	if err != nil || a.code() != code {
		b.Errorf("%s: got %d %s (%v), want code %d", rest, a.status, a.body, err, code)
	}
	return a
}

// open opens the window of phone.
func (b *bundle) open() {
	b.Helper()
	if err := b.emu.OpenWindow("", phone, 0); err != nil {
		b.Fatal(err)
	}
}

func (b *bundle) control(method, path, body string, want int) answer {
	b.Helper()
	return b.do(method, "/_emulator/"+path, body, want)
}

func (b *bundle) idle() {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 20*time.Second)
	defer cancel()
	if err := b.emu.Idle(ctx); err != nil {
		b.Fatalf("not idle: %v", err)
	}
}

func (b *bundle) fault(f whatsappcloud.Fault) int64 {
	b.Helper()
	id, err := b.emu.AddFault(f)
	if err != nil {
		b.Fatal(err)
	}
	return id
}

func (b *bundle) ok(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
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
