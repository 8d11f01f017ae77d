package slope

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"peal/bench/internal/host"
	"peal/bench/internal/load"
	"peal/bench/internal/server"
	"peal/bench/internal/standin"
	"peal/bench/internal/suite"
	"peal/bench/internal/tally"
)

// Every loop has its own marks and phone numbers: what waits stays apart from what is sent meanwhile.
const (
	warmupRun, singleRun, batchRun, queueRun = 1, 2, 3, 4

	warmupPhones, singlePhones, batchPhones, queuePhones = 90_000_000, 0, 20_000_000, 40_000_000
	maxQueued                                            = warmupPhones - queuePhones

	paused = "paused"
)

// side is one of the two while it is measured.
type side struct {
	*Options
	rep    *Side
	prov   *standin.Server
	peal   *server.Process
	tenant server.Tenant
	waits  *tally.Tally // what is queued on the paused integration
}

func (o *Options) measure(ctx context.Context, rep *Side, dir, nats string) (err error) {
	s := &side{Options: o, rep: rep}
	if s.prov, err = standin.New("127.0.0.1:0"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.prov.Close()) }()
	env, put, stop, err := o.below(ctx, dir, nats)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	first, err := server.Start(ctx, server.Config{Binary: o.Binary, Dir: dir, Args: o.PealArgs, Env: append(env, o.PealEnv...)})
	if err != nil {
		return err
	}
	s.tenant, err = first.SetUp(ctx, s.prov.Addr(), o.Concurrency)
	if err == nil {
		err = first.Integrate(ctx, s.tenant, paused, s.prov.Addr(), o.Concurrency)
	}
	if err := errors.Join(err, first.Stop()); err != nil {
		return err
	}
	plan, err := o.fill(ctx, rep, s.tenant.ID, put)
	if err != nil {
		return fmt.Errorf("filling: %w", err)
	}
	if rep.DataBytes, err = size(dir); err != nil {
		return err
	}
	start := time.Now()
	if s.peal, err = first.Restart(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.peal.Stop()) }()
	rep.StartSeconds = time.Since(start).Seconds()
	if err := s.loads(ctx); err != nil {
		return err
	}
	if rep.Rows > 0 {
		look := lookups{addr: s.peal.Addr, key: s.tenant.Key, plan: plan, times: o.Lookups}
		if rep.Lookups, err = look.all(ctx); err != nil {
			return fmt.Errorf("reading the log: %w", err)
		}
	}
	return s.resume(ctx)
}

// loads is queueing and the loops. The empty side queues after them, just enough to measure how fast that drains.
func (s *side) loads(ctx context.Context) error {
	if err := s.peal.Pause(ctx, s.tenant, paused, true); err != nil {
		return err
	}
	if err := s.remember("started"); err != nil {
		return err
	}
	if s.rep.Queued > 0 {
		if err := s.queue(ctx, s.rep.Queued); err != nil {
			return err
		}
	}
	if _, err := s.loop(ctx, tally.New(warmupRun, warmupPhones, s.Warmup), 1); err != nil {
		return fmt.Errorf("warm-up: %w", err)
	}
	var err error
	if s.rep.Single, err = s.loop(ctx, tally.New(singleRun, singlePhones, s.Messages), 1); err != nil {
		return fmt.Errorf("single: %w", err)
	}
	if s.rep.Batch, err = s.loop(ctx, tally.New(batchRun, batchPhones, s.whole(s.Messages)), s.BatchSize); err != nil {
		return fmt.Errorf("batch: %w", err)
	}
	if err := s.remember("after the loops"); err != nil {
		return err
	}
	if s.rep.Queued == 0 {
		return s.queue(ctx, s.Messages)
	}
	return nil
}

// whole rounds up to whole batches.
func (s *side) whole(n int) int { return (n + s.BatchSize - 1) / s.BatchSize * s.BatchSize }

// queue fills the paused integration.
func (s *side) queue(ctx context.Context, n int) error {
	s.waits = tally.New(queueRun, queuePhones, s.whole(n))
	s.prov.Record(s.waits)
	err := load.Closed(ctx, load.Config{
		Addr: s.peal.Addr, Connections: s.BatchConnections, Tally: s.waits, Messages: s.waits.Capacity(),
		Request: load.BatchTo(s.peal.Addr, s.tenant.Key, queueRun, s.BatchSize, paused),
	}, 0)
	if err != nil {
		return fmt.Errorf("queueing: %w", err)
	}
	r := s.waits.Report()
	if r.Arrived > 0 {
		return fmt.Errorf("%d messages of a paused integration came", r.Arrived)
	}
	s.rep.QueuedPerSec = perSecond(r.Accepted, r.LastAccepted-r.FirstSent)
	s.say("  queued %d at %.0f/s", r.Accepted, s.rep.QueuedPerSec)
	return s.remember(fmt.Sprintf("%d queued", r.Accepted))
}

// loop is a closed loop on the integration that sends.
func (s *side) loop(ctx context.Context, t *tally.Tally, size int) (l Load, err error) {
	cfg := load.Config{Addr: s.peal.Addr, Connections: s.Connections, Tally: t, Messages: t.Capacity()}
	cfg.Request = load.Single(s.peal.Addr, s.tenant.Key, t.Run())
	if size > 1 {
		cfg.Connections, cfg.Request = s.BatchConnections, load.Batch(s.peal.Addr, s.tenant.Key, t.Run(), size)
	}
	s.prov.Record(t)
	others, start := s.others(), time.Now()
	if err := load.Closed(ctx, cfg, 0); err != nil {
		return l, err
	}
	if err := suite.Drain(ctx, t, s.Stall, s.peal.Exited()); err != nil {
		return l, err
	}
	l.OthersPercent = 100 * max(0, (s.others()-others).Seconds()) / (time.Since(start).Seconds() * float64(runtime.NumCPU()))
	r := t.Report()
	if !r.ExactlyOnce() {
		return l, fmt.Errorf("of %d accepted %d never came, %d came again", r.Accepted, r.Missing, r.Duplicates)
	}
	l.AcceptedPerSec = perSecond(r.Accepted, r.LastAccepted-r.FirstSent)
	l.DeliveredPerSec = perSecond(r.Arrived, r.LastArrived-r.FirstSent)
	s.say("  %d sent, %.0f/s delivered", r.Accepted, l.DeliveredPerSec)
	return l, nil
}

// others is the CPU time of everything but Peal and the bench; the servers of the large size are among it.
func (s *side) others() time.Duration {
	all, errAll := host.BusyCPU()
	own, errOwn := host.CPU(s.peal.PID())
	if errAll != nil || errOwn != nil {
		return 0 // a word in the report that is wrong; a process that has gone shows elsewhere
	}
	return all - own - host.OwnCPU()
}

// resume lets go what waits, and takes it.
func (s *side) resume(ctx context.Context) error {
	s.prov.Record(s.waits)
	from := s.waits.Now()
	if err := s.peal.Pause(ctx, s.tenant, paused, false); err != nil {
		return err
	}
	if err := suite.Drain(ctx, s.waits, s.Stall, s.peal.Exited()); err != nil {
		return fmt.Errorf("draining: %w", err)
	}
	r := s.waits.Report()
	if !r.ExactlyOnce() {
		return fmt.Errorf("draining: of %d accepted %d never came, %d came again", r.Accepted, r.Missing, r.Duplicates)
	}
	s.rep.DrainedPerSec = perSecond(r.Arrived, r.LastArrived-from)
	s.say("  drained %d at %.0f/s", r.Arrived, s.rep.DrainedPerSec)
	return s.remember("drained")
}

func (s *side) remember(when string) error {
	m, err := host.MemoryOf(s.peal.PID())
	s.rep.Memory = append(s.rep.Memory, MemoryAt{when, m.Now})
	s.rep.PeakBytes = m.Peak
	return err
}

func perSecond(n int, ns int64) float64 {
	if ns <= 0 {
		return 0
	}
	return float64(n) / time.Duration(ns).Seconds()
}
