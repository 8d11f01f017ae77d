package storetest

import (
	"slices"
	"strings"
	"time"

	"peal/internal/peal"
)

func leaseCases() []testCase {
	return []testCase{
		{"a lease has one holder", leaseHolder},
		{"a released lease is free at once", leaseReleased},
		{"a lease that stands as it was seen may be taken", leaseAsSeen},
		{"a lease that was written to since it was seen may not", leaseSeenBefore},
		{"no clock has a say", leaseClock},
		{"nodes are known until they leave", nodesKnown},
	}
}

// take tries for leases that must be free, or the node's own.
func (b *bundle) take(node string, names ...string) []peal.Lease {
	b.Helper()
	var free []peal.Lease
	for _, name := range names {
		free = append(free, peal.Lease{Name: name})
	}
	return b.takeAs(node, free...)
}

// takeAs tries for leases, and gives them without their renewals.
func (b *bundle) takeAs(node string, seen ...peal.Lease) []peal.Lease {
	b.Helper()
	got, err := b.Take(b.Context(), node, seen)
	if err != nil {
		b.Fatalf("take: %v", err)
	}
	for i := range got {
		got[i].Renewals = 0
	}
	return got
}

func (b *bundle) renew(node string, names ...string) []string {
	b.Helper()
	got, err := b.Renew(b.Context(), node, names)
	if err != nil {
		b.Fatalf("renew: %v", err)
	}
	return got
}

// stands gives a lease as it stands.
func (b *bundle) stands(name string) peal.Lease {
	b.Helper()
	all, err := b.Leases(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	i := slices.IndexFunc(all, func(l peal.Lease) bool { return l.Name == name })
	if i < 0 {
		b.Fatalf("there is no lease %s among %v", name, all)
	}
	return all[i]
}

func (b *bundle) wantLeases(got []peal.Lease, want ...peal.Lease) {
	b.Helper()
	if !slices.Equal(got, want) {
		b.Errorf("leases %v, want %v", got, want)
	}
}

func leaseHolder(b *bundle) {
	b.wantLeases(b.take("a", "y", "x"), peal.Lease{Name: "x", Node: "a", Epoch: 1}, peal.Lease{Name: "y", Node: "a", Epoch: 1})
	b.wantLeases(b.take("b", "x", "y", "z"), peal.Lease{Name: "z", Node: "b", Epoch: 1})
	if got := b.renew("a", "x", "z"); !slices.Equal(got, []string{"x"}) {
		b.Errorf("renewed %v, want x alone: z is another's", got)
	}
	b.wantLeases(b.take("a", "x"), peal.Lease{Name: "x", Node: "a", Epoch: 2}) // taken again: what was in between nobody knows
	if l := b.stands("x"); l.Node != "a" || l.Epoch != 2 {
		b.Errorf("it stands as %v", l)
	}
}

func leaseReleased(b *bundle) {
	b.take("a", "x", "y")
	b.ok(b.Release(b.Context(), "b", []string{"x"})) // not its own
	b.wantLeases(b.take("b", "x"))
	b.ok(b.Release(b.Context(), "a", []string{"x"}))
	if got := b.renew("a", "x"); len(got) != 0 {
		b.Errorf("renewed %v, which it has released", got)
	}
	b.wantLeases(b.take("b", "x", "y"), peal.Lease{Name: "x", Node: "b", Epoch: 2})
}

func leaseAsSeen(b *bundle) {
	b.take("a", "x")
	b.renew("a", "x")
	seen := b.stands("x")
	b.wantLeases(b.takeAs("b", seen), peal.Lease{Name: "x", Node: "b", Epoch: 2})
	if got := b.renew("a", "x"); len(got) != 0 {
		b.Errorf("renewed %v, which is another's now", got)
	}
	b.wantLeases(b.takeAs("c", seen)) // the other was first
}

func leaseSeenBefore(b *bundle) {
	b.take("a", "x")
	for what, write := range map[string]func(){
		"renewed":     func() { b.renew("a", "x") },
		"taken again": func() { b.take("a", "x") },
		"had by another meanwhile": func() {
			b.ok(b.Release(b.Context(), "a", []string{"x"}))
			b.take("c", "x")
			b.ok(b.Release(b.Context(), "c", []string{"x"}))
			b.take("a", "x")
		},
	} {
		seen := b.stands("x")
		write()
		if got := b.takeAs("b", seen); len(got) != 0 {
			b.Errorf("%s since it was seen, and taken: %v", what, got)
		}
	}
}

func leaseClock(b *bundle) {
	b.take("a", "x")
	for _, jump := range []time.Duration{time.Hour, -2 * time.Hour} {
		b.clock.advance(jump)
		b.wantLeases(b.take("b", "x"))
		if got := b.renew("a", "x"); !slices.Equal(got, []string{"x"}) {
			b.Errorf("renewed %v, want x", got)
		}
	}
	b.wantLeases(b.takeAs("b", b.stands("x")), peal.Lease{Name: "x", Node: "b", Epoch: 2})
}

func nodesKnown(b *bundle) {
	beat := func(id string, refuses []string, roles ...string) string {
		b.Helper()
		nodes, err := b.Beat(b.Context(), peal.Node{ID: id, Roles: roles, Version: "1", StartedAt: b.clock.now(), Refuses: refuses})
		if err != nil {
			b.Fatal(err)
		}
		var out []string
		for _, n := range nodes {
			out = append(out, n.ID+":"+strings.Join(n.Roles, ",")+":"+strings.Join(n.Refuses, ",")+":"+strings.Repeat("|", int(n.Beats)))
		}
		return strings.Join(out, " ")
	}
	beat("a", nil, peal.RoleAccept, peal.RoleSend)
	b.same("nodes", beat("b", []string{"x", "y"}, peal.RoleTrack), "a:accept,send::| b:track:x,y:|")
	b.clock.advance(time.Hour)
	b.same("nodes", beat("b", nil, peal.RoleTrack), "a:accept,send::| b:track::||")
	b.ok(b.Leave(b.Context(), "b"))
	b.same("nodes", beat("c", nil, peal.RoleSend), "a:accept,send::| c:send::|")
}
