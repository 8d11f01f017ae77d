package storetest

import (
	"slices"
	"time"

	"peal/internal/peal"
)

func deadCases() []testCase {
	return []testCase{
		{"groups with counts and a sample", deadGroups},
		{"filters", deadFilters},
		{"re-drive keeps id and history, with fresh attempts", deadRedrive},
		{"re-drive at a pace", deadPace},
		{"re-drive in portions, oldest first", deadPortions},
		{"what has expired is not re-driven", deadExpired},
		{"discard", deadDiscard},
		{"only dead letters are meant", deadOnly},
	}
}

// all chooses every dead letter.
var all peal.DeadFilter

func (b *bundle) deadIDs(tenantID string) []string {
	b.Helper()
	ds, err := b.Deliveries(b.Context(), tenantID, peal.LogFilter{Dead: true, Limit: 100})
	b.ok(err)
	return ids(ds)
}

func (b *bundle) counts(tenantID string, f peal.DeadFilter, matched, expired int64) {
	b.Helper()
	m, e, err := b.DeadCounts(b.Context(), tenantID, f)
	b.ok(err)
	if m != matched || e != expired {
		b.Errorf("%+v matches %d of which %d expired; want %d and %d", f, m, e, matched, expired)
	}
}

func deadGroups(b *bundle) {
	one, two := b.integration("a"), b.integration("a")
	oldest := b.clock.now()
	b.dead(one, 2, "http_500")
	newest := b.clock.advance(time.Minute)
	last := b.dead(one, 1, "http_500")
	b.dead(one, 1, "timeout")
	b.dead(two, 2, "http_500")
	b.dead(b.integration("b"), 5, "http_500")
	groups, err := b.DeadGroups(b.Context(), "a")
	b.ok(err)
	if len(groups) != 3 {
		b.Fatalf("%d groups, want 3: %+v", len(groups), groups)
	}
	g := groups[0]
	if g.IntegrationID != one.ID || g.ErrorCode != "http_500" || g.Count != 3 || !g.Oldest.Equal(oldest) || !g.Newest.Equal(newest) {
		b.Errorf("the largest group is %+v", g)
	}
	b.same("its sample", g.Sample, b.delivery("a", last[0]))
	if groups[1].IntegrationID != two.ID || groups[1].Count != 2 || groups[2].ErrorCode != "timeout" || groups[2].Count != 1 {
		b.Errorf("the others are %+v", groups[1:])
	}
	groups, err = b.DeadGroups(b.Context(), "nobody")
	b.ok(err)
	b.same("of nobody", groups, []peal.DeadGroup(nil))
}

func deadFilters(b *bundle) {
	one, two := b.integration("a"), b.integration("a")
	start := b.clock.now()
	early := b.dead(one, 2, "x")
	middle := b.clock.advance(time.Minute)
	b.dead(one, 3, "y")
	late := b.clock.advance(time.Minute)
	b.dead(two, 4, "x", expires(late.Add(time.Second)))
	b.clock.advance(time.Minute)
	for _, c := range []struct {
		f                peal.DeadFilter
		matched, expired int64
	}{
		{all, 9, 4},
		{peal.DeadFilter{IntegrationID: one.ID}, 5, 0},
		{peal.DeadFilter{ErrorCode: "x"}, 6, 4},
		{peal.DeadFilter{ErrorCode: "x", IntegrationID: one.ID}, 2, 0},
		{peal.DeadFilter{Since: middle}, 7, 4},
		{peal.DeadFilter{Since: middle, Until: late}, 3, 0},
		{peal.DeadFilter{Until: start}, 0, 0},
		{peal.DeadFilter{IDs: []string{early[0], peal.NewID()}}, 1, 0},
		{peal.DeadFilter{IDs: []string{}}, 0, 0},
		{peal.DeadFilter{IDs: early, ErrorCode: "y"}, 0, 0},
		{peal.DeadFilter{ErrorCode: "x' OR '1'='1"}, 0, 0},
	} {
		b.counts("a", c.f, c.matched, c.expired)
	}
}

func deadRedrive(b *bundle) {
	in := b.integration("a")
	d := b.accept(in)
	for n := 1; n <= 3; n++ { // its third attempt was its last
		b.claim(in, d.ID)
		b.record(b.attempt(in, d.ID, peal.ClassTemporary, peal.Queued, func(a *peal.Attempt) {
			a.Number = n
			if n == 3 {
				a.Next, a.Dead = peal.Failed, true
			}
		}))
		b.clock.advance(time.Second)
	}
	history := b.timeline(d)
	jobs, err := b.Redrive(b.Context(), "a", peal.DeadFilter{IDs: []string{d.ID}}, 10, peal.Pace{})
	b.ok(err)
	if len(jobs) != 1 || jobs[0].DeliveryID != d.ID || jobs[0].IntegrationID != in.ID || !jobs[0].Due.IsZero() {
		b.Fatalf("jobs are %+v", jobs)
	}
	got := b.status(d, peal.Queued)
	if got.Attempts != 3 || got.Round != 3 || !got.DeadAt.IsZero() || !got.EndedAt.IsZero() || !got.DueAt.IsZero() {
		b.Errorf("re-driven as %+v", got)
	}
	b.same("timeline", b.timeline(d), append(history, "redriven queued"))
	b.counts("a", all, 0, 0)
	ready := b.claim(in, d.ID)
	if ready[0].Attempts-ready[0].Round != 1 {
		b.Errorf("its next attempt is number %d of the round", ready[0].Attempts-ready[0].Round)
	}
	b.record(b.attempt(in, d.ID, peal.ClassAccepted, peal.Sent, func(a *peal.Attempt) { a.Number = 4 }))
	b.status(d, peal.Sent)
}

func deadPace(b *bundle) {
	in := b.integration("a")
	list := b.dead(in, 4, "x")
	now := b.clock.advance(time.Minute)
	jobs, err := b.Redrive(b.Context(), "a", all, 10, peal.Pace{Start: 10 * time.Second, Spacing: 500 * time.Millisecond})
	b.ok(err)
	if len(jobs) != 4 {
		b.Fatalf("jobs are %+v", jobs)
	}
	for i, j := range jobs {
		want := now.Add(10*time.Second + time.Duration(i)*500*time.Millisecond)
		if j.DeliveryID != list[i] || !j.Due.Equal(want) || !b.delivery("a", j.DeliveryID).DueAt.Equal(want) {
			b.Errorf("job %d is %+v; want it due at %s", i, j, want)
		}
	}
	c, err := b.Claim(b.Context(), in, list, true)
	b.ok(err)
	if len(c.Ready) != 0 {
		b.Error("one was ready before its time")
	}
}

func deadPortions(b *bundle) {
	in := b.integration("a")
	list := b.dead(in, 5, "x")
	for len(list) > 0 {
		n := min(2, len(list))
		jobs, err := b.Redrive(b.Context(), "a", all, 2, peal.Pace{})
		b.ok(err)
		var got []string
		for _, j := range jobs {
			got = append(got, j.DeliveryID)
		}
		b.same("a portion", got, list[:n])
		list = list[n:]
		b.counts("a", all, int64(len(list)), 0)
	}
}

func deadExpired(b *bundle) {
	in := b.integration("a")
	over := b.dead(in, 2, "x", expires(b.clock.now().Add(time.Minute)))
	alive := b.dead(in, 1, "x")
	b.clock.advance(time.Minute)
	b.counts("a", all, 3, 2)
	jobs, err := b.Redrive(b.Context(), "a", peal.DeadFilter{IDs: slices.Concat(over, alive)}, 10, peal.Pace{})
	b.ok(err)
	if len(jobs) != 1 || jobs[0].DeliveryID != alive[0] {
		b.Errorf("jobs are %+v", jobs)
	}
	b.counts("a", all, 2, 2)
	b.same("still dead", b.deadIDs("a"), []string{over[1], over[0]})
}

func deadDiscard(b *bundle) {
	in := b.integration("a")
	list := b.dead(in, 3, "x")
	b.dead(in, 1, "y")
	n, err := b.Discard(b.Context(), "a", peal.DeadFilter{ErrorCode: "x"}, 2)
	b.ok(err)
	if n != 2 {
		b.Errorf("%d were discarded, want 2", n)
	}
	b.counts("a", all, 2, 0)
	d := b.delivery("a", list[0])
	if d.Status != peal.Failed || !d.DeadAt.IsZero() || d.EndedAt.IsZero() || d.ErrorCode != "x" {
		b.Errorf("discarded as %+v", d)
	}
	b.same("timeline", b.timeline(d), []string{"queued queued", "attempt failed", "discarded failed"})
	jobs, err := b.Redrive(b.Context(), "a", peal.DeadFilter{IDs: list[:2]}, 10, peal.Pace{})
	b.ok(err)
	if len(jobs) != 0 {
		b.Errorf("what was discarded was re-driven: %+v", jobs)
	}
}

func deadOnly(b *bundle) {
	in := b.integration("a")
	failed := b.accept(in)
	b.claim(in, failed.ID)
	b.record(b.attempt(in, failed.ID, peal.ClassPermanent, peal.Failed))
	others := []string{failed.ID, b.accept(in).ID, b.sent(in).ID}
	f := peal.DeadFilter{IDs: others}
	b.counts("a", f, 0, 0)
	jobs, err := b.Redrive(b.Context(), "a", f, 10, peal.Pace{})
	b.ok(err)
	n, err := b.Discard(b.Context(), "a", f, 10)
	b.ok(err)
	if len(jobs) != 0 || n != 0 {
		b.Errorf("%d were re-driven and %d discarded; none is a dead letter", len(jobs), n)
	}
	b.status(failed, peal.Failed)
}
