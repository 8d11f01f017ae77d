package storetest

import (
	"slices"
	"time"

	"peal/internal/peal"
)

func leaseCases() []testCase {
	return []testCase{
		{"a lease has one holder until it runs out", leaseHolder},
		{"a released lease is free at once", leaseReleased},
		{"a lease that ran out stays its holder's until another takes it", leaseRanOut},
		{"nodes are known while they are heard of", nodesLive},
	}
}

const leaseTTL = 10 * time.Second

func (b *bundle) take(node string, names ...string) []peal.Lease {
	b.Helper()
	got, err := b.Take(b.Context(), node, names, leaseTTL)
	if err != nil {
		b.Fatalf("take: %v", err)
	}
	return got
}

func (b *bundle) renew(node string, names ...string) []string {
	b.Helper()
	got, err := b.Renew(b.Context(), node, names, leaseTTL)
	if err != nil {
		b.Fatalf("renew: %v", err)
	}
	return got
}

func (b *bundle) wantLeases(got []peal.Lease, want ...peal.Lease) {
	b.Helper()
	if !slices.Equal(got, want) {
		b.Errorf("leases %v, want %v", got, want)
	}
}

func leaseHolder(b *bundle) {
	b.wantLeases(b.take("a", "x", "y"), peal.Lease{Name: "x", Epoch: 1}, peal.Lease{Name: "y", Epoch: 1})
	b.wantLeases(b.take("b", "x", "y", "z"), peal.Lease{Name: "z", Epoch: 1})
	b.wantLeases(b.take("a", "x"), peal.Lease{Name: "x", Epoch: 1})
	b.clock.advance(leaseTTL - time.Second)
	if got := b.renew("a", "x", "z"); !slices.Equal(got, []string{"x"}) {
		b.Errorf("renewed %v, want x alone: z is another's", got)
	}
	b.clock.advance(2 * time.Second)
	b.wantLeases(b.take("b", "x", "y"), peal.Lease{Name: "y", Epoch: 2})
	if got := b.renew("a", "y"); len(got) != 0 {
		b.Errorf("renewed %v, which is another's now", got)
	}
	b.clock.advance(leaseTTL)
	b.wantLeases(b.take("b", "x"), peal.Lease{Name: "x", Epoch: 2})
	b.clock.advance(leaseTTL)
	b.wantLeases(b.take("a", "x"), peal.Lease{Name: "x", Epoch: 3})
}

func leaseReleased(b *bundle) {
	b.take("a", "x", "y")
	if err := b.Release(b.Context(), "b", []string{"x"}); err != nil { // not its own
		b.Fatal(err)
	}
	b.wantLeases(b.take("b", "x"))
	if err := b.Release(b.Context(), "a", []string{"x"}); err != nil {
		b.Fatal(err)
	}
	b.wantLeases(b.take("b", "x", "y"), peal.Lease{Name: "x", Epoch: 2})
}

func leaseRanOut(b *bundle) {
	b.take("a", "x")
	b.clock.advance(time.Hour)
	if got := b.renew("a", "x"); !slices.Equal(got, []string{"x"}) {
		b.Errorf("renewed %v, want x", got)
	}
	b.wantLeases(b.take("b", "x"))
}

func nodesLive(b *bundle) {
	beat := func(id string, roles ...string) []string {
		b.Helper()
		nodes, err := b.Beat(b.Context(), peal.Node{ID: id, Roles: roles, Version: "1", StartedAt: b.clock.now()}, leaseTTL)
		if err != nil {
			b.Fatal(err)
		}
		var out []string
		for _, n := range nodes {
			out = append(out, n.ID+":"+n.Roles[len(n.Roles)-1])
		}
		return out
	}
	beat("a", peal.RoleAccept, peal.RoleSend)
	b.clock.advance(leaseTTL / 2)
	if got := beat("b", peal.RoleTrack); !slices.Equal(got, []string{"a:send", "b:track"}) {
		b.Errorf("nodes %v", got)
	}
	b.clock.advance(leaseTTL / 2)
	if got := beat("b", peal.RoleTrack); !slices.Equal(got, []string{"b:track"}) {
		b.Errorf("nodes %v, of which a has been silent for long", got)
	}
	if err := b.Leave(b.Context(), "b"); err != nil {
		b.Fatal(err)
	}
	if got := beat("c", peal.RoleSend); !slices.Equal(got, []string{"c:send"}) {
		b.Errorf("nodes %v after b left", got)
	}
}
