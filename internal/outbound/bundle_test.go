package outbound_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"peal/api"
	"peal/internal/metrics"
	"peal/internal/netguard"
	"peal/internal/outbound"
	"peal/internal/peal"
	"peal/internal/store"
	"peal/internal/store/sqlitetest"
	"peal/internal/vault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// call is one that a receiver got.
type call struct {
	host   string
	at     time.Time
	header http.Header
	body   []byte
	event  api.EventMessage
}

// bundle is a stage on records of its own, with a clock that is set by hand and receivers in memory.
type bundle struct {
	*testing.T

	store   *store.Store
	service *outbound.Service
	vault   *vault.Vault
	change  func(*outbound.Config)
	stage   *outbound.Stage
	stop    func() // of the stage

	mu     sync.Mutex
	now    time.Time
	answer func(c *call) (*http.Response, error) // without the lock
	calls  []call
	rings  []chan struct{} // whenever a log has grown
}

func setup(t *testing.T, change func(*outbound.Config)) *bundle {
	t.Helper()
	v, err := vault.New(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	b := &bundle{T: t, vault: v, now: time.Now().UTC().Truncate(time.Second), change: change, answer: status(200)}
	if b.store, err = store.Open(t.Context(), store.Config{Path: sqlitetest.Seed(t, filepath.Join(t.TempDir(), "peal.db")), Now: b.clock, Told: b.told}); err != nil {
		t.Fatal(err)
	}
	b.start()
	t.Cleanup(func() {
		b.stop()
		if err := b.store.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// held is a lease that lasts.
type held struct{}

func (held) Valid() bool           { return true }
func (held) Done() <-chan struct{} { return nil }
func (held) Release()              {}

func (b *bundle) start() {
	cfg := outbound.Config{
		Own:     func(context.Context, string) (outbound.Lease, error) { return held{}, nil },
		Records: b.store, Events: b.store, Vault: b.vault, Metrics: metrics.New(), Now: b.clock, Jitter: func() float64 { return 0 },
		Watch: b.watch, HTTPS: b, Guard: netguard.New(),
	}
	if b.change != nil {
		b.change(&cfg)
	}
	b.stage = outbound.New(cfg)
	b.service = outbound.NewService(outbound.ServiceConfig{
		Register: b.store, Listed: b.store, Switch: b.store, Replays: b.store, Log: b.store, Vault: b.vault, Guard: cfg.Guard, Stage: b.stage,
		Changed: b.stage.Reread, Now: b.clock,
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = b.stage.Run(ctx) }()
	b.stop = sync.OnceFunc(func() { cancel(); <-done; b.stage.Close() })
}

func (b *bundle) told([]string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.rings {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

func (b *bundle) watch(string) (<-chan struct{}, func()) {
	c := make(chan struct{}, 1)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rings = append(b.rings, c)
	return c, func() {}
}

func (b *bundle) clock() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

func (b *bundle) advance(d time.Duration) {
	b.mu.Lock()
	b.now = b.now.Add(d)
	b.mu.Unlock()
	b.stage.Rouse()
}

func (b *bundle) respond(f func(c *call) (*http.Response, error)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answer = f
}

func status(code int, header ...string) func(*call) (*http.Response, error) {
	return func(*call) (*http.Response, error) {
		res := &http.Response{StatusCode: code, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("ok"))}
		for i := 0; i < len(header); i += 2 {
			res.Header.Set(header[i], header[i+1])
		}
		return res, nil
	}
}

// RoundTrip implements http.RoundTripper: it is every receiver.
func (b *bundle) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	c := call{host: req.URL.Host, header: req.Header, body: body, at: b.clock()}
	if err := json.Unmarshal(body, &c.event); err != nil {
		return nil, err
	}
	b.mu.Lock()
	b.calls = append(b.calls, c)
	answer := b.answer
	b.mu.Unlock()
	return answer(&c)
}

var _ http.RoundTripper = (*bundle)(nil)

// got are the calls to a host so far; all for none.
func (b *bundle) got(host string) (calls []call) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.calls {
		if host == "" || c.host == host {
			calls = append(calls, c)
		}
	}
	return calls
}

func (b *bundle) ok(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// endpoint makes one of a tenant, which is made, too, if it is not there.
func (b *bundle) endpoint(tenant, name string) (e peal.Endpoint, secret string) {
	b.Helper()
	err := b.store.CreateTenant(b.Context(), peal.Tenant{ID: tenant, Name: tenant, CreatedAt: b.clock()})
	if err != nil && peal.KindOf(err) != peal.Conflict {
		b.Fatal(err)
	}
	e, secret, err = b.service.Create(b.Context(), tenant, &api.EndpointRequest{Name: name, URL: "https://" + name + ".example/hook"})
	b.ok(err)
	return e, secret
}

// tell appends to a tenant's log.
func (b *bundle) tell(tenant string, subjects ...string) {
	b.Helper()
	all := make([]peal.Notice, len(subjects))
	for i, s := range subjects {
		all[i] = peal.Notice{TenantID: tenant, Type: peal.NoticeTemplateUpdated, At: b.clock(), Subject: s, Data: json.RawMessage(fmt.Sprintf(`{"n":%d}`, i))}
	}
	b.ok(b.store.Tell(b.Context(), all))
}

func (b *bundle) eventually(what string, f func() error) {
	b.Helper()
	end := time.Now().Add(30 * time.Second)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		err := f()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-b.Context().Done():
		}
		if time.Now().After(end) || b.Context().Err() != nil {
			b.Fatalf("%s: %v", what, err)
		}
		b.stage.Rouse()
	}
}

func (b *bundle) reached(n int) {
	b.Helper()
	b.eventually(fmt.Sprintf("%d calls", n), func() error {
		if got := len(b.got("")); got != n {
			return fmt.Errorf("there were %d", got)
		}
		return nil
	})
}

func (b *bundle) find(e *peal.Endpoint) peal.Endpoint {
	b.Helper()
	now, err := b.service.Find(b.Context(), e.TenantID, e.ID)
	b.ok(err)
	return now
}

// settled waits until an endpoint has been told all that was told to the log until now, and nothing waits.
func (b *bundle) settled(e *peal.Endpoint) {
	b.Helper()
	end, err := b.store.NoticesEnd(b.Context())
	b.ok(err)
	b.eventually("all is told", func() error {
		now := b.find(e)
		if peal.Before(now.Cursor, end) || now.Waiting > 0 || now.Replay != nil {
			return fmt.Errorf("it is at %s of %s, %d wait", now.Cursor, end, now.Waiting)
		}
		return nil
	})
}

var errNone = errors.New("no")
