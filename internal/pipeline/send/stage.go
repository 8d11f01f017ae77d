package send

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"peal/internal/metrics"
	"peal/internal/peal"
	"peal/internal/pipeline"
	"peal/internal/provider"
)

// Integrations are the accounts to send over.
type Integrations interface {
	All() []*peal.Integration
	Unopened() []string // ids of those that are there and that this process cannot open
	ByID(id string) *peal.Integration
	Kind(name string) (provider.Kind, bool)
	Changed() <-chan struct{}
	Pause(ctx context.Context, id string, version int64, p *peal.Pause) error
	Lift(ctx context.Context, in *peal.Integration) error
}

// Records are the rows that jobs name.
type Records interface {
	Claim(ctx context.Context, in *peal.Integration, ids []string, intent bool) (pipeline.Claimed, error)
	Record(ctx context.Context, attempts []peal.Attempt) ([]peal.Moved, error)
	Expire(ctx context.Context, rows []peal.Delivery) (int64, error)
	IntegrationDeleted(ctx context.Context, id string) (bool, error)
}

// Devices are those that pushes go to.
type Devices interface {
	Devices(ctx context.Context, tenantID string, ids []string) ([]peal.Device, error)
	RetireDevices(ctx context.Context, all []peal.Retirement) (n int, err error)
	DevicesOK(ctx context.Context, tenantID string, ids []string, when time.Time) error
}

// Queues give out jobs, a queue per integration and lane.
type Queues interface {
	TakeOver(ctx context.Context, integrationID string) error
	OpenQueue(ctx context.Context, integrationID string, lane peal.Priority, prefetch int, ackWait time.Duration) (*pipeline.Feed, error)
	Ensure(ctx context.Context, jobs []pipeline.Job) (added int, err error)
	DropQueue(ctx context.Context, integrationID string) error
}

// Lease is the right to send over an integration, which one node has at a time.
type Lease interface {
	Valid() bool           // at this instant
	First() bool           // nobody had it before
	Done() <-chan struct{} // closed when another node is to have it
	Release()              // when the last call has ended
}

// Config of a Stage.
type Config struct {
	Own          func(ctx context.Context, integrationID string) (Lease, error) // waits until this node is the owner
	Refuse       func(integrationID string, refuse bool)                        // says that this node cannot be it; default: nobody is told
	Integrations Integrations
	Records      Records
	Devices      Devices   // nil: there are no integrations of the channel push
	People       People    // nil: nobody has opted out, and no window is closed
	Templates    Templates // nil: no template is known
	Queues       Queues
	Env          provider.Env
	Metrics      *metrics.Metrics
	Log          *slog.Logger
	Now          func() time.Time // default time.Now
	Jitter       func() float64   // in [0, 1); default math/rand
	ProbeEvery   time.Duration    // how often a session that is not connected is asked; default 15 s
	OpenEvery    time.Duration    // how often it is tried again to open an integration that this node cannot open; default 15 s
}

// Stage sends. Create it with New, then Run it.
type Stage struct {
	cfg      Config
	started  time.Time
	stopping atomic.Bool
	stopped  atomic.Pointer[time.Time] // since when it is to stop

	mu      sync.Mutex
	refused map[string]bool // integrations that this node leaves to others
}

// New makes a Stage.
func New(cfg Config) *Stage {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Jitter == nil {
		cfg.Jitter = randomJitter
	}
	if cfg.ProbeEvery == 0 {
		cfg.ProbeEvery = 15 * time.Second
	}
	if cfg.OpenEvery == 0 {
		cfg.OpenEvery = 15 * time.Second
	}
	if cfg.Refuse == nil {
		cfg.Refuse = func(string, bool) {}
	}
	return &Stage{cfg: cfg, started: cfg.Now(), refused: map[string]bool{}}
}

// Run keeps a lane per integration until ctx ends; then it takes no more jobs, waits for the calls in flight to end and
// to be recorded, and returns.
func (s *Stage) Run(ctx context.Context) error {
	var lanes sync.WaitGroup
	running := map[string]bool{}
	ended := make(chan string)
	for {
		changed := s.cfg.Integrations.Changed()
		s.refuseUnopened()
		for _, in := range s.cfg.Integrations.All() {
			if running[in.ID] {
				continue
			}
			running[in.ID] = true
			lanes.Go(func() {
				newLane(s, in.ID).run(ctx)
				s.dropIfDeleted(ctx, in.ID)
				select {
				case ended <- in.ID:
				case <-ctx.Done():
				}
			})
		}
		select {
		case <-ctx.Done():
			now := time.Now()
			s.stopped.Store(&now)
			s.stopping.Store(true)
			lanes.Wait()
			return nil
		case <-changed:
		case id := <-ended:
			delete(running, id)
		}
	}
}

// dropIfDeleted forgets the queue of an integration that is no more.
func (s *Stage) dropIfDeleted(ctx context.Context, id string) {
	if ctx.Err() != nil || s.cfg.Integrations.ByID(id) != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, ackMargin)
	defer cancel()
	// That this node does not see it may have other reasons: its credentials could not be opened here.
	deleted, err := s.cfg.Records.IntegrationDeleted(ctx, id)
	if err == nil && deleted {
		err = s.cfg.Queues.DropQueue(ctx, id)
	}
	if err != nil {
		s.cfg.Log.Warn("queue of a deleted integration not dropped", "integration_id", id, "error", err)
	}
}
