package storetest

import (
	"time"

	"peal/internal/peal"
)

func replayCases() []testCase {
	return []testCase{
		{"unreadable webhooks are listed, found and forgotten", unreadables},
		{"replays are kept with their progress", replays},
		{"folding again changes nothing that was right", refoldNothing},
		{"folding again mends what was missed", refoldMends},
		{"folding again joins ids first", refoldJoins},
		{"folding again parks nothing", refoldParks},
	}
}

func unreadables(b *bundle) {
	in, other := b.integration("a"), b.integration("b")
	received := b.clock.now()
	for i, body := range []string{"one", "two", "two", "three"} { // the second stands once, with its newer reason
		b.ok(b.Unreadable(b.Context(), in.ID, received.Add(time.Duration(min(i, 2))*time.Second), "not JSON"+body[:i/3], []byte(body)))
	}
	b.ok(b.Unreadable(b.Context(), in.ID, received, "now for another reason", []byte("one")))
	b.ok(b.Unreadable(b.Context(), other.ID, received, "not JSON", []byte("of another")))
	all, err := b.UnreadableAfter(b.Context(), []string{in.ID}, 0, time.Time{}, time.Time{}, 10)
	b.ok(err)
	if len(all) != 3 {
		b.Fatalf("there are %d, want 3: %+v", len(all), all)
	}
	first := all[0]
	if first.IntegrationID != in.ID || !first.ReceivedAt.Equal(received) || first.Reason != "now for another reason" ||
		string(first.Body) != "one" || first.Mark != peal.CallbackMark([]byte("one")) {
		b.Errorf("the first is %+v", first)
	}
	for _, c := range []struct {
		after        int64
		since, until time.Time
		limit        int
		want         []peal.Unreadable
	}{
		{0, time.Time{}, time.Time{}, 2, all[:2]},
		{all[1].ID, time.Time{}, time.Time{}, 10, all[2:]},
		{0, received.Add(time.Second), time.Time{}, 10, all[1:]},
		{0, time.Time{}, received.Add(time.Second), 10, all[:1]},
	} {
		got, err := b.UnreadableAfter(b.Context(), []string{in.ID}, c.after, c.since, c.until, c.limit)
		b.ok(err)
		b.same("a page", got, c.want)
	}
	none, err := b.UnreadableAfter(b.Context(), nil, 0, time.Time{}, time.Time{}, 10)
	b.ok(err)
	if len(none) != 0 {
		b.Errorf("of no integration there are %+v", none)
	}
	got, err := b.UnreadableBy(b.Context(), first.ID)
	b.ok(err)
	b.same("by its number", got, first)
	if _, err := b.UnreadableBy(b.Context(), 1<<40); peal.KindOf(err) != peal.NotFound {
		b.Errorf("one that is not there: %v", err)
	}
	why, err := b.WhyUnreadable(b.Context(), []string{first.Mark, "nobody's"})
	b.ok(err)
	b.same("why", why, map[string]string{first.Mark: first.Reason})
	n, err := b.ForgetUnreadable(b.Context(), []string{first.Mark, all[2].Mark, "nobody's"})
	b.ok(err)
	b.same("forgotten", n, int64(2))
	left, err := b.UnreadableAfter(b.Context(), []string{in.ID, other.ID}, 0, time.Time{}, time.Time{}, 10)
	b.ok(err)
	if len(left) != 2 || left[0].Mark != all[1].Mark || left[1].IntegrationID != other.ID {
		b.Errorf("left are %+v", left)
	}
}

func replays(b *bundle) {
	b.integration("a")
	now := b.clock.now()
	first := peal.CallbackReplay{TenantID: "a", ID: peal.NewID(), IntegrationID: "in", Since: now.Add(-time.Hour), IDs: []string{"1", "u2"}, DryRun: true, CreatedAt: now}
	second := peal.CallbackReplay{TenantID: "b", ID: peal.NewID(), IntegrationID: "other", Broken: true, CreatedAt: now}
	b.ok(b.AddReplay(b.Context(), &first))
	b.ok(b.AddReplay(b.Context(), &second))
	got, err := b.Replay(b.Context(), "a", first.ID)
	b.ok(err)
	b.same("read back", got, first)
	if _, err := b.Replay(b.Context(), "b", first.ID); peal.KindOf(err) != peal.NotFound {
		b.Errorf("another tenant reads it: %v", err)
	}
	open := func(want peal.CallbackReplay, there bool) {
		b.Helper()
		got, is, err := b.OpenReplay(b.Context())
		b.ok(err)
		b.same("open", is, there)
		b.same("open", got, want)
	}
	open(first, true)
	first.Reached, first.Last, first.Read, first.Changed = 7, 9, 3, 1
	b.ok(b.SaveReplay(b.Context(), &first))
	open(first, true)
	first.EndedAt, first.Failure = now.Add(time.Second), "its integration is no more"
	b.ok(b.SaveReplay(b.Context(), &first))
	open(second, true)
	all, err := b.Replays(b.Context(), "a", 10)
	b.ok(err)
	b.same("of the tenant", all, []peal.CallbackReplay{first})
	second.EndedAt = now
	b.ok(b.SaveReplay(b.Context(), &second))
	open(peal.CallbackReplay{}, false)
	b.clock.advance(31 * 24 * time.Hour)
	if _, err := b.Sweep(b.Context(), now); err != nil {
		b.Fatal(err)
	}
	if all, err := b.Replays(b.Context(), "a", 10); err != nil || len(all) != 0 {
		b.Errorf("after a month there are %+v, %v", all, err)
	}
}

// refold folds again and checks how many rows that changed.
func (b *bundle) refold(want int64, evidence ...peal.Evidence) {
	b.Helper()
	heard := make([]peal.Retold, len(evidence))
	for i, e := range evidence {
		heard[i] = peal.Retold{Evidence: e, HeardAt: b.clock.now().Add(-time.Minute)}
	}
	r, err := b.Refold(b.Context(), heard)
	b.ok(err)
	if r.Changed != want {
		b.Errorf("%d rows are changed, want %d", r.Changed, want)
	}
}

func refoldNothing(b *bundle) {
	in := b.integration("a")
	d, failed := b.sent(in), b.sent(in)
	base := b.clock.now()
	told := []peal.Evidence{
		join(&d), byID(&d, peal.Sent, base.Add(time.Second)), byKey(&d, peal.Delivered, base.Add(2*time.Second)), byKey(&d, peal.Read, base.Add(3*time.Second)),
		byKey(&d, peal.Delivered, base.Add(time.Second)), failure(byID(&failed, "", base.Add(time.Second))),
	}
	b.fold(told...)
	before, beforeFailed := b.delivery("a", d.ID), b.delivery("a", failed.ID)
	line := b.timeline(d)
	b.clock.advance(time.Hour)
	b.refold(0, told...)
	for i := range told { // and what tells no time
		told[i].At = time.Time{}
	}
	b.refold(0, told...)
	b.same("the row", b.delivery("a", d.ID), before)
	b.same("the one that failed", b.delivery("a", failed.ID), beforeFailed)
	b.same("its timeline", b.timeline(d), line)
}

func refoldMends(b *bundle) {
	d := b.sent(b.integration("a"))
	base := b.clock.now()
	b.fold(byID(&d, peal.Delivered, base.Add(5*time.Second)))
	b.refold(1, byID(&d, peal.Read, base.Add(9*time.Second)), byID(&d, peal.Delivered, base.Add(7*time.Second)))
	got := b.status(d, peal.Read)
	if !got.DeliveredAt.Equal(base.Add(5*time.Second)) || !got.ReadAt.Equal(base.Add(9*time.Second)) {
		b.Errorf("delivered at %v, read at %v", got.DeliveredAt, got.ReadAt)
	}
	silent := b.sent(b.integration("silent"))
	b.refold(1, byID(&silent, peal.Delivered, time.Time{}))
	if got := b.status(silent, peal.Delivered); !got.DeliveredAt.Equal(b.clock.now().Add(-time.Minute)) {
		b.Errorf("without a time it was delivered at %v, not when that was heard", got.DeliveredAt)
	}
	early := byID(&d, peal.Delivered, base.Add(3*time.Second)) // the parser took the wrong time
	b.refold(1, early)
	b.refold(0, early)
	if got := b.status(d, peal.Read); !got.DeliveredAt.Equal(base.Add(3 * time.Second)) {
		b.Errorf("delivered at %v", got.DeliveredAt)
	}
}

func refoldJoins(b *bundle) {
	d := b.sent(b.integration("a"))
	at := b.clock.now().Add(time.Second)
	b.refold(1, byKey(&d, peal.Read, at), byKey(&d, peal.Delivered, at), join(&d))
	if got := b.status(d, peal.Read); got.MessageKey != "k-"+d.ID || !got.DeliveredAt.Equal(at) {
		b.Errorf("key %q, delivered at %v", got.MessageKey, got.DeliveredAt)
	}
	other := b.sent(b.integration("c")) // what is parked for the key comes in with it
	b.fold(byKey(&other, peal.Delivered, at))
	b.refold(1, join(&other))
	b.status(other, peal.Delivered)
}

func refoldParks(b *bundle) {
	in := b.integration("a")
	d := b.sent(in)
	d.ID = "nobody"
	b.refold(0, byID(&d, peal.Read, b.clock.now()), byKey(&d, peal.Read, b.clock.now()), join(&d))
	if n := b.parked(in); n != 0 {
		b.Errorf("%d are parked", n)
	}
}
