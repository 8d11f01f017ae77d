package send_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"peal/api"
	"peal/internal/integration"
	"peal/internal/metrics"
	"peal/internal/peal"
	"peal/internal/pipeline"
	"peal/internal/pipeline/send"
	"peal/internal/provider"
	"peal/internal/store"
	"peal/internal/store/sqlitetest"
	"peal/internal/stream"
	"peal/internal/vault"
)

const patience = 30 * time.Second

// carrier is a provider that does what the test says.
type carrier struct {
	mayDouble bool
	channel   string                                          // default: WhatsApp
	groups    []string                                        // that every message belongs to
	budget    peal.Limit                                      // of pushes with a collapse key
	reaches   []peal.DeviceKind                               // default: all
	answer    func(m *provider.Message, nth int) peal.Outcome // nth call for the delivery, from 1

	mu    sync.Mutex
	calls map[string]int
	times []time.Time
	ids   []string // of the same calls
	now   int
	most  int // calls at once
}

var (
	_ provider.PushKind = (*carrier)(nil)
	_ provider.Client   = (*carrier)(nil)
	_ provider.Grouper  = (*carrier)(nil)
)

func (c *carrier) Name() string                           { return "carrier" }
func (c *carrier) Channel() string                        { return cmp.Or(c.channel, peal.ChannelWhatsApp) }
func (c *carrier) Groups(*provider.Message) []string      { return c.groups }
func (c *carrier) CheckDevice(*peal.Device) []peal.Field  { return nil }
func (c *carrier) Credentials() []provider.Credential     { return nil }
func (c *carrier) CheckContent(*api.Content) []peal.Field { return nil }
func (c *carrier) Probe(context.Context) provider.Health  { return provider.Health{OK: true} }
func (c *carrier) Close()                                 {}
func (c *carrier) Defaults() provider.Defaults {
	return provider.Defaults{BaseURL: "http://carrier", OnUnknown: peal.Reconcile, MayDouble: c.mayDouble}
}

func (c *carrier) Devices() []peal.DeviceKind {
	if c.reaches == nil {
		return peal.DeviceKinds()
	}
	return c.reaches
}

func (c *carrier) Budget() peal.Limit { return c.budget }

func (c *carrier) Within(m *provider.Message) bool {
	return m.Content.Push != nil && m.Content.Push.CollapseKey != ""
}

func (c *carrier) Open(*peal.Integration, provider.Env) (provider.Client, error) { return c, nil }

func (c *carrier) ParseWebhook(http.Header, []byte) ([]provider.Fact, error) { return nil, nil }

func (c *carrier) CheckWebhook(*peal.Integration, http.Header, []byte) bool { return false }

func (c *carrier) Lookup(context.Context, string) (peal.Evidence, error) {
	return peal.Evidence{}, errors.New("it knows nothing")
}

func (c *carrier) Send(_ context.Context, m *provider.Message) peal.Outcome {
	c.mu.Lock()
	c.calls[m.DeliveryID]++
	nth := c.calls[m.DeliveryID]
	c.times, c.ids = append(c.times, time.Now()), append(c.ids, m.DeliveryID)
	c.now++
	c.most = max(c.most, c.now)
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		c.now--
		c.mu.Unlock()
	}()
	return c.answer(m, nth)
}

// count is how often a delivery was called for.
func (c *carrier) count(id string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls[id]
}

// accepted is the answer of a provider that took the message.
func accepted(m *provider.Message, _ int) peal.Outcome {
	return peal.Outcome{Class: peal.ClassAccepted, MessageID: "m-" + m.DeliveryID}
}

// bundle is a stage over real records and a real broker, with a provider of the test's own.
type bundle struct {
	*testing.T

	carrier *carrier
	store   *store.Store
	stream  *stream.Stream
	service *integration.Service
	in      *peal.Integration
	records send.Records // the store, or what stands before it
	devices send.Devices // the store, or what stands before it
	queues  send.Queues  // the stream, or what stands before it
	own     func(ctx context.Context, integrationID string) (send.Lease, error)
	jitter  func() float64
	phones  int
}

func setup(t *testing.T, settings api.Settings, change ...func(*carrier)) *bundle {
	t.Helper()
	b := &bundle{T: t, carrier: &carrier{answer: accepted, calls: map[string]int{}}, own: soleOwner, jitter: func() float64 { return 0 }}
	for _, f := range change {
		f(b.carrier)
	}
	dir := t.TempDir()
	var err error
	if b.store, err = store.Open(t.Context(), store.Config{Path: sqlitetest.Seed(t, filepath.Join(dir, "peal.db"))}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.store.Close(); err != nil {
			t.Error(err)
		}
	})
	b.records, b.devices = b.store, b.store
	if b.stream, err = stream.Open(t.Context(), stream.Config{Dir: filepath.Join(dir, "broker")}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.stream.Close)
	b.queues = b.stream
	v, err := vault.New(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	d := integration.NewDirectory(b.store, v, []provider.Kind{b.carrier}, slog.New(slog.DiscardHandler))
	b.service = integration.NewService(d, b.store, time.Now)
	if err := b.store.CreateTenant(t.Context(), peal.Tenant{ID: "a", Name: "a", CreatedAt: time.Now()}); err != nil {
		t.Fatal(err)
	}
	b.in, err = b.service.Create(t.Context(), "a", &api.IntegrationRequest{Name: "main", Kind: "carrier", Settings: settings})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// owner is a lease that the test may take away.
type owner struct {
	later bool // it was another's before
	done  chan struct{}

	mu   sync.Mutex
	over bool
}

func (o *owner) Valid() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return !o.over
}

func (o *owner) First() bool           { return !o.later }
func (o *owner) Done() <-chan struct{} { return o.done }
func (o *owner) Release()              {}

// soleOwner is the lease of the only node there is.
func soleOwner(context.Context, string) (send.Lease, error) {
	return &owner{done: make(chan struct{})}, nil
}

// unlimited is settings without a limit, with quick retries.
func unlimited() api.Settings {
	return api.Settings{Limit: &api.Limit{}, RetryBase: "100ms", Concurrency: 16}
}

// run runs a stage until the test, or stop, ends it.
func (b *bundle) run() (stop func()) {
	b.Helper()
	s := send.New(send.Config{
		Own: b.own, Integrations: b.service, Records: b.records, Devices: b.devices, Queues: b.queues, Env: provider.Env{Transport: http.DefaultTransport}, Metrics: metrics.New(),
		Log: slog.New(slog.DiscardHandler), Jitter: b.jitter, ProbeEvery: 50 * time.Millisecond,
	})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			select {
			case err := <-ended:
				if err != nil {
					b.Errorf("the stage ended with %v", err)
				}
			case <-time.After(patience):
				b.Error("the stage does not end")
			}
		})
	}
	b.Cleanup(stop)
	return stop
}

// accept writes n rows.
func (b *bundle) accept(n int, change ...func(*peal.Delivery)) (rows []peal.Delivery) {
	b.Helper()
	var subs []pipeline.Submission
	now := time.Now()
	for range n {
		b.phones++
		d := peal.Delivery{
			TenantID: "a", NotificationID: peal.NewID(), IntegrationID: b.in.ID, Channel: b.in.Channel,
			Recipient: fmt.Sprintf("+9198%08d", b.phones), Payload: []byte(`{"text":"x"}`), Status: peal.Queued, CreatedAt: now, UpdatedAt: now,
		}
		for _, f := range change {
			f(&d)
		}
		var err error
		if d.ID, err = peal.DeliveryID(d.NotificationID, d.IntegrationID, d.Recipient); err != nil {
			b.Fatal(err)
		}
		rows = append(rows, d)
		subs = append(subs, pipeline.Submission{
			Notification: peal.Notification{TenantID: "a", ID: d.NotificationID, Phone: d.Recipient, CreatedAt: now}, Deliveries: []peal.Delivery{d},
		})
	}
	if _, err := b.store.Accept(b.Context(), subs); err != nil {
		b.Fatal(err)
	}
	return rows
}

// publish gives rows their jobs.
func (b *bundle) publish(rows ...peal.Delivery) {
	b.Helper()
	var jobs []pipeline.Job
	for _, d := range rows {
		jobs = append(jobs, pipeline.Job{IntegrationID: d.IntegrationID, DeliveryID: d.ID, Priority: d.Priority, Due: d.DueAt})
	}
	if _, err := b.stream.Ensure(b.Context(), jobs); err != nil {
		b.Fatal(err)
	}
}

func (b *bundle) send(n int, change ...func(*peal.Delivery)) []peal.Delivery {
	b.Helper()
	rows := b.accept(n, change...)
	b.publish(rows...)
	return rows
}

func (b *bundle) delivery(id string) *peal.Delivery {
	b.Helper()
	d, _, err := b.store.Delivery(b.Context(), "a", id)
	if err != nil {
		b.Fatal(err)
	}
	return d
}

// reaches waits until each of the rows has the status.
func (b *bundle) reaches(want peal.Status, rows ...peal.Delivery) {
	b.Helper()
	for _, d := range rows {
		b.eventually(fmt.Sprintf("%s is %s", d.ID, want), func() bool { return b.delivery(d.ID).Status == want })
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

// called fails the test unless each row was called for so often.
func (b *bundle) called(times int, rows ...peal.Delivery) {
	b.Helper()
	for _, d := range rows {
		if n := b.carrier.count(d.ID); n != times {
			b.Errorf("%s was called for %d times, want %d", d.ID, n, times)
		}
	}
}

// empty waits until no job stands in the queue, and none is in anybody's hands: so nothing is left to happen.
func (b *bundle) empty() {
	b.Helper()
	b.eventually("an empty queue", func() bool {
		rows, err := b.store.InFlight(b.Context(), "", "", 1)
		if err != nil {
			b.Fatal(err)
		}
		return len(rows) == 0
	})
}
