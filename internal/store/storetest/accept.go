package storetest

import (
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"peal/internal/peal"
	"peal/internal/pipeline"
)

const window = 24 * time.Hour // of an idempotency key

func acceptCases() []testCase {
	return []testCase{
		{"what is accepted reads back the same", acceptReadsBack},
		{"a skipped delivery says why", acceptSkipped},
		{"a key replays the first answer for 24 hours", acceptReplay},
		{"a key with another body is a conflict", acceptConflict},
		{"the same key twice in one call", acceptTwiceInOneCall},
		{"tenants do not share keys", acceptTenantsApart},
		{"one key from a hundred callers makes one notification", acceptRace},
		{"a call is written whole or not at all", acceptAllOrNothing},
		{"a bad write does not sink the others of its transaction", acceptBadNeighbour},
		{"keys are forgotten when their time is over", acceptSweep},
	}
}

func acceptReadsBack(b *bundle) {
	in, now := b.integration("a"), b.clock.now()
	sub := b.submission(in, due(now.Add(time.Hour)), expires(now.Add(2*time.Hour)), func(s *pipeline.Submission) {
		n := &s.Notification
		n.UserID, n.EventType, n.EventAt = "u-1", "order.shipped", now.Add(-time.Minute)
		n.Metadata, n.SendAt = json.RawMessage(`{"order":17}`), now.Add(time.Hour)
		second := s.Deliveries[0]
		second.IntegrationID, second.UserID = peal.NewID(), "u-1"
		s.Deliveries = append(s.Deliveries, second)
	})
	v := b.acceptAll(sub)
	b.same("verdict", v[0], pipeline.Verdict{Answer: sub.Answer})

	n, ds, err := b.Notification(b.Context(), "a", sub.Notification.ID)
	b.ok(err)
	b.same("notification", *n, sub.Notification)
	if len(ds) != 2 || ds[0].ID > ds[1].ID {
		b.Fatalf("its deliveries are %v; want both, by id", ids(ds))
	}
	want := sub.Deliveries
	if want[0].ID > want[1].ID {
		want[0], want[1] = want[1], want[0]
	}
	b.same("deliveries", ds, want)
	d, events, err := b.Delivery(b.Context(), "a", want[0].ID)
	b.ok(err)
	b.same("delivery", *d, want[0])
	b.same("timeline", events, []peal.Event{{DeliveryID: d.ID, At: now, Type: peal.EventQueued, Status: peal.Queued}})

	_, _, err = b.Notification(b.Context(), "a", peal.NewID())
	b.refused(err, peal.NotFound)
	_, _, err = b.Notification(b.Context(), "a", "no id at all")
	b.refused(err, peal.NotFound)
	_, _, err = b.Delivery(b.Context(), "a", peal.NewID())
	b.refused(err, peal.NotFound)
}

func acceptSkipped(b *bundle) {
	d := b.accept(b.integration("a"), first(func(d *peal.Delivery) {
		d.Status, d.Recipient, d.ErrorCode, d.ErrorReason, d.EndedAt = peal.Skipped, "", "no_phone", "none is known", b.clock.now()
	}))
	got, events, err := b.Delivery(b.Context(), "a", d.ID)
	b.ok(err)
	b.same("delivery", *got, d)
	b.same("timeline", events, []peal.Event{{
		DeliveryID: d.ID, At: d.CreatedAt, Type: peal.EventSkipped, Status: peal.Skipped, Code: "no_phone", Detail: "none is known",
	}})
}

// submitAgain is a repeat of a request: a new notification under the same key and body.
func (b *bundle) submitAgain(in *peal.Integration, key, body string) (pipeline.Submission, pipeline.Verdict) {
	b.Helper()
	sub := b.submission(in, keyed(key, body))
	return sub, b.acceptAll(sub)[0]
}

// written fails the test unless the notification is there, or is not.
func (b *bundle) written(sub *pipeline.Submission, want bool) {
	b.Helper()
	_, _, err := b.Notification(b.Context(), sub.Notification.TenantID, sub.Notification.ID)
	if err != nil && peal.KindOf(err) != peal.NotFound {
		b.Fatal(err)
	}
	if (err == nil) != want {
		b.Errorf("the notification is written: %v, want %v", err == nil, want)
	}
	_, _, err = b.Delivery(b.Context(), sub.Deliveries[0].TenantID, sub.Deliveries[0].ID)
	if (err == nil) != want {
		b.Errorf("its delivery is written: %v, want %v", err == nil, want)
	}
}

func acceptReplay(b *bundle) {
	in := b.integration("a")
	one, v := b.submitAgain(in, "k", "body")
	b.same("the first verdict", v, pipeline.Verdict{Answer: one.Answer})
	b.clock.advance(window - time.Microsecond)
	late, v := b.submitAgain(in, "k", "body")
	b.same("a repeat just within the window", v, pipeline.Verdict{Answer: one.Answer, Replayed: true})
	b.written(&late, false)
	b.clock.advance(time.Microsecond)
	fresh, v := b.submitAgain(in, "k", "another body")
	b.same("the same key when its time is over", v, pipeline.Verdict{Answer: fresh.Answer})
	b.written(&fresh, true)
	b.clock.advance(window - time.Microsecond)
	_, v = b.submitAgain(in, "k", "another body")
	b.same("a repeat of that", v, pipeline.Verdict{Answer: fresh.Answer, Replayed: true})
	b.written(&one, true)
}

func acceptConflict(b *bundle) {
	in := b.integration("a")
	one, _ := b.submitAgain(in, "k", "body")
	other, v := b.submitAgain(in, "k", "another")
	b.same("another body", v, pipeline.Verdict{Conflict: true})
	b.written(&other, false)
	_, v = b.submitAgain(in, "k", "body")
	b.same("the first body again", v, pipeline.Verdict{Answer: one.Answer, Replayed: true})
}

func acceptTwiceInOneCall(b *bundle) {
	in := b.integration("a")
	one, two := b.submission(in, keyed("k", "body")), b.submission(in, keyed("k", "body"))
	three, four := b.submission(in, keyed("k", "another")), b.submission(in)
	v := b.acceptAll(one, two, three, four)
	b.same("verdicts", v, []pipeline.Verdict{
		{Answer: one.Answer}, {Answer: one.Answer, Replayed: true}, {Conflict: true}, {Answer: four.Answer},
	})
	b.written(&one, true)
	b.written(&two, false)
	b.written(&three, false)
	b.written(&four, true)
}

func acceptTenantsApart(b *bundle) {
	one, _ := b.submitAgain(b.integration("a"), "k", "body")
	two, v := b.submitAgain(b.integration("b"), "k", "another body")
	b.same("another tenant's verdict", v, pipeline.Verdict{Answer: two.Answer})
	b.written(&one, true)
	b.written(&two, true)
}

func acceptRace(b *bundle) {
	in := b.integration("a")
	var firsts, conflicts atomic.Int64
	var wg sync.WaitGroup
	subs := make([]pipeline.Submission, 100)
	answers := make([]string, len(subs))
	for i := range subs {
		subs[i] = b.submission(in, keyed("k", "body"))
	}
	for i := range subs {
		wg.Go(func() {
			v, err := b.Accept(b.Context(), subs[i:i+1])
			if err != nil {
				b.Error(err)
				return
			}
			answers[i] = string(v[0].Answer)
			if v[0].Conflict {
				conflicts.Add(1)
			}
			if !v[0].Replayed {
				firsts.Add(1)
			}
		})
	}
	wg.Wait()
	if firsts.Load() != 1 || conflicts.Load() != 0 {
		b.Errorf("%d were first and %d conflicts; want 1 and none", firsts.Load(), conflicts.Load())
	}
	there := 0
	for i := range subs {
		if answers[i] != answers[0] {
			b.Errorf("one was answered %s, another %s", answers[0], answers[i])
		}
		if _, _, err := b.Notification(b.Context(), "a", subs[i].Notification.ID); err == nil {
			there++
		}
	}
	if there != 1 {
		b.Errorf("%d notifications were written; want 1", there)
	}
}

func acceptAllOrNothing(b *bundle) {
	in := b.integration("a")
	there := b.submission(in)
	b.acceptAll(there)
	good := b.submission(in, keyed("k", "body"))
	_, err := b.Accept(b.Context(), []pipeline.Submission{good, there}) // the second is there already
	b.refused(err, peal.Unavailable)
	b.written(&good, false)
	again, v := b.submitAgain(in, "k", "another body")
	b.same("the key that the failed call used", v, pipeline.Verdict{Answer: again.Answer})
}

func acceptBadNeighbour(b *bundle) {
	in := b.integration("a")
	there := b.submission(in)
	b.acceptAll(there)
	var wg sync.WaitGroup
	good := make([]pipeline.Submission, 60)
	for i := range good {
		good[i] = b.submission(in, keyed(fmt.Sprint("good ", i), "body"))
		wg.Go(func() {
			if _, err := b.Accept(b.Context(), good[i:i+1]); err != nil {
				b.Errorf("a good write was sunk: %v", err)
			}
		})
		if i%6 > 0 {
			continue
		}
		bad := b.submission(in, keyed(fmt.Sprint("bad ", i), "body"))
		bad.Notification.ID = there.Notification.ID
		wg.Go(func() {
			if _, err := b.Accept(b.Context(), []pipeline.Submission{bad}); peal.KindOf(err) != peal.Unavailable {
				b.Errorf("a bad write was answered %v", err)
			}
		})
	}
	wg.Wait()
	for i := range good {
		b.written(&good[i], true)
	}
	for i := 0; i < len(good); i += 6 {
		if _, v := b.submitAgain(in, fmt.Sprint("bad ", i), "other"); v.Replayed || v.Conflict {
			b.Errorf("a bad write left its key behind: %+v", v)
		}
	}
}

func acceptSweep(b *bundle) {
	in := b.integration("a")
	for i := range 3 {
		b.submitAgain(in, fmt.Sprint("old ", i), "body")
	}
	b.clock.advance(window / 2)
	young, _ := b.submitAgain(in, "young", "body")
	b.clock.advance(window/2 + time.Microsecond)
	n, err := b.Sweep(b.Context(), b.clock.now())
	b.ok(err)
	if n != 0 {
		b.Errorf("%d pieces of evidence were given up; there are none", n)
	}
	_, v := b.submitAgain(in, "young", "body")
	b.same("a key that still stands", v, pipeline.Verdict{Answer: young.Answer, Replayed: true})
	again, v := b.submitAgain(in, "old 1", "another body")
	b.same("a key that was forgotten", v, pipeline.Verdict{Answer: again.Answer})
}
