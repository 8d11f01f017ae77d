package route_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"peal/internal/metrics"
	"peal/internal/peal"
	"peal/internal/pipeline"
	"peal/internal/pipeline/route"
	"peal/internal/store"
	"peal/internal/store/sqlitetest"
)

var errStep = errors.New("the records are away")

// queues take jobs and hold them.
type queues struct {
	mu   sync.Mutex
	jobs map[string]int // by delivery
	of   map[string]int // by integration
}

func (q *queues) Ensure(_ context.Context, jobs []pipeline.Job) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, j := range jobs {
		q.jobs[j.DeliveryID]++
		q.of[j.IntegrationID]++
	}
	return len(jobs), nil
}

func (q *queues) Pending(_ context.Context, integrationID string) (map[peal.Priority]uint64, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return map[peal.Priority]uint64{peal.Bulk: uint64(q.of[integrationID])}, nil
}

func (q *queues) standing(integrationID string) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.of[integrationID]
}

func (q *queues) count() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.jobs)
}

func (q *queues) drain(integrationID string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.of[integrationID] = 0
}

// faulty are records that fail, write and then say that they failed, or stop the caller in the middle.
type faulty struct {
	*store.Store

	mu    sync.Mutex
	fault func(step int, s *pipeline.ExpansionStep) (before, after error)
	steps int
}

func (f *faulty) Expand(ctx context.Context, s *pipeline.ExpansionStep) (bool, error) {
	before, after := f.next(s)
	if before != nil {
		return false, before
	}
	moved, err := f.Store.Expand(ctx, s)
	return moved, errors.Join(err, after)
}

func (f *faulty) next(s *pipeline.ExpansionStep) (before, after error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.steps++; f.fault == nil {
		return nil, nil
	}
	return f.fault(f.steps, s)
}

// rig is an Expander over real records.
type rig struct {
	*testing.T

	records  *faulty
	queues   *queues
	accounts accounts
	planner  *route.Planner
	cfg      route.ExpanderConfig
}

func newRig(t *testing.T, devices int) *rig {
	t.Helper()
	s, err := store.Open(context.WithoutCancel(t.Context()), store.Config{Path: sqlitetest.Seed(t, filepath.Join(t.TempDir(), "peal.db"))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	r := &rig{
		T: t, records: &faulty{Store: s}, queues: &queues{jobs: map[string]int{}, of: map[string]int{}},
		accounts: accounts{"t": {pushAccount("fcm", "fcm")}, "s": {pushAccount("other", "fcm")}},
	}
	r.planner = &route.Planner{Integrations: r.accounts, Devices: s}
	r.cfg = route.ExpanderConfig{Planner: r.planner, Records: r.records, Usage: s, Queues: r.queues, Metrics: metrics.New(), Step: 10}
	for _, tenant := range []string{"t", "s"} {
		if err := s.CreateTenant(t.Context(), peal.Tenant{ID: tenant, Name: tenant, CreatedAt: time.Now()}); err != nil {
			t.Fatal(err)
		}
	}
	r.register("t", devices)
	return r
}

func (r *rig) register(tenant string, n int) {
	r.Helper()
	for i := range n {
		d := device(fmt.Sprintf("d%03d", i))
		d.TenantID, d.UserID = tenant, fmt.Sprint("user-", i)
		if i%10 == 9 {
			d.Permission = peal.Denied
		}
		if _, err := r.records.PutDevice(r.Context(), d); err != nil {
			r.Fatal(err)
		}
	}
}

// accept accepts a notification to everybody.
func (r *rig) accept(tenant string, change ...func(*peal.Notification)) string {
	r.Helper()
	n := peal.Notification{TenantID: tenant, ID: peal.NewID(), Priority: peal.Bulk, CreatedAt: time.Now()}
	for _, f := range change {
		f(&n)
	}
	x, err := r.planner.PlanAudience(&n, push("x", toAll))
	if err != nil {
		r.Fatal(err)
	}
	if _, err := r.records.Accept(r.Context(), []pipeline.Submission{{Notification: n, Expansion: x, Answer: []byte(`{}`)}}); err != nil {
		r.Fatal(err)
	}
	return n.ID
}

// run runs an Expander, and gives what stops it.
func (r *rig) run() (e *route.Expander, stop func()) {
	r.Helper()
	ctx, cancel := context.WithCancel(r.Context())
	e = route.NewExpander(r.cfg)
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-ended; err != nil {
				r.Error(err)
			}
		})
	}
	r.Cleanup(stop)
	return e, stop
}

func (r *rig) expansion(tenant, id string) *peal.Expansion {
	r.Helper()
	x, err := r.records.Expansion(r.Context(), tenant, id)
	if err != nil || x == nil {
		r.Fatalf("%+v, %v", x, err)
	}
	return x
}

// until waits for what is to become so.
func (r *rig) until(what string, f func() bool) {
	r.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(20 * time.Second)
	for !f() {
		select {
		case <-tick.C:
		case <-limit:
			r.Fatalf("in vain: %s", what)
		}
	}
}

func (r *rig) ends(tenant, id string, as peal.ExpansionEnd) *peal.Expansion {
	r.Helper()
	r.until("it ends as "+string(as), func() bool { return r.expansion(tenant, id).End != "" })
	x := r.expansion(tenant, id)
	if x.End != as {
		r.Errorf("it ended as %s, want %s", x.End, as)
	}
	return x
}

// clean holds the rows against the counters.
func (r *rig) clean(tenant string) {
	r.Helper()
	hour := time.Now().Unix() / 3600
	sp := peal.HourSpan(hour-2, hour+2)
	tally, err := r.records.AuditTally(r.Context(), tenant, sp)
	if err != nil || !tally.Balanced() {
		r.Errorf("%+v, %v", tally, err)
	}
	found, err := r.records.AuditRows(r.Context(), tenant, sp, &tally, 10)
	if err != nil || len(found) > 0 {
		r.Errorf("the audit finds %+v, %v", found, err)
	}
}

// each fails the test unless every device has one row, and one job where it waits.
func (r *rig) each(tenant, id string, devices int) {
	r.Helper()
	ds, err := r.records.Deliveries(r.Context(), tenant, peal.LogFilter{NotificationID: id, Limit: 500})
	if err != nil {
		r.Fatal(err)
	}
	seen := map[string]bool{}
	for i := range ds {
		d := &ds[i]
		if seen[d.Recipient] {
			r.Errorf("%s has two deliveries", d.Recipient)
		}
		seen[d.Recipient] = true
		denied := d.Recipient[3] == '9'
		if denied != (d.Status == peal.Skipped) || denied != (d.ErrorCode == peal.SkipPermissionDenied) || d.UserID == "" || !d.DueAt.IsZero() || d.Priority != peal.Bulk {
			r.Errorf("%+v", d)
		}
	}
	if len(seen) != devices {
		r.Errorf("%d devices were planned for, want %d", len(seen), devices)
	}
	r.clean(tenant)
}

func TestExpand(t *testing.T) {
	t.Parallel()
	r := newRig(t, 95)
	e, _ := r.run()
	id := r.accept("t")
	e.Wake()
	x := r.ends("t", id, peal.ExpansionDone)
	if x.Planned != 95 || x.Counts[peal.Queued] != 86 || x.Counts[peal.Skipped] != 9 {
		t.Errorf("%+v", x)
	}
	r.until("the jobs are published", func() bool { return r.queues.count() == 86 })
	r.each("t", id, 95)
	nobody := r.accept("s") // who has no devices
	e.Wake()
	if x := r.ends("s", nobody, peal.ExpansionDone); x.Planned != 0 || x.Status() != peal.Skipped {
		t.Errorf("%+v", x)
	}
}

// TestExpandOverFailures: steps that fail, before they are written or after, double and lose nothing; nor do two at once.
func TestExpandOverFailures(t *testing.T) {
	t.Parallel()
	r := newRig(t, 95)
	r.records.fault = func(step int, _ *pipeline.ExpansionStep) (before, after error) {
		switch step {
		case 2:
			return errStep, nil
		case 4:
			return nil, errStep
		case 6:
			panic("a bug")
		}
		return nil, nil
	}
	id := r.accept("t")
	r.run()
	r.run()
	r.ends("t", id, peal.ExpansionDone)
	r.each("t", id, 95)
	// The step that was written and not said to be left its jobs to the ledger.
	r.until("the jobs are published", func() bool { return r.queues.count() >= 76 })
	if n := r.queues.count(); n > 86 {
		t.Errorf("%d jobs for 86 deliveries", n)
	}
	for d, n := range r.queues.jobs {
		if n != 1 {
			t.Errorf("%s has %d jobs", d, n)
		}
	}
}

// TestExpandGoesOn: who comes after a crash goes on where the records are.
func TestExpandGoesOn(t *testing.T) {
	t.Parallel()
	r := newRig(t, 95)
	id := r.accept("t")
	reached := make(chan struct{})
	var once sync.Once
	r.records.fault = func(step int, _ *pipeline.ExpansionStep) (before, after error) {
		if step > 3 {
			once.Do(func() { close(reached) })
			return errStep, nil
		}
		return nil, nil
	}
	_, stop := r.run()
	<-reached
	stop()
	if x := r.expansion("t", id); x.Planned != 30 || x.End != "" || x.Status() != peal.Queued {
		t.Errorf("%+v", x)
	}
	r.records.fault = nil
	r.run()
	r.ends("t", id, peal.ExpansionDone)
	r.each("t", id, 95)
}

// TestExpandKeepsBack: no further ahead than the queue may hold, and no more than half of the tenant's quota.
func TestExpandKeepsBack(t *testing.T) {
	t.Parallel()
	r := newRig(t, 95)
	r.cfg.Ahead = 20
	id := r.accept("t")
	r.run()
	for gone, rounds := int64(0), 0; ; rounds++ {
		ended := false
		r.until("it is held, or ends", func() bool {
			ended = r.expansion("t", id).End != ""
			return ended || r.queues.standing("id-fcm") >= 20
		})
		if ended {
			if rounds < 3 {
				t.Errorf("it was held %d times", rounds)
			}
			break
		}
		x := r.expansion("t", id)
		if x.Planned > gone+30 {
			t.Errorf("%d are planned, %d may be", x.Planned, gone+30)
		}
		gone = x.Planned
		r.queues.drain("id-fcm")
	}
	r.ends("t", id, peal.ExpansionDone)
	r.each("t", id, 95)
}

func TestExpandWithinQuota(t *testing.T) {
	t.Parallel()
	r := newRig(t, 95)
	limit := 60
	if err := r.records.SetLimits(t.Context(), "t", peal.TenantLimits{Queued: &limit}); err != nil {
		t.Fatal(err)
	}
	if err := r.records.CreateIntegration(t.Context(), &peal.SealedIntegration{
		ID: "id-fcm", TenantID: "t", Name: "fcm", Kind: "fcm", Channel: peal.ChannelPush, Settings: []byte(`{}`), Secrets: []byte{0}, CreatedAt: time.Now(),
	}); err != nil {
		t.Fatal(err)
	}
	id := r.accept("t")
	r.register("s", 20)
	r.run()
	r.until("half of the quota is used", func() bool { return r.expansion("t", id).Counts[peal.Queued] >= 30 })
	other := r.accept("s")
	r.ends("s", other, peal.ExpansionDone) // who has room is not kept waiting
	if x := r.expansion("t", id); x.Counts[peal.Queued] != 30 || x.End != "" {
		t.Errorf("%+v", x)
	}
	limit = 0
	if err := r.records.SetLimits(t.Context(), "t", peal.TenantLimits{Queued: &limit}); err != nil {
		t.Fatal(err)
	}
	r.ends("t", id, peal.ExpansionDone)
	r.each("t", id, 95)
}

func TestExpandEndsEarly(t *testing.T) {
	t.Parallel()
	r := newRig(t, 95)
	r.cfg.Ahead = 20
	gone := r.accept("t", func(n *peal.Notification) { n.ExpiresAt = n.CreatedAt.Add(time.Millisecond) })
	canceled := r.accept("t")
	_, stop := r.run()
	r.ends("t", gone, peal.ExpansionExpired)
	r.until("it is held", func() bool { return r.expansion("t", canceled).Planned >= 20 })
	if err := r.records.Cancel(t.Context(), "t", canceled); err != nil {
		t.Fatal(err)
	}
	if x := r.ends("t", canceled, peal.ExpansionCanceled); x.Counts[peal.Queued] != 0 || x.Status() != peal.Canceled {
		t.Errorf("%+v", x)
	}
	stop()
	left := r.accept("t")
	r.accounts["t"] = nil
	var reloaded atomic.Bool
	r.cfg.Reload = func(context.Context) error {
		reloaded.Store(true)
		return nil
	}
	r.run()
	r.ends("t", left, peal.ExpansionNoIntegration)
	if !reloaded.Load() {
		t.Error("it was given up without another look at the integrations")
	}
	r.clean("t")
}

// TestExpandPaused: an integration that is paused keeps nobody waiting.
func TestExpandPaused(t *testing.T) {
	t.Parallel()
	r := newRig(t, 95)
	r.cfg.Ahead = 20
	paused := pushAccount("apns", "apns")
	paused.Pause = &peal.Pause{Code: "credentials"}
	r.accounts["t"] = append(r.accounts["t"], paused)
	r.queues.of["id-apns"] = 1000
	r.cfg.Ahead = 200
	id := r.accept("t")
	r.run()
	r.ends("t", id, peal.ExpansionDone)
	r.each("t", id, 95)
}

// TestExpandTakesTurns: tenants, and a tenant's expansions.
func TestExpandTakesTurns(t *testing.T) {
	t.Parallel()
	r := newRig(t, 40)
	r.register("s", 40)
	ids := []string{r.accept("t"), r.accept("t"), r.accept("s")}
	var order []string
	r.records.fault = func(_ int, s *pipeline.ExpansionStep) (before, after error) {
		order = append(order, s.NotificationID)
		return nil, nil
	}
	r.run()
	for i, tenant := range []string{"t", "t", "s"} {
		r.ends(tenant, ids[i], peal.ExpansionDone)
	}
	r.records.mu.Lock()
	defer r.records.mu.Unlock()
	for i := range 3 { // each tenant once in two steps, and each of the first's once in four
		four := order[4*i : 4*i+4]
		n := map[string]int{}
		for _, id := range four {
			n[id]++
		}
		if i < 2 && (n[ids[2]] != 2 || n[ids[0]] != 1 || n[ids[1]] != 1) {
			t.Errorf("steps %d to %d were of %v", 4*i, 4*i+3, n)
		}
	}
}

// idle are records with nothing to expand.
type idle struct {
	faulty

	asked atomic.Int64
}

func (i *idle) OpenExpansions(context.Context, time.Time, int) ([]pipeline.Expansion, error) {
	i.asked.Add(1)
	return nil, nil
}

// TestExpandRests: with nothing to do it looks once a second, and at once when it is woken.
func TestExpandRests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		records := &idle{}
		e := route.NewExpander(route.ExpanderConfig{Records: records})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- e.Run(ctx) }()
		<-time.After(9500 * time.Millisecond)
		if records.asked.Load() != 10 {
			t.Errorf("it has looked %d times", records.asked.Load())
		}
		e.Wake()
		synctest.Wait()
		if records.asked.Load() != 11 {
			t.Errorf("it has looked %d times", records.asked.Load())
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
