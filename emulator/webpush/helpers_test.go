package webpush_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"peal/emulator/webpush"
)

// bench is a server with an application that sends to it.
type bench struct {
	*testing.T

	emu   *webpush.Server
	url   string
	key   *ecdsa.PrivateKey
	mu    sync.Mutex
	now   time.Time
	shown []webpush.Shown
}

func setup(t *testing.T, opt webpush.Options) *bench {
	t.Helper()
	b := &bench{T: t, key: newKey(t), now: time.Now()}
	opt.Clock = func() time.Time {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.now
	}
	opt.Show = func(s webpush.Shown) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.shown = append(b.shown, s)
	}
	b.emu = webpush.New(opt)
	srv := httptest.NewServer(b.emu)
	t.Cleanup(srv.Close)
	t.Cleanup(b.emu.Close)
	b.url = srv.URL
	if err := b.emu.SetOrigin(srv.URL); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) pass(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = b.now.Add(d)
}

func (b *bench) seen() []webpush.Shown {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]webpush.Shown(nil), b.shown...)
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func public(key *ecdsa.PrivateKey) string {
	raw, _ := key.PublicKey.Bytes()
	return b64(raw)
}

// sign makes a VAPID header of any claims.
func sign(key *ecdsa.PrivateKey, head, claims string) string {
	text := b64([]byte(head)) + "." + b64([]byte(claims))
	hash := sha256.Sum256([]byte(text))
	r, s, _ := ecdsa.Sign(rand.Reader, key, hash[:])
	sig := make([]byte, 64)
	r.FillBytes(sig[:32])
	s.FillBytes(sig[32:])
	return "vapid t=" + text + "." + b64(sig) + ", k=" + public(key)
}

const es256 = `{"typ":"JWT","alg":"ES256"}`

func (b *bench) claims(aud string, ahead time.Duration, sub string) string {
	return fmt.Sprintf(`{"aud":%q,"exp":%d,"sub":%q}`, aud, b.now.Add(ahead).Unix(), sub)
}

func (b *bench) vapid() string {
	return sign(b.key, es256, b.claims(b.url, 12*time.Hour, "mailto:ops@example.com"))
}

func (b *bench) subscribe() webpush.Subscription {
	b.Helper()
	sub, err := b.emu.Subscribe(public(b.key))
	if err != nil {
		b.Fatal(err)
	}
	return sub
}

func (b *bench) ntfy() webpush.Subscription {
	b.Helper()
	sub, err := b.emu.SubscribeWith(webpush.SubscribeOptions{Ntfy: true})
	if err != nil {
		b.Fatal(err)
	}
	return sub
}

// seal encrypts as RFC 8291 says, from the sender's side.
func seal(t testing.TB, sub webpush.Subscription, text string, padding int) []byte {
	t.Helper()
	ua, _ := base64.RawURLEncoding.DecodeString(sub.Keys.P256dh)
	auth, _ := base64.RawURLEncoding.DecodeString(sub.Keys.Auth)
	to, err := ecdh.P256().NewPublicKey(ua)
	if err != nil {
		t.Fatal(err)
	}
	own, _ := ecdh.P256().GenerateKey(rand.Reader)
	secret, _ := own.ECDH(to)
	as := own.PublicKey().Bytes()
	ikm, _ := hkdf.Key(sha256.New, secret, auth, "WebPush: info\x00"+string(ua)+string(as), 32)
	salt := make([]byte, 16)
	rand.Read(salt)
	cek, _ := hkdf.Key(sha256.New, ikm, salt, "Content-Encoding: aes128gcm\x00", 16)
	nonce, _ := hkdf.Key(sha256.New, ikm, salt, "Content-Encoding: nonce\x00", 12)
	block, _ := aes.NewCipher(cek)
	gcm, _ := cipher.NewGCM(block)
	body := binary.BigEndian.AppendUint32(salt, 4096)
	body = append(append(body, 65), as...)
	return gcm.Seal(body, nonce, append([]byte(text+"\x02"), make([]byte, padding)...), nil)
}

type answer struct {
	status int
	header http.Header
	body   string
	json   map[string]any
}

func (a answer) errno() int {
	n, _ := a.json["errno"].(float64)
	return int(n)
}

func (b *bench) do(req *http.Request) (answer, error) {
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	a := answer{status: resp.StatusCode, header: resp.Header, body: string(body)}
	_ = json.Unmarshal(body, &a.json)
	return a, err
}

// request is a push as it should be; change makes it another.
func (b *bench) request(sub webpush.Subscription, body []byte, change ...func(http.Header)) *http.Request {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, sub.Endpoint, bytes.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	req.Header = http.Header{
		"Ttl": {"60"}, "Content-Encoding": {"aes128gcm"}, "Content-Type": {"application/octet-stream"}, "Authorization": {b.vapid()},
	}
	for _, f := range change {
		f(req.Header)
	}
	return req
}

func set(name string, values ...string) func(http.Header) {
	return func(h http.Header) {
		h.Del(name)
		for _, v := range values {
			h.Add(name, v)
		}
	}
}

// raw sends a body as it is and wants a status.
func (b *bench) raw(sub webpush.Subscription, body []byte, status int, change ...func(http.Header)) answer {
	b.Helper()
	a, err := b.do(b.request(sub, body, change...))
	if err != nil {
		b.Fatal(err)
	}
	if a.status != status {
		b.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	return a
}

// push sends a text and wants a status.
func (b *bench) push(sub webpush.Subscription, text string, status int, change ...func(http.Header)) answer {
	b.Helper()
	return b.raw(sub, seal(b, sub, text, 0), status, change...)
}

func (b *bench) control(method, path, body string, status int) answer {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), method, b.url+"/_emulator/"+path, strings.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	a, err := b.do(req)
	if err != nil || a.status != status || a.json == nil {
		b.Fatalf("%s %s %s: status %d, want %d: %s %v", method, path, body, a.status, status, a.body, err)
	}
	return a
}

func (b *bench) fault(f webpush.Fault) int64 {
	b.Helper()
	id, err := b.emu.AddFault(f)
	if err != nil {
		b.Fatal(err)
	}
	return id
}

func newServer(t *testing.T, emu *webpush.Server) string {
	t.Helper()
	srv := httptest.NewServer(emu)
	t.Cleanup(srv.Close)
	return srv.URL
}
