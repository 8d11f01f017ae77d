package send

import (
	"sync"
	"time"

	"peal/internal/peal"
)

// sweepAfter is how many recipients are remembered before those that are at rest are forgotten.
const sweepAfter = 4096

// recipients limits what each recipient is sent: a bucket each, kept as the time at which it will be full again (GCRA).
// Whoever is over the limit is told when to come back; the others do not wait. It is safe for concurrent use.
//
// A bucket that is full is forgotten, so what is remembered is bounded by what can be sent in the time that an empty
// bucket takes to fill.
type recipients struct {
	interval time.Duration // in which a bucket gains one
	burst    time.Duration // in which an empty bucket fills
	began    time.Time     // buckets count as empty then: what an earlier owner sent is not known
	now      func() time.Time

	mu    sync.Mutex
	all   map[string]*bucket
	sweep int
}

// bucket is one recipient's.
type bucket struct {
	full   time.Time // when it would be full again
	parked time.Time // when the last of those that were told to come back will have its place
}

// newRecipients makes the limiter, or nil when there is no limit. With fresh false somebody else may have sent before.
func newRecipients(l peal.Limit, fresh bool, now func() time.Time) *recipients {
	if l.Rate <= 0 {
		return nil
	}
	interval := l.Period / time.Duration(l.Rate)
	interval += interval / guard
	r := &recipients{interval: interval, burst: time.Duration(max(1, l.Burst)) * interval, now: now, all: map[string]*bucket{}, sweep: sweepAfter}
	if !fresh {
		r.began = now()
	}
	return r
}

// take is asked right before a message to a recipient: 0 says that it may go, and counts it. Else it is to come back
// after the time, when its turn should have come; those that wait are told different times.
func (r *recipients) take(recipient string) time.Duration {
	if r == nil {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	b := r.all[recipient]
	if b == nil {
		b = &bucket{full: now}
		if empty := r.began.Add(r.burst); !r.began.IsZero() && empty.After(now) {
			b.full = empty
		}
		r.forget(now)
		r.all[recipient] = b
	}
	if b.full.Before(now) {
		b.full = now
	}
	next := b.full.Add(r.interval).Add(-r.burst) // when there is one in the bucket
	if !next.After(now) {
		b.full = b.full.Add(r.interval)
		return 0
	}
	if place := b.parked.Add(r.interval); place.After(next) && b.parked.After(now) {
		next = place
	}
	b.parked = next
	return next.Sub(now)
}

// forget lets go of buckets that are full, now and again.
func (r *recipients) forget(now time.Time) {
	if len(r.all) < r.sweep {
		return
	}
	for id, b := range r.all {
		if !b.full.After(now) && !b.parked.After(now) {
			delete(r.all, id)
		}
	}
	r.sweep = max(sweepAfter, 2*len(r.all))
}
