package send

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"peal/internal/peal"
)

// use is a call that takes no time.
func (l *limiter) use() { l.end(l.begin()) }

// grant is what becomes of one reserved place: after a delay it is used, or given back.
type grant struct {
	delay time.Duration
	back  bool
}

// ask is one call of take.
type ask struct {
	pause  time.Duration // before it
	most   int
	grants []grant // for as many as are granted, in turn
}

// play runs the asks against a limiter, in time that is not real, and gives the times of the uses.
func play(t *testing.T, l peal.Limit, asks []ask) (uses []time.Time) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		lim := newLimiter(l)
		var mu sync.Mutex
		var calls sync.WaitGroup
		for _, a := range asks {
			time.Sleep(a.pause)
			n, err := lim.take(t.Context(), a.most)
			if err != nil || n < 1 || n > a.most {
				t.Fatalf("take(%d) gave %d, %v", a.most, n, err)
			}
			for i := range n {
				calls.Go(func() {
					g := a.grants[i%len(a.grants)]
					time.Sleep(g.delay)
					if g.back {
						lim.giveBack(1)
						return
					}
					lim.use()
					mu.Lock()
					defer mu.Unlock()
					uses = append(uses, time.Now())
				})
			}
		}
		calls.Wait()
		if lim.reserved != 0 {
			t.Errorf("%d places are still reserved", lim.reserved)
		}
	})
	slices.SortFunc(uses, time.Time.Compare)
	return uses
}

func drawLimit(t *rapid.T) peal.Limit {
	l := peal.Limit{
		Rate:   rapid.IntRange(1, 20).Draw(t, "rate"),
		Period: time.Duration(rapid.IntRange(10, 10_000).Draw(t, "period in ms")) * time.Millisecond,
	}
	l.Burst = rapid.IntRange(0, l.Rate).Draw(t, "burst")
	return l
}

// TestTheLimitHoldsInEveryWindow: however places are taken, used late, or given back, no window of the period sees more
// uses than the rate.
func TestTheLimitHoldsInEveryWindow(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		l := drawLimit(rt)
		upTo := func(periods int) *rapid.Generator[time.Duration] {
			return rapid.Custom(func(t *rapid.T) time.Duration {
				if rapid.Bool().Draw(t, "none") {
					return 0
				}
				return time.Duration(rapid.Int64Range(0, int64(periods)*int64(l.Period)).Draw(t, "wait"))
			})
		}
		asks := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) ask {
			return ask{upTo(2).Draw(t, "pause"), rapid.IntRange(1, 30).Draw(t, "most"), rapid.SliceOfN(rapid.Custom(func(t *rapid.T) grant {
				return grant{upTo(3).Draw(t, "delay"), rapid.IntRange(0, 4).Draw(t, "back") == 0}
			}), 1, 5).Draw(t, "grants")}
		}), 1, 40).Draw(rt, "asks")
		uses := play(t, l, asks)
		for i := l.Rate; i < len(uses); i++ {
			if span := uses[i].Sub(uses[i-l.Rate]); span < l.Period {
				rt.Fatalf("%d uses within %s; the limit is %d in %s", l.Rate+1, span, l.Rate, l.Period)
			}
		}
	})
}

// TestTheBurstHolds: whatever is given back in between, used at once no more than the burst goes back to back.
func TestTheBurstHolds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		l := drawLimit(rt)
		asks := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) ask {
			return ask{
				time.Duration(rapid.Int64Range(0, int64(l.Period)).Draw(t, "pause")) * time.Duration(rapid.IntRange(0, 2).Draw(t, "pauses")),
				rapid.IntRange(1, 30).Draw(t, "most"),
				[]grant{{}, {back: rapid.Bool().Draw(t, "back")}, {}},
			}
		}), 1, 40).Draw(rt, "asks")
		uses := play(t, l, asks)
		burst := max(l.Burst, 1)
		interval := l.Period / time.Duration(l.Rate)
		for i := burst; i < len(uses); i++ {
			if span := uses[i].Sub(uses[i-burst]); span < interval {
				rt.Fatalf("%d uses within %s; the burst is %d and then comes one every %s", burst+1, span, burst, interval)
			}
		}
	})
}

func TestTheRateIsUsed(t *testing.T) {
	t.Parallel()
	for _, l := range []peal.Limit{
		{Rate: 1, Period: 5 * time.Second}, {Rate: 45, Period: time.Second, Burst: 5}, {Rate: 256, Period: time.Minute, Burst: 256},
		{Rate: 1000, Period: time.Second, Burst: 100}, {Rate: 3, Period: 10 * time.Millisecond}, {Rate: 20_000, Period: 50 * time.Second, Burst: 200},
	} {
		synctest.Test(t, func(t *testing.T) {
			lim := newLimiter(l)
			warm := time.Now().Add(2 * l.Period)
			end := warm.Add(5 * l.Period)
			used := 0
			for time.Now().Before(end) {
				n, err := lim.take(t.Context(), 256)
				if err != nil {
					t.Fatal(err)
				}
				for range n {
					lim.use()
				}
				if time.Now().After(warm) {
					used += n
				}
			}
			if least := 5 * l.Rate * 95 / 100; used < least || used > 5*l.Rate+l.Rate {
				t.Errorf("%d of %d in %s were used; at least %d are wanted", used, 5*l.Rate, 5*l.Period, least)
			}
		})
	}
}

func TestAfterAQuietTimeTheBurstGoesAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		lim := newLimiter(peal.Limit{Rate: 45, Period: time.Second, Burst: 5})
		for range 3 {
			start := time.Now()
			if n, err := lim.take(t.Context(), 100); n != 5 || err != nil || time.Since(start) != 0 {
				t.Errorf("%d at once after %s, %v; want 5 after none", n, time.Since(start), err)
			}
			for range 5 {
				lim.use()
			}
			if n, err := lim.take(t.Context(), 100); n != 1 || err != nil || time.Since(start) != lim.interval {
				t.Errorf("then %d after %s, %v; want 1 after %s", n, time.Since(start), err, lim.interval)
			}
			lim.use()
			time.Sleep(time.Minute)
		}
	})
}

// TestPlacesGivenBackCostNoTime: jobs that turn out to need no call (canceled, expired) do not hold the others up.
func TestPlacesGivenBackCostNoTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		lim := newLimiter(peal.Limit{Rate: 10, Period: time.Second, Burst: 2})
		start := time.Now()
		for range 1000 {
			n, err := lim.take(t.Context(), 10)
			if err != nil {
				t.Fatal(err)
			}
			lim.giveBack(n)
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("jobs that needed no call took %s", took)
		}
	})
}

func TestTakeEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		lim := newLimiter(peal.Limit{Rate: 2, Period: time.Hour, Burst: 2})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if n, err := lim.take(ctx, 5); n != 0 || !errors.Is(err, context.Canceled) {
			t.Errorf("a take that was over before it began gave %d, %v", n, err)
		}
		if n, err := lim.take(t.Context(), 5); n != 2 || err != nil {
			t.Fatalf("it reserved something: only %d of 2 are left (%v)", n, err)
		}
		for _, use := range []func(){func() {}, lim.use} { // while places are reserved, and while they are used up
			use()
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			start := time.Now()
			n, err := lim.take(ctx, 5)
			cancel()
			if n != 0 || !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 3*time.Second {
				t.Errorf("take gave %d, %v after %s", n, err, time.Since(start))
			}
		}
	})
}

func TestAPlaceThatComesFreeIsTakenAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		lim := newLimiter(peal.Limit{Rate: 2, Period: time.Minute, Burst: 2})
		if n, _ := lim.take(t.Context(), 2); n != 2 {
			t.Fatalf("%d, want 2", n)
		}
		start := time.Now()
		lim.use()
		go func() {
			time.Sleep(time.Second)
			lim.giveBack(1)
		}()
		n, err := lim.take(t.Context(), 2)
		if n != 1 || err != nil || time.Since(start) != time.Second {
			t.Errorf("%d, %v after %s; want 1 after a second", n, err, time.Since(start))
		}
	})
}

// TestCallsThatArriveTogether: calls begin one after the other, then something stalls, and they all arrive at its end.
// The window of the provider begins there.
func TestCallsThatArriveTogether(t *testing.T) {
	t.Parallel()
	for _, stall := range []time.Duration{0, 90 * time.Millisecond, 700 * time.Millisecond, 5 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			l := peal.Limit{Rate: 45, Period: time.Second, Burst: 5}
			lim := newLimiter(l)
			var mu sync.Mutex
			var arrived []time.Time
			var calls sync.WaitGroup
			began := time.Now()
			stalled := began.Add(3 * time.Second)
			for time.Since(began) < 12*time.Second {
				if _, err := lim.take(t.Context(), 1); err != nil {
					t.Fatal(err)
				}
				at := lim.begin()
				calls.Go(func() {
					time.Sleep(time.Millisecond)
					if now := time.Now(); now.After(stalled) && now.Before(stalled.Add(stall)) {
						time.Sleep(stalled.Add(stall).Sub(now))
					}
					mu.Lock()
					arrived = append(arrived, time.Now())
					mu.Unlock()
					time.Sleep(time.Millisecond)
					lim.end(at)
				})
			}
			calls.Wait()
			for i := l.Rate; i < len(arrived); i++ {
				if span := arrived[i].Sub(arrived[i-l.Rate]); span < l.Period {
					t.Fatalf("a stall of %s: %d arrived within %s", stall, l.Rate+1, span)
				}
			}
			if least := int(float64(l.Rate) * (12*time.Second - stall - l.Period).Seconds() * 0.95); len(arrived) < least {
				t.Errorf("a stall of %s: only %d calls in 12 s", stall, len(arrived))
			}
		})
	}
}

// TestCallsThatTakeLong: what they mostly take costs nothing of the limit, even if that is longer than the window.
func TestCallsThatTakeLong(t *testing.T) {
	t.Parallel()
	for _, took := range []time.Duration{300 * time.Millisecond, 3 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			lim := newLimiter(peal.Limit{Rate: 45, Period: time.Second, Burst: 5})
			var calls sync.WaitGroup
			var from time.Time
			n := 0
			for began := time.Now(); time.Since(began) < 90*time.Second; {
				if _, err := lim.take(t.Context(), 1); err != nil {
					t.Fatal(err)
				}
				at := lim.begin()
				calls.Go(func() {
					time.Sleep(took)
					lim.end(at)
				})
				if time.Since(began) < 60*time.Second {
					from, n = time.Now(), 0
				}
				n++
			}
			if rate := float64(n) / time.Since(from).Seconds(); rate < 45*0.95 {
				t.Errorf("calls of %s: %.1f a second", took, rate)
			}
			calls.Wait()
		})
	}
}

func TestALimiterThatHoldsOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		lim := newLimiter(peal.Limit{Rate: 5, Period: time.Second, Burst: 5})
		start := time.Now()
		lim.holdOff(start)
		if n, err := lim.take(t.Context(), 9); n != 5 || err != nil || time.Since(start) < time.Second {
			t.Errorf("%d, %v after %s; want 5 after a window", n, err, time.Since(start))
		}
	})
}

func TestNoLimit(t *testing.T) {
	t.Parallel()
	for _, rate := range []int{0, -1} {
		lim := newLimiter(peal.Limit{Rate: rate, Period: time.Second})
		for range 3 {
			if n, err := lim.take(t.Context(), 1000); n != 1000 || err != nil {
				t.Errorf("rate %d: %d, %v; want all at once", rate, n, err)
			}
			lim.use()
			lim.giveBack(3)
			lim.holdOff(time.Now())
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if n, err := lim.take(ctx, 1); n != 0 || err == nil {
			t.Errorf("rate %d: a take that is over gave %d, %v", rate, n, err)
		}
	}
}

// TestALimiterThatIsEased: for a while half as many start, and then as many as before.
func TestALimiterThatIsEased(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		lim := newLimiter(peal.Limit{Rate: 10, Period: time.Second, Burst: 1})
		lim.ease(time.Now(), 10*time.Second)
		within := func(d time.Duration) (n int) {
			ctx, cancel := context.WithTimeout(t.Context(), d)
			defer cancel()
			for {
				got, err := lim.take(ctx, 1)
				if err != nil {
					return n
				}
				for range got {
					lim.use()
					n++
				}
			}
		}
		if n := within(10 * time.Second); n < 45 || n > 50 {
			t.Errorf("%d in 10 s", n)
		}
		if n := within(10 * time.Second); n < 90 || n > 100 {
			t.Errorf("%d in the 10 s after", n)
		}
		var none *limiter
		none.ease(time.Now(), time.Hour)
	})
}
