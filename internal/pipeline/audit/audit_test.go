package audit_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.uber.org/goleak"

	"peal/internal/metrics"
	"peal/internal/peal"
	"peal/internal/pipeline"
	"peal/internal/pipeline/audit"
	"peal/internal/pipeline/ledger"
	"peal/internal/store"
	"peal/internal/stream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = time.Minute

type known map[string]bool

// ByID implements ledger.Integrations.
func (k known) ByID(id string) *peal.Integration {
	if !k[id] {
		return nil
	}
	return &peal.Integration{ID: id}
}

// lines is a log.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) count(s string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.buf.String(), s)
}

// bundle is an auditor over real records and a real broker.
type bundle struct {
	*testing.T

	driver  string // and where it finds the records, to tamper with them
	source  string
	store   *store.Store
	stream  *stream.Stream
	metrics *metrics.Metrics
	log     *lines
	now     func() time.Time
	phones  int
}

func setup(t *testing.T) *bundle {
	t.Helper()
	path := filepath.Join(t.TempDir(), "peal.db")
	return setupOver(t, "sqlite", "file:"+path+"?_pragma=busy_timeout(5000)", store.Config{Path: path, NodeID: "n1"})
}

func setupOver(t *testing.T, driver, source string, records store.Config) *bundle {
	t.Helper()
	b := &bundle{T: t, driver: driver, source: source, metrics: metrics.New(), log: &lines{}, now: time.Now}
	var err error
	if b.store, err = store.Open(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.store.Close(); err != nil {
			t.Error(err)
		}
	})
	if b.stream, err = stream.Open(t.Context(), stream.Config{Dir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.stream.Close)
	for _, id := range []string{"a", "b"} {
		if err := b.store.CreateTenant(t.Context(), peal.Tenant{ID: id, Name: id, CreatedAt: time.Now().Add(-100 * 24 * time.Hour)}); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func (b *bundle) auditor(change ...func(*audit.Config)) *audit.Auditor {
	l := ledger.New(ledger.Config{
		Records: b.store, Jobs: b.stream, Integrations: known{"in-a": true, "in-b": true}, Metrics: b.metrics, Log: slog.New(slog.DiscardHandler),
		Confirm: 20 * time.Millisecond, Now: func() time.Time { return b.now().Add(time.Minute) }, // nothing is too young
	})
	cfg := audit.Config{
		Records: b.store, Retained: b.store, Jobs: l, Metrics: b.metrics, Log: slog.New(slog.NewJSONHandler(b.log, nil)), Confirm: 20 * time.Millisecond,
		Every: 20 * time.Millisecond, Now: func() time.Time { return b.now() },
	}
	for _, f := range change {
		f(&cfg)
	}
	return audit.New(cfg)
}

// accept writes n notifications of a tenant and publishes their jobs.
func (b *bundle) accept(tenantID string, n int) (rows []peal.Delivery) {
	b.Helper()
	var subs []pipeline.Submission
	now := time.Now()
	for range n {
		b.phones++
		d := peal.Delivery{
			TenantID: tenantID, NotificationID: peal.NewID(), IntegrationID: "in-" + tenantID, Channel: peal.ChannelWhatsApp,
			Recipient: fmt.Sprintf("+9198%08d", b.phones), Payload: []byte(`{"text":"x"}`), Status: peal.Queued, CreatedAt: now, UpdatedAt: now,
		}
		var err error
		if d.ID, err = peal.DeliveryID(d.NotificationID, d.IntegrationID, d.Recipient); err != nil {
			b.Fatal(err)
		}
		rows = append(rows, d)
		subs = append(subs, pipeline.Submission{
			Notification: peal.Notification{TenantID: tenantID, ID: d.NotificationID, Phone: d.Recipient, CreatedAt: now}, Deliveries: []peal.Delivery{d},
		})
	}
	if _, err := b.store.Accept(b.Context(), subs); err != nil {
		b.Fatal(err)
	}
	for i := range subs {
		b.stream.Publish(subs[i].Jobs())
	}
	return rows
}

// tamper does to the records what Peal never would.
func (b *bundle) tamper(query string, args ...any) {
	b.Helper()
	db, err := sql.Open(b.driver, b.source)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // what it did is what counts
	if _, err := db.ExecContext(b.Context(), query, args...); err != nil {
		b.Fatal(err)
	}
}

// report audits on demand to the end.
func (b *bundle) report(a *audit.Auditor, req audit.Request) (tallies map[string]peal.Tally, found []string, calls int) {
	b.Helper()
	tallies = map[string]peal.Tally{}
	for {
		r, err := a.Audit(b.Context(), req)
		if err != nil {
			b.Fatal(err)
		}
		calls++
		for _, t := range r.Tenants {
			sum := tallies[t.TenantID]
			sum.Add(&t)
			tallies[t.TenantID] = sum
		}
		for _, d := range r.Differences {
			found = append(found, fmt.Sprintf("%s %s %s", d.TenantID, d.Kind, d.ID))
		}
		if r.Count < len(r.Differences) {
			b.Errorf("%d are named of %d", len(r.Differences), r.Count)
		}
		if r.Cursor == "" {
			slices.Sort(found)
			return tallies, found, calls
		}
		if calls > 1000 {
			b.Fatal("it does not come to an end")
		}
		req.Cursor = r.Cursor
	}
}

func (b *bundle) finds(a *audit.Auditor, want ...string) map[string]peal.Tally {
	b.Helper()
	tallies, found, _ := b.report(a, audit.Request{})
	slices.Sort(want)
	if !slices.Equal(found, want) {
		b.Errorf("it finds\n%s\nwant\n%s", strings.Join(found, "\n"), strings.Join(want, "\n"))
	}
	return tallies
}

func (b *bundle) differences(kind peal.DifferenceKind) float64 {
	b.Helper()
	return value(b.T, b.metrics.Differences.WithLabelValues(string(kind)))
}

func value(t *testing.T, m prometheus.Metric) float64 {
	t.Helper()
	var d dto.Metric
	if err := m.Write(&d); err != nil {
		t.Fatal(err)
	}
	return d.GetCounter().GetValue() + d.GetGauge().GetValue()
}

// eventually waits until something is so.
func (b *bundle) eventually(what string, is func() bool) {
	b.Helper()
	again := time.NewTicker(5 * time.Millisecond)
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

// run runs an auditor; stop waits for its end.
func (b *bundle) run(a *audit.Auditor) (stop func()) {
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	return func() {
		b.Helper()
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				b.Errorf("it ended with %v", err)
			}
		case <-time.After(patience):
			b.Fatal("it does not end")
		}
	}
}

func hourOf(d *peal.Delivery) string { return peal.HourName(peal.HourOf(d.ID)) }

func TestWhatAgrees(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.accept("a", 30)
	rows := b.accept("b", 5)
	if err := b.store.Cancel(t.Context(), "b", rows[0].NotificationID); err != nil {
		t.Fatal(err)
	}
	tallies := b.finds(b.auditor())
	if a := tallies["a"]; a.Notifications != 30 || a.Deliveries != 30 || a.DeliveryRows != 30 || a.InFlight() != 30 {
		t.Errorf("of a: %+v", a)
	}
	if of := tallies["b"]; of.Deliveries != 5 || of.InFlight() != 4 || of.ByStatus[peal.Canceled] != 1 {
		t.Errorf("of b: %+v", of)
	}
	tallies, _, _ = b.report(b.auditor(), audit.Request{TenantID: "b"})
	if len(tallies) != 1 || tallies["b"].Deliveries != 5 {
		t.Errorf("of b alone: %+v", tallies)
	}
	tallies, _, _ = b.report(b.auditor(), audit.Request{Since: time.Now().Add(48 * time.Hour)})
	if len(tallies) != 0 {
		t.Errorf("of the time to come: %+v", tallies)
	}
	if _, err := b.auditor().Audit(t.Context(), audit.Request{TenantID: "nobody"}); peal.KindOf(err) != peal.NotFound {
		t.Errorf("of a tenant that is not there: %v", err)
	}
	for _, cursor := range []string{"?", "bm90aGluZw"} {
		if _, err := b.auditor().Audit(t.Context(), audit.Request{Cursor: cursor}); peal.KindOf(err) != peal.Invalid {
			t.Errorf("cursor %s: %v", cursor, err)
		}
	}
}

func TestWhatDoesNotAgreeIsNamed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	a := b.accept("a", 20)
	other := b.accept("b", 20)
	b.finds(b.auditor())
	b.tamper(`DELETE FROM communications_log WHERE delivery_id = ?`, a[3].ID)
	b.tamper(`DELETE FROM notifications WHERE notification_id = ?`, other[4].NotificationID)
	b.tamper(`UPDATE communications_log SET ended_at = 1 WHERE delivery_id = ?`, other[5].ID)
	want := []string{
		"a plan " + a[3].NotificationID, "a deliveries " + hourOf(&a[3]),
		"b orphan " + other[4].NotificationID, "b notifications " + hourOf(&other[4]), "b state " + other[5].ID,
	}
	b.finds(b.auditor(), want...)
	b.finds(b.auditor(func(c *audit.Config) { c.Within = 1 }), want...)
	later := func(c *audit.Config) { c.MaxRows, c.Now = 3, func() time.Time { return time.Now().Add(3 * time.Hour) } }
	b.finds(b.auditor(later), want...) // hours in parts
	b.tamper(`DELETE FROM notifications WHERE notification_id = ?`, a[3].NotificationID)
	b.tamper(`INSERT INTO delivery_events (delivery_id, mark, at, type) VALUES (?, 'x', 1, 'attempt')`, a[3].ID)
	want = slices.DeleteFunc(want, func(s string) bool { return strings.HasPrefix(s, "a plan ") })
	want = append(want, "a vanished "+a[3].ID, "a notifications "+hourOf(&a[3]))
	if hourOf(&a[3]) == hourOf(&other[0]) {
		want = append(want, "b vanished "+a[3].ID) // a timeline does not say whose it is
	}
	b.finds(b.auditor(), want...)
	b.finds(b.auditor(later), want...)
}

func TestAReportInPieces(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.accept("a", 10)
	b.accept("b", 10)
	tallies, found, calls := b.report(b.auditor(func(c *audit.Config) { c.Within, c.MaxRows = 1, 3 }), audit.Request{Since: time.Now().Add(-3 * time.Hour)})
	if calls < 4 || len(found) != 0 || tallies["a"].DeliveryRows != 10 || tallies["b"].Deliveries != 10 || tallies["b"].NotificationRows != 10 {
		t.Errorf("after %d calls: %+v %v", calls, tallies, found)
	}
}

func TestAMissingJobIsPutBack(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rows := b.accept("a", 10)
	all := make([]pipeline.Job, len(rows))
	for i := range rows {
		all[i] = pipeline.Job{IntegrationID: "in-a", DeliveryID: rows[i].ID}
	}
	if _, err := b.stream.Ensure(t.Context(), all); err != nil { // they stand now, whatever the publishing did
		t.Fatal(err)
	}
	lost := b.accept("b", 3)
	b.finds(b.auditor())
	if err := b.stream.DropQueue(t.Context(), "in-b"); err != nil {
		t.Fatal(err)
	}
	_, found, _ := b.report(b.auditor(), audit.Request{TenantID: "a"}) // the other's are none of its business
	if len(found) != 0 {
		t.Errorf("of a: %v", found)
	}
	b.finds(b.auditor(), "b job "+lost[0].ID, "b job "+lost[1].ID, "b job "+lost[2].ID)
	b.finds(b.auditor())
	stand, err := b.stream.Standing(t.Context(), []pipeline.Job{{IntegrationID: "in-b", DeliveryID: lost[1].ID}})
	if err != nil || !stand[0] {
		t.Errorf("it was not put back: %v, %v", stand, err)
	}
}

func TestTheMetricMustBeZero(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rows := b.accept("a", 5)
	ancient := time.Now().Add(-50 * time.Hour) // the past is gone over, too
	old := peal.FirstID(ancient)[:14] + "7000-8000-000000000001"
	b.tamper(`INSERT INTO notifications (tenant_id, notification_id, deliveries, created_at) VALUES ('b', ?, 0, 1)`, old)
	b.tamper(`INSERT INTO accepted VALUES ('b', ?, 'n2', 1, 0)`, peal.HourOf(old))
	a := b.auditor()
	stop := b.run(a)
	b.eventually("a run", func() bool { return value(t, b.metrics.LastAudit) > 0 })
	sum := func() (n float64) {
		for _, kind := range peal.DifferenceKinds() {
			n += b.differences(kind)
		}
		return n
	}
	if sum() != 0 {
		t.Errorf("there are %v differences", sum())
	}
	b.tamper(`UPDATE communications_log SET round = 1 WHERE delivery_id = ?`, rows[2].ID)
	b.eventually("the row is found", func() bool { return b.differences(peal.DiffState) == 1 })
	if sum() != 1 || b.log.count(rows[2].ID) != 1 || b.log.count(`"level":"ERROR"`) != 1 {
		t.Errorf("%v differences; logged: %s", sum(), b.log.buf.String())
	}
	b.tamper(`UPDATE communications_log SET round = 0 WHERE delivery_id = ?`, rows[2].ID)
	b.eventually("it is mended", func() bool { return sum() == 0 })
	stop()

	b.tamper(`DELETE FROM notifications WHERE notification_id = ?`, old)
	a = b.auditor()
	stop = b.run(a)
	b.eventually("the old one is found", func() bool { return b.differences(peal.DiffNotifications) == 1 })
	if b.log.count(peal.HourName(ancient.Unix()/3600)) != 1 {
		t.Errorf("logged: %s", b.log.buf.String())
	}
	b.tamper(`DELETE FROM accepted WHERE node_id = 'n2'`)
	b.finds(a) // an audit on demand tells the metric, too
	if sum() != 0 {
		t.Errorf("there are %v differences", sum())
	}
	stop()
}

// TestNoFalseAlarms audits while deliveries are accepted, sent, put off and canceled.
func TestNoFalseAlarms(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx, cancel := context.WithCancel(t.Context())
	in := &peal.Integration{TenantID: "a", ID: "in-a", Channel: peal.ChannelWhatsApp}
	feed, err := b.stream.OpenQueue(ctx, "in-a", peal.Normal, 100, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	defer feed.Stop()
	var wg sync.WaitGroup
	accepted := make(chan struct{})
	wg.Go(func() {
		defer close(accepted)
		for range 40 {
			rows := b.accept("a", 20)
			_ = b.store.Cancel(context.WithoutCancel(ctx), "a", rows[0].NotificationID) // or it was quicker
		}
	})
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case m := <-feed.C:
					b.send(in, m)
				}
			}
		})
	}
	a := b.auditor()
	stop := b.run(a)
	for moving := true; moving; {
		select {
		case <-accepted:
			moving = false
		default:
		}
		b.finds(a)
	}
	cancel()
	wg.Wait()
	stop()
	tallies := b.finds(a)
	if n := value(t, b.metrics.Mended); n != 0 {
		t.Errorf("%v jobs were put back", n)
	}
	if b.log.count(`"level"`) != 0 {
		t.Errorf("logged: %s", b.log.buf.String())
	}
	t.Logf("%+v", tallies["a"])
}

// send does with a job what the stage does.
func (b *bundle) send(in *peal.Integration, m pipeline.Message) {
	ctx, id := context.Background(), pipeline.DeliveryOf(m.Subject())
	c, err := b.store.Claim(ctx, in, []string{id}, true)
	if err != nil {
		b.Error(err)
		return
	}
	for _, d := range c.Ready {
		at := peal.Attempt{
			TenantID: "a", DeliveryID: d.ID, IntegrationID: in.ID, Number: d.Attempts, At: time.Now(), Next: peal.Sent,
			Outcome: peal.Outcome{Class: peal.ClassAccepted, MessageID: "m-" + d.ID},
		}
		if d.ID[35]&3 == 0 && d.Attempts == 1 {
			at.Next, at.Due, at.Outcome = peal.Queued, time.Now().Add(time.Hour), peal.Outcome{Class: peal.ClassTemporary, Code: "x"}
		}
		if _, err := b.store.Record(ctx, []peal.Attempt{at}); err != nil {
			b.Error(err)
		}
		if at.Next == peal.Queued {
			if _, err := b.stream.Ensure(ctx, []pipeline.Job{{IntegrationID: in.ID, DeliveryID: d.ID, Due: at.Due}}); err != nil {
				b.Error(err)
			}
		}
	}
	if err := m.Ack(); err != nil {
		b.Error(err)
	}
}
