package lease

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Lease is the right to do something alone.
type Lease struct {
	Epoch int64 // rises when the lease changes hands; 1 is its first holder ever

	name, role string
	keeper     *Keeper
	until      atomic.Pointer[time.Time] // by the monotonic clock of this process
	done       chan struct{}
	once       sync.Once
	lost       bool
}

// Valid tells whether the lease still holds at this instant. What is begun after it has said so and before another node
// could have the lease is safe.
func (l *Lease) Valid() bool { return time.Now().Before(*l.until.Load()) }

// First tells whether nobody had the lease before, ever.
func (l *Lease) First() bool { return l.Epoch == 1 }

// Done is closed when the holder is to stop and to release the lease: another node is to have it, or has it.
func (l *Lease) Done() <-chan struct{} { return l.done }

// Context gives a context that ends with ctx or when the holder is to stop.
func (l *Lease) Context(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		defer cancel()
		select {
		case <-l.done:
		case <-ctx.Done():
		}
	}()
	return ctx
}

// Release lets another node have the lease at once. Call it when everything that needed the lease has ended.
func (l *Lease) Release() {
	k := l.keeper
	k.mu.Lock()
	if k.held[l.name] == l {
		delete(k.held, l.name)
	}
	lost := l.lost
	k.mu.Unlock()
	l.end()
	if lost {
		return
	}
	k.rounds.Lock()
	defer k.rounds.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), k.cfg.TTL/2)
	defer cancel()
	if err := k.cfg.Records.Release(ctx, k.cfg.Node.ID, []string{l.name}); err != nil {
		k.cfg.Log.Warn("lease not released; it runs out by itself", "lease", l.name, "error", err)
	}
}

// extend notes a renewal that was asked for at a time: the records counted from then or later.
func (l *Lease) extend(asked time.Time) {
	ttl := l.keeper.cfg.TTL
	until := asked.Add(ttl - ttl/margin)
	l.until.Store(&until)
}

func (l *Lease) end() { l.once.Do(func() { close(l.done) }) }

// lose notes that another node has the lease. The keeper's mu is held.
func (l *Lease) lose() {
	l.lost = true
	past := time.Now().Add(-time.Hour)
	l.until.Store(&past)
	l.end()
}
