package stream

import (
	"errors"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// tryEvery is the time between publishes while the broker does not keep jobs.
const tryEvery = time.Second

// errRefuses says that the broker is there and has not kept a job when last asked to.
var errRefuses = errors.New("the broker does not keep jobs (disk full?)")

// health remembers whether the broker keeps jobs. Once it has failed to, one publish in tryEvery finds out whether it does
// again, and the others are not made. The zero value is healthy.
type health struct {
	mu   sync.Mutex
	away bool
	next time.Time                // the next try while it is away
	kept <-chan *jetstream.PubAck // what comes of the last try; nil when none is awaited
	err  <-chan error
}

// ok tells whether jobs are kept, as far as is known.
func (h *health) ok() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.look()
	return !h.away
}

// try tells whether to publish now.
func (h *health) try() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.look(); !h.away {
		return true
	}
	now := time.Now()
	if now.Before(h.next) {
		return false
	}
	h.next = now.Add(tryEvery)
	return true
}

// watch waits for nothing: what comes of a try is seen by who asks next.
func (h *health) watch(f jetstream.PubAckFuture) {
	h.mu.Lock()
	away := h.away
	h.mu.Unlock()
	if !away {
		return
	}
	kept, err := f.Ok(), f.Err() // without the lock: the client calls went with a lock of its own in hand
	h.mu.Lock()
	defer h.mu.Unlock()
	h.kept, h.err = kept, err
}

// look sees what has come of the last try; the caller holds the lock.
func (h *health) look() {
	select {
	case <-h.kept:
		h.away, h.kept, h.err = false, nil, nil
	case err := <-h.err:
		h.away, h.kept, h.err = !stands(err), nil, nil
	default:
	}
}

// went notes whether the broker kept a job.
func (h *health) went(well bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if well {
		h.away, h.kept, h.err = false, nil, nil
		return
	}
	if !h.away {
		h.away, h.next = true, time.Now().Add(tryEvery)
	}
}
