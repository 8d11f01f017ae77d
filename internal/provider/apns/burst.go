package apns

import (
	"sync"

	"peal/internal/provider/wire"
)

const maxBursts = 1000

// bursts look back on each app's last pushes: bad tokens are devices that are gone, or an app whose environment is set
// wrong.
type bursts struct {
	mu   sync.Mutex
	apps map[string]*wire.Burst
}

// add counts a push, and tells whether its token is one of a burst of bad ones.
func (b *bursts) add(app string, bad bool) bool {
	b.mu.Lock()
	r := b.apps[app]
	if r == nil {
		if b.apps == nil || len(b.apps) >= maxBursts { // app ids come from devices: they must not fill the memory
			b.apps = map[string]*wire.Burst{}
		}
		r = &wire.Burst{}
		b.apps[app] = r
	}
	b.mu.Unlock()
	return r.Add(bad)
}
