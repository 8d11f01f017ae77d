package apns_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"peal/emulator/apns"
)

const (
	team   = "TEAM000001"
	kid    = "KEY0000001"
	bundle = "org.example.app"
	hello  = `{"aps":{"alert":{"title":"Hello","body":"World"},"sound":"default","badge":3}}`
)

var token = strings.Repeat("ab", 32)

// clock is set by hand.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Unix(1_800_000_000, 0)} }

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

// bundled is an emulator on a real port, with a key, a device and a client.
type bundled struct {
	testing.TB
	emu   *apns.Server
	url   string
	clock *clock
	p8    []byte
	jwt   string
	http  *http.Client
}

func setup(t testing.TB, opt apns.Options) *bundled {
	t.Helper()
	b := &bundled{TB: t, clock: newClock()}
	opt.Clock = b.clock.Now
	if opt.Devices == nil {
		opt.Devices = []apns.Device{{Token: token, Bundle: bundle}}
	}
	b.emu = apns.New(opt)
	t.Cleanup(b.emu.Close)
	addr, err := b.emu.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b.url = "https://" + addr.String()
	b.p8 = b.emu.NewKey(team, kid)
	b.jwt = b.sign(team, kid, b.p8, b.clock.Now())
	b.http = b.client()
	return b
}

// client has connections of its own.
func (b *bundled) client() *http.Client {
	tr := &http.Transport{TLSClientConfig: b.emu.ClientTLS(), ForceAttemptHTTP2: true}
	b.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 20 * time.Second}
}

func (b *bundled) sign(team, kid string, p8 []byte, at time.Time) string {
	b.Helper()
	return b.signed(fmt.Sprintf(`{"alg":"ES256","kid":%q}`, kid), fmt.Sprintf(`{"iss":%q,"iat":%d}`, team, at.Unix()), p8)
}

func (b *bundled) signed(header, claims string, p8 []byte) string {
	b.Helper()
	block, _ := pem.Decode(p8)
	private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		b.Fatal(err)
	}
	enc := base64.RawURLEncoding
	text := enc.EncodeToString([]byte(header)) + "." + enc.EncodeToString([]byte(claims))
	sum := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, private.(*ecdsa.PrivateKey), sum[:])
	if err != nil {
		b.Fatal(err)
	}
	var raw [64]byte
	r.FillBytes(raw[:32])
	s.FillBytes(raw[32:])
	return text + "." + enc.EncodeToString(raw[:])
}

type answer struct {
	status    int
	Reason    string `json:"reason"`
	Timestamp int64  `json:"timestamp"`
	header    http.Header
	body      string
}

// change alters a request that is right as it is.
type change func(*http.Request)

func with(name, value string) change {
	return func(r *http.Request) {
		r.Header.Del(name)
		if value != "" {
			r.Header.Set(name, value)
		}
	}
}

func to(token string) change { return func(r *http.Request) { r.URL.Path = "/3/device/" + token } }

func saying(payload string) change {
	return func(r *http.Request) {
		r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(payload)), nil }
		r.Body, _ = r.GetBody()
		r.ContentLength = int64(len(payload))
	}
}

func (b *bundled) request(changes ...change) *http.Request {
	b.Helper()
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, b.url+"/3/device/"+token, nil)
	if err != nil {
		b.Fatal(err)
	}
	saying(hello)(r)
	r.Header.Set("Authorization", "bearer "+b.jwt)
	r.Header.Set("apns-topic", bundle)
	r.Header.Set("apns-push-type", "alert")
	for _, c := range changes {
		c(r)
	}
	return r
}

// try sends over a client; err is of the connection.
func (b *bundled) try(client *http.Client, changes ...change) (answer, error) {
	b.Helper()
	resp, err := client.Do(b.request(changes...))
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	a := answer{status: resp.StatusCode, header: resp.Header, body: string(raw)}
	_ = json.Unmarshal(raw, &a)
	return a, err
}

// send is try where the connection must not fail; want is 200 or a reason.
func (b *bundled) send(want string, changes ...change) answer {
	b.Helper()
	a, err := b.try(b.http, changes...)
	if err != nil {
		b.Fatal(err)
	}
	status := 200
	if want != "200" {
		status = apns.StatusOf(want)
	} else {
		want = ""
	}
	if a.status != status || a.Reason != want {
		b.Errorf("answered %d %q, want %d %q", a.status, a.Reason, status, want)
	}
	return a
}

func (b *bundled) fault(f apns.Fault) int64 {
	b.Helper()
	id, err := b.emu.AddFault(f)
	if err != nil {
		b.Fatal(err)
	}
	return id
}
