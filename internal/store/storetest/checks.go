package storetest

import (
	"time"

	"peal/internal/peal"
	"peal/internal/pipeline"
)

func checkCases() []testCase {
	return []testCase{
		{"look-ups fall due, the longest waiting first", checksDue},
		{"look-ups are moved and ended", checksMoved},
		{"receipts end look-ups", checksEnded},
		{"what no look-up helps is noted", stuckNoted},
	}
}

// checked takes a delivery to sent, with a look-up after this long.
func (b *bundle) checked(in *peal.Integration, after time.Duration) peal.Delivery {
	b.Helper()
	d := b.accept(in)
	b.claim(in, d.ID)
	b.record(b.attempt(in, d.ID, peal.ClassAccepted, peal.Sent, func(a *peal.Attempt) { a.Check = a.At.Add(after) }))
	return b.delivery("a", d.ID)
}

// dueIDs are the deliveries of an integration whose look-up is due by then.
func (b *bundle) dueIDs(in *peal.Integration, by time.Time, unkeyed bool, limit int) []string {
	b.Helper()
	rows, err := b.DueChecks(b.Context(), in.ID, by, unkeyed, limit)
	b.ok(err)
	var all []string
	for _, r := range rows {
		all = append(all, r.DeliveryID)
	}
	return all
}

func checksDue(b *bundle) {
	in, other, now := b.integration("a"), b.integration("a"), b.clock.now()
	late, soon, keyed := b.checked(in, 3*time.Minute), b.checked(in, time.Minute), b.checked(in, 2*time.Minute)
	b.checked(other, time.Minute)
	b.fold(join(&keyed))
	at := func(m int) time.Time { return now.Add(time.Duration(m) * time.Minute) }
	b.same("due at once", b.dueIDs(in, now, false, 10), []string(nil))
	b.same("due a minute later", b.dueIDs(in, at(1), false, 10), []string{soon.ID})
	b.same("due three minutes later", b.dueIDs(in, at(3), false, 10), []string{soon.ID, keyed.ID, late.ID})
	b.same("of these without a key", b.dueIDs(in, at(3), true, 10), []string{soon.ID, late.ID})
	b.same("the first two", b.dueIDs(in, at(3), false, 2), []string{soon.ID, keyed.ID})
	rows, err := b.DueChecks(b.Context(), in.ID, at(1), false, 1)
	b.ok(err)
	b.same("a row", rows, []pipeline.Unkeyed{{
		TenantID: "a", DeliveryID: soon.ID, MessageID: soon.MessageID, Status: peal.Sent, SentAt: now, CheckAt: at(1),
	}})
}

func checksMoved(b *bundle) {
	in, now := b.integration("a"), b.clock.now()
	moved, ended, never := b.checked(in, time.Minute), b.checked(in, time.Minute), b.sent(in)
	before := b.delivery("a", moved.ID)
	b.ok(b.SetChecks(b.Context(), []pipeline.Unkeyed{
		{TenantID: "a", DeliveryID: moved.ID, CheckAt: now.Add(time.Hour)}, {TenantID: "a", DeliveryID: ended.ID},
		{TenantID: "a", DeliveryID: never.ID, CheckAt: now}, // what is not looked up is not begun with
		{TenantID: "b", DeliveryID: moved.ID},
	}))
	b.same("due in between", b.dueIDs(in, now.Add(59*time.Minute), false, 10), []string(nil))
	b.same("due at last", b.dueIDs(in, now.Add(time.Hour), false, 10), []string{moved.ID})
	b.same("the row", b.delivery("a", moved.ID), before)
}

func checksEnded(b *bundle) {
	in, far := b.integration("a"), b.clock.now().Add(time.Hour)
	d := b.checked(in, time.Minute)
	b.fold(byID(&d, peal.Sent, far))
	b.same("sent is not delivered", b.dueIDs(in, far, false, 10), []string{d.ID})
	b.fold(byID(&d, peal.Delivered, far))
	b.same("delivered, but its key is not known", b.dueIDs(in, far, false, 10), []string{d.ID})
	b.fold(join(&d))
	b.same("delivered and key known", b.dueIDs(in, far, false, 10), []string(nil))
	d = b.checked(in, time.Minute)
	e := byID(&d, peal.Sent, far)
	e.Keyless = true
	b.fold(e)
	b.same("sent, and there is no key", b.dueIDs(in, far, false, 10), []string{d.ID})
	e.Status = peal.Delivered
	b.fold(e)
	b.same("delivered, and there is no key", b.dueIDs(in, far, false, 10), []string(nil))

	keyFirst := b.checked(in, time.Minute)
	b.fold(join(&keyFirst))
	b.same("key known, nothing heard", b.dueIDs(in, far, false, 10), []string{keyFirst.ID})
	b.fold(byKey(&keyFirst, peal.Read, far))
	b.same("read", b.dueIDs(in, far, false, 10), []string(nil))

	quick := b.accept(in) // the receipt was quicker than the recording of the send
	b.claim(in, quick.ID)
	b.fold(byID(&quick, peal.Delivered, far))
	b.record(b.attempt(in, quick.ID, peal.ClassAccepted, peal.Sent, func(a *peal.Attempt) { a.Check = a.At.Add(time.Minute) }))
	b.same("delivered before it was recorded", b.dueIDs(in, far, false, 10), []string{quick.ID})
	b.fold(join(&quick))
	b.same("and its key known", b.dueIDs(in, far, false, 10), []string(nil))
}

// stuckNoted: of what has its receipt by then nothing is noted.
func stuckNoted(b *bundle) {
	in := b.integration("a")
	stuck, arrived := b.checked(in, time.Minute), b.checked(in, time.Minute)
	b.fold(byID(&arrived, peal.Delivered, b.clock.now()))
	before := b.delivery("a", stuck.ID)
	b.ok(b.NoteStuck(b.Context(), []pipeline.Stuck{
		{TenantID: "a", DeliveryID: arrived.ID, Detail: "why"}, {TenantID: "a", DeliveryID: stuck.ID, Detail: "why"},
		{TenantID: "b", DeliveryID: stuck.ID, Detail: "not yours"},
	}))
	b.same("the row", b.delivery("a", stuck.ID), before)
	_, events, err := b.Delivery(b.Context(), "a", stuck.ID)
	b.ok(err)
	b.same("noted", events[len(events)-1], peal.Event{
		DeliveryID: stuck.ID, At: b.clock.now(), Type: peal.EventReconciled, Status: peal.Sent, Code: peal.CodeNoReceipt, Detail: "why",
	})
	b.same("of what arrived", b.timeline(arrived), []string{"queued queued", "attempt sent", "receipt delivered"})
}
