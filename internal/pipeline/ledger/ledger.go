// Package ledger compares the rows in flight with the jobs in their stream, and gives a row without a job one.
//
// The rows are the truth and the broker is the nerve: whatever the broker lost (a wiped folder, a power failure, a
// publish that went astray after its row was committed), the ledger brings back. A second job for a delivery is refused
// by the stream, so it may look as often as it likes. Rows and jobs move while they are read, so a job counts as missing
// only when it is at a second look, and nobody has touched its row meanwhile. What it had to mend is counted and named.
package ledger

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"peal/internal/metrics"
	"peal/internal/peal"
	"peal/internal/pipeline"
)

const minPause = time.Second // between walks, however often it is woken

// Rows are what is in flight.
type Rows interface {
	InFlight(ctx context.Context, afterIntegration, afterDelivery string, limit int) ([]pipeline.InFlight, error)
	StillInFlight(ctx context.Context, rows []pipeline.InFlight) ([]bool, error)
}

// Records are the rows, and what is done to them.
type Records interface {
	Rows
	Expire(ctx context.Context, rows []peal.Delivery) (int64, error)
	CancelOrphans(ctx context.Context, rows []peal.Delivery) (int64, error)
	Depths(ctx context.Context) ([]peal.Depth, error)
}

// Jobs are what the broker holds.
type Jobs interface {
	Standing(ctx context.Context, jobs []pipeline.Job) ([]bool, error)
	EnsureEach(ctx context.Context, jobs []pipeline.Job) (added []bool, err error)
	Backlog(ctx context.Context) (uint64, error)
}

// Integrations tells which queues there are.
type Integrations interface {
	ByID(id string) *peal.Integration
}

// Ledger walks the rows in flight. Create it with New.
type Ledger struct {
	cfg     Config
	wake    chan struct{}
	stuck   map[string]bool // deliveries that the last walk of Run has named
	mending sync.Mutex      // held by the walk that gives jobs
}

// Config of a Ledger.
type Config struct {
	Records      Records
	Jobs         Jobs
	Integrations Integrations
	Metrics      *metrics.Metrics
	Log          *slog.Logger
	Every        time.Duration    // between walks; default 30 s
	Confirm      time.Duration    // between two looks at a job that is missing; default 3 s
	Now          func() time.Time // default time.Now
}

// New makes a Ledger.
func New(cfg Config) *Ledger {
	if cfg.Every == 0 {
		cfg.Every = 30 * time.Second
	}
	if cfg.Confirm == 0 {
		cfg.Confirm = 3 * time.Second
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Ledger{cfg: cfg, wake: make(chan struct{}, 1)}
}

// Wake asks for a walk soon: something got lost.
func (l *Ledger) Wake() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Run walks at once, and then now and again until ctx ends.
func (l *Ledger) Run(ctx context.Context) error {
	defer l.report(&walk{Ledger: l}) // what is wrong then is for the one to tell who goes on
	first := true
	for {
		w := &walk{Ledger: l, all: first}
		err := w.run(ctx)
		if err != nil && ctx.Err() == nil {
			l.cfg.Log.Warn("ledger interrupted; it starts again", "error", err)
		}
		if w.mended > 0 {
			l.cfg.Log.Warn("deliveries in flight had no job and were given one", "mended", w.mended, "at_start", first)
		}
		if err == nil {
			l.report(w)
		}
		l.measure(ctx)
		first = first && err != nil
		if !l.pause(ctx) {
			return nil
		}
	}
}

func (l *Ledger) pause(ctx context.Context) bool {
	least := time.NewTimer(minPause)
	defer least.Stop()
	every := time.NewTimer(l.cfg.Every)
	defer every.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-every.C:
		return true
	case <-l.wake:
	}
	select {
	case <-ctx.Done():
		return false
	case <-least.C:
		return true
	}
}
