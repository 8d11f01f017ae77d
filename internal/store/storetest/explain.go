package storetest

import (
	"context"
	"time"

	"peal/internal/peal"
)

// Explainer is what telling why a delivery is as it is needs of the records.
type Explainer interface {
	Explained(ctx context.Context, tenantID, id string) (*peal.Explained, error)
	NoteReplays(ctx context.Context, replays []peal.Replay) error
}

func explainCases() []testCase {
	return []testCase{
		{"what a delivery is explained by", explained},
		{"repeats of a request are counted", replaysNoted},
	}
}

func explained(b *bundle) {
	in := b.integration("a")
	d := b.accept(in)
	b.claim(in, d.ID)
	b.clock.advance(time.Second)
	check := b.clock.now().Add(time.Minute)
	a := b.attempt(in, d.ID, peal.ClassAccepted, peal.Sent, func(a *peal.Attempt) {
		a.Waited, a.WaitedFor, a.Check = 1500*time.Microsecond, peal.WaitLimit, check
	})
	b.record(a)
	x, err := b.Explained(b.Context(), "a", d.ID)
	b.ok(err)
	_, events, err := b.Delivery(b.Context(), "a", d.ID)
	b.ok(err)
	b.same("row", x.Delivery, b.delivery("a", d.ID))
	b.same("timeline", x.Events, events)
	if e := x.Events[1]; e.Waited != a.Waited || e.WaitedFor != peal.WaitLimit {
		b.Errorf("waited %v for %q", e.Waited, e.WaitedFor)
	}
	n, _, err := b.Notification(b.Context(), "a", d.NotificationID)
	b.ok(err)
	b.same("notification", x.Notification, *n)
	if !x.CheckAt.Equal(check) || x.Replays != (peal.Replay{}) {
		b.Errorf("looked up at %v, repeats %+v", x.CheckAt, x.Replays)
	}
	_, err = b.Explained(b.Context(), "b", d.ID)
	b.refused(err, peal.NotFound)
}

func replaysNoted(b *bundle) {
	in := b.integration("a")
	d, other := b.accept(in), b.accept(in)
	at := b.clock.now().Truncate(time.Microsecond)
	note := func(tenant string, count int64, last time.Time) {
		b.ok(b.NoteReplays(b.Context(), []peal.Replay{
			{TenantID: tenant, NotificationID: d.NotificationID, Key: "key:k", Count: count, Last: last},
			{TenantID: "a", NotificationID: peal.NewID(), Count: 1, Last: last},
		}))
	}
	note("a", 2, at)
	note("a", 1, at.Add(-time.Second)) // another node's, told late
	note("b", 5, at.Add(time.Hour))
	x, err := b.Explained(b.Context(), "a", d.ID)
	b.ok(err)
	b.same("repeats", x.Replays, peal.Replay{Key: "key:k", Count: 3, Last: at})
	x, err = b.Explained(b.Context(), "a", other.ID)
	b.ok(err)
	b.same("repeats of another", x.Replays, peal.Replay{})
}
