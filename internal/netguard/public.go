package netguard

import "net/netip"

// nat64 is the well-known prefix (RFC 6052): the last 32 bits are the IPv4 address that is really reached.
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// sixToFour is 6to4 (RFC 3056): the 32 bits after the prefix are the IPv4 address of the far end.
var sixToFour = netip.MustParsePrefix("2002::/16")

// global is the only part of IPv6 that is handed out for unicast on the internet. Whatever lies outside (loopback,
// link-local, unique local with the metadata addresses of clouds, multicast, local NAT64, IPv4-compatible) is not public.
var global = netip.MustParsePrefix("2000::/3")

// special are the parts of IPv4, and of global, that are not for the public: IANA's special-purpose registries,
// multicast, and the one metadata address that a cloud has put on a public one.
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),        // "this network"; Linux takes 0.0.0.0 for loopback
	netip.MustParsePrefix("10.0.0.0/8"),       // private
	netip.MustParsePrefix("100.64.0.0/10"),    // carrier-grade NAT; metadata of Alibaba Cloud
	netip.MustParsePrefix("127.0.0.0/8"),      // loopback
	netip.MustParsePrefix("168.63.129.16/32"), // Azure's host agent
	netip.MustParsePrefix("169.254.0.0/16"),   // link-local; metadata of most clouds
	netip.MustParsePrefix("172.16.0.0/12"),    // private
	netip.MustParsePrefix("192.0.0.0/24"),     // protocol assignments; metadata of Oracle Cloud
	netip.MustParsePrefix("192.0.2.0/24"),     // documentation
	netip.MustParsePrefix("192.88.99.0/24"),   // 6to4 relays, deprecated
	netip.MustParsePrefix("192.168.0.0/16"),   // private
	netip.MustParsePrefix("198.18.0.0/15"),    // benchmarks
	netip.MustParsePrefix("198.51.100.0/24"),  // documentation
	netip.MustParsePrefix("203.0.113.0/24"),   // documentation
	netip.MustParsePrefix("224.0.0.0/4"),      // multicast
	netip.MustParsePrefix("240.0.0.0/4"),      // reserved, broadcast
	netip.MustParsePrefix("2001::/23"),        // protocol assignments: Teredo, ORCHID, benchmarks
	netip.MustParsePrefix("2001:db8::/32"),    // documentation
	netip.MustParsePrefix("3fff::/20"),        // documentation
}

// public tells whether an address is one of the internet's. It expects no zone and no IPv4-mapped form.
func public(a netip.Addr) bool {
	if !a.IsValid() {
		return false
	}
	if a.Is6() {
		b := a.As16()
		switch {
		case nat64.Contains(a):
			return public(netip.AddrFrom4([4]byte(b[12:16])))
		case sixToFour.Contains(a):
			return public(netip.AddrFrom4([4]byte(b[2:6])))
		case !global.Contains(a):
			return false
		}
	}
	for _, p := range special {
		if p.Contains(a) {
			return false
		}
	}
	return true
}
