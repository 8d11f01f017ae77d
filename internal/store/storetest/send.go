package storetest

import (
	"slices"
	"sync"
	"time"

	"peal/internal/peal"
	"peal/internal/pipeline"
)

func sendCases() []testCase {
	return []testCase{
		{"claim takes what is queued, due and in time", claimReady},
		{"claim tells since when it may be sent", claimFrom},
		{"claim leaves what ended or belongs to others", claimForeign},
		{"claim without intent", claimWithoutIntent},
		{"one of many claimers gets a delivery", claimRace},
		{"cancel", cancelQueued},
		{"cancel of what is not queued", cancelRefused},
		{"expire", expireQueued},
		{"orphans of a deleted integration are settled", cancelOrphans},
		{"what a pause put back is pulled in", pullIn},
		{"what is in flight, page by page", inFlightPages},
		{"depths", depths},
	}
}

func claimReady(b *bundle) {
	in, now := b.integration("a"), b.clock.now()
	ready := []peal.Delivery{
		b.accept(in), b.accept(in, due(now)), b.accept(in, due(now.Add(-time.Hour))), b.accept(in, expires(now.Add(time.Microsecond))),
	}
	rest := []peal.Delivery{
		b.accept(in, due(now.Add(time.Microsecond))), b.accept(in, expires(now)), b.accept(in, expires(now.Add(-time.Hour))),
	}
	unknown := peal.NewID()
	c, err := b.Claim(b.Context(), in, append(append(ids(ready), unknown), ids(rest)...), true)
	b.ok(err)
	b.same("ready", ids(c.Ready), ids(ready))
	b.same("rest", c.Rest, rest)
	for i, d := range c.Ready {
		want := ready[i]
		if d.Status != peal.Sending || d.Attempts != 1 || d.Round != 0 || d.Recipient != want.Recipient ||
			string(d.Payload) != string(want.Payload) || !d.ExpiresAt.Equal(want.ExpiresAt) || d.TenantID != "a" || d.IntegrationID != in.ID {
			b.Errorf("claimed %+v of %+v", d, want)
		}
		if got := b.status(want, peal.Sending); got.Attempts != 1 {
			b.Errorf("%d attempts are counted, want 1", got.Attempts)
		}
	}
	c, err = b.Claim(b.Context(), in, ids(ready), true)
	b.ok(err)
	if len(c.Ready) != 0 || len(c.Rest) != len(ready) || c.Rest[0].Status != peal.Sending {
		b.Errorf("claimed again: %+v", c)
	}
	b.clock.advance(time.Microsecond)
	b.claim(in, rest[0].ID)
}

// claimFrom: also when it is claimed again, after it had to wait.
func claimFrom(b *bundle) {
	in, now := b.integration("a"), b.clock.now()
	sendAt := now.Add(time.Hour)
	at := b.accept(in)
	later := b.accept(in, due(sendAt), func(s *pipeline.Submission) { s.Notification.SendAt = sendAt })
	b.clock.advance(2 * time.Hour)
	for round := range 2 {
		c, err := b.Claim(b.Context(), in, []string{at.ID, later.ID}, false)
		b.ok(err)
		if len(c.Ready) != 2 {
			b.Fatalf("claimed %+v", c)
		}
		for _, d := range c.Ready {
			want := at.CreatedAt
			if d.ID == later.ID {
				want = sendAt
			}
			if !d.From().Equal(want) {
				b.Errorf("claim %d: since %s, want %s", round, d.From(), want)
			}
		}
	}
}

func claimForeign(b *bundle) {
	in, other, alien := b.integration("a"), b.integration("a"), b.integration("b")
	sent, d := b.sent(in), b.accept(in)
	for _, who := range []*peal.Integration{other, alien, {TenantID: "b", ID: in.ID}} {
		c, err := b.Claim(b.Context(), who, []string{sent.ID, d.ID}, true)
		b.ok(err)
		b.same("claimed by "+who.TenantID, c, pipeline.Claimed{})
	}
	c, err := b.Claim(b.Context(), in, []string{sent.ID, d.ID}, true)
	b.ok(err)
	b.same("ready", ids(c.Ready), []string{d.ID})
	b.same("rest", c.Rest, []peal.Delivery{sent})
	c, err = b.Claim(b.Context(), in, nil, true)
	b.ok(err)
	b.same("claimed by no id", c, pipeline.Claimed{})
}

func claimWithoutIntent(b *bundle) {
	in := b.integration("a")
	d := b.accept(in)
	for n := 1; n <= 2; n++ {
		c, err := b.Claim(b.Context(), in, []string{d.ID}, false)
		b.ok(err)
		if len(c.Ready) != 1 || c.Ready[0].Attempts != n || c.Ready[0].Status != peal.Queued {
			b.Fatalf("claim %d: %+v", n, c)
		}
	}
	b.status(d, peal.Queued)
}

func claimRace(b *bundle) {
	in := b.integration("a")
	all := b.acceptMany(in, 50)
	var mu sync.Mutex
	got := map[string]int{}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			c, err := b.Claim(b.Context(), in, all, true)
			if err != nil {
				b.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			for _, d := range c.Ready {
				got[d.ID]++
			}
		})
	}
	wg.Wait()
	for _, id := range all {
		if got[id] != 1 {
			b.Errorf("%s was claimed %d times", id, got[id])
		}
	}
}

func cancelQueued(b *bundle) {
	in := b.integration("a")
	d := b.accept(in, due(b.clock.now().Add(time.Hour)))
	at := b.clock.advance(time.Minute)
	b.ok(b.Cancel(b.Context(), "a", d.NotificationID))
	got := b.status(d, peal.Canceled)
	if !got.EndedAt.Equal(at) || !got.DueAt.IsZero() {
		b.Errorf("canceled as %+v", got)
	}
	b.same("timeline", b.timeline(d), []string{"queued queued", "canceled canceled"})
	b.ok(b.Cancel(b.Context(), "a", d.NotificationID)) // a second time is no error
	c, err := b.Claim(b.Context(), in, []string{d.ID}, true)
	b.ok(err)
	if len(c.Ready) != 0 {
		b.Error("a canceled delivery was claimed")
	}
}

func cancelRefused(b *bundle) {
	in := b.integration("a")
	sending := b.accept(in)
	b.claim(in, sending.ID)
	sent := b.sent(in)
	for _, d := range []peal.Delivery{sending, sent} {
		before := b.delivery("a", d.ID)
		b.refused(b.Cancel(b.Context(), "a", d.NotificationID), peal.NotCancelable)
		b.same("what could not be canceled", b.delivery("a", d.ID), before)
	}
	b.refused(b.Cancel(b.Context(), "a", peal.NewID()), peal.NotFound)

	// Of two deliveries one is sent: the other is canceled, and that is a success.
	sub := b.submission(in, func(s *pipeline.Submission) {
		second := s.Deliveries[0]
		second.Recipient = "+14155550100"
		s.Deliveries = append(s.Deliveries, second)
	})
	b.acceptAll(sub)
	b.claim(in, sub.Deliveries[0].ID)
	b.ok(b.Cancel(b.Context(), "a", sub.Notification.ID))
	b.status(sub.Deliveries[0], peal.Sending)
	b.status(sub.Deliveries[1], peal.Canceled)
}

func expireQueued(b *bundle) {
	in, now := b.integration("a"), b.clock.now()
	over := []peal.Delivery{b.accept(in, expires(now)), b.accept(in, expires(now.Add(-time.Minute)), due(now.Add(time.Hour)))}
	not := []peal.Delivery{b.accept(in), b.accept(in, expires(now.Add(time.Microsecond)))}
	sending := b.accept(in, expires(now.Add(time.Minute)))
	b.claim(in, sending.ID)
	sent := b.sent(in, expires(now.Add(time.Minute)))
	rows := slices.Concat(over, not, []peal.Delivery{sending, sent})
	n, err := b.Expire(b.Context(), rows)
	b.ok(err)
	if n != 2 {
		b.Errorf("%d expired, want 2", n)
	}
	for _, d := range over {
		got := b.status(d, peal.Expired)
		if got.ErrorCode != "expired" || got.ErrorReason == "" || !got.EndedAt.Equal(now) {
			b.Errorf("expired as %+v", got)
		}
		b.same("timeline", b.timeline(d), []string{"queued queued", "expired expired"})
	}
	b.status(not[0], peal.Queued)
	b.status(not[1], peal.Queued)
	b.clock.advance(time.Hour)
	n, err = b.Expire(b.Context(), rows)
	b.ok(err)
	if n != 1 {
		b.Errorf("%d expired an hour later, want 1", n)
	}
	b.status(sending, peal.Sending) // a call in the air has its own end
	b.status(sent, peal.Sent)
}

// registered writes a tenant (if it is not there) and an integration of it into the register.
func (b *bundle) registered(tenantID string) *peal.Integration {
	b.Helper()
	if _, err := b.Tenant(b.Context(), tenantID); err != nil {
		b.ok(b.CreateTenant(b.Context(), peal.Tenant{ID: tenantID, Name: tenantID, CreatedAt: b.clock.now()}))
	}
	in := b.integration(tenantID)
	in.Name = "n-" + in.ID
	b.ok(b.CreateIntegration(b.Context(), &peal.SealedIntegration{
		ID: in.ID, TenantID: tenantID, Name: in.Name, Kind: "wasender", Channel: in.Channel, Settings: []byte(`{}`),
		Secrets: []byte("sealed"), CreatedAt: b.clock.now(),
	}))
	return in
}

func cancelOrphans(b *bundle) {
	gone, stays, never := b.registered("a"), b.registered("a"), b.integration("a")
	waits, kept, lost := b.accept(gone), b.accept(stays), b.accept(never)
	sending := b.accept(gone)
	b.claim(gone, sending.ID)
	_, err := b.DeleteIntegration(b.Context(), "a", gone.ID)
	b.ok(err)
	late := b.accept(gone) // it was being accepted while the integration was deleted
	n, err := b.CancelOrphans(b.Context(), []peal.Delivery{waits, kept, lost, sending, late})
	b.ok(err)
	if n != 2 {
		b.Errorf("%d orphans were canceled, want 2", n)
	}
	b.status(waits, peal.Canceled) // with its integration
	b.status(late, peal.Canceled)
	b.status(lost, peal.Canceled)
	b.status(sending, peal.Sending) // its call may be about to record its end
	// Whoever asks may know less than the records: an integration that could not be opened is not deleted.
	b.status(kept, peal.Queued)
	alive := b.accept(stays)
	b.claim(stays, alive.ID)
	b.clock.advance(2*time.Minute + time.Microsecond)
	rows := []peal.Delivery{waits, kept, sending, alive}
	n, err = b.CancelOrphans(b.Context(), rows)
	b.ok(err)
	if n != 1 {
		b.Errorf("%d orphans were settled two minutes later, want 1", n)
	}
	if got := b.status(sending, peal.Uncertain); got.ErrorCode != peal.CodeInterrupted || got.ErrorReason == "" {
		b.Errorf("settled as %+v", got)
	}
	b.same("timeline", b.timeline(sending), []string{"queued queued", "attempt uncertain"})
	b.status(kept, peal.Queued)
	b.status(alive, peal.Sending)
	n, err = b.CancelOrphans(b.Context(), rows)
	b.ok(err)
	if n != 0 {
		b.Errorf("%d were settled twice", n)
	}
	b.record(b.attempt(gone, sending.ID, peal.ClassAccepted, peal.Sent)) // a call that ends after all is believed
	b.status(sending, peal.Sent)
}

func pullIn(b *bundle) {
	in, other, now := b.integration("a"), b.integration("a"), b.clock.now()
	later := now.Add(time.Hour)
	back := func(in *peal.Integration, class peal.Class, number int) peal.Delivery {
		d := b.accept(in)
		for n := 1; n <= number; n++ {
			c, at := class, later
			if n < number {
				c, at = peal.ClassTemporary, now
			}
			b.claim(in, d.ID)
			b.record(b.attempt(in, d.ID, c, peal.Queued, func(a *peal.Attempt) {
				a.Number, a.Due = n, at
				if c == peal.ClassNone {
					a.Outcome = peal.Outcome{}
				}
			}))
		}
		return d
	}
	want := []peal.Delivery{
		back(in, peal.ClassThrottled, 1), back(in, peal.ClassIntegration, 1), back(in, peal.ClassNone, 1), back(in, peal.ClassThrottled, 2),
	}
	canceled := back(in, peal.ClassThrottled, 1)
	b.ok(b.Cancel(b.Context(), "a", canceled.NotificationID))
	stay := []peal.Delivery{
		back(in, peal.ClassTemporary, 1), back(in, peal.ClassTemporary, 2), b.accept(in, due(later)), back(other, peal.ClassThrottled, 1), canceled,
	}
	b.dead(in, 2, "x")
	paced, err := b.Redrive(b.Context(), "a", all, 10, peal.Pace{Start: time.Hour})
	b.ok(err)
	for _, j := range paced {
		stay = append(stay, b.delivery("a", j.DeliveryID))
	}
	for i := range stay {
		stay[i] = b.delivery("a", stay[i].ID)
	}
	b.clock.advance(time.Minute)
	jobs, err := b.PullIn(b.Context(), in.ID)
	b.ok(err)
	var got []string
	for _, j := range jobs {
		got = append(got, j.DeliveryID)
		if j.IntegrationID != in.ID || !j.Due.IsZero() {
			b.Errorf("a job is %+v", j)
		}
	}
	slices.Sort(got)
	expected := ids(want)
	slices.Sort(expected)
	b.same("pulled in", got, expected)
	for _, d := range stay {
		b.same("what stays", b.delivery("a", d.ID), d)
	}
	jobs, err = b.PullIn(b.Context(), in.ID)
	b.ok(err)
	b.same("pulled in twice", jobs, []pipeline.Job(nil))
	b.claim(in, expected...)
}

func inFlightPages(b *bundle) {
	one, two := b.integration("a"), b.integration("b")
	want := map[string]peal.Status{}
	for _, in := range []*peal.Integration{one, two} {
		for _, id := range b.acceptMany(in, 5) {
			want[id] = peal.Queued
		}
		sending := b.acceptMany(in, 2)
		b.claim(in, sending...)
		want[sending[0]], want[sending[1]] = peal.Sending, peal.Uncertain
		b.record(b.attempt(in, sending[1], peal.ClassUnknown, peal.Uncertain))
		b.sent(in)
		b.dead(in, 1, "x")
	}
	later := b.accept(one, due(b.clock.now().Add(time.Hour)), expires(b.clock.now().Add(2*time.Hour)))
	want[later.ID] = peal.Queued
	for limit := 1; limit <= 20; limit++ {
		got := map[string]peal.Status{}
		var last pipeline.InFlight
		for {
			page, err := b.InFlight(b.Context(), last.IntegrationID, last.DeliveryID, limit)
			b.ok(err)
			for _, r := range page {
				if r.IntegrationID < last.IntegrationID || (r.IntegrationID == last.IntegrationID && r.DeliveryID <= last.DeliveryID) {
					b.Fatalf("%s comes after %s", r.DeliveryID, last.DeliveryID)
				}
				last = r
				got[r.DeliveryID] = r.Status
				if r.DeliveryID == later.ID && (!r.DueAt.Equal(later.DueAt) || !r.ExpiresAt.Equal(later.ExpiresAt) ||
					!r.CreatedAt.Equal(later.CreatedAt) || r.TenantID != "a") {
					b.Errorf("in flight is %+v of %+v", r, later)
				}
			}
			if len(page) < limit {
				break
			}
		}
		b.same("in flight", got, want)
	}
}

func depths(b *bundle) {
	in, other := b.integration("a"), b.integration("b")
	oldest := b.clock.now()
	b.acceptMany(in, 3)
	b.clock.advance(time.Minute)
	b.claim(in, b.accept(in).ID)
	unknown := b.accept(in)
	b.claim(in, unknown.ID)
	b.record(b.attempt(in, unknown.ID, peal.ClassUnknown, peal.Uncertain))
	b.dead(in, 2, "x")
	b.dead(other, 1, "x")
	b.sent(other)
	all, err := b.Depths(b.Context())
	b.ok(err)
	sum := map[string]peal.Depth{}
	for _, d := range all {
		s := sum[d.IntegrationID]
		s.Queued, s.Uncertain, s.Dead = s.Queued+d.Queued, s.Uncertain+d.Uncertain, s.Dead+d.Dead
		if !d.Oldest.IsZero() {
			s.Oldest = d.Oldest
		}
		sum[d.IntegrationID] = s
	}
	b.same("depths", sum, map[string]peal.Depth{
		in.ID: {Queued: 4, Uncertain: 1, Dead: 2, Oldest: oldest}, other.ID: {Dead: 1},
	})
}
