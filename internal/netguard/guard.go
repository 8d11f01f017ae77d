// Package netguard keeps outbound calls away from addresses that no tenant may reach.
//
// Tenants name URLs that Peal calls: a provider's base URL today, webhook endpoints later. Without a guard that is a
// way into the operator's own network. The check is made when a connection is dialed, on the address that the name has
// resolved to, so neither a name that points inside nor one that changes between check and use gets past it.
package netguard

import (
	"fmt"
	"net/netip"
	"syscall"
)

// Refused is the error of a call to an address that is not to be reached.
type Refused struct {
	Addr netip.Addr // zero when the call was to something without an IP address, such as a Unix socket
}

// Error names the address. It is for the operator's log: tenants should not learn what a name resolves to inside.
func (r *Refused) Error() string {
	if !r.Addr.IsValid() {
		return "netguard: only TCP to an IP address is allowed"
	}
	return fmt.Sprintf("netguard: %s is not a public address and not in the allow-list", r.Addr)
}

// Guard decides which addresses may be dialed: public ones, and those inside the operator's allow-list.
type Guard struct {
	allow []netip.Prefix
	only  bool // public ones are refused, too
}

// New makes a guard. The allow-list opens addresses that would be refused, such as 127.0.0.0/8 for an emulator on
// loopback; it never closes any.
func New(allow ...netip.Prefix) *Guard {
	g := &Guard{allow: make([]netip.Prefix, 0, len(allow))}
	for _, p := range allow {
		if p.Addr().Is4In6() && p.Bits() >= 96 { // netip never matches ::ffff:10.0.0.0/104 against 10.1.2.3
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		g.allow = append(g.allow, p.Masked())
	}
	return g
}

// Check gives a *Refused when the address may not be dialed.
func (g *Guard) Check(addr netip.Addr) error {
	plain := addr.Unmap().WithZone("")
	for _, p := range g.allow {
		if p.Contains(plain) {
			return nil
		}
	}
	if !g.only && public(plain) {
		return nil
	}
	return &Refused{Addr: addr}
}

// Control is for net.Dialer.Control: it is called with the address that is about to be dialed, after resolution.
func (g *Guard) Control(network, address string, _ syscall.RawConn) error {
	if network != "tcp4" && network != "tcp6" {
		return &Refused{}
	}
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return &Refused{}
	}
	return g.Check(ap.Addr())
}
