package storetest

import (
	"time"

	"peal/internal/peal"
	"peal/internal/pipeline"
)

func reconcileCases() []testCase {
	return []testCase{
		{"what is uncertain is looked for at its time", findsDue},
		{"the call's time is bounded", findsWindow},
		{"who else was told", toldTo},
		{"whose messages these are", toldAs},
		{"a finding settles it", reconcileSettles},
		{"a found message brings its receipts in", reconcileJoins},
		{"no finding leaves it", reconcileLeaves},
		{"a finding changes nothing that is past it", reconcilePast},
		{"many are resolved by filter", resolveAll},
		{"a resend at a pace", resolvePaced},
		{"resolving many spares what cannot be sent", resolveSpares},
	}
}

// lost takes a delivery to uncertain, to be looked for after this long, and gives it as it is looked for.
func (b *bundle) lost(in *peal.Integration, after time.Duration, change ...func(*pipeline.Submission)) pipeline.Lost {
	b.Helper()
	d := b.accept(in, change...)
	b.claim(in, d.ID)
	b.record(b.attempt(in, d.ID, peal.ClassUnknown, peal.Uncertain, func(a *peal.Attempt) { a.Check = a.At.Add(after) }))
	rows, err := b.DueFinds(b.Context(), in.ID, b.clock.now().Add(after), 100)
	b.ok(err)
	for _, l := range rows {
		if l.DeliveryID == d.ID {
			return l
		}
	}
	b.Fatalf("%s is not to be looked for", d.ID)
	return pipeline.Lost{}
}

// row is the delivery that is looked for.
func row(l *pipeline.Lost) peal.Delivery {
	return peal.Delivery{TenantID: l.TenantID, ID: l.DeliveryID}
}

func (b *bundle) reconcile(findings ...pipeline.Finding) pipeline.Reconciled {
	b.Helper()
	r, err := b.Reconcile(b.Context(), findings)
	b.ok(err)
	return r
}

func findsDue(b *bundle) {
	in, other := b.integration("a"), b.integration("a")
	late, soon := b.lost(in, 3*time.Minute), b.lost(in, time.Minute)
	b.lost(other, time.Minute)
	b.checked(in, time.Minute) // a sent one is looked up, not looked for
	never := b.accept(in)
	b.claim(in, never.ID)
	b.record(b.attempt(in, never.ID, peal.ClassUnknown, peal.Uncertain))
	find := func(after time.Duration, limit int) (all []string) {
		rows, err := b.DueFinds(b.Context(), in.ID, b.clock.now().Add(after), limit)
		b.ok(err)
		for _, l := range rows {
			all = append(all, l.DeliveryID)
		}
		return all
	}
	b.same("at once", find(0, 10), []string(nil))
	b.same("after a minute", find(time.Minute, 10), []string{soon.DeliveryID})
	b.same("after three", find(3*time.Minute, 10), []string{soon.DeliveryID, late.DeliveryID})
	b.same("the first", find(3*time.Minute, 1), []string{soon.DeliveryID})
	if got := b.dueIDs(in, b.clock.now().Add(time.Hour), false, 10); len(got) != 1 {
		b.Errorf("to be looked up: %v; want the sent one only", got)
	}
}

func findsWindow(b *bundle) {
	in := b.integration("a")
	d := b.accept(in)
	b.clock.advance(time.Hour)
	b.claim(in, d.ID)
	b.record(b.attempt(in, d.ID, peal.ClassTemporary, peal.Queued))
	retried := b.clock.now()
	b.clock.advance(time.Hour)
	b.claim(in, d.ID)
	interrupted := b.attempt(in, d.ID, peal.ClassUnknown, peal.Uncertain, func(a *peal.Attempt) {
		a.Number, a.Outcome.Took, a.Check = 2, 0, a.At
	})
	b.record(interrupted)
	rows, err := b.DueFinds(b.Context(), in.ID, b.clock.now(), 10)
	b.ok(err)
	b.same("after an interruption", rows, []pipeline.Lost{{
		TenantID: "a", IntegrationID: in.ID, DeliveryID: d.ID, Recipient: d.Recipient, Payload: d.Payload, Attempts: 2,
		From: retried, To: interrupted.At,
	}})
	answered := b.lost(in, 0)                  // its answer was waited for
	b.same("from", answered.From, answered.To) // it was accepted just then, too
	slow := b.accept(in)
	b.clock.advance(time.Hour)
	b.claim(in, slow.ID)
	b.record(b.attempt(in, slow.ID, peal.ClassUnknown, peal.Uncertain, func(a *peal.Attempt) { a.Outcome.Took, a.Check = 15*time.Second, a.At }))
	rows, err = b.DueFinds(b.Context(), in.ID, b.clock.now(), 10)
	b.ok(err)
	b.same("waited for", rows[2].To.Sub(rows[2].From), 15*time.Second)
}

func toldTo(b *bundle) {
	in, elsewhere := b.integration("a"), b.integration("a")
	l := b.lost(in, time.Minute)
	same := first(func(d *peal.Delivery) { d.Recipient = l.Recipient })
	sent, over, waits := b.sent(in, same), b.sent(elsewhere, same), b.accept(in, same)
	b.sent(in)
	b.sent(b.integration("b"), same)
	told := func(since time.Time, limit int) (all []string) {
		rows, err := b.ToldTo(b.Context(), "a", []string{l.Recipient, "+1"}, since, limit)
		b.ok(err)
		for _, r := range rows {
			all = append(all, r.DeliveryID)
		}
		return all
	}
	b.same("called for", told(l.From, 10), []string{l.DeliveryID, sent.ID, over.ID})
	b.same("the first", told(l.From, 1), []string{l.DeliveryID})
	b.same("changed since", told(l.From.Add(time.Second), 10), []string(nil))
	b.clock.advance(time.Minute)
	b.claim(in, waits.ID)
	b.same("being called for", told(b.clock.now(), 10), []string{waits.ID})
	rows, err := b.ToldTo(b.Context(), "a", []string{l.Recipient}, l.From, 10)
	b.ok(err)
	b.same("a row", rows[1], pipeline.Told{
		DeliveryID: sent.ID, MessageID: "m-" + sent.ID, Recipient: l.Recipient, Payload: sent.Payload, SentAt: sent.SentAt,
	})
}

func toldAs(b *bundle) {
	in := b.integration("a")
	one, two := b.sent(in), b.sent(b.integration("a"))
	stranger := b.sent(b.integration("b"))
	rows, err := b.ToldAs(b.Context(), "a", []string{one.MessageID, two.MessageID, stranger.MessageID, "m-nobody"})
	b.ok(err)
	got := map[string]string{}
	for _, r := range rows {
		got[r.MessageID] = r.DeliveryID
	}
	b.same("whose", got, map[string]string{one.MessageID: one.ID, two.MessageID: two.ID})
}

func reconcileSettles(b *bundle) {
	in := b.integration("a")
	sent, failed, missing := b.lost(in, time.Minute), b.lost(in, time.Minute), b.lost(in, time.Minute)
	now := b.clock.advance(time.Minute)
	took := now.Add(-59 * time.Second)
	r := b.reconcile(
		pipeline.Finding{Lost: sent, Next: peal.Sent, MessageID: "m-1", Detail: "in the log", At: took, Check: now.Add(time.Second)},
		pipeline.Finding{Lost: failed, Next: peal.Failed, MessageID: "m-2", Code: "provider_error", Detail: "it says so", At: took},
		pipeline.Finding{Lost: missing, Next: peal.Queued, Detail: "not in the log"},
	)
	b.same("what it changed", r, pipeline.Reconciled{
		Moved: []peal.Moved{{IntegrationID: in.ID, Status: peal.Sent}, {IntegrationID: in.ID, Status: peal.Failed}, {IntegrationID: in.ID, Status: peal.Queued}},
		Jobs:  []pipeline.Job{{IntegrationID: in.ID, DeliveryID: missing.DeliveryID}},
	})
	got := b.status(row(&sent), peal.Sent)
	if got.MessageID != "m-1" || !got.SentAt.Equal(took) || got.ErrorCode+got.ErrorReason != "" || got.Attempts != 1 {
		b.Errorf("found, it is %+v", got)
	}
	b.same("to be looked up", b.dueIDs(in, now.Add(time.Second), false, 10), []string{sent.DeliveryID})
	got = b.status(row(&failed), peal.Failed)
	if got.MessageID != "m-2" || !got.EndedAt.Equal(now) || got.ErrorCode != "provider_error" || !got.DeadAt.IsZero() {
		b.Errorf("found failed, it is %+v", got)
	}
	got = b.status(row(&missing), peal.Queued)
	if got.Attempts != 1 || got.Round != 0 || !got.DueAt.IsZero() {
		b.Errorf("not there, it is %+v", got)
	}
	for l, status := range map[*pipeline.Lost]string{&sent: "sent", &failed: "failed", &missing: "queued"} {
		b.same("timeline", b.timeline(row(l)), []string{"queued queued", "attempt uncertain", "reconciled " + status})
	}
	_, events, err := b.Delivery(b.Context(), "a", missing.DeliveryID)
	b.ok(err)
	b.same("what the timeline says", events[2].Detail, "not in the log")
	if d := b.claim(in, missing.DeliveryID)[0]; d.Attempts != 2 {
		b.Errorf("claimed again as %+v", d)
	}
	inFlight, err := b.InFlight(b.Context(), "", "", 10)
	b.ok(err)
	b.same("in flight", len(inFlight), 1)
}

// reconcileJoins: the receipt was quicker than the look into the log, and waits for whoever has its id.
func reconcileJoins(b *bundle) {
	in := b.integration("a")
	l := b.lost(in, time.Minute)
	b.fold(peal.Evidence{TenantID: "a", IntegrationID: in.ID, MessageID: "m-1", Status: peal.Delivered, At: b.clock.now()})
	b.reconcile(pipeline.Finding{Lost: l, Next: peal.Sent, MessageID: "m-1"})
	b.status(row(&l), peal.Delivered)
	if n := b.parked(in); n != 0 {
		b.Errorf("%d receipts are still parked", n)
	}
}

func reconcileLeaves(b *bundle) {
	in := b.integration("a")
	l := b.lost(in, time.Minute)
	before := b.delivery("a", l.DeliveryID)
	now := b.clock.advance(time.Minute)
	r := b.reconcile(pipeline.Finding{Lost: l, Detail: "nothing yet", Check: now.Add(time.Minute)})
	b.same("changed", r, pipeline.Reconciled{})
	b.same("the row", b.delivery("a", l.DeliveryID), before)
	rows, err := b.DueFinds(b.Context(), in.ID, now.Add(time.Minute), 10)
	b.ok(err)
	b.same("looked for again", rows, []pipeline.Lost{l})
	b.reconcile(pipeline.Finding{Lost: l, Detail: "two say the same"})
	rows, err = b.DueFinds(b.Context(), in.ID, now.Add(time.Hour), 10)
	b.ok(err)
	b.same("looked for for ever", rows, []pipeline.Lost(nil))
	b.same("the row at last", b.delivery("a", l.DeliveryID), before)
	b.same("timeline", b.timeline(row(&l)), []string{"queued queued", "attempt uncertain", "reconciled uncertain"})
}

// reconcilePast: a receipt, a person, the call's own late word, or another such finding was quicker.
func reconcilePast(b *bundle) {
	in := b.integration("a")
	for name, quicker := range map[string]func(l *pipeline.Lost){
		"a person": func(l *pipeline.Lost) {
			_, err := b.Resolve(b.Context(), "a", l.DeliveryID, peal.Failed, "")
			b.ok(err)
		},
		"a person who sends it again, which is lost too": func(l *pipeline.Lost) {
			_, err := b.Resolve(b.Context(), "a", l.DeliveryID, peal.Queued, "")
			b.ok(err)
			b.clock.advance(time.Second)
			b.claim(in, l.DeliveryID)
			b.record(b.attempt(in, l.DeliveryID, peal.ClassUnknown, peal.Uncertain, func(a *peal.Attempt) { a.Number = 2 }))
		},
		"its answer": func(l *pipeline.Lost) { b.record(b.attempt(in, l.DeliveryID, peal.ClassAccepted, peal.Sent)) },
		"a finding":  func(l *pipeline.Lost) { b.reconcile(pipeline.Finding{Lost: *l, Next: peal.Queued}) },
	} {
		l := b.lost(in, time.Minute)
		b.clock.advance(time.Second)
		quicker(&l)
		before, events := b.delivery("a", l.DeliveryID), b.timeline(row(&l))
		b.clock.advance(time.Second)
		for _, next := range []peal.Status{peal.Sent, peal.Failed, peal.Queued, ""} {
			r := b.reconcile(pipeline.Finding{Lost: l, Next: next, MessageID: "m-late", Detail: "late"})
			b.same(name+" was quicker: changed", r, pipeline.Reconciled{})
		}
		b.same(name+" was quicker", b.delivery("a", l.DeliveryID), before)
		b.same(name+" was quicker: timeline", b.timeline(row(&l)), events)
	}
	_, err := b.Reconcile(b.Context(), []pipeline.Finding{{Lost: b.lost(in, 0), Next: peal.Read}})
	b.refused(err, peal.Unavailable)
}
