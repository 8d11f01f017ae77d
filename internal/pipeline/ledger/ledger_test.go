package ledger_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.uber.org/goleak"

	"peal/internal/metrics"
	"peal/internal/peal"
	"peal/internal/pipeline"
	"peal/internal/pipeline/ledger"
	"peal/internal/store"
	"peal/internal/store/sqlitetest"
	"peal/internal/stream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

// known are the integrations that can be opened.
type known map[string]bool

// ByID implements ledger.Integrations.
func (k known) ByID(id string) *peal.Integration {
	if !k[id] {
		return nil
	}
	return &peal.Integration{ID: id}
}

// bundle is a ledger over real records and a real broker.
type bundle struct {
	*testing.T

	store   *store.Store
	stream  *stream.Stream
	dir     string
	metrics *metrics.Metrics
	ledger  *ledger.Ledger
	in      *peal.Integration
	phones  int
}

func setup(t *testing.T) *bundle {
	t.Helper()
	b := &bundle{T: t, dir: t.TempDir(), metrics: metrics.New(), in: &peal.Integration{TenantID: "a", ID: "in", Channel: peal.ChannelWhatsApp}}
	var err error
	b.store, err = store.Open(t.Context(), store.Config{Path: sqlitetest.Seed(t, filepath.Join(b.dir, "peal.db"))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.store.Close(); err != nil {
			t.Error(err)
		}
	})
	b.openStream()
	return b
}

// openStream opens the broker, and makes the ledger anew over it.
func (b *bundle) openStream() {
	b.Helper()
	var err error
	if b.stream, err = stream.Open(b.Context(), stream.Config{Dir: filepath.Join(b.dir, "broker")}); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(b.stream.Close)
	b.ledger = b.newLedger(time.Now)
}

func (b *bundle) newLedger(now func() time.Time) *ledger.Ledger {
	return ledger.New(ledger.Config{
		Records: b.store, Jobs: b.stream, Integrations: known{"in": true}, Metrics: b.metrics, Log: slog.New(slog.DiscardHandler),
		Every: time.Hour, Confirm: 20 * time.Millisecond, Now: now,
	})
}

// accept writes n rows, without their jobs.
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

// walk walks over everything, and fails the test unless it mended so many.
func (b *bundle) walk(want int) {
	b.Helper()
	b.walked(b.ledger, true, want)
}

func (b *bundle) walked(l *ledger.Ledger, all bool, want int) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), patience)
	defer cancel()
	mended, err := l.Walk(ctx, all)
	if err != nil {
		b.Fatal(err)
	}
	if mended != want {
		b.Errorf("%d were mended, want %d", mended, want)
	}
}

// jobs takes n jobs from the queue and lets them go; it gives how often each delivery came.
func (b *bundle) jobs(n int) map[string]int {
	b.Helper()
	f, err := b.stream.OpenQueue(b.Context(), "in", peal.Normal, 200, time.Minute)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Stop()
	got := map[string]int{}
	limit := time.After(patience)
	for i := range n {
		select {
		case m := <-f.C:
			got[pipeline.DeliveryOf(m.Subject())]++
			if err := m.Ack(); err != nil {
				b.Fatal(err)
			}
		case <-limit:
			b.Fatalf("%d of %d jobs came", i, n)
		}
	}
	return got
}

// each fails the test unless every row came once.
func (b *bundle) each(got map[string]int, rows ...peal.Delivery) {
	b.Helper()
	want := map[string]int{}
	for _, d := range rows {
		want[d.ID] = 1
	}
	if !maps.Equal(got, want) {
		b.Errorf("jobs of %d deliveries came (%v), want one of each of %d", len(got), slices.Max(append(slices.Collect(maps.Values(got)), 0)), len(want))
	}
}

func (b *bundle) status(d peal.Delivery, want peal.Status) {
	b.Helper()
	got, _, err := b.store.Delivery(b.Context(), d.TenantID, d.ID)
	if err != nil {
		b.Fatal(err)
	}
	if got.Status != want {
		b.Errorf("%s is %s, want %s", d.ID, got.Status, want)
	}
}

// value is what a counter or gauge stands at.
func value(t *testing.T, m prometheus.Metric) float64 {
	t.Helper()
	var d dto.Metric
	if err := m.Write(&d); err != nil {
		t.Fatal(err)
	}
	return d.GetCounter().GetValue() + d.GetGauge().GetValue()
}

func TestRowsWithoutAJobGetOne(t *testing.T) {
	t.Parallel()
	b := setup(t)
	with, without := b.accept(40), b.accept(60)
	for _, d := range with {
		b.stream.Publish([]pipeline.Job{{IntegrationID: "in", DeliveryID: d.ID}})
	}
	if _, err := b.stream.Ensure(t.Context(), []pipeline.Job{{IntegrationID: "in", DeliveryID: with[39].ID}}); err != nil {
		t.Fatal(err)
	}
	b.walk(60)
	b.walk(0)
	b.each(b.jobs(100), slices.Concat(with, without)...)
	if n := value(t, b.metrics.Mended); n != 60 {
		t.Errorf("%v are counted as mended", n)
	}
}

func TestAWipedBrokerIsBroughtBack(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rows := b.accept(2500) // more than two pages
	b.walk(2500)
	b.stream.Close()
	if err := os.RemoveAll(filepath.Join(b.dir, "broker")); err != nil {
		t.Fatal(err)
	}
	b.openStream()
	b.walk(2500)
	b.walk(0)
	b.each(b.jobs(2500), rows...)
}

func TestWhatNeedsNoJobGetsNone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	past := time.Now().Add(-time.Minute)
	expired := b.accept(1, func(d *peal.Delivery) { d.ExpiresAt = past })[0]
	scheduledAndOver := b.accept(1, func(d *peal.Delivery) { d.ExpiresAt, d.DueAt = past, time.Now().Add(time.Hour) })[0]
	orphan := b.accept(1, func(d *peal.Delivery) { d.IntegrationID = "gone" })[0]
	unknown, ended := b.accept(1)[0], b.accept(1)[0]
	c, err := b.store.Claim(t.Context(), b.in, []string{unknown.ID, ended.ID}, true)
	if err != nil || len(c.Ready) != 2 {
		t.Fatalf("claimed %+v, %v", c, err)
	}
	_, err = b.store.Record(t.Context(), []peal.Attempt{
		{TenantID: "a", DeliveryID: unknown.ID, Number: 1, At: time.Now(), Next: peal.Uncertain, Outcome: peal.Outcome{Class: peal.ClassUnknown}},
		{TenantID: "a", DeliveryID: ended.ID, Number: 1, At: time.Now(), Next: peal.Failed, Outcome: peal.Outcome{Class: peal.ClassPermanent}},
	})
	if err != nil {
		t.Fatal(err)
	}
	queued, sending := b.accept(1)[0], b.accept(1)[0]
	if _, err := b.store.Claim(t.Context(), b.in, []string{sending.ID}, true); err != nil {
		t.Fatal(err)
	}
	b.walk(2) // queued, and sending: whoever was sending it may be no more
	b.each(b.jobs(2), queued, sending)
	b.status(expired, peal.Expired)
	b.status(scheduledAndOver, peal.Expired)
	b.status(orphan, peal.Canceled)
	b.status(unknown, peal.Uncertain)
	b.status(ended, peal.Failed)
}

// TestAnIntegrationThatCannotBeOpenedKeepsItsRows: it is there, but its credentials were sealed under another key, or
// its provider is not part of this binary.
func TestAnIntegrationThatCannotBeOpenedKeepsItsRows(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if err := b.store.CreateTenant(t.Context(), peal.Tenant{ID: "a", Name: "a", CreatedAt: time.Now()}); err != nil {
		t.Fatal(err)
	}
	err := b.store.CreateIntegration(t.Context(), &peal.SealedIntegration{
		ID: "sealed", TenantID: "a", Name: "n", Kind: "k", Settings: []byte("{}"), Secrets: []byte("s"), CreatedAt: time.Now(),
	})
	if err != nil {
		t.Fatal(err)
	}
	d := b.accept(1, func(d *peal.Delivery) { d.IntegrationID = "sealed" })[0]
	b.walk(0)
	b.status(d, peal.Queued)
	if _, err := b.store.DeleteIntegration(t.Context(), "a", "sealed"); err != nil {
		t.Fatal(err)
	}
	late := b.accept(1, func(d *peal.Delivery) { d.IntegrationID = "sealed" })[0]
	b.walk(0)
	b.status(d, peal.Canceled)
	b.status(late, peal.Canceled)
}

func TestWhatIsDueLaterGetsASchedule(t *testing.T) {
	t.Parallel()
	b := setup(t)
	due := time.Now().Add(1200 * time.Millisecond)
	later := b.accept(5, func(d *peal.Delivery) { d.DueAt = due })
	now := b.accept(5)
	b.walk(10)
	b.walk(0)
	b.each(b.jobs(5), now...)
	b.each(b.jobs(5), later...)
	if early := time.Until(due); early > 0 {
		t.Errorf("they came %s before they were due", early)
	}
}

func TestYoungRowsAreLeftToThemselves(t *testing.T) {
	t.Parallel()
	b := setup(t)
	retried := b.accept(1)[0]
	due := time.Now()
	in := func(d time.Duration) *ledger.Ledger { return b.newLedger(func() time.Time { return due.Add(d) }) }
	b.walked(in(time.Second), false, 0) // it was accepted just now, and its job is on its way
	b.accept(1, func(d *peal.Delivery) { d.CreatedAt, d.DueAt = due.Add(-time.Hour), due })
	b.walked(in(2*time.Second), false, 0) // nor what fell due just now
	b.walked(in(5*time.Second), false, 2)
	b.walked(in(5*time.Second), false, 0)
	b.status(retried, peal.Queued)
	b.accept(1)
	b.walk(1) // at the start nothing is on its way
}

// TestNothingIsDoubled walks while others publish and take: every delivery has one job.
func TestNothingIsDoubled(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rows := b.accept(600)
	var wg sync.WaitGroup
	for _, part := range slices.Collect(slices.Chunk(rows, 50)) {
		wg.Go(func() {
			for _, d := range part {
				b.stream.Publish([]pipeline.Job{{IntegrationID: "in", DeliveryID: d.ID}})
			}
		})
	}
	for range 4 {
		wg.Go(func() {
			if _, err := b.ledger.Walk(t.Context(), true); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	b.walk(0)
	b.each(b.jobs(600), rows...)
}

func TestRunWalksAtStartAndWhenWoken(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := b.accept(3)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.ledger.Run(ctx) }()
	b.each(b.jobs(3), first...)
	for _, d := range first { // their work is done
		if err := b.store.Cancel(t.Context(), "a", d.NotificationID); err != nil {
			t.Fatal(err)
		}
	}
	old := b.accept(2, func(d *peal.Delivery) { d.UpdatedAt = d.UpdatedAt.Add(-time.Hour) })
	b.ledger.Wake()
	b.ledger.Wake() // twice is once
	b.each(b.jobs(2), old...)
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(patience):
		t.Fatal("it does not end")
	}
}

func TestWhatWaitsIsMeasured(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.accept(3, func(d *peal.Delivery) { d.CreatedAt = d.CreatedAt.Add(-time.Minute) })
	if err := b.stream.Keep(t.Context(), "in", []byte("x")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.ledger.Run(ctx) }()
	limit := time.After(patience)
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for value(t, b.metrics.Backlog) != 1 { // it is measured last
		select {
		case <-again.C:
		case <-limit:
			t.Fatal("the backlog is not measured")
		}
	}
	if n := value(t, b.metrics.Queued.WithLabelValues("in")); n != 3 {
		t.Errorf("%v are queued, want 3", n)
	}
	if age := value(t, b.metrics.OldestAge.WithLabelValues("in")); age < 60 || age > 120 {
		t.Errorf("the oldest is %v s old, want about 60", age)
	}
	cancel()
	<-ended
}

// hasty is a broker that sees no jobs at the first look; meanwhile something happens.
type hasty struct {
	*stream.Stream
	meanwhile func()
	looks     int
}

// Standing implements ledger.Jobs.
func (h *hasty) Standing(ctx context.Context, jobs []pipeline.Job) ([]bool, error) {
	h.looks++
	if h.looks == 1 {
		h.meanwhile()
		return make([]bool, len(jobs)), nil
	}
	return h.Stream.Standing(ctx, jobs)
}

func (b *bundle) walkHasty(want int, meanwhile func()) {
	b.Helper()
	h := &hasty{Stream: b.stream, meanwhile: meanwhile}
	b.walked(ledger.New(ledger.Config{
		Records: b.store, Jobs: h, Integrations: known{"in": true}, Metrics: b.metrics, Log: slog.New(slog.DiscardHandler), Confirm: 20 * time.Millisecond,
	}), true, want)
}

// TestWhatMovesIsNotMissing: a job counts as missing only when it is so at two looks and nobody has touched its row.
func TestWhatMovesIsNotMissing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	slow, canceled, claimed, lost := b.accept(1)[0], b.accept(1)[0], b.accept(1)[0], b.accept(1)[0]
	b.walkHasty(1, func() {
		b.stream.Publish([]pipeline.Job{{IntegrationID: "in", DeliveryID: slow.ID}}) // it was on its way
		if err := b.store.Cancel(t.Context(), "a", canceled.NotificationID); err != nil {
			t.Fatal(err)
		}
		if _, err := b.store.Claim(t.Context(), b.in, []string{claimed.ID}, true); err != nil { // somebody had its job
			t.Fatal(err)
		}
	})
	b.each(b.jobs(2), slow, lost)
	if n := value(t, b.metrics.Mended); n != 1 {
		t.Errorf("%v are counted as mended", n)
	}
}

func TestWhatIsBeingSentForTooLong(t *testing.T) {
	t.Parallel()
	b := setup(t)
	d := b.accept(1)[0]
	b.stream.Publish([]pipeline.Job{{IntegrationID: "in", DeliveryID: d.ID}})
	if _, err := b.store.Claim(t.Context(), b.in, []string{d.ID}, true); err != nil {
		t.Fatal(err)
	}
	for ahead, want := range map[time.Duration]int{10 * time.Minute: 0, 20 * time.Minute: 1} {
		l := b.newLedger(func() time.Time { return time.Now().Add(ahead) })
		found, next, err := l.Check(t.Context(), "", pipeline.Place{}, time.Minute)
		if err != nil || next != nil || len(found) != want {
			t.Fatalf("after %s it finds %+v, %+v, %v", ahead, found, next, err)
		}
		if want > 0 && (found[0].Kind != peal.DiffStuck || found[0].ID != d.ID || found[0].TenantID != "a") {
			t.Errorf("it finds %+v", found)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- b.newLedger(func() time.Time { return time.Now().Add(time.Hour) }).Run(ctx)
	}()
	limit := time.After(patience)
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for value(t, b.metrics.Differences.WithLabelValues(string(peal.DiffStuck))) != 1 {
		select {
		case <-again.C:
		case <-limit:
			t.Fatal("the metric does not tell of it")
		}
	}
	cancel()
	<-ended
}

func TestACheckInPieces(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rows := b.accept(2500)
	l := b.newLedger(func() time.Time { return time.Now().Add(time.Minute) })
	var place pipeline.Place
	calls, found := 0, 0
	for {
		some, next, err := l.Check(t.Context(), "a", place, time.Nanosecond)
		if err != nil {
			t.Fatal(err)
		}
		calls, found = calls+1, found+len(some)
		if next == nil {
			break
		}
		place = *next
	}
	if calls != 3 || found != 2500 {
		t.Errorf("%d calls found %d", calls, found)
	}
	b.each(b.jobs(2500), rows...)
}
