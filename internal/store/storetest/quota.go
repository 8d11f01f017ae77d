package storetest

import (
	"time"

	"peal/internal/peal"
)

func quotaCases() []testCase {
	return []testCase{
		{"limits of a tenant read back", tenantLimits},
		{"what a tenant has in flight is counted up to a bound", inFlightOf},
		{"what waits is counted by lane", pending},
		{"a key is recalled without a write", recall},
	}
}

func tenantLimits(b *bundle) {
	b.tenant("a")
	b.tenant("c")
	number := func(n int) *int { return &n }
	for _, want := range []peal.TenantLimits{{}, {Rate: number(0), Queued: number(7)}, {Queued: number(1 << 40)}, {Rate: number(3)}, {}} {
		b.ok(b.SetLimits(b.Context(), "a", want))
		got, err := b.TenantLimits(b.Context(), "a")
		b.ok(err)
		b.same("limits", got, want)
		tn, err := b.Tenant(b.Context(), "a")
		b.ok(err)
		b.same("limits, with the tenant", tn.Limits, want)
	}
	b.refused(b.SetLimits(b.Context(), "nobody", peal.TenantLimits{}), peal.NotFound)
	for _, id := range []string{"c", "nobody"} {
		got, err := b.TenantLimits(b.Context(), id)
		b.ok(err)
		b.same("limits of "+id, got, peal.TenantLimits{})
	}
}

func inFlightOf(b *bundle) {
	one, two, other := b.registered("a"), b.registered("a"), b.registered("c")
	b.acceptMany(one, 3)
	b.acceptMany(two, 2, due(b.clock.now().Add(time.Hour)))
	b.acceptMany(other, 4)
	b.sent(one)
	b.claim(one, b.accept(one).ID)
	b.accept(one, first(func(d *peal.Delivery) { d.Status, d.EndedAt = peal.Skipped, b.clock.now() }))
	for _, c := range []struct {
		tenant     string
		most, want int
	}{{"a", 100, 6}, {"a", 6, 6}, {"a", 5, 5}, {"c", 100, 4}, {"nobody", 100, 0}} {
		n, err := b.InFlightOf(b.Context(), c.tenant, c.most)
		b.ok(err)
		if n != c.want {
			b.Errorf("tenant %s, up to %d: %d in flight, want %d", c.tenant, c.most, n, c.want)
		}
	}
}

func pending(b *bundle) {
	in, other := b.integration("a"), b.integration("a")
	lane := func(p peal.Priority) func(*peal.Delivery) { return func(d *peal.Delivery) { d.Priority = p } }
	b.acceptMany(in, 2)
	b.acceptMany(in, 3, first(lane(peal.Critical)))
	b.acceptMany(in, 4, first(lane(peal.Bulk)))
	b.acceptMany(in, 5, due(b.clock.now().Add(time.Minute)))
	b.claim(in, b.accept(in).ID)
	b.sent(in)
	b.acceptMany(other, 6)
	want := map[peal.Priority]uint64{peal.Normal: 2, peal.Critical: 3, peal.Bulk: 4}
	got, err := b.Pending(b.Context(), in.ID)
	b.ok(err)
	b.same("before the others are due", got, want)
	b.clock.advance(time.Minute)
	want[peal.Normal] += 5
	got, err = b.Pending(b.Context(), in.ID)
	b.ok(err)
	b.same("after", got, want)
	got, err = b.Pending(b.Context(), "nobody's")
	b.ok(err)
	b.same("of nothing", got, map[peal.Priority]uint64{})
}

func recall(b *bundle) {
	in := b.integration("a")
	sub := b.submission(in, keyed("key", "body"))
	look := func(key, body string) (answer string, conflict, found bool) {
		again := b.submission(in, keyed(key, body))
		v, found, err := b.Recall(b.Context(), &again)
		b.ok(err)
		if found && v.Replayed == v.Conflict {
			b.Errorf("recalled as %+v", v)
		}
		return string(v.Answer), v.Conflict, found
	}
	if _, _, found := look("key", "body"); found {
		b.Error("a key was recalled before it was used")
	}
	b.acceptAll(sub)
	if answer, conflict, found := look("key", "body"); !found || conflict || answer != string(sub.Answer) {
		b.Errorf("recalled %q, conflict %v, found %v", answer, conflict, found)
	}
	if _, conflict, found := look("key", "another body"); !found || !conflict {
		b.Error("another body is no conflict")
	}
	if _, _, found := look("another key", "body"); found {
		b.Error("a key was recalled that was never used")
	}
	b.clock.advance(24*time.Hour + time.Microsecond)
	if _, _, found := look("key", "body"); found {
		b.Error("a key was recalled after its time")
	}
}
