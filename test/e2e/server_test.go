package e2e_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"peal/api"
	"peal/client"
	"peal/internal/app"
	"peal/internal/config"
	"peal/internal/store/sqlitetest"
)

const (
	// base is where tests find their Peal: the name is never resolved, the server's transport knows the address, which
	// changes with every restart.
	base        = "http://peal.test"
	operatorKey = "operator-key-of-the-tests-0123456789"
	stopWithin  = 20 * time.Second
)

// server is a Peal that can be stopped and started again on the same data.
type server struct {
	cfg     config.Config
	logs    *logs
	http    *http.Client
	watched *watched
	addr    atomic.Value // string

	stopping sync.Mutex
	running  *app.Running
	tampered bool // the records were changed behind its back, so the audit at the end is left out
}

// newConfig is what a test's Peal is told: everything default but its folder, its port and its keys.
func newConfig(t *testing.T) config.Config {
	t.Helper()
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		t.Fatal(err)
	}
	cfg := config.Default()
	cfg.Listen, cfg.Data = "127.0.0.1:0", t.TempDir()
	cfg.MasterKey, cfg.OperatorKey = config.Secret(base64.StdEncoding.EncodeToString(key)), operatorKey
	cfg.AllowPrivateNetworks = []string{"127.0.0.1/32"} // the emulator
	spread(t, &cfg)
	if cfg.DatabaseURL == "" {
		sqlitetest.Seed(t, filepath.Join(cfg.Data, "peal.db"))
	}
	return cfg
}

// newServer starts a Peal; it is stopped with the test.
func newServer(t *testing.T, change ...func(*config.Config)) *server {
	t.Helper()
	cfg := newConfig(t)
	for _, c := range change {
		c(&cfg)
	}
	return newServerOn(t, cfg)
}

// newServerOn starts a Peal that is told just this.
func newServerOn(t *testing.T, cfg config.Config) *server {
	t.Helper()
	s := &server{cfg: cfg, logs: &logs{}}
	if err := s.cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", s.addr.Load().(string))
		},
		MaxIdleConnsPerHost: 128,
	}
	s.watched = &watched{RoundTripper: transport}
	s.watched.watch(append(providerSecrets(), operatorKey, string(s.cfg.MasterKey))...)
	s.http = &http.Client{
		Transport:     s.watched,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	s.start(t)
	t.Cleanup(func() {
		s.clean(t)
		transport.CloseIdleConnections()
		s.stop(t)
		s.noLeaks(t)
		if t.Failed() {
			t.Logf("what Peal logged as wrong:\n%s", s.logs.wrong())
		}
	})
	return s
}

func (s *server) start(t *testing.T) {
	t.Helper()
	running, err := app.Start(t.Context(), s.cfg, s.logs.logger())
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	s.running = running
	s.addr.Store(running.Addr())
}

// stop drains and stops it; a second time does nothing.
func (s *server) stop(t *testing.T) {
	t.Helper()
	s.stopping.Lock()
	defer s.stopping.Unlock()
	if s.running == nil {
		return
	}
	if err := s.running.Stop(stopWithin); err != nil {
		t.Errorf("stop: %v", err)
	}
	s.running = nil
}

// as makes an SDK client.
func (s *server) as(t *testing.T, key string, opts ...client.Option) *client.Client {
	t.Helper()
	c, err := client.New(base, key, append(opts, client.WithHTTPClient(s.http))...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (s *server) operator(t *testing.T, opts ...client.Option) *client.Client {
	t.Helper()
	return s.as(t, operatorKey, opts...)
}

// answer is an HTTP answer, read to its end.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// do makes one bare request. Headers are pairs of name and value.
func (s *server) do(t *testing.T, method, path, key, body string, headers ...string) answer {
	t.Helper()
	a, err := s.try(t.Context(), method, path, key, body, headers...)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}

// try is do for goroutines, which must not end the test.
func (s *server) try(ctx context.Context, method, path, key, body string, headers ...string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, base+path, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := s.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	b, err := io.ReadAll(res.Body)
	if cerr := res.Body.Close(); err == nil {
		err = cerr
	}
	return answer{res.StatusCode, res.Header, b}, err
}

// logs are all that a Peal logged, at every level.
type logs struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logs) logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// Write implements io.Writer.
func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logs) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// wrong gives the last lines above info.
func (l *logs) wrong() string {
	var lines []string
	for line := range strings.Lines(l.text()) {
		if !strings.Contains(line, `"level":"INFO"`) && !strings.Contains(line, `"level":"DEBUG"`) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines[max(0, len(lines)-30):], "")
}

var _ io.Writer = (*logs)(nil)

// adminKey makes a tenant and gives an API key of it with the scopes, or with admin.
func (s *server) adminKey(t *testing.T, tenant string, scopes ...string) api.Key {
	t.Helper()
	if len(scopes) == 0 {
		scopes = []string{api.ScopeAdmin}
	}
	key, err := s.operator(t, client.WithTenant(tenant)).CreateKey(t.Context(), api.KeyRequest{Name: "tests", Scopes: scopes})
	if err != nil {
		t.Fatalf("make key: %v", err)
	}
	return *key
}

// problem reads an error's body.
func (a answer) problem(t *testing.T) api.Problem {
	t.Helper()
	var p api.Problem
	if got := a.header.Get("Content-Type"); got != api.ProblemType {
		t.Errorf("content type of an error is %q: %d %s", got, a.status, a.body)
	}
	a.decode(t, &p)
	if p.Status != a.status || p.Title == "" || p.Type == "" || p.RequestID == "" {
		t.Errorf("problem is not whole: %d %s", a.status, a.body)
	}
	return p
}

func (a answer) decode(t *testing.T, into any) {
	t.Helper()
	if err := json.Unmarshal(a.body, into); err != nil {
		t.Fatalf("answer %d is not the JSON that was expected: %v\n%s", a.status, err, a.body)
	}
}

// problemOf is the problem that an SDK call failed with; nil when it did not.
func problemOf(err error) *api.Problem {
	if p, ok := errors.AsType[*api.Problem](err); ok {
		return p
	}
	if err != nil {
		return &api.Problem{Title: err.Error(), Errors: []api.FieldError{{}}}
	}
	return nil
}
