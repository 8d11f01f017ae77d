package apns

import "sync"

const (
	burstWindow = 50 // pushes of an app that are looked at
	burstBad    = 20 // bad tokens among them, from which on it is no accident
	maxBursts   = 1000
)

// bursts remember how the last pushes of each app went. A few bad tokens are devices that are gone; very many are an app
// whose environment is set wrong, and its devices must not be given up for that.
type bursts struct {
	mu   sync.Mutex
	apps map[string]*burst
}

// burst is the ring of an app's last pushes.
type burst struct {
	ring  [burstWindow]bool // true is a bad token
	at, n int
	bad   int
}

// add remembers one, and tells whether there is a burst of bad ones: 20 and more, and more than half of the last 50.
func (b *bursts) add(app string, bad bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.apps[app]
	if r == nil {
		if b.apps == nil || len(b.apps) >= maxBursts { // app ids come from devices: they must not fill the memory
			b.apps = map[string]*burst{}
		}
		r = &burst{}
		b.apps[app] = r
	}
	if r.n == burstWindow && r.ring[r.at] {
		r.bad--
	}
	r.ring[r.at] = bad
	r.at = (r.at + 1) % burstWindow
	r.n = min(r.n+1, burstWindow)
	if bad {
		r.bad++
	}
	return r.bad >= burstBad && 2*r.bad > r.n
}
