package netguard

import (
	"errors"
	"net/netip"
	"testing"
)

func TestCheckRefusesWhatIsNotPublic(t *testing.T) {
	t.Parallel()
	g := New()
	for _, s := range []string{
		"0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254",
		"168.63.129.16", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1", "192.88.99.1",
		"192.168.1.1", "198.18.0.1", "198.19.255.255", "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.1.1.1",
		"240.0.0.1", "255.255.255.255",
		"::", "::1", "::ffff:10.0.0.1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "::8.8.8.8",
		"fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1",
		"64:ff9b::10.0.0.1", "64:ff9b::169.254.169.254", "64:ff9b:1::8.8.8.8", "100::1",
		"2001::1", "2001:10::1", "2001:2::1", "2001:db8::1", "3fff::1",
		"2002:a00:1::", "2002:7f00:1::", "2002:a9fe:a9fe::1", "4000::1",
	} {
		var refused *Refused
		if err := g.Check(netip.MustParseAddr(s)); !errors.As(err, &refused) {
			t.Errorf("%s: got %v, want it refused", s, err)
		} else if refused.Addr != netip.MustParseAddr(s) {
			t.Errorf("%s: the error names %s", s, refused.Addr)
		}
	}
	if err := g.Check(netip.Addr{}); err == nil {
		t.Error("the zero address is let through")
	}
}

func TestCheckAllowsPublic(t *testing.T) {
	t.Parallel()
	g := New()
	for _, s := range []string{
		"1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1", "192.0.1.1", "223.255.255.255",
		"::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1", "2606:4700::1111", "2a00:1450::1", "2001:4860:4860::8888",
	} {
		if err := g.Check(netip.MustParseAddr(s)); err != nil {
			t.Errorf("%s: %v", s, err)
		}
	}
}

func TestCheckAllowList(t *testing.T) {
	t.Parallel()
	g := New(netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"),
		netip.MustParsePrefix("10.1.2.3/16"), netip.MustParsePrefix("::ffff:192.168.0.0/112"), netip.MustParsePrefix("fe80::/10"))
	for s, want := range map[string]bool{
		"127.0.0.1": true, "::ffff:127.0.0.1": true, "::1": true, "10.1.255.1": true, "192.168.77.1": true,
		"fe80::1%eth0": true, "8.8.8.8": true,
		"10.2.0.1": false, "192.169.0.1": true, "192.168.0.1": true, "::2": false, "169.254.169.254": false,
	} {
		if err := g.Check(netip.MustParseAddr(s)); (err == nil) != want {
			t.Errorf("%s: got %v, want allowed %v", s, err, want)
		}
	}
}

func TestControl(t *testing.T) {
	t.Parallel()
	g := New()
	for _, c := range []struct {
		network, address string
		want             bool
	}{
		{"tcp4", "8.8.8.8:443", true},
		{"tcp6", "[2606:4700::1111]:443", true},
		{"tcp4", "127.0.0.1:443", false},
		{"tcp6", "[fe80::1%eth0]:443", false},
		{"udp4", "8.8.8.8:53", false},
		{"unix", "/run/docker.sock", false},
		{"tcp4", "localhost:80", false},
	} {
		if err := g.Control(c.network, c.address, nil); (err == nil) != c.want {
			t.Errorf("%s %s: got %v, want allowed %v", c.network, c.address, err, c.want)
		}
	}
}
