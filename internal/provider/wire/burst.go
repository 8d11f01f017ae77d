package wire

import (
	"math/bits"
	"sync"
)

const (
	burstWindow = 50 // answers that are looked back on
	burstLeast  = 20 // bad ones, from which on it is no accident
)

// Burst looks back on answers, of which the bad ones give a device up. A few are devices that are gone; very many are a
// setting that is wrong, and the devices must not be given up for that. It is safe for concurrent use, and the zero value
// is ready.
type Burst struct {
	mu   sync.Mutex
	last uint64 // a bit for each of the last answers, the newest lowest: 1 is bad
	seen int
}

// Add counts an answer, and tells whether it is one of a burst of bad ones: of 20 and more, which are more than half of the
// last 50. It stays one for all that were on their way together.
func (b *Burst) Add(bad bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last <<= 1
	if bad {
		b.last |= 1
	}
	b.last &= 1<<burstWindow - 1
	b.seen = min(b.seen+1, burstWindow)
	n := bits.OnesCount64(b.last)
	return bad && n >= burstLeast && 2*n > b.seen
}
