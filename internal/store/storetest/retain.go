package storetest

import (
	"context"
	"time"

	"peal/internal/peal"
)

// Keeper is what keeps the records from growing without bound.
type Keeper interface {
	Maintain(ctx context.Context) error
	Retain(ctx context.Context, before time.Time) (peal.Retention, error)
	WholeFrom(ctx context.Context) (hour int64, err error)
}

func retainCases() []testCase {
	return []testCase{
		{"what is old leaves with all that belongs to it", retainOld},
		{"what somebody waits for stays, and is told", retainHeld},
		{"it is safe to run at once", retainTwice},
		{"what is whole is known, and never more than before", retainMark},
	}
}

// Ids are made by the system's clock, whatever the case's says.
func longAgo() time.Time { return time.Now().Add(-30 * 24 * time.Hour) }
func farAhead() time.Time {
	return time.Now().Add(30 * 24 * time.Hour)
}

// gone fails the test unless a delivery is there, or is not, with its notification.
func (b *bundle) gone(d *peal.Delivery, want bool) {
	b.Helper()
	_, _, err := b.Delivery(b.Context(), d.TenantID, d.ID)
	_, _, nerr := b.Notification(b.Context(), d.TenantID, d.NotificationID)
	for _, err := range []error{err, nerr} {
		if err != nil && peal.KindOf(err) != peal.NotFound {
			b.Fatal(err)
		}
		if (err != nil) != want {
			b.Errorf("it has left: %v, want %v", err != nil, want)
		}
	}
}

func (b *bundle) retain(before time.Time) peal.Retention {
	b.Helper()
	r, err := b.Retain(b.Context(), before)
	b.ok(err)
	return r
}

func retainOld(b *bundle) {
	b.ok(b.Maintain(b.Context()))
	in, other := b.integration("a"), b.integration("b")
	all := []peal.Delivery{b.sent(in), b.sent(other)}
	for range 3 {
		all = append(all, b.sent(in))
	}
	b.same("nothing is old", b.retain(longAgo()), peal.Retention{})
	for i := range all {
		b.gone(&all[i], false)
	}
	r := b.retain(farAhead())
	if len(r.Kept) > 0 || r.Deliveries != int64(len(all)) && len(r.Partitions) == 0 {
		b.Errorf("all were old: %+v", r)
	}
	for i := range all {
		b.gone(&all[i], true)
	}
	page, err := b.Deliveries(b.Context(), "a", peal.LogFilter{Limit: 10})
	b.ok(err)
	b.same("the log", page, []peal.Delivery(nil))
	b.ok(b.Maintain(b.Context()))
	again := b.sent(in)
	b.gone(&again, false)
}

func retainHeld(b *bundle) {
	in := b.integration("a")
	queued, uncertain := b.accept(in), b.accept(in)
	b.uncertain(in, uncertain.ID)
	dead := b.dead(in, 1, "x")
	done := b.sent(in)
	r := b.retain(farAhead())
	var held peal.Held
	for _, k := range r.Kept {
		held.InFlight += k.InFlight
		held.DeadLetters += k.DeadLetters
	}
	b.same("what is held", held, peal.Held{InFlight: 2, DeadLetters: 1})
	b.gone(&done, true)
	b.gone(&queued, false)
	b.gone(&uncertain, false)
	d := b.delivery("a", dead[0])
	b.gone(&d, false)
	b.same("a dead letter's timeline", len(b.timeline(d)) > 1, true)

	b.ok(b.Cancel(b.Context(), "a", queued.NotificationID))
	_, err := b.Resolve(b.Context(), "a", uncertain.ID, peal.Sent, "")
	b.ok(err)
	_, err = b.Discard(b.Context(), "a", peal.DeadFilter{}, 10)
	b.ok(err)
	if r := b.retain(farAhead()); len(r.Kept) > 0 {
		b.Errorf("nobody waits for anything any more: %+v", r)
	}
	b.gone(&queued, true)
	b.gone(&uncertain, true)
	b.gone(&d, true)
}

func retainTwice(b *bundle) {
	in := b.integration("a")
	d := b.sent(in)
	errs := make(chan error, 2)
	for range cap(errs) {
		go func() {
			_, err := b.Retain(b.Context(), farAhead())
			errs <- err
		}()
	}
	for range cap(errs) {
		b.ok(<-errs)
	}
	b.gone(&d, true)
}

func retainMark(b *bundle) {
	whole := func(want time.Time) {
		b.Helper()
		hour, err := b.WholeFrom(b.Context())
		b.ok(err)
		b.same("whole from", hour, want.Unix()/3600)
	}
	whole(time.Unix(0, 0))
	hour := longAgo().Truncate(time.Hour)
	b.retain(hour)
	whole(hour)
	b.retain(hour.Add(time.Millisecond)) // a part of that hour leaves
	whole(hour.Add(time.Hour))
	b.retain(hour.Add(-100 * 24 * time.Hour)) // a longer retention brings nothing back
	whole(hour.Add(time.Hour))
}
