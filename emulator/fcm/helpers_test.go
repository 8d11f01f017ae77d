package fcm_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"peal/emulator/fcm"
)

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

// bundle is an emulator on a real port, with a device and an access token of
// the project "demo".
type bundle struct {
	*testing.T
	emu    *fcm.Server
	srv    *httptest.Server
	clock  *clock
	phone  fcm.Device
	bearer string
}

func setup(t *testing.T, opt fcm.Options) *bundle {
	t.Helper()
	b := &bundle{T: t, clock: newClock()}
	opt.Clock = b.clock.Now
	b.emu = fcm.New(opt)
	b.srv = httptest.NewServer(b.emu)
	b.emu.SetURL(b.srv.URL)
	t.Cleanup(b.srv.Close)
	t.Cleanup(b.emu.Close)
	b.phone = b.register(fcm.Device{App: "com.example.app"})
	b.bearer = b.emu.IssueToken("demo")
	return b
}

func (b *bundle) register(d fcm.Device) fcm.Device {
	b.Helper()
	if d.Project == "" {
		d.Project = "demo"
	}
	d, err := b.emu.Register(d)
	if err != nil {
		b.Fatal(err)
	}
	return d
}

type answer struct {
	status int
	header http.Header
	body   string
	json   map[string]any
}

// call sends a request; err is of the connection.
func (b *bundle) call(method, path, kind, body string) (answer, error) {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), method, b.srv.URL+path, strings.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	req.GetBody = nil // a retry by net/http itself would be a send that nobody counted
	if b.bearer != "" {
		req.Header.Set("Authorization", "Bearer "+b.bearer)
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	resp, err := b.srv.Client().Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	a := answer{status: resp.StatusCode, header: resp.Header, body: string(raw)}
	_ = json.Unmarshal(raw, &a.json)
	return a, err
}

func (b *bundle) do(method, path, body string, want int) answer {
	b.Helper()
	a, err := b.call(method, path, "application/json", body)
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
	return b.do("POST", "/v1/projects/demo/messages:send", body, want)
}

// message sends one to an address; more is the rest of the message's members.
func (b *bundle) message(address, more string, want int) answer {
	b.Helper()
	if more != "" {
		more = "," + more
	}
	return b.send(`{"message":{"token":"`+address+`"`+more+`}}`, want)
}

func (b *bundle) control(method, path, body string, want int) answer {
	b.Helper()
	return b.do(method, "/_emulator/"+path, body, want)
}

func (b *bundle) fault(f fcm.Fault) int64 {
	b.Helper()
	id, err := b.emu.AddFault(f)
	if err != nil {
		b.Fatal(err)
	}
	return id
}

// detail is the part of an error's details of a type, or nil.
func detail(a answer, typ string) map[string]any {
	list, _ := at(a.json, "error", "details").([]any)
	for _, d := range list {
		if m, _ := d.(map[string]any); m["@type"] == "type.googleapis.com/"+typ {
			return m
		}
	}
	return nil
}

// code is the FcmError's errorCode, or "".
func code(a answer) string {
	text, _ := detail(a, "google.firebase.fcm.v1.FcmError")["errorCode"].(string)
	return text
}

// violation is the first of the fieldViolations' fields, or "-".
func violation(a answer) string {
	text, ok := at(detail(a, "google.rpc.BadRequest"), "fieldViolations", 0, "field").(string)
	if !ok {
		return "-"
	}
	return text
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

// account is a service account's file, and signs as its holder would.
type account struct {
	Email    string `json:"client_email"`
	KeyID    string `json:"private_key_id"`
	Key      string `json:"private_key"`
	Project  string `json:"project_id"`
	TokenURI string `json:"token_uri"`
	key      *rsa.PrivateKey
}

func (b *bundle) account(project string) *account {
	b.Helper()
	file, err := b.emu.NewServiceAccount(project)
	if err != nil {
		b.Fatal(err)
	}
	a := &account{}
	if err := json.Unmarshal(file, a); err != nil {
		b.Fatal(err)
	}
	block, _ := pem.Decode([]byte(a.Key))
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		b.Fatal(err)
	}
	a.key = key.(*rsa.PrivateKey)
	return a
}

func (a *account) sign(head, claims map[string]any) string {
	part := func(v any) string {
		return base64.RawURLEncoding.EncodeToString([]byte(jsonText(v)))
	}
	text := part(head) + "." + part(claims)
	digest := sha256.Sum256([]byte(text))
	signature, _ := rsa.SignPKCS1v15(rand.Reader, a.key, crypto.SHA256, digest[:])
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func (b *bundle) token(grant, assertion string, want int) answer {
	b.Helper()
	form := url.Values{"grant_type": {grant}, "assertion": {assertion}}
	a, err := b.call("POST", "/token", "application/x-www-form-urlencoded", form.Encode())
	if err != nil {
		b.Fatal(err)
	}
	if a.status != want {
		b.Fatalf("token: status %d, want %d: %s", a.status, want, a.body)
	}
	return a
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
