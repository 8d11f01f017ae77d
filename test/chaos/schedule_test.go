package chaos

import (
	"context"
	"math/rand/v2"
	"sync"
	"syscall"
	"time"

	"peal/emulator/wasender"
)

// schedule breaks things, each in a track of its own, and mends them. What a track does next follows from the seed alone;
// when, also from how long the last thing took to be whole again.
type schedule struct {
	w    *world
	done sync.WaitGroup
}

// between draws a duration.
func between(rng *rand.Rand, from, to time.Duration) time.Duration {
	return from + time.Duration(rng.Int64N(int64(to-from)))
}

// after waits; false when ctx has ended.
func after(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// start begins to break things, until ctx ends. wait returns when everything is whole again.
func (s *schedule) start(ctx context.Context, seed uint64) {
	for i, n := range s.w.nodes {
		rng := rand.New(rand.NewPCG(seed, uint64(10+i)))
		s.track(ctx, func() time.Duration { return between(rng, 2*time.Second, 14*time.Second) }, func() { s.node(ctx, n, rng) })
	}
	infra := rand.New(rand.NewPCG(seed, 20))
	s.track(ctx, func() time.Duration { return between(infra, 4*time.Second, 12*time.Second) }, func() { s.ground(ctx, infra) })
	emu := rand.New(rand.NewPCG(seed, 30))
	s.track(ctx, func() time.Duration { return between(emu, time.Second, 5*time.Second) }, func() { s.provider(ctx, emu) })
}

func (s *schedule) track(ctx context.Context, gap func() time.Duration, act func()) {
	s.done.Go(func() {
		for after(ctx, gap()) {
			act()
		}
	})
}

// wait waits for the tracks' ends.
func (s *schedule) wait() { s.done.Wait() }

// node breaks a node.
func (s *schedule) node(ctx context.Context, n *node, rng *rand.Rand) {
	down, paused := between(rng, 100*time.Millisecond, 5*time.Second), between(rng, time.Second, 15*time.Second)
	switch what := rng.IntN(10); {
	case what < 3:
		s.w.fault("SIGKILL", "%s is killed, for %s", n.name, down)
		_ = n.end(syscall.SIGKILL, time.Minute) // a kill does not fail
	case what < 6:
		s.w.fault("SIGTERM", "%s is stopped, for %s", n.name, down)
		began := time.Now()
		if err := n.end(syscall.SIGTERM, drain+10*time.Second); err != nil {
			s.w.broken("%s was told to stop: %v", n.name, err)
		}
		s.w.note("%s has stopped, after %s", n.name, time.Since(began).Round(time.Millisecond))
	default:
		s.w.fault("SIGSTOP", "%s is paused, for %s", n.name, paused)
		n.signal(syscall.SIGSTOP)
		after(ctx, paused)
		n.signal(syscall.SIGCONT)
		s.w.note("%s goes on", n.name)
		return
	}
	after(ctx, down)
	if err := n.up(context.WithoutCancel(ctx)); err != nil {
		s.w.broken("%v", err)
	}
	s.w.note("%s serves", n.name)
}

// ground breaks what the nodes stand on, one thing at a time: the next only when the last is whole again.
func (s *schedule) ground(ctx context.Context, rng *rand.Rand) {
	which, down := rng.IntN(3), between(rng, 100*time.Millisecond, 5*time.Second)
	switch what := rng.IntN(10); {
	case what < 4:
		s.servers(ctx, down, s.w.nats[which])
	case what < 6:
		s.servers(ctx, down, s.w.nats[which], s.w.nats[(which+1)%3])
	case what < 8:
		s.postgres(ctx, "fast", syscall.SIGINT, down)
	default:
		s.postgres(ctx, "immediate", syscall.SIGQUIT, down)
	}
}

func (s *schedule) servers(ctx context.Context, down time.Duration, which ...*natsServer) {
	kind := "one NATS server"
	if len(which) > 1 {
		kind = "NATS quorum"
	}
	for _, n := range which {
		s.w.note("%s is killed, for %s", n.name, down)
		_ = n.end(syscall.SIGKILL, time.Minute) // a kill does not fail
	}
	s.w.fault(kind, "%s is gone", kind)
	after(ctx, down)
	for _, n := range which {
		if err := n.start(); err != nil {
			s.w.broken("%v", err)
		}
	}
	if err := whole(context.WithoutCancel(ctx), s.w.nats); err != nil {
		s.w.broken("%v", err)
	}
	s.w.note("NATS is whole")
}

func (s *schedule) postgres(ctx context.Context, how string, sig syscall.Signal, down time.Duration) {
	s.w.fault("PostgreSQL "+how, "PostgreSQL is stopped (%s), for %s", how, down)
	if err := s.w.pg.end(sig, 30*time.Second); err != nil {
		s.w.broken("PostgreSQL: %v", err)
	}
	after(ctx, down)
	if err := s.w.pg.up(context.WithoutCancel(ctx)); err != nil {
		s.w.broken("%v\n%s", err, s.w.pg.tail())
	}
	s.w.note("PostgreSQL answers")
}

// provider has the emulator misbehave for a while.
func (s *schedule) provider(ctx context.Context, rng *rand.Rand) {
	e, long, some, fseed := s.w.emu, between(rng, time.Second, 4*time.Second), 1+rng.IntN(15), rng.Uint64()
	f := wasender.Fault{Probability: 0.3, Seed: fseed}
	switch rng.IntN(6) {
	case 0:
		f.Kind, f.Status, f.RetryAfter = wasender.FaultStatus, 429, "1"
	case 1:
		f.Kind, f.Status = wasender.FaultStatus, 500
	case 2:
		f.Kind, f.Times, f.Probability = wasender.FaultDropAfter, some, 0
	case 3:
		f.Kind, f.Times, f.Probability = wasender.FaultDropBefore, some, 0
	case 4:
		f.Kind, f.Delay, f.TakeFirst = wasender.FaultDelay, 700*time.Millisecond, true
	default:
		s.receipts(ctx, long, fseed)
		return
	}
	s.w.fault("provider "+string(f.Kind), "the provider: %s %d, %d times, for %s", f.Kind, f.Status, f.Times, long)
	id, err := e.AddFault(f)
	if err != nil {
		s.w.broken("%v", err)
		return
	}
	after(ctx, long)
	if err := e.RemoveFault(id); err != nil {
		s.w.broken("%v", err)
	}
}

// receipts has them sent in another way for a while.
func (s *schedule) receipts(ctx context.Context, long time.Duration, seed uint64) {
	scripts := map[string]wasender.Script{"all": allTicks(), "late": lateTicks(), "shuffled and twice": shuffledTicks(seed)}
	how := []string{"all", "late", "shuffled and twice"}[seed%3]
	s.w.fault("receipts", "the provider's receipts: %s, for %s", how, long)
	if err := s.w.emu.SetScript(scripts[how]); err != nil {
		s.w.broken("%v", err)
	}
	after(ctx, long)
	if err := s.w.emu.SetScript(quietScript()); err != nil {
		s.w.broken("%v", err)
	}
}
