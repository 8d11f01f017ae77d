package send

import (
	"context"
	"sync"
	"time"

	"peal/internal/peal"
)

// guard stretches the window a little: the provider counts when a call arrives, and two calls can take a different time
// to get there.
const guard = 50 // the window is longer by a 50th

// limiter lets at most Rate uses start in any window of Period, and no more than Burst back to back.
//
// It is exact because a grant is not a use: a grant reserves a place, and the place is stamped when the call starts. At
// any instant the uses in the window that ends there, plus the places reserved, are at most Rate; time only lets uses
// fall out of the window.
type limiter struct {
	mu       sync.Mutex
	rate     int
	window   time.Duration
	interval time.Duration // between grants once the burst is used up
	burst    int
	uses     []time.Time // ring of the uses in the window, oldest at head
	head, n  int
	reserved int
	start    time.Time // nothing before then: what an earlier owner did is not known
	tat      time.Time // when the next grant would be due if they were evenly spaced
	freed    chan struct{}
}

// newLimiter makes a limiter, or nil when the limit says that there is none.
func newLimiter(l peal.Limit) *limiter {
	if l.Rate <= 0 {
		return nil
	}
	window := l.Period + l.Period/guard
	return &limiter{
		rate: l.Rate, window: window, interval: window / time.Duration(l.Rate), burst: min(max(l.Burst, 1), l.Rate),
		uses: make([]time.Time, l.Rate), freed: make(chan struct{}, 1),
	}
}

// holdOff keeps everything back for a window from now: it begins as if the limit had just been used up, for a limiter
// cannot know what the queue's owner before it did.
func (l *limiter) holdOff(now time.Time) {
	if l != nil {
		l.start = now.Add(l.window)
	}
}

// take waits until at least one use is allowed and reserves up to most of them; each is to be used or given back.
func (l *limiter) take(ctx context.Context, most int) (int, error) {
	if err := ctx.Err(); err != nil || l == nil {
		if err != nil {
			most = 0
		}
		return most, err
	}
	for {
		n, wait := l.try(time.Now(), most)
		if n > 0 {
			return n, nil
		}
		if wait == 0 {
			wait = time.Hour // for a signal
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-l.freed:
		case <-ctx.Done():
			t.Stop()
			return 0, ctx.Err()
		}
		t.Stop()
	}
}

// try reserves what is allowed now, or tells how long to wait; 0 and 0 means until a reserved place is used or freed.
func (l *limiter) try(now time.Time, most int) (n int, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if early := l.start.Sub(now); early > 0 {
		return 0, early
	}
	for l.n > 0 && now.Sub(l.uses[l.head]) >= l.window {
		l.head = (l.head + 1) % l.rate
		l.n--
	}
	free := l.rate - l.n - l.reserved
	if free <= 0 {
		if l.n == 0 {
			return 0, 0
		}
		return 0, l.window - now.Sub(l.uses[l.head])
	}
	earliest := now.Add(-time.Duration(l.burst-1) * l.interval)
	if l.tat.Before(earliest) {
		l.tat = earliest
	}
	if early := l.tat.Sub(now); early > 0 {
		return 0, early
	}
	n = min(most, free, int(now.Sub(l.tat)/l.interval)+1)
	l.tat = l.tat.Add(time.Duration(n) * l.interval)
	l.reserved += n
	return n, 0
}

// use stamps a reserved place: the call starts now.
func (l *limiter) use() {
	if l == nil {
		return
	}
	l.mu.Lock()
	l.uses[(l.head+l.n)%l.rate] = time.Now()
	l.n++
	l.reserved--
	l.mu.Unlock()
	l.signal()
}

// giveBack frees reserved places that were not needed, with the time that they were granted for: jobs that need no call
// hold nobody up.
func (l *limiter) giveBack(n int) {
	if l == nil || n == 0 {
		return
	}
	l.mu.Lock()
	l.reserved -= n
	l.tat = l.tat.Add(-time.Duration(n) * l.interval)
	l.mu.Unlock()
	l.signal()
}

func (l *limiter) signal() {
	select {
	case l.freed <- struct{}{}:
	default:
	}
}
