package track

import (
	"sync"
	"time"
)

// breaker remembers that the broker is away, so that not every webhook waits for it: after a failure one in breakerRest
// tries it, and the others go elsewhere at once. The zero value is ready.
type breaker struct {
	mu    sync.Mutex
	until time.Time // the next try; zero while all is well
}

// breakerRest is the time between tries.
const breakerRest = time.Second

// try tells whether to try now. Who is told so says how it went.
func (b *breaker) try(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.until.IsZero() {
		return true
	}
	if now.Before(b.until) {
		return false
	}
	b.until = now.Add(breakerRest) // this one, and nobody else for a while
	return true
}

// went notes how a try went; it tells whether that is news.
func (b *breaker) went(well bool, now time.Time) (news bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	news = b.until.IsZero() != well
	if well {
		b.until = time.Time{}
	} else {
		b.until = now.Add(breakerRest)
	}
	return news
}
