// Package bell wakes who waits for something to happen: in this process at once, and in others by whoever passes it on.
package bell

import (
	"context"
	"sync"
	"time"
)

// Bell wakes those who watch a key. A ring is only a hint: several may come as one. Create it with New.
type Bell struct {
	mu       sync.Mutex
	watchers map[string]map[chan struct{}]struct{}
	rung     map[string]bool // here, and not yet passed on
	kick     chan struct{}
}

// New makes a bell that nobody watches.
func New() *Bell {
	return &Bell{watchers: map[string]map[chan struct{}]struct{}{}, rung: map[string]bool{}, kick: make(chan struct{}, 1)}
}

// Ring wakes who watches one of the keys, here and, by Pass, elsewhere. It waits for nobody.
func (b *Bell) Ring(keys []string) {
	b.mu.Lock()
	for _, key := range keys {
		b.wake(key)
		b.rung[key] = true
	}
	b.mu.Unlock()
	nudge(b.kick)
}

// Heard wakes who watches the key here: it was rung elsewhere.
func (b *Bell) Heard(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wake(key)
}

func (b *Bell) wake(key string) {
	for c := range b.watchers[key] {
		nudge(c)
	}
}

func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // one is waiting already
	}
}

// Watch gives a channel that holds a ring once the key was rung, until stop is called.
func (b *Bell) Watch(key string) (rings <-chan struct{}, stop func()) {
	c := make(chan struct{}, 1)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.watchers[key] == nil {
		b.watchers[key] = map[chan struct{}]struct{}{}
	}
	b.watchers[key][c] = struct{}{}
	return c, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if delete(b.watchers[key], c); len(b.watchers[key]) == 0 {
			delete(b.watchers, key)
		}
	}
}

// Pass tells others of every key that was rung here, until ctx ends: each at most once in the time.
func (b *Bell) Pass(ctx context.Context, every time.Duration, tell func(key string)) {
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		}
		select {
		case <-ctx.Done():
			return
		case <-b.kick:
		}
		b.mu.Lock()
		rung := b.rung
		b.rung = map[string]bool{}
		b.mu.Unlock()
		for key := range rung {
			tell(key)
		}
		pause.Reset(every)
	}
}
