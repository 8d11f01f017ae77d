package fcm

import (
	"math/bits"
	"sync"
)

const (
	burstWindow = 50 // answers that are looked back on
	burstLeast  = 20 // mismatches from which on it is not the devices
)

// burst watches for devices of another project. One of them is a device that has moved; many are a service account of
// the wrong project. It is safe for concurrent use.
type burst struct {
	mu   sync.Mutex
	last uint64 // a bit for each of the last answers, the newest lowest: whether it was a mismatch
	seen int
}

// add counts an answer, and tells whether there is a burst; then it begins anew.
func (w *burst) add(mismatch bool) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last <<= 1
	if mismatch {
		w.last |= 1
	}
	w.last &= 1<<burstWindow - 1
	w.seen = min(w.seen+1, burstWindow)
	n := bits.OnesCount64(w.last)
	if !mismatch || n < burstLeast || 2*n <= w.seen {
		return false
	}
	w.last, w.seen = 0, 0
	return true
}
