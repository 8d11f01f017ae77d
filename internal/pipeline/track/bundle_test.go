package track_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.uber.org/goleak"

	"peal/api"
	"peal/internal/integration"
	"peal/internal/metrics"
	"peal/internal/peal"
	"peal/internal/pipeline"
	"peal/internal/pipeline/track"
	"peal/internal/provider"
	"peal/internal/store"
	"peal/internal/store/sqlitetest"
	"peal/internal/stream"
	"peal/internal/vault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 30 * time.Second

// carrier is a provider whose webhooks are a list of facts as JSON, and whose look-ups do what the test says.
type carrier struct {
	mu      sync.Mutex
	lookup  func(id string) (peal.Evidence, error)
	lookups map[string]int
	log     []provider.LogEntry // two a page
	logErr  error
	reads   int
	keyless bool // its webhooks name messages by their ids; only what is stuck is looked up
}

var (
	_ provider.Kind   = (*carrier)(nil)
	_ provider.Client = (*carrier)(nil)
)

func (c *carrier) Name() string    { return "carrier" }
func (c *carrier) Channel() string { return peal.ChannelWhatsApp }
func (c *carrier) Credentials() []provider.Credential {
	return []provider.Credential{{Name: "secret", Required: true}}
}
func (c *carrier) CheckContent(*api.Content) []peal.Field               { return nil }
func (c *carrier) Probe(context.Context) provider.Health                { return provider.Health{OK: true} }
func (c *carrier) Close()                                               {}
func (c *carrier) Send(context.Context, *provider.Message) peal.Outcome { return peal.Outcome{} }

func (c *carrier) Defaults() provider.Defaults {
	if c.keyless {
		return provider.Defaults{BaseURL: "http://carrier", OnUnknown: peal.Reconcile, ReceiptTimeout: 10 * time.Minute}
	}
	return provider.Defaults{
		BaseURL: "http://carrier", OnUnknown: peal.Reconcile, Checks: []time.Duration{15 * time.Second, time.Minute},
		Finds: []time.Duration{time.Second, time.Minute, time.Hour},
	}
}

func (c *carrier) Open(*peal.Integration, provider.Env) (provider.Client, error) { return c, nil }

func (c *carrier) CheckWebhook(in *peal.Integration, h http.Header, _ []byte) bool {
	return h.Get("X-Secret") == in.Credentials["secret"]
}

// fact is one thing that a webhook of the carrier says.
type fact struct {
	ID, Key string
	Status  peal.Status
	Session string
	At      time.Time
}

func (c *carrier) ParseWebhook(_ http.Header, body []byte) ([]provider.Fact, error) {
	if string(body) == "panic" {
		panic("a bug in a parser")
	}
	var said []fact
	if err := json.Unmarshal(body, &said); err != nil {
		return nil, err
	}
	var facts []provider.Fact
	for _, f := range said {
		if f.Session != "" {
			facts = append(facts, provider.Fact{Session: &provider.Health{OK: f.Session == "connected", State: f.Session, At: f.At}})
			continue
		}
		facts = append(facts, provider.Fact{Evidence: &peal.Evidence{MessageID: f.ID, MessageKey: f.Key, Status: f.Status, At: f.At}})
	}
	return facts, nil
}

func (c *carrier) Lookup(_ context.Context, id string) (peal.Evidence, error) {
	c.mu.Lock()
	c.lookups[id]++
	f := c.lookup
	c.mu.Unlock()
	return f(id)
}

func (c *carrier) looked(id string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lookups[id]
}

// bundle is the stage over real records and a real broker.
type bundle struct {
	*testing.T

	carrier *carrier
	store   *store.Store
	stream  *stream.Stream
	service *integration.Service
	vault   *vault.Vault
	metrics *metrics.Metrics
	records track.Records // the store, or what stands before it
	door    *track.Door
	in      *peal.Integration
	dir     string
	phones  int
}

func setup(t *testing.T) *bundle {
	t.Helper()
	return setupWith(t, &carrier{lookups: map[string]int{}})
}

func setupWith(t *testing.T, c *carrier) *bundle {
	t.Helper()
	b := &bundle{T: t, dir: t.TempDir(), metrics: metrics.New(), carrier: c}
	var err error
	if b.store, err = store.Open(t.Context(), store.Config{Path: sqlitetest.Seed(t, filepath.Join(b.dir, "peal.db"))}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.store.Close(); err != nil {
			t.Error(err)
		}
	})
	b.records = b.store
	if b.vault, err = vault.New(bytes.Repeat([]byte{7}, 32)); err != nil {
		t.Fatal(err)
	}
	b.service = integration.NewService(
		integration.NewDirectory(b.store, b.vault, []provider.Kind{b.carrier}, slog.New(slog.DiscardHandler)), b.store, time.Now)
	if err := b.store.CreateTenant(t.Context(), peal.Tenant{ID: "a", Name: "a", CreatedAt: time.Now()}); err != nil {
		t.Fatal(err)
	}
	b.in = b.integration("main")
	b.openStream()
	return b
}

func (b *bundle) integration(name string) *peal.Integration {
	b.Helper()
	in, err := b.service.Create(b.Context(), "a", &api.IntegrationRequest{
		Name: name, Kind: "carrier", Credentials: map[string]string{"secret": "s3cret"},
		Settings: api.Settings{LookupLimit: &api.Limit{}},
	})
	if err != nil {
		b.Fatal(err)
	}
	return in
}

func (b *bundle) openStream() {
	b.Helper()
	var err error
	if b.stream, err = stream.Open(b.Context(), stream.Config{Dir: filepath.Join(b.dir, "broker")}); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(b.stream.Close)
	b.door = &track.Door{
		Integrations: b.service, Keeper: b.stream, Holder: b.store, Sealer: b.vault, Metrics: b.metrics, Now: time.Now,
	}
}

func (b *bundle) folder() *track.Folder {
	return &track.Folder{
		Integrations: b.service, Records: b.records, Callbacks: b.stream, Held: b.store, Archive: b.stream, Sealer: b.vault, Metrics: b.metrics,
		Log: slog.New(slog.DiscardHandler), Now: time.Now,
	}
}

// runner is a stage that runs until its context ends.
type runner interface {
	Run(ctx context.Context) error
}

// run runs it until the test, or stop, ends it.
func (b *bundle) run(r runner) (stop func()) {
	b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			select {
			case err := <-ended:
				if err != nil {
					b.Errorf("it ended with %v", err)
				}
			case <-time.After(patience):
				b.Error("it does not end")
			}
		})
	}
	b.Cleanup(stop)
	return stop
}

// post brings a webhook to the door.
func (b *bundle) post(in *peal.Integration, body string) error {
	return b.door.Take(b.Context(), in.Kind, in.HookToken, http.Header{"X-Secret": {"s3cret"}, "Content-Type": {"application/json"}}, []byte(body))
}

// tell posts facts.
func (b *bundle) tell(in *peal.Integration, facts ...fact) {
	b.Helper()
	raw, err := json.Marshal(facts)
	if err == nil {
		err = b.post(in, string(raw))
	}
	if err != nil {
		b.Fatal(err)
	}
}

// claimed writes a delivery that is being sent.
func (b *bundle) claimed(in *peal.Integration) peal.Delivery {
	b.Helper()
	b.phones++
	now := time.Now()
	d := peal.Delivery{
		TenantID: "a", NotificationID: peal.NewID(), IntegrationID: in.ID, Channel: in.Channel,
		Recipient: fmt.Sprintf("+9198%08d", b.phones), Payload: []byte(`{"text":"x"}`), Status: peal.Queued, CreatedAt: now, UpdatedAt: now,
	}
	var err error
	if d.ID, err = peal.DeliveryID(d.NotificationID, d.IntegrationID, d.Recipient); err != nil {
		b.Fatal(err)
	}
	_, err = b.store.Accept(b.Context(), []pipeline.Submission{{
		Notification: peal.Notification{TenantID: "a", ID: d.NotificationID, Phone: d.Recipient, CreatedAt: now}, Deliveries: []peal.Delivery{d},
	}})
	if err == nil {
		_, err = b.store.Claim(b.Context(), in, []string{d.ID}, true)
	}
	if err != nil {
		b.Fatal(err)
	}
	return d
}

// ended records what a delivery's first attempt came to, just now.
func (b *bundle) ended(d peal.Delivery, next peal.Status, o peal.Outcome, check time.Time) {
	b.Helper()
	_, err := b.store.Record(b.Context(), []peal.Attempt{{
		TenantID: "a", DeliveryID: d.ID, IntegrationID: d.IntegrationID, Number: 1, At: time.Now(), Next: next, Outcome: o, Check: check,
	}})
	if err != nil {
		b.Fatal(err)
	}
}

// sent writes a delivery that was sent, to be looked up after a time (0: never).
func (b *bundle) sent(in *peal.Integration, check time.Duration) peal.Delivery {
	b.Helper()
	d := b.claimed(in)
	var at time.Time
	if check != 0 {
		at = time.Now().Add(check)
	}
	b.ended(d, peal.Sent, peal.Outcome{Class: peal.ClassAccepted, MessageID: "m-" + d.ID}, at)
	return d
}

func (b *bundle) delivery(d peal.Delivery) *peal.Delivery {
	b.Helper()
	got, _, err := b.store.Delivery(b.Context(), "a", d.ID)
	if err != nil {
		b.Fatal(err)
	}
	return got
}

func (b *bundle) reaches(want peal.Status, rows ...peal.Delivery) {
	b.Helper()
	for _, d := range rows {
		b.eventually(fmt.Sprintf("%s is %s", d.ID, want), func() bool { return b.delivery(d).Status == want })
	}
}

// eventually waits until something is so.
func (b *bundle) eventually(what string, is func() bool) {
	b.Helper()
	again := time.NewTicker(2 * time.Millisecond)
	defer again.Stop()
	limit := time.After(patience)
	for !is() {
		select {
		case <-again.C:
		case <-limit:
			b.Fatalf("never came to be: %s", what)
		}
	}
}

// backlog waits until so many webhooks are left to be folded in.
func (b *bundle) backlog(want uint64) {
	b.Helper()
	b.eventually(fmt.Sprintf("%d webhooks left", want), func() bool {
		n, err := b.stream.Backlog(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		return n == want
	})
}

// value is what a counter stands at.
func (b *bundle) value(m prometheus.Metric) float64 {
	b.Helper()
	var d dto.Metric
	if err := m.Write(&d); err != nil {
		b.Fatal(err)
	}
	return d.GetCounter().GetValue() + d.GetGauge().GetValue() // it is one of them
}

var errAway = &peal.Error{Kind: peal.Unavailable, Message: "the records are away", Err: errors.New("disk full")}
