// Package slope measures whether Peal becomes slower or larger with what it has kept and what waits in it: the same
// loads on an empty log, and on one of many rows with many deliveries queued.
package slope

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"peal/bench/internal/fill"
	"peal/bench/internal/host"
	"peal/bench/internal/rivals"
	"peal/bench/internal/server"
	"peal/bench/internal/services"
	"peal/bench/internal/suite"
)

// Options says how much, and how.
type Options struct {
	suite.Options
	Rows    int  // in the log of the full side
	Queued  int  // deliveries that wait there, on a paused integration
	Lookups int  // of each kind, in the log
	Large   bool // PostgreSQL and NATS below
}

// Validate says what is wrong with the options.
func (o *Options) Validate() error {
	switch {
	case o.Rows < 0 || o.Queued < 0:
		return errors.New("rows, queued: not below 0")
	case o.Queued+o.Messages > maxQueued:
		return fmt.Errorf("queued: %d, but there are only %d phone numbers for them", o.Queued, maxQueued)
	case o.Messages < 1 || o.Lookups < 1:
		return errors.New("n, lookups: at least 1 is needed")
	}
	return o.Options.Validate()
}

// Side is what was measured on one of the two.
type Side struct {
	Rows   int `json:"rows"`
	Queued int `json:"queued"`

	FillSeconds   float64    `json:"fill_s"`
	StartSeconds  float64    `json:"start_s"`
	DataBytes     int64      `json:"data_bytes"`
	QueuedPerSec  float64    `json:"queued_per_s"`
	Single        Load       `json:"single"`
	Batch         Load       `json:"batch"`
	Lookups       []Lookup   `json:"lookups"`
	DrainedPerSec float64    `json:"drained_per_s"`
	Memory        []MemoryAt `json:"memory"`
	PeakBytes     int64      `json:"peak_bytes"`
}

// Load is what a loop came to.
type Load struct {
	AcceptedPerSec  float64 `json:"accepted_per_s"`
	DeliveredPerSec float64 `json:"delivered_per_s"`
	OthersPercent   float64 `json:"others_cpu_percent"`
}

// MemoryAt is Peal's resident memory at a moment.
type MemoryAt struct {
	When  string `json:"when"`
	Bytes int64  `json:"bytes"`
}

// Report is both sides.
type Report struct {
	Machine host.Machine `json:"machine"`
	Large   bool         `json:"large"`
	Empty   Side         `json:"empty"`
	Full    Side         `json:"full"`
}

// Run measures the empty side and then the full one. Any message lost or doubled is an error.
func Run(ctx context.Context, o Options) (*Report, error) {
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, err
	}
	work, err := os.MkdirTemp(o.Dir, "slope-")
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(work, 0o711); err != nil { // PostgreSQL may run as another user
		return nil, err
	}
	if !o.Keep {
		defer func() { _ = os.RemoveAll(work) }() // what stays behind is in a folder that git ignores
	}
	if o.Binary == "" {
		o.say("building peal")
		if o.Binary, err = server.Build(ctx, o.Repo, work); err != nil {
			return nil, err
		}
	}
	var tools rivals.Tools
	if o.Large {
		if err := tools.Build(ctx, []string{rivals.PealLarge}, filepath.Join(o.Repo, "bench"), work); err != nil {
			return nil, err
		}
	}
	rep := &Report{Machine: host.Inspect(work), Large: o.Large}
	for _, s := range []*Side{&rep.Empty, &rep.Full} {
		name := "empty"
		if s == &rep.Full {
			name, s.Rows, s.Queued = "full", o.Rows, o.Queued
		}
		dir := filepath.Join(work, name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
		o.say("%s: %d rows, %d queued", name, s.Rows, s.Queued)
		if err := o.measure(ctx, s, dir, tools.NATS); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if !o.Keep {
			_ = os.RemoveAll(dir) // as above; the other side is to have the room
		}
	}
	return rep, nil
}

func (o *Options) say(format string, args ...any) { fmt.Fprintf(o.Progress, format+"\n", args...) }

// below starts what the large size stands on, and says how the database is filled.
func (o *Options) below(ctx context.Context, dir, natsBinary string) (env []string, put filler, stop func() error, err error) {
	if !o.Large {
		path := filepath.Join(dir, "data", "peal.db")
		return nil, func(ctx context.Context, tenant string, rows int, progress func(int)) (*fill.Plan, error) {
			return fill.SQLite(ctx, path, tenant, rows, progress)
		}, func() error { return nil }, nil
	}
	pg, err := services.StartPostgres(ctx, dir, true)
	if err != nil {
		return nil, nil, nil, err
	}
	nats, err := services.StartNATS(ctx, natsBinary, dir)
	if err != nil {
		return nil, nil, nil, errors.Join(err, pg.Stop())
	}
	return []string{"PEAL_DATABASE_URL=" + pg.URL, "PEAL_NATS_URL=" + nats.URL, "PEAL_NATS_REPLICAS=1"},
		func(ctx context.Context, tenant string, rows int, progress func(int)) (*fill.Plan, error) {
			return fill.Postgres(ctx, pg.URL, tenant, rows, progress)
		}, func() error { return errors.Join(nats.Stop(), pg.Stop()) }, nil
}

type filler func(ctx context.Context, tenant string, rows int, progress func(done int)) (*fill.Plan, error)

// fill tells every ten seconds how far it is.
func (o *Options) fill(ctx context.Context, s *Side, tenant string, put filler) (*fill.Plan, error) {
	start := time.Now()
	told := start
	plan, err := put(ctx, tenant, s.Rows, func(done int) {
		if time.Since(told) > 10*time.Second {
			told = time.Now()
			o.say("  %d rows written", done)
		}
	})
	s.FillSeconds = time.Since(start).Seconds()
	return plan, err
}

// size is of all files below dir.
func size(dir string) (sum int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		if info, err := e.Info(); err == nil { // else it has gone meanwhile
			sum += info.Size()
		}
		return nil
	})
	return sum, err
}
