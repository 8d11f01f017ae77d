package send

import (
	"context"
	"slices"
	"sync"
	"time"

	"peal/internal/peal"
)

// guard stretches the window a little: the provider counts when a call arrives, and two calls can take a different time
// to get there.
const guard = 50 // the window is longer by a 50th

// limiter lets at most Rate uses start in any window of Period, and no more than Burst back to back.
//
// It is exact because a grant is not a use: a grant reserves a place, which is used when the call begins. At any instant
// the uses in the window that ends there, plus the places reserved, are at most Rate; time only lets uses fall out of the
// window. When a call arrives is known no better than that it began before and ended after: on a machine that stalls, calls
// that began one after the other arrive together. So one in the air counts as long as it is, and one that took longer
// than the quickest do counts from so much later: all of what it took longer it may have been on its way.
type limiter struct {
	mu       sync.Mutex
	rate     int
	window   time.Duration
	interval time.Duration // between grants once the burst is used up
	burst    int
	uses     []time.Time   // of calls that have ended: when they count from, oldest first
	calls    []time.Time   // of those in the air: when they began, oldest first
	quick    time.Duration // what the quickest calls of late took
	reserved int
	eased    time.Time // until then it lets half as many start
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
		freed: make(chan struct{}, 1),
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
	used, next := l.used(now)
	rate, interval := l.rate, l.interval
	if now.Before(l.eased) {
		rate, interval = max(1, rate/2), 2*interval
	}
	free := rate - used - l.reserved
	if free <= 0 {
		return 0, next
	}
	earliest := now.Add(-time.Duration(l.burst-1) * interval)
	if l.tat.Before(earliest) {
		l.tat = earliest
	}
	if early := l.tat.Sub(now); early > 0 {
		return 0, early
	}
	n = min(most, free, int(now.Sub(l.tat)/interval)+1)
	l.tat = l.tat.Add(time.Duration(n) * interval)
	l.reserved += n
	return n, 0
}

// ease halves the limit for so long: the provider found it too high, whoever else may use the account.
func (l *limiter) ease(now time.Time, howLong time.Duration) {
	if l == nil || howLong <= 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.eased = now.Add(howLong)
}

// used counts the uses in the window, and tells how long until the first of them falls out by itself; 0 when none does.
func (l *limiter) used(now time.Time) (n int, next time.Duration) {
	old := 0
	for old < len(l.uses) && now.Sub(l.uses[old]) >= l.window {
		old++
	}
	l.uses = l.uses[old:]
	n = len(l.uses)
	if n > 0 {
		next = l.window - now.Sub(l.uses[0])
	}
	if l.quick < l.window {
		return n + len(l.calls), next
	}
	for _, began := range l.calls { // all take longer than the window: where one is in the air says nothing
		if left := l.window - now.Sub(began); left > 0 {
			n++
			if next == 0 || left < next {
				next = left
			}
		}
	}
	return n, next
}

// begin uses a reserved place: the call starts at the time that it gives, which end is to be told.
func (l *limiter) begin() (began time.Time) {
	if l == nil {
		return began
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	began = time.Now()
	l.calls = append(l.calls, began)
	l.reserved--
	return began
}

// end says that a call is over.
func (l *limiter) end(began time.Time) {
	if l == nil {
		return
	}
	l.mu.Lock()
	now := time.Now()
	i := slices.IndexFunc(l.calls, began.Equal)
	l.calls = slices.Delete(l.calls, i, i+1)
	from := now.Add(-min(l.quick, now.Sub(began)))
	if last := len(l.uses) - 1; last >= 0 && from.Before(l.uses[last]) {
		from = l.uses[last]
	}
	l.uses = append(l.uses, from)
	l.learn(now.Sub(began))
	l.mu.Unlock()
	l.signal()
}

// learn takes a call that was quicker at its word, and forgets it slowly. It begins with 0, which only makes calls count
// for longer.
func (l *limiter) learn(took time.Duration) {
	if took < l.quick {
		l.quick = took
		return
	}
	l.quick += (took - l.quick) / 256
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
