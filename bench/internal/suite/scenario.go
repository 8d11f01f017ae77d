package suite

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"peal/bench/internal/host"
	"peal/bench/internal/load"
	"peal/bench/internal/standin"
	"peal/bench/internal/stats"
	"peal/bench/internal/tally"
)

const (
	// Phone numbers from here on are the warm-up's, so that every recipient of a process is another one.
	warmupPhones = 90_000_000
	maxMessages  = warmupPhones
	// No closed loop is faster. They size the tally, whose untouched pages cost nothing.
	maxPerSecond        = 200_000
	maxCeilingPerSecond = 1_000_000

	warmupRun, measuredRun = 1, 2

	// How long beyond its duration a loop may take until it is given up, and how long for each of a number of messages.
	grace      = time.Minute
	perMessage = 10 * time.Millisecond
)

// scene is what a run needs: the stand-in, and the process under test unless the stand-in itself is measured.
type scene struct {
	*Options
	name string
	prov Provider
	sys  *System // nil where the stand-in itself is measured
	key  string
	late []int64 // of an open loop
}

// runOne makes everything anew, so that no run inherits a database, a heap or a peak of memory.
func (o *Options) runOne(ctx context.Context, l Launcher, name string, run int, dir string) (res Result, err error) {
	res = Result{System: l.Name, Scenario: name, Run: run}
	s := &scene{Options: o, name: name, key: "k"}
	prov, err := standin.New("127.0.0.1:0")
	if err != nil {
		return res, err
	}
	s.prov = prov
	defer func() { err = errors.Join(err, prov.Close()) }()
	if name == Ceiling {
		err = s.measure(ctx, &res)
		return res, err
	}
	s.sys, err = l.Launch(ctx, Launch{
		Options: o, Name: strings.TrimPrefix(l.Name+"-"+name, "-"), Scenario: name, Run: run, Dir: dir, Provider: s.prov.Addr(),
	})
	if err != nil {
		return res, err
	}
	defer func() {
		stopErr := s.sys.Stop()
		res.fail(stopErr)
		if err != nil {
			err = errors.Join(err, stopErr) // the result is lost, and this may say why
		}
	}()
	s.key = s.sys.Key
	if p := s.sys.Push; p != nil {
		s.prov, res.BeforeBytes = p.Provider, p.Before
	}
	if name == Idle {
		return res, s.idle(ctx, &res)
	}
	if err := s.measure(ctx, &res); err != nil || res.Error != "" || s.sys.Verify == nil {
		return res, err
	}
	res.fail(s.sys.Verify(ctx, res.Accepted+s.warmups()))
	return res, nil
}

// idle watches a process that was set up and has nothing to do.
func (s *scene) idle(ctx context.Context, res *Result) error {
	before, err := s.sys.Usage()
	if err != nil {
		return err
	}
	if err := s.wait(ctx, s.Idle); err != nil {
		return err
	}
	after, err := s.sys.Usage()
	if err != nil {
		return err
	}
	res.IdleCPUPercent = 100 * (after.CPU - before.CPU).Seconds() / max(s.Idle.Seconds(), 1e-9)
	return s.memory(res)
}

func (s *scene) memory(res *Result) error {
	u, err := s.sys.Usage()
	res.ResidentBytes, res.PeakBytes = u.Resident, u.Peak
	return err
}

// warmups is how many notifications the warm-up sends: whole requests.
func (s *scene) warmups() int {
	size := s.batchSize()
	return (s.Warmup + size - 1) / size * size
}

// measure warms up, then loads and counts. An error is of the suite; what Peal did wrong goes into the result.
func (s *scene) measure(ctx context.Context, res *Result) error {
	if s.Warmup > 0 {
		t := tally.New(warmupRun, warmupPhones, s.Warmup+s.BatchSize)
		s.among(t)
		if err := s.pass(ctx, t, s.warmUp); err != nil {
			res.fail(fmt.Errorf("warm-up: %w", err))
			return ctx.Err()
		}
	}
	t := tally.New(measuredRun, 0, s.capacity())
	s.among(t)
	before, err := s.usage()
	if err != nil {
		return err
	}
	passErr := s.pass(ctx, t, s.load)
	after, err := s.usage()
	if err != nil {
		return errors.Join(err, passErr)
	}
	if errors.Is(passErr, errNoAudience) {
		res.Skipped = passErr.Error()
		return ctx.Err()
	}
	rep := t.Report()
	res.fill(&rep, s.prov.Counts())
	res.Late = stats.Of(s.late)
	res.fillUsage(before, after)
	res.fail(passErr)
	if s.sys == nil || ctx.Err() != nil {
		return ctx.Err()
	}
	return s.memory(res)
}

// usage is CPU time so far, and when that was.
type usage struct {
	peal, own, machine time.Duration
	at                 time.Time
}

func (s *scene) usage() (u usage, err error) {
	u.at, u.own = time.Now(), host.OwnCPU()
	if s.sys != nil {
		used, err := s.sys.Usage()
		if err != nil {
			return u, err
		}
		u.peal = used.CPU
	}
	u.machine, err = host.BusyCPU()
	return u, err
}

// capacity is how many messages the measured loop may send.
func (s *scene) capacity() int {
	n, perSecond := s.Messages, float64(maxPerSecond)
	switch s.name {
	case FanOut:
		return s.Audience
	case Ceiling:
		perSecond = maxCeilingPerSecond
	case Open:
		perSecond = s.Rate
	}
	if n <= 0 {
		n = max(1, int(min(perSecond*s.Duration.Seconds(), maxMessages)))
	}
	if size := s.batchSize(); n%size != 0 {
		n += size - n%size
	}
	return n
}

func (s *scene) batchSize() int {
	if s.name == Batch {
		return s.BatchSize
	}
	return 1
}

// config is for the loop of the scenario.
func (s *scene) config(t *tally.Tally) load.Config {
	cfg := load.Config{Connections: s.Connections, Tally: t, Messages: t.Capacity()}
	switch s.name {
	case Ceiling:
		cfg.Addr = s.prov.Addr()
		cfg.Request = load.Direct(cfg.Addr, s.key, t.Run())
		return cfg
	case Batch:
		cfg.Connections = s.BatchConnections
	case Open:
		cfg.Connections = s.OpenConnections
	}
	cfg.Addr = s.sys.Addr
	switch batch, push := s.name == Batch, s.sys.Push != nil; {
	case batch && push:
		cfg.Request = load.PushBatch(cfg.Addr, s.key, t.Run(), s.BatchSize)
	case batch:
		cfg.Request = load.Batch(cfg.Addr, s.key, t.Run(), s.BatchSize)
	case push:
		cfg.Request = load.Push(cfg.Addr, s.key, t.Run())
	default:
		cfg.Request = load.Single(cfg.Addr, s.key, t.Run())
	}
	return cfg
}

func (s *scene) warmUp(ctx context.Context, t *tally.Tally) error {
	cfg := s.config(t)
	cfg.Messages = s.Warmup
	return load.Closed(ctx, cfg, 0)
}

func (s *scene) load(ctx context.Context, t *tally.Tally) error {
	cfg := s.config(t)
	if s.name == FanOut {
		return s.fanOut(ctx, t)
	}
	if s.name == Open {
		var err error
		s.late, err = load.Open(ctx, cfg, s.Rate)
		return err
	}
	until := s.Duration
	if s.Messages > 0 {
		until = 0
	}
	return load.Closed(ctx, cfg, until)
}
