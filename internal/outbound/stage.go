package outbound

import (
	"cmp"
	"context"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"peal/internal/metrics"
	"peal/internal/netguard"
	"peal/internal/peal"
)

// Records are where endpoints are kept.
type Records interface {
	LiveEndpoints(ctx context.Context) ([]peal.Endpoint, error)
	StartEndpoint(ctx context.Context, id string) (*peal.EndpointRun, error)
	AdvanceEndpoint(ctx context.Context, p *peal.EndpointProgress) (ours bool, err error)
	EndpointMessage(ctx context.Context, id, noticeID string) (peal.EndpointMessage, error)
}

// Events are the tenants' event logs.
type Events interface {
	NoticesLost(ctx context.Context, tenantID, after string) (on string, lost bool, err error)
	Notices(ctx context.Context, tenantID, after string, types []string, limit int) (page []peal.Notice, next string, err error)
}

// Lease is the right to call an endpoint, which one node has at a time.
type Lease interface {
	Valid() bool           // at this instant
	Done() <-chan struct{} // closed when another node is to have it
	Release()              // when the last call has ended
}

// Config of a Stage.
type Config struct {
	Own     func(ctx context.Context, endpointID string) (Lease, error) // waits until this node is to call it
	Records Records
	Events  Events
	Watch   func(tenantID string) (grown <-chan struct{}, stop func()) // of a tenant's event log; default: it is looked at every Poll
	Vault   Sealer
	Guard   *netguard.Guard // default: public addresses only
	Metrics *metrics.Metrics
	Log     *slog.Logger
	Version string           // of Peal, for the header User-Agent
	Now     func() time.Time // default time.Now
	Jitter  func() float64   // in [0, 1); default math/rand

	HTTPS, HTTP http.RoundTripper // default: through the guard; HTTP only to its allow-list

	InFlight   int           // calls of an endpoint at once; default 16
	Window     int           // events that are read ahead for an endpoint; default 512
	MaxWaiting int           // messages of an endpoint from which on no more is read for it; default 1000
	FailLimit  int           // failures in a row from which on an endpoint is only probed; default 20
	GiveUp     time.Duration // after which failures alone disable an endpoint; default 5 days
	Poll       time.Duration // how often the log is looked at; default 1 s
	Reload     time.Duration // how often the endpoints are read again; default 5 s
}

const (
	readAgain = time.Second
	maxHold   = time.Hour       // that an endpoint can ask for all of its events at once
	grace     = 5 * time.Second // that calls have when the process stops
)

// Stage calls the endpoints that this node has. Create it with New, then Run it.
type Stage struct {
	cfg     Config
	caller  *caller
	calling context.Context //nolint:containedctx // of all calls: it ends a little after Run is told to stop
	wake    chan struct{}

	mu      sync.Mutex
	workers map[string]*worker
}

// worker keeps one endpoint.
type worker struct {
	id       string
	stop     context.CancelFunc
	endpoint atomic.Pointer[peal.Endpoint]
	poke     chan struct{}
	waiting  atomic.Int64
	lag      atomic.Int64 // nanoseconds
}

func (w *worker) rouse() {
	select {
	case w.poke <- struct{}{}:
	default:
	}
}

// New makes a Stage.
func New(cfg Config) *Stage {
	cfg.InFlight = cmp.Or(cfg.InFlight, 16)
	cfg.Window = cmp.Or(cfg.Window, 512)
	cfg.MaxWaiting = cmp.Or(cfg.MaxWaiting, 1000)
	cfg.FailLimit = cmp.Or(cfg.FailLimit, 20)
	cfg.GiveUp = cmp.Or(cfg.GiveUp, 5*24*time.Hour)
	cfg.Poll = cmp.Or(cfg.Poll, time.Second)
	cfg.Reload = cmp.Or(cfg.Reload, 5*time.Second)
	if cfg.Watch == nil {
		cfg.Watch = func(string) (<-chan struct{}, func()) { return nil, func() {} }
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Jitter == nil {
		cfg.Jitter = rand.Float64
	}
	if cfg.Guard == nil {
		cfg.Guard = netguard.New()
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.HTTPS == nil {
		cfg.HTTPS = cfg.Guard.Transport(netguard.Config{})
	}
	if cfg.HTTP == nil {
		cfg.HTTP = cfg.Guard.Inside().Transport(netguard.Config{})
	}
	return &Stage{
		cfg: cfg, wake: make(chan struct{}, 1), workers: map[string]*worker{}, calling: context.Background(),
		caller: &caller{https: cfg.HTTPS, http: cfg.HTTP, agent: "Peal/" + cmp.Or(cfg.Version, "dev"), now: cfg.Now},
	}
}

// Reread has the endpoints read again soon: somebody has changed one.
func (s *Stage) Reread() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Close lets go of connections that nobody uses. Call it when Run has returned.
func (s *Stage) Close() {
	for _, rt := range []http.RoundTripper{s.cfg.HTTPS, s.cfg.HTTP} {
		if c, ok := rt.(interface{ CloseIdleConnections() }); ok {
			c.CloseIdleConnections()
		}
	}
}

// Run calls endpoints until ctx ends; then it lets the calls in flight end, for a moment, writes down what came of them and
// returns.
func (s *Stage) Run(ctx context.Context) error {
	calling, hangUp := context.WithCancel(context.WithoutCancel(ctx))
	defer hangUp()
	s.calling = calling
	context.AfterFunc(ctx, func() { time.AfterFunc(grace, hangUp) })
	var all sync.WaitGroup
	defer all.Wait()
	tick := time.NewTicker(s.cfg.Reload)
	defer tick.Stop()
	for {
		live, err := s.cfg.Records.LiveEndpoints(ctx)
		if err == nil {
			s.keep(ctx, live, &all)
		} else if ctx.Err() == nil {
			s.cfg.Log.Warn("endpoints not read; going on with what is known", "error", err)
		}
		s.measure()
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-s.wake:
		}
	}
}

// keep has a worker for each endpoint, and none for others.
func (s *Stage) keep(ctx context.Context, live []peal.Endpoint, all *sync.WaitGroup) {
	s.mu.Lock()
	defer s.mu.Unlock()
	there := make(map[string]bool, len(live))
	for i := range live {
		e := &live[i]
		there[e.ID] = true
		w := s.workers[e.ID]
		if w == nil {
			wctx, stop := context.WithCancel(ctx)
			w = &worker{id: e.ID, stop: stop, poke: make(chan struct{}, 1)}
			w.endpoint.Store(e)
			s.workers[e.ID] = w
			all.Go(func() { s.work(wctx, w) })
			continue
		}
		if old := w.endpoint.Swap(e); old.Version != e.Version {
			w.rouse()
		}
	}
	for id, w := range s.workers {
		if !there[id] {
			w.stop()
		}
	}
}

// work calls one endpoint whenever this node is to do so.
func (s *Stage) work(ctx context.Context, w *worker) {
	defer func() {
		s.mu.Lock()
		delete(s.workers, w.id)
		s.mu.Unlock()
		w.stop()
		s.Reread() // it may be there again by now
	}()
	for ctx.Err() == nil {
		lease, err := s.cfg.Own(ctx, w.id)
		if err != nil {
			return
		}
		again := s.hold(ctx, w, lease)
		lease.Release()
		if !again {
			return
		}
	}
}

// hold calls an endpoint while this node has it. It reports false when there is nothing to call any more.
func (s *Stage) hold(ctx context.Context, w *worker, lease Lease) bool {
	for ctx.Err() == nil {
		select {
		case <-lease.Done():
			return true
		default:
		}
		r, err := s.begin(ctx, w.id, lease)
		if peal.KindOf(err) == peal.NotFound {
			return false
		}
		if err != nil {
			if ctx.Err() == nil {
				s.cfg.Log.Warn("endpoint not called; it is tried again", "endpoint_id", w.id, "error", err)
			}
			select {
			case <-ctx.Done():
			case <-lease.Done():
			case <-time.After(readAgain):
			}
			continue
		}
		r.until(ctx, w)
	}
	return true
}

// until goes on until ctx or the lease ends, or the endpoint is to be begun anew.
func (r *run) until(ctx context.Context, w *worker) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	grown, stop := r.cfg.Watch(r.e.TenantID)
	defer stop()
	ours := true
	defer func() {
		r.finish(ctx, ours)
		w.waiting.Store(0)
		w.lag.Store(0)
	}()
	for {
		next, still, err := r.tick(ctx)
		if ours = still; !ours {
			return
		}
		now := r.cfg.Now()
		w.waiting.Store(int64(len(r.rows)))
		w.lag.Store(int64(r.lag(now)))
		wait := max(next.Sub(now), 0)
		if err != nil {
			if ctx.Err() == nil {
				r.log.Warn("an endpoint waits for the records", "error", err)
			}
			wait = readAgain
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return
		case <-r.lease.Done():
			return
		case d := <-r.landed:
			r.land(d)
			r.landRest()
		case <-timer.C:
		case <-grown:
			r.lookAt = time.Time{}
		case <-w.poke:
			if w.endpoint.Load().Generation > r.generation {
				return
			}
			if e := w.endpoint.Load(); e.Version != r.e.Version {
				if err := r.use(e); err != nil {
					r.log.Error("the endpoint is called as it was before it was changed", "error", err)
				}
			}
		}
	}
}

// landRest notes the calls that have ended, without waiting for more.
func (r *run) landRest() {
	for {
		select {
		case d := <-r.landed:
			r.land(d)
		default:
			return
		}
	}
}

// finish waits for the calls in flight, and writes down what came of them where that is still this run's to do.
func (r *run) finish(ctx context.Context, ours bool) {
	r.calls.Wait()
	r.landRest()
	if !ours || !r.dirty {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if _, err := r.write(ctx); err != nil {
		r.log.Warn("what an endpoint was told last is not written down; it is told again", "error", err)
	}
}

// measure tells the operator how much waits, and how late the latest is.
func (s *Stage) measure() {
	s.mu.Lock()
	defer s.mu.Unlock()
	waiting, lag := int64(0), int64(0)
	for _, w := range s.workers {
		waiting += w.waiting.Load()
		lag = max(lag, w.lag.Load())
	}
	s.cfg.Metrics.EndpointsWaiting.Set(float64(waiting))
	s.cfg.Metrics.EndpointsLag.Set(time.Duration(lag).Seconds())
}
