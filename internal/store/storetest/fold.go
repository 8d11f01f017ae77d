package storetest

import (
	"slices"
	"time"

	"peal/internal/peal"
)

func foldCases() []testCase {
	return []testCase{
		{"receipts move a delivery forward only", foldForward},
		{"the earliest time that was told stands", foldTimes},
		{"a receipt of failure ends what was only sent", foldFailed},
		{"proof of life wins over failure, and is flagged", foldFlagged},
		{"receipts before the send is recorded", foldEarly},
		{"receipts of a key that is learned later", foldLearned},
		{"a receipt that joins both ids before the row knows either", foldJoinedEarly},
		{"receipts of unknown messages are kept", foldUnmatched},
		{"what came of it is told", foldTold},
		{"messages of others are not touched", foldForeign},
		{"an id that comes twice", foldTwins},
		{"a webhook that cannot be read is kept", foldUnreadable},
		{"any order ends in the same row", foldAnyOrder},
		{"what a client reports stands once per deed", foldClient},
		{"a client may be quicker than the record of the send", foldClientEarly},
	}
}

// byID is evidence by the id of the send's answer; byKey by the webhooks' key of the delivery.
func byID(d *peal.Delivery, status peal.Status, at time.Time) peal.Evidence {
	return peal.Evidence{TenantID: d.TenantID, IntegrationID: d.IntegrationID, MessageID: "m-" + d.ID, Status: status, At: at}
}

func byKey(d *peal.Delivery, status peal.Status, at time.Time) peal.Evidence {
	return peal.Evidence{TenantID: d.TenantID, IntegrationID: d.IntegrationID, MessageKey: "k-" + d.ID, Status: status, At: at}
}

// join tells that the two ids are of one message.
func join(d *peal.Delivery) peal.Evidence {
	e := byID(d, "", time.Time{})
	e.MessageKey = "k-" + d.ID
	return e
}

func failure(e peal.Evidence) peal.Evidence {
	e.Status, e.Code, e.Reason = peal.Failed, "provider_error", "the provider says that it failed"
	return e
}

func foldForward(b *bundle) {
	d := b.sent(b.integration("a"))
	base := b.clock.now()
	for _, c := range []struct{ seen, want peal.Status }{
		{peal.Sent, peal.Sent}, {peal.Delivered, peal.Delivered}, {peal.Sent, peal.Delivered}, {peal.Delivered, peal.Delivered},
		{peal.Read, peal.Read}, {peal.Delivered, peal.Read}, {peal.Sent, peal.Read}, {peal.Read, peal.Read},
	} {
		b.fold(byID(&d, c.seen, base.Add(time.Second)))
		b.status(d, c.want)
	}
	got := b.delivery("a", d.ID)
	want := d
	want.Status, want.DeliveredAt, want.ReadAt = peal.Read, base.Add(time.Second), base.Add(time.Second)
	b.same("read at last", got, want)
	b.same("timeline", b.timeline(d), []string{
		"queued queued", "attempt sent", "receipt delivered", "receipt read", "receipt sent",
	})
}

func foldTimes(b *bundle) {
	in := b.integration("a")
	d, late := b.sent(in), b.sent(in)
	base := b.clock.now()
	at := func(n int) time.Time { return base.Add(time.Duration(n) * time.Second) }
	b.fold(byID(&d, peal.Read, at(9)), byID(&d, peal.Delivered, at(5)), byID(&d, peal.Delivered, at(3)), byID(&d, peal.Delivered, at(4)))
	got := b.delivery("a", d.ID)
	b.same("delivered at", got.DeliveredAt, at(3))
	b.same("read at", got.ReadAt, at(9))

	// Parked ones too.
	b.fold(byKey(&late, peal.Delivered, at(7)), byKey(&late, peal.Delivered, at(2)), byKey(&late, peal.Delivered, at(6)))
	b.clock.advance(time.Hour)
	b.fold(join(&late))
	b.same("parked, delivered at", b.delivery("a", late.ID).DeliveredAt, at(2))

	// Where the provider tells no time, it is when Peal heard of it, not when it was matched.
	silent := b.sent(in)
	heard := b.clock.now()
	b.fold(byKey(&silent, peal.Delivered, time.Time{}))
	b.clock.advance(time.Hour)
	b.fold(join(&silent))
	b.same("without a time, delivered at", b.delivery("a", silent.ID).DeliveredAt, heard)
}

func foldFailed(b *bundle) {
	d := b.sent(b.integration("a"))
	at := b.clock.now().Add(time.Second)
	b.fold(failure(byID(&d, "", at)))
	got := b.status(d, peal.Failed)
	if got.ErrorCode != "provider_error" || got.ErrorReason == "" || !got.EndedAt.Equal(at) || !got.DeadAt.IsZero() || got.Flag != "" {
		b.Errorf("failed as %+v", got)
	}
	b.fold(byID(&d, peal.Sent, at)) // that the provider took it is no proof that it arrived
	b.same("after a late sent", b.delivery("a", d.ID), got)
}

func foldFlagged(b *bundle) {
	in := b.integration("a")
	for _, proof := range []peal.Status{peal.Delivered, peal.Read} {
		before, after := b.sent(in), b.sent(in)
		at := b.clock.now().Add(time.Second)
		b.fold(failure(byID(&before, "", at)))
		b.fold(byID(&before, proof, at))
		b.fold(byID(&after, proof, at))
		b.fold(failure(byID(&after, "", at)))
		for _, d := range []peal.Delivery{before, after} {
			got := b.status(d, proof)
			if got.Flag != peal.FlagReceiptAfterEnd || got.ErrorCode != "provider_error" || !got.EndedAt.IsZero() {
				b.Errorf("%s against failed: flag %q, code %q, ended %v", proof, got.Flag, got.ErrorCode, got.EndedAt)
			}
		}
		b.fold(byID(&before, peal.Read, at.Add(time.Second)))
		if got := b.status(before, peal.Read); got.Flag == "" || got.ErrorCode == "" {
			b.Error("a further receipt took the flag away")
		}
	}
}

func foldEarly(b *bundle) {
	in := b.integration("a")
	d := b.accept(in)
	b.claim(in, d.ID)
	at := b.clock.now().Add(-time.Second)
	f := b.fold(byID(&d, peal.Delivered, at), byID(&d, peal.Read, at))
	b.same("folded", f, peal.Folded{Parked: []string{in.ID, in.ID}})
	if n := b.parked(in); n != 2 {
		b.Errorf("%d are parked, want 2", n)
	}
	b.status(d, peal.Sending)
	b.record(b.attempt(in, d.ID, peal.ClassAccepted, peal.Sent))
	got := b.status(d, peal.Read)
	if !got.DeliveredAt.Equal(at) || !got.ReadAt.Equal(at) || got.SentAt.IsZero() {
		b.Errorf("matched as %+v", got)
	}
	if n := b.parked(in); n != 0 {
		b.Errorf("%d are still parked", n)
	}
}

func foldLearned(b *bundle) {
	in := b.integration("a")
	d := b.sent(in)
	at := b.clock.now().Add(time.Second)
	b.fold(byKey(&d, peal.Delivered, at))
	b.status(d, peal.Sent)
	f := b.fold(join(&d))
	b.same("folded", f, peal.Folded{Moved: []peal.Moved{{IntegrationID: in.ID, Status: peal.Delivered}}})
	got := b.status(d, peal.Delivered)
	b.same("its key", got.MessageKey, "k-"+d.ID)
	b.fold(byKey(&d, peal.Read, at))
	b.status(d, peal.Read)
	if n := b.parked(in); n != 0 {
		b.Errorf("%d are still parked", n)
	}
	b.same("timeline", b.timeline(d), []string{"queued queued", "attempt sent", "key ", "receipt delivered", "receipt read"})
}

func foldJoinedEarly(b *bundle) {
	in := b.integration("a")
	d := b.accept(in)
	b.claim(in, d.ID)
	at := b.clock.now()
	both := byID(&d, peal.Delivered, at)
	both.MessageKey = "k-" + d.ID
	b.fold(both, byKey(&d, peal.Read, at))
	b.record(b.attempt(in, d.ID, peal.ClassAccepted, peal.Sent))
	if got := b.status(d, peal.Read); got.MessageKey != "k-"+d.ID || !got.DeliveredAt.Equal(at) {
		b.Errorf("matched as %+v", got)
	}
	if n := b.parked(in); n != 0 {
		b.Errorf("%d are still parked", n)
	}
}

func foldUnmatched(b *bundle) {
	in := b.integration("a")
	ghost := peal.Delivery{TenantID: "a", IntegrationID: in.ID, ID: "ghost"}
	early := b.clock.now()
	b.fold(byKey(&ghost, peal.Sent, early), byKey(&ghost, peal.Delivered, early), byKey(&ghost, peal.Delivered, early))
	late := b.sent(in)
	b.fold(byKey(&late, peal.Read, early))
	b.clock.advance(time.Minute)
	young := b.sent(in)
	b.fold(byKey(&young, peal.Read, early))
	if n := b.parked(in); n != 4 {
		b.Errorf("%d are parked, want 4", n)
	}
	n, err := b.Sweep(b.Context(), b.clock.now())
	b.ok(err)
	if n != 3 || b.parked(in) != 1 {
		b.Errorf("%d were given up and %d are parked; want 3 and 1", n, b.parked(in))
	}
	n, err = b.Sweep(b.Context(), b.clock.now())
	b.ok(err)
	if n != 0 {
		b.Errorf("%d were given up twice", n)
	}
	// They are kept: when a row learns the key after all, they are matched.
	b.fold(join(&late), join(&young))
	b.status(late, peal.Read)
	b.status(young, peal.Read)
	never := b.accept(in)
	b.claim(in, never.ID)
	b.fold(byID(&never, peal.Read, early))
	b.clock.advance(time.Hour)
	_, err = b.Sweep(b.Context(), b.clock.now())
	b.ok(err)
	moved := b.record(b.attempt(in, never.ID, peal.ClassAccepted, peal.Sent)) // nor when it learns the id
	b.same("moved by what was kept", moved, []peal.Moved{{IntegrationID: in.ID, Status: peal.Read}})
	b.status(never, peal.Read)

	f := b.fold(peal.Evidence{TenantID: "a", IntegrationID: in.ID, Status: peal.Read}, // of nothing
		peal.Evidence{TenantID: "a", IntegrationID: in.ID, MessageKey: "stranger"}) // of nothing that could be told
	b.same("evidence that tells nothing", f, peal.Folded{})
}

func foldTold(b *bundle) {
	in := b.integration("a")
	one, two := b.sent(in), b.sent(in)
	ghost := peal.Delivery{TenantID: "a", IntegrationID: in.ID, ID: "ghost"}
	at := b.clock.now()
	f := b.fold(byID(&one, peal.Sent, at), byID(&one, peal.Delivered, at), byID(&one, peal.Delivered, at), byID(&two, peal.Read, at),
		byID(&two, peal.Delivered, at), byKey(&ghost, peal.Read, at))
	b.same("folded", f, peal.Folded{
		Moved: []peal.Moved{{IntegrationID: in.ID, Status: peal.Delivered}, {IntegrationID: in.ID, Status: peal.Read}}, Parked: []string{in.ID},
	})
	f, err := b.Fold(b.Context(), nil)
	b.ok(err)
	b.same("of nothing", f, peal.Folded{})
}

func foldForeign(b *bundle) {
	mine, sibling, alien := b.integration("a"), b.integration("a"), b.integration("b")
	d := b.sent(mine)
	b.fold(join(&d))
	before := b.delivery("a", d.ID)
	for _, in := range []*peal.Integration{sibling, alien, {TenantID: "b", ID: mine.ID}} {
		e := byID(&d, peal.Read, b.clock.now())
		e.TenantID, e.IntegrationID = in.TenantID, in.ID
		b.fold(e)
		e = byKey(&d, peal.Read, b.clock.now())
		e.TenantID, e.IntegrationID = in.TenantID, in.ID
		if in.ID != mine.ID { // an integration belongs to one tenant, so its id says whose evidence it is
			b.fold(e)
		}
	}
	b.same("a delivery that others have told of", b.delivery("a", d.ID), before)
}

// foldTwins: the account was changed, and the new one gave an id that the old one had given.
func foldTwins(b *bundle) {
	in := b.integration("a")
	twin := func() peal.Delivery {
		d := b.accept(in)
		b.claim(in, d.ID)
		b.record(b.attempt(in, d.ID, peal.ClassAccepted, peal.Sent, func(a *peal.Attempt) { a.Outcome.MessageID = "m-1" }))
		return d
	}
	old, young := twin(), twin()
	at := b.clock.now()
	e := byID(&peal.Delivery{TenantID: "a", IntegrationID: in.ID, ID: "1"}, peal.Delivered, at)
	b.fold(e)
	b.status(old, peal.Sent)
	b.status(young, peal.Delivered)
	e.DeliveryID, e.MessageKey, e.Status = old.ID, "k-1", peal.Read // a look-up knows whom it asked after
	b.fold(e)
	b.status(old, peal.Read)
	b.status(young, peal.Delivered)
	e.DeliveryID = peal.NewID()
	b.same("of a row that is not there", b.fold(e), peal.Folded{})
	e.DeliveryID, e.TenantID, e.Status = young.ID, "b", peal.Read
	b.same("of another tenant's row", b.fold(e), peal.Folded{})
	b.status(young, peal.Delivered)
}

func foldUnreadable(b *bundle) {
	in := b.integration("a")
	for range 2 {
		b.ok(b.Unreadable(b.Context(), in.ID, b.clock.now(), "not JSON", []byte{0, 1, 2}))
	}
	if n := b.parked(in); n != 0 {
		b.Errorf("%d are parked", n)
	}
}

// client is what an app reports of its delivery.
func client(d *peal.Delivery, status peal.Status, did string, at time.Time) peal.Evidence {
	return peal.Evidence{
		TenantID: d.TenantID, IntegrationID: d.IntegrationID, DeliveryID: d.ID, Status: status, Code: peal.CodeClient, Reason: did, At: at,
	}
}

func foldClient(b *bundle) {
	d := b.sent(b.integration("a"))
	at := b.clock.now()
	for range 2 {
		b.fold(client(&d, peal.Delivered, "dismissed", at), client(&d, peal.Read, "opened", at.Add(time.Second)),
			client(&d, peal.Read, "action:buy", at.Add(2*time.Second)))
		b.clock.advance(time.Minute)
	}
	got := b.delivery("a", d.ID)
	want := d
	want.Status, want.DeliveredAt, want.ReadAt, want.UpdatedAt = peal.Read, at, at.Add(time.Second), got.UpdatedAt
	b.same("row", got, want)
	_, events, err := b.Delivery(b.Context(), "a", d.ID)
	b.ok(err)
	var did []string
	for _, e := range events {
		if e.Code == peal.CodeClient {
			did = append(did, string(e.Type)+" "+string(e.Status)+" "+e.Detail)
		}
	}
	slices.Sort(did)
	b.same("reports", did, []string{"receipt delivered dismissed", "receipt read action:buy", "receipt read opened"})
}

func foldClientEarly(b *bundle) {
	in := b.integration("a")
	sending, queued := b.accept(in), b.accept(in)
	b.claim(in, sending.ID)
	at := b.clock.now()
	b.fold(client(&sending, peal.Delivered, "delivered", at), client(&queued, peal.Read, "opened", at))
	b.record(b.attempt(in, sending.ID, peal.ClassAccepted, peal.Sent))
	if got := b.status(sending, peal.Delivered); got.SentAt.IsZero() || !got.DeliveredAt.Equal(at) {
		b.Errorf("sent at %v, delivered at %v", got.SentAt, got.DeliveredAt)
	}
	c, err := b.Claim(b.Context(), in, []string{queued.ID}, true) // such as one that was sent without an answer, and waits to be sent again
	b.ok(err)
	if len(c.Ready) != 0 {
		b.Errorf("it is sent again: %+v", c.Ready)
	}
	b.status(queued, peal.Read)
}
