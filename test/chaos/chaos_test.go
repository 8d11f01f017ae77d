package chaos

import (
	"context"
	"flag"
	"math/rand/v2"
	"os"
	"testing"
	"time"
)

var (
	seed     = flag.Uint64("seed", 0, "of the schedule; 0 for another one each time")
	duration = flag.Duration("duration", time.Minute, "how long things are broken")
	count    = flag.Int("notifications", 12_000, "notifications")
	calm     = flag.Bool("calm", false, "break nothing")
	keep     = flag.Bool("keep", false, "keep the logs when all is well, too, and print the schedule")
)

func TestChaos(t *testing.T) {
	if os.Getenv("PEAL_TEST_CHAOS") == "" && *seed == 0 {
		t.Skip("SKIPPED: set PEAL_TEST_CHAOS=1, or give a -seed, and let the machine do nothing else for three minutes")
	}
	if *seed == 0 {
		*seed = 1 + rand.Uint64N(1_000_000)
	}
	t.Logf("seed %d", *seed)
	w := newWorld(t)
	began := time.Now()
	w.began = began
	w.note("the load begins")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	l := newLoad(w, *count, *duration, rand.New(rand.NewPCG(*seed, 1)))
	go l.run(ctx)
	k := &ticks{w: w, l: l}
	k.start(ctx)

	faults, mend := context.WithTimeout(ctx, *duration)
	defer mend()
	s := &schedule{w: w}
	if !*calm {
		s.start(faults, *seed)
	}
	if *calm {
		<-faults.Done()
	}
	s.wait()
	w.note("nothing is broken any more")
	broken := time.Since(began)
	l.finish(t, settleTime())
	w.note("everything is answered")
	q := settle(t, w)
	w.note("it is quiet")
	stop()
	k.done.Wait()
	verify(t, w, l, q)
	t.Logf("faults for %s, then %s until it was quiet: %v", broken.Round(time.Second), (time.Since(began) - broken).Round(time.Second), w.faults)
	t.Logf("%d notifications accepted, %d tries repeated, %d answers replayed; %d looks at ticks", len(l.accepted), l.repeated.Load(), l.replayed, k.looks)
}
