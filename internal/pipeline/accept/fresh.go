package accept

import (
	"context"
	"sync"
	"time"
)

const (
	freshEvery = time.Second            // how old what is known may be while it is asked for
	freshShare = 20                     // a look takes at most this part of the time: one that takes 1 s is made every 20 s
	freshFirst = 250 * time.Millisecond // how long the first who asks waits for the first look
	freshTime  = 30 * time.Second       // of one look
	freshWarm  = 30 * time.Second       // what nobody has asked for in this time is not looked at, and no longer fresh
	freshIdle  = 10 * time.Minute       // and in this time it is forgotten
)

// fresh looks after what requests need to know and must not ask for themselves. What is asked for is looked at in the
// background, one after the other: each at most once in freshEvery, and only while somebody asks.
type fresh struct {
	look func(ctx context.Context, key string) // reads, and keeps what it read
	drop func(key string)                      // forgets what was kept

	mu   sync.Mutex
	all  map[string]*asked
	wake chan struct{}
}

// asked is one thing that was asked for.
type asked struct {
	last  time.Time     // when somebody last asked
	next  time.Time     // not looked at before
	ready chan struct{} // closed after the first look, or the first in a long time
	once  bool          // it is closed, or nobody waits for it any more
}

func newFresh(look func(context.Context, string), drop func(string)) *fresh {
	return &fresh{look: look, drop: drop, all: map[string]*asked{}, wake: make(chan struct{}, 1)}
}

// ask says that somebody needs to know. The first to ask, or the first in a long time, waits a little for the look.
func (f *fresh) ask(ctx context.Context, key string) {
	now := time.Now()
	f.mu.Lock()
	a := f.all[key]
	if a == nil {
		a = &asked{}
		f.all[key] = a
	}
	if now.Sub(a.last) > freshWarm {
		a.ready, a.once = make(chan struct{}), false
		select {
		case f.wake <- struct{}{}:
		default:
		}
	}
	a.last = now
	wait, ready := !a.once, a.ready
	f.mu.Unlock()
	if !wait {
		return
	}
	t := time.NewTimer(freshFirst)
	defer t.Stop()
	select {
	case <-ready:
	case <-t.C:
	case <-ctx.Done():
	}
	f.mu.Lock()
	a.once = true
	f.mu.Unlock()
}

// forget has a thing looked at anew before it is known again.
func (f *fresh) forget(key string) {
	f.mu.Lock()
	delete(f.all, key)
	f.mu.Unlock()
	f.drop(key)
}

// run looks until ctx ends.
func (f *fresh) run(ctx context.Context) {
	tick := time.NewTicker(freshEvery)
	defer tick.Stop()
	for {
		for _, key := range f.due(time.Now()) {
			if ctx.Err() != nil {
				return
			}
			f.lookAt(ctx, key)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-f.wake:
		}
	}
}

// due gives what is to be looked at, and forgets what nobody asks for.
func (f *fresh) due(now time.Time) (keys []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for key, a := range f.all {
		switch {
		case now.Sub(a.last) > freshIdle:
			delete(f.all, key)
			f.drop(key)
		case !now.Before(a.next) && now.Sub(a.last) <= freshWarm:
			keys = append(keys, key)
		}
	}
	return keys
}

func (f *fresh) lookAt(ctx context.Context, key string) {
	lctx, cancel := context.WithTimeout(ctx, freshTime)
	defer cancel()
	start := time.Now()
	f.look(lctx, key)
	end := time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	a := f.all[key]
	if a == nil { // forgotten meanwhile
		return
	}
	a.next = end.Add(max(freshEvery, freshShare*end.Sub(start)))
	select {
	case <-a.ready:
	default:
		close(a.ready)
	}
	a.once = true
}
