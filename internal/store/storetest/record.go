package storetest

import (
	"time"

	"peal/internal/peal"
	"peal/internal/pipeline"
)

func recordCases() []testCase {
	return []testCase{
		{"every class and what comes next", recordTable},
		{"what is recorded twice counts once", recordTwice},
		{"retries keep count until the last", recordRetries},
		{"an outcome changes nothing that is past it", recordPast},
		{"who never called takes an interruption back", recordUncalled},
		{"an outcome that is none is refused", recordNonsense},
		{"whom nobody is to call any more is skipped", recordSkipped},
		{"foreign bytes do not stop a record", recordForeign},
		{"a person resolves what is uncertain", resolveUncertain},
		{"resolve refuses the rest", resolveRefused},
	}
}

func recordTable(b *bundle) {
	in := b.integration("a")
	soon := func(d time.Duration) func(*peal.Attempt) {
		return func(a *peal.Attempt) { a.Due = a.At.Add(d) }
	}
	for _, c := range []struct {
		class  peal.Class
		next   peal.Status
		change func(*peal.Attempt)
		want   func(d *peal.Delivery, a *peal.Attempt)
	}{
		{peal.ClassAccepted, peal.Sent, func(a *peal.Attempt) { a.Check = a.At.Add(time.Minute) }, func(d *peal.Delivery, a *peal.Attempt) {
			d.SentAt, d.MessageID = a.At, a.Outcome.MessageID
		}},
		{peal.ClassAccepted, peal.Sent, func(a *peal.Attempt) { a.Outcome.MessageID = "" }, func(d *peal.Delivery, a *peal.Attempt) {
			d.SentAt = a.At
		}},
		{peal.ClassTemporary, peal.Queued, soon(5 * time.Second), func(d *peal.Delivery, a *peal.Attempt) {
			d.DueAt = a.Due
		}},
		{peal.ClassTemporary, peal.Failed, func(a *peal.Attempt) { a.Dead = true }, func(d *peal.Delivery, a *peal.Attempt) {
			d.EndedAt, d.DeadAt = a.At, a.At
		}},
		{peal.ClassThrottled, peal.Queued, soon(time.Minute), func(d *peal.Delivery, a *peal.Attempt) {
			d.DueAt, d.Attempts = a.Due, 0
		}},
		{peal.ClassIntegration, peal.Queued, soon(5 * time.Second), func(d *peal.Delivery, a *peal.Attempt) {
			d.DueAt, d.Attempts = a.Due, 0
		}},
		{peal.ClassNone, peal.Queued, func(a *peal.Attempt) { // no call was made after all
			a.Due, a.Outcome = a.At.Add(time.Second), peal.Outcome{}
		}, func(d *peal.Delivery, a *peal.Attempt) { d.DueAt, d.Attempts = a.Due, 0 }},
		{peal.ClassUnknown, peal.Uncertain, func(*peal.Attempt) {}, func(*peal.Delivery, *peal.Attempt) {}},
		{peal.ClassUnknown, peal.Queued, soon(time.Second), func(d *peal.Delivery, a *peal.Attempt) { // on_unknown: resend
			d.DueAt = a.Due
		}},
		{peal.ClassPermanent, peal.Failed, func(*peal.Attempt) {}, func(d *peal.Delivery, a *peal.Attempt) { d.EndedAt = a.At }},
		{peal.ClassGone, peal.Failed, func(*peal.Attempt) {}, func(d *peal.Delivery, a *peal.Attempt) { d.EndedAt = a.At }},
		{peal.ClassTemporary, peal.Expired, func(*peal.Attempt) {}, func(d *peal.Delivery, a *peal.Attempt) {
			d.EndedAt, d.ErrorCode, d.ErrorReason = a.At, "expired", "it was not sent before its time was over"
		}},
	} {
		want := b.accept(in, due(b.clock.now()))
		b.claim(in, want.ID)
		b.clock.advance(time.Second)
		a := b.attempt(in, want.ID, c.class, c.next, c.change)
		b.record(a)
		want.Status, want.Attempts, want.UpdatedAt, want.DueAt = c.next, 1, a.At, time.Time{}
		want.ErrorCode, want.ErrorReason = a.Outcome.Code, a.Outcome.Reason
		c.want(&want, &a)
		got := b.delivery("a", want.ID)
		if c.next == peal.Expired { // it may no longer be sent, so when it would have been due does not matter
			got.DueAt = time.Time{}
		}
		b.same(string(c.class)+" → "+string(c.next), got, want)
		_, events, err := b.Delivery(b.Context(), "a", want.ID)
		b.ok(err)
		if c.class == peal.ClassNone {
			b.same("timeline of no attempt", b.timeline(want), []string{"queued queued"})
			continue
		}
		if len(events) != 2 {
			b.Fatalf("the timeline is %+v", events)
		}
		b.same("event", events[1], peal.Event{
			DeliveryID: want.ID, At: a.At, Type: peal.EventAttempt, Status: c.next, Attempt: 1, Class: c.class, Code: a.Outcome.Code,
			Detail: a.Outcome.Reason, Took: a.Outcome.Took,
		})
	}
}

// recordTwice: who records does not always learn that it worked, and then does it again.
func recordTwice(b *bundle) {
	in := b.integration("a")
	for _, c := range []struct {
		class peal.Class
		next  peal.Status
	}{
		{peal.ClassAccepted, peal.Sent}, {peal.ClassTemporary, peal.Queued}, {peal.ClassThrottled, peal.Queued},
		{peal.ClassIntegration, peal.Queued}, {peal.ClassUnknown, peal.Uncertain}, {peal.ClassPermanent, peal.Failed},
		{peal.ClassTemporary, peal.Expired},
	} {
		d := b.accept(in)
		b.claim(in, d.ID)
		a := b.attempt(in, d.ID, c.class, c.next, func(a *peal.Attempt) { a.Due = a.At.Add(time.Second) })
		b.record(a)
		once, events := b.delivery("a", d.ID), b.timeline(d)
		b.record(a)
		b.record(a, a)
		b.same(string(c.class)+" recorded again", b.delivery("a", d.ID), once)
		b.same("timeline", b.timeline(d), events)
	}
}

func recordRetries(b *bundle) {
	in := b.integration("a")
	d := b.accept(in)
	used := 0
	for _, class := range []peal.Class{
		peal.ClassTemporary, peal.ClassThrottled, peal.ClassThrottled, peal.ClassTemporary, peal.ClassIntegration, peal.ClassTemporary,
	} {
		ready := b.claim(in, d.ID)
		if ready[0].Attempts != used+1 {
			b.Errorf("attempt %d is numbered %d", used+1, ready[0].Attempts)
		}
		if class == peal.ClassTemporary {
			used++
		}
		b.record(b.attempt(in, d.ID, class, peal.Queued, func(a *peal.Attempt) {
			a.Number, a.Due = ready[0].Attempts, a.At.Add(time.Second)
		}))
		if got := b.status(d, peal.Queued); got.Attempts != used {
			b.Errorf("after %s %d attempts are used up, want %d", class, got.Attempts, used)
		}
		b.clock.advance(time.Second)
	}
	b.claim(in, d.ID)
	b.record(b.attempt(in, d.ID, peal.ClassAccepted, peal.Sent, func(a *peal.Attempt) { a.Number = used + 1 }))
	got := b.status(d, peal.Sent)
	if got.Attempts != used+1 || got.ErrorCode != "" || got.ErrorReason != "" || !got.DueAt.IsZero() {
		b.Errorf("sent at last as %+v", got)
	}
	if n := len(b.timeline(d)); n != 8 {
		b.Errorf("the timeline has %d events, want 8", n)
	}
}

// recordPast: a receipt or a person was quicker than the outcome of the call.
func recordPast(b *bundle) {
	in := b.integration("a")
	d := b.accept(in)
	b.claim(in, d.ID)
	b.record(b.attempt(in, d.ID, peal.ClassUnknown, peal.Uncertain))
	_, err := b.Resolve(b.Context(), "a", d.ID, peal.Sent, "seen on the phone")
	b.ok(err)
	for _, next := range []peal.Status{peal.Queued, peal.Failed, peal.Uncertain, peal.Expired} {
		b.clock.advance(time.Second)
		b.record(b.attempt(in, d.ID, peal.ClassTemporary, next))
		b.status(d, peal.Sent)
	}
	b.clock.advance(time.Second)
	b.record(b.attempt(in, d.ID, peal.ClassAccepted, peal.Sent))
	if got := b.status(d, peal.Sent); got.MessageID != "m-"+d.ID {
		b.Error("the provider's id was not added")
	}

	failed := b.accept(in)
	b.claim(in, failed.ID)
	b.record(b.attempt(in, failed.ID, peal.ClassPermanent, peal.Failed))
	b.clock.advance(time.Second)
	b.record(b.attempt(in, failed.ID, peal.ClassTemporary, peal.Queued))
	b.status(failed, peal.Failed)

	// From uncertain a late answer leads out: the call's own word is evidence too.
	late := b.accept(in)
	b.claim(in, late.ID)
	b.record(b.attempt(in, late.ID, peal.ClassUnknown, peal.Uncertain))
	b.clock.advance(time.Second)
	b.record(b.attempt(in, late.ID, peal.ClassAccepted, peal.Sent))
	b.status(late, peal.Sent)
}

// recordUncalled: a process was only paused. Meanwhile another one took its call for lost; but it knows that it never called.
func recordUncalled(b *bundle) {
	in := b.integration("a")
	interrupted := func() peal.Delivery {
		d := b.accept(in)
		b.claim(in, d.ID)
		b.record(b.attempt(in, d.ID, peal.ClassUnknown, peal.Uncertain, func(a *peal.Attempt) {
			a.Outcome.Code, a.Check = peal.CodeInterrupted, a.At.Add(time.Minute)
		}))
		return d
	}
	none := func(number int) func(*peal.Attempt) {
		return func(a *peal.Attempt) {
			a.Number, a.Due, a.Outcome = number, a.At.Add(time.Second), peal.Outcome{}
		}
	}
	d := interrupted()
	b.clock.advance(time.Minute)
	a := b.attempt(in, d.ID, peal.ClassNone, peal.Queued, none(1))
	b.record(a)
	got := b.status(d, peal.Queued)
	if got.Attempts != 0 || got.ErrorCode != "" || got.ErrorReason != "" || !got.DueAt.Equal(a.Due) {
		b.Errorf("taken back it is %+v", got)
	}
	lost, err := b.DueFinds(b.Context(), in.ID, b.clock.now().Add(time.Hour), 10)
	b.ok(err)
	b.same("to be looked for", lost, []pipeline.Lost(nil))
	b.clock.advance(time.Second)
	b.record(a) // who does not learn that it was written writes it again
	b.same("written again", b.status(d, peal.Queued).Attempts, 0)
	if d := b.claim(in, d.ID)[0]; d.Attempts != 1 {
		b.Errorf("claimed again as %+v", d)
	}

	other := interrupted() // it speaks of another attempt
	b.record(b.attempt(in, other.ID, peal.ClassNone, peal.Queued, none(2)))
	b.status(other, peal.Uncertain)
	called := b.accept(in) // a call was made, and is in doubt for it
	b.uncertain(in, called.ID)
	b.record(b.attempt(in, called.ID, peal.ClassNone, peal.Queued, none(1)))
	b.status(called, peal.Uncertain)
	failed, refused := interrupted(), interrupted() // its call has ended after all: that is the last word, too
	b.record(b.attempt(in, failed.ID, peal.ClassTemporary, peal.Queued), b.attempt(in, refused.ID, peal.ClassPermanent, peal.Failed))
	b.status(failed, peal.Queued)
	b.status(refused, peal.Failed)
	settled := interrupted()
	_, err = b.Resolve(b.Context(), "a", settled.ID, peal.Failed, "")
	b.ok(err)
	b.record(b.attempt(in, settled.ID, peal.ClassNone, peal.Queued, none(1)))
	b.status(settled, peal.Failed)
}

func recordNonsense(b *bundle) {
	in := b.integration("a")
	good, d := b.accept(in), b.accept(in)
	b.claim(in, good.ID, d.ID)
	for _, next := range []peal.Status{peal.Delivered, peal.Sending, ""} {
		_, err := b.Record(b.Context(), []peal.Attempt{b.attempt(in, good.ID, peal.ClassAccepted, peal.Sent), b.attempt(in, d.ID, peal.ClassAccepted, next)})
		b.refused(err, peal.Unavailable)
	}
	b.status(good, peal.Sending) // a call is written whole or not at all
	b.status(d, peal.Sending)
	b.record(b.attempt(in, peal.NewID(), peal.ClassAccepted, peal.Sent)) // of no row: nothing to do
}

// recordSkipped: between the claim and the call it turned out that there is nobody to call for.
func recordSkipped(b *bundle) {
	in := b.integration("a")
	for _, intent := range []bool{true, false} {
		want := b.accept(in)
		c, err := b.Claim(b.Context(), in, []string{want.ID}, intent)
		b.ok(err)
		if len(c.Ready) != 1 || c.Ready[0].UserID != want.UserID {
			b.Fatalf("claimed %+v", c)
		}
		b.clock.advance(time.Second)
		a := b.attempt(in, want.ID, peal.ClassNone, peal.Skipped, func(a *peal.Attempt) {
			a.Outcome = peal.Outcome{Code: peal.SkipDeviceRetired, Reason: "it was retired"}
		})
		b.record(a)
		b.record(a)
		want.Status, want.UpdatedAt, want.EndedAt, want.DueAt = peal.Skipped, a.At, a.At, time.Time{}
		want.ErrorCode, want.ErrorReason = a.Outcome.Code, a.Outcome.Reason
		b.same("skipped", b.delivery("a", want.ID), want)
		b.same("timeline", b.timeline(want), []string{"queued queued", "skipped skipped"})
	}
	sent := b.sent(in)
	b.record(b.attempt(in, sent.ID, peal.ClassNone, peal.Skipped))
	b.status(sent, peal.Sent)
}

// recordForeign: what a provider says may be no text at all. It must not be what keeps an outcome from being written.
func recordForeign(b *bundle) {
	in := b.integration("a")
	d := b.accept(in)
	b.claim(in, d.ID)
	b.record(b.attempt(in, d.ID, peal.ClassPermanent, peal.Failed, func(a *peal.Attempt) { a.Outcome.Reason = "bad \xff and \x00 bytes" }))
	b.status(d, peal.Failed)
	f := b.fold(peal.Evidence{TenantID: "a", IntegrationID: in.ID, MessageKey: "k\x00\xfe", Status: peal.Read, Reason: "\xff"})
	b.same("parked", f.Parked, []string{in.ID})
}

// uncertain takes a delivery there.
func (b *bundle) uncertain(in *peal.Integration, id string) {
	b.Helper()
	b.claim(in, id)
	b.record(b.attempt(in, id, peal.ClassUnknown, peal.Uncertain, func(a *peal.Attempt) { a.Check = a.At.Add(time.Minute) }))
}

func resolveUncertain(b *bundle) {
	in := b.integration("a")
	list := b.acceptMany(in, 3)
	for _, id := range list {
		b.uncertain(in, id)
	}
	at := b.clock.advance(time.Minute)
	for i, as := range []peal.Status{peal.Sent, peal.Failed, peal.Queued} {
		job, err := b.Resolve(b.Context(), "a", list[i], as, "by hand")
		b.ok(err)
		got := b.delivery("a", list[i])
		if got.Status != as || (job != nil) != (as == peal.Queued) {
			b.Errorf("resolved as %s it is %s, with job %v", as, got.Status, job)
		}
		b.same("timeline", b.timeline(got), []string{"queued queued", "attempt uncertain", "resolved " + string(as)})
		switch as {
		case peal.Sent:
			b.same("sent at", got.SentAt, at)
			b.same("its error, now that it is known to be sent", got.ErrorCode+got.ErrorReason, "")
		case peal.Failed:
			b.same("ended at", got.EndedAt, at)
		default:
			if job.DeliveryID != list[i] || job.IntegrationID != in.ID || got.Round != 1 || got.Attempts != 1 {
				b.Errorf("job %+v for %+v", job, got)
			}
			if d := b.claim(in, list[i])[0]; d.Attempts != 2 || d.Round != 1 {
				b.Errorf("claimed again as %+v", d)
			}
		}
	}
	checks, err := b.DueChecks(b.Context(), in.ID, at.Add(time.Hour), false, 10)
	b.ok(err)
	if len(checks) != 0 {
		b.Errorf("what a person has settled is to be looked up: %+v", checks)
	}
}

func resolveRefused(b *bundle) {
	in := b.integration("a")
	over := b.accept(in, expires(b.clock.now().Add(time.Minute)))
	b.uncertain(in, over.ID)
	queued, sent := b.accept(in), b.sent(in)
	b.clock.advance(time.Minute)
	for _, d := range []peal.Delivery{queued, sent} {
		for _, as := range []peal.Status{peal.Sent, peal.Failed, peal.Queued} {
			_, err := b.Resolve(b.Context(), "a", d.ID, as, "")
			b.refused(err, peal.NotUncertain)
		}
	}
	job, err := b.Resolve(b.Context(), "a", over.ID, peal.Queued, "")
	b.refused(err, peal.TooLate)
	if job != nil {
		b.Error("a job for what has expired")
	}
	b.status(over, peal.Uncertain)
	_, err = b.Resolve(b.Context(), "a", peal.NewID(), peal.Sent, "")
	b.refused(err, peal.NotFound)
	_, err = b.Resolve(b.Context(), "a", over.ID, peal.Failed, "")
	b.ok(err)
}
