package httpapi

import (
	"sync"

	"peal/api"
)

// batchWeight is how many requests a batch counts as while it is being accepted.
const batchWeight = 32

// gate bounds what is in memory at once: beyond it a request is told to come again, before its body is read. One holder
// (a tenant, a webhook address) gets at most half of it, so that there is room for the others.
type gate struct {
	most, share int64

	mu     sync.Mutex
	inside int64
	by     map[string]int64 // by holder; those that hold nothing are not in it
}

func newGate(most int64) *gate {
	return &gate{most: most, share: max(1, most/2), by: map[string]int64{}}
}

// enter lets a holder's weight in; leave it again with leave. Beyond the bound it is a problem to answer. What weighs
// more than a holder's share counts as the share, or it would never get in.
func (g *gate) enter(holder string, weight int64) error {
	weight = min(weight, g.share)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inside+weight > g.most || g.by[holder]+weight > g.share {
		return newProblem(api.CodeOverloaded, "too many requests are being worked on")
	}
	g.inside += weight
	g.by[holder] += weight
	return nil
}

func (g *gate) leave(holder string, weight int64) {
	weight = min(weight, g.share)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside -= weight
	if g.by[holder] -= weight; g.by[holder] == 0 {
		delete(g.by, holder)
	}
}
