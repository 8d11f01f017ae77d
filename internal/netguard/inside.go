package netguard

import "net/netip"

// Inside makes a guard that lets nothing through but what the allow-list names: what is said in the clear is not to leave
// the operator's own network.
func (g *Guard) Inside() *Guard { return &Guard{allow: g.allow, only: true} }

// MayReach tells of a host whether it can be reached at all: of an address, whether it would be let through; what a name
// resolves to shows only when it is dialed.
func (g *Guard) MayReach(host string) bool {
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return !g.only || len(g.allow) > 0
	}
	return g.Check(addr) == nil
}

// MayBeInside tells of a host whether it can be one of the allow-list.
func (g *Guard) MayBeInside(host string) bool { return g.Inside().MayReach(host) }
