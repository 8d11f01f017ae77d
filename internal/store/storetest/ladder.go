package storetest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"peal/internal/peal"
	"peal/internal/pipeline"
)

func ladderCases() []testCase {
	return []testCase{
		{"a receipt cancels the rungs that it makes needless", ladderReceipt},
		{"when all of a rung have ended the next falls due", ladderFalls},
		{"whichever way a rung ends", ladderEnds},
		{"what a receipt found being sent is not sent again", ladderRetry},
		{"a claim and a receipt at once", ladderRace},
		{"two ends of one rung at once", ladderEndsAtOnce},
		{"whatever happens in whatever order", ladderRandom},
	}
}

// rungGap is between the turns of rungs.
const rungGap = 5 * time.Minute

// ladder is a notification with a ladder: on each rung as many deliveries as it has numbers, each over an integration of
// its own; a rung's number says what it goes unless of.
type ladder struct {
	*bundle
	ins  []*peal.Integration // by delivery
	rows []peal.Delivery
	note peal.Notification
}

func (b *bundle) ladder(rungs ...[]peal.Status) *ladder {
	b.Helper()
	l := &ladder{bundle: b}
	sub := b.submission(b.integration("a"))
	one := sub.Deliveries[0]
	sub.Deliveries, sub.Notification.Ladder = nil, json.RawMessage(`[{"channel":"push"},{"channel":"whatsapp"}]`)
	for n, rung := range rungs {
		for _, unless := range rung {
			in, d := b.integration("a"), one
			at := d.CreatedAt.Add(time.Duration(n) * rungGap)
			id, err := peal.DeliveryID(sub.Notification.ID, in.ID, d.Recipient)
			b.ok(err)
			d.ID, d.IntegrationID, d.Rung = id, in.ID, &peal.Rung{Number: n, Unless: unless, At: at}
			if n > 0 {
				d.DueAt = at
			}
			sub.Deliveries, l.ins = append(sub.Deliveries, d), append(l.ins, in)
		}
	}
	b.acceptAll(sub)
	l.rows, l.note = sub.Deliveries, sub.Notification
	return l
}

func (l *ladder) send(n int) {
	l.Helper()
	l.claim(l.ins[n], l.rows[n].ID)
	l.record(l.attempted(n, peal.ClassAccepted, peal.Sent))
}

func (l *ladder) attempted(n int, class peal.Class, next peal.Status, change ...func(*peal.Attempt)) peal.Attempt {
	l.Helper()
	return l.attempt(l.ins[n], l.rows[n].ID, class, next, append(change, func(a *peal.Attempt) { a.Ladder = true })...)
}

func (l *ladder) now(n int) peal.Delivery { return l.delivery("a", l.rows[n].ID) }

// are fails the test unless the deliveries are in these states.
func (l *ladder) are(want ...peal.Status) {
	l.Helper()
	var got []peal.Status
	for n := range l.rows {
		got = append(got, l.now(n).Status)
	}
	l.same("the ladder's states", got, want)
}

func ladderReceipt(b *bundle) {
	l := b.ladder([]peal.Status{""}, []peal.Status{peal.Delivered}, []peal.Status{peal.Read})
	n, ds, err := b.Notification(b.Context(), "a", l.note.ID)
	b.ok(err)
	b.same("the ladder as it was asked for", string(n.Ladder), string(l.note.Ladder))
	for i := range ds {
		at := slices.IndexFunc(l.rows, func(d peal.Delivery) bool { return d.ID == ds[i].ID })
		b.same("rung", ds[i].Rung, l.rows[at].Rung)
	}
	l.send(0)
	b.fold(byID(&l.rows[0], peal.Sent, b.clock.now()))
	l.are(peal.Sent, peal.Queued, peal.Queued)
	at := b.clock.advance(time.Second)
	b.fold(byID(&l.rows[0], peal.Delivered, at))
	l.are(peal.Delivered, peal.Canceled, peal.Queued)
	got := l.now(1)
	if got.ErrorCode != peal.CodeLadderSatisfied || got.ErrorReason == "" || !got.EndedAt.Equal(at) || !got.DueAt.IsZero() {
		b.Errorf("canceled as %+v", got)
	}
	b.same("its timeline", b.timeline(got), []string{"queued queued", "canceled canceled"})
	b.fold(byID(&l.rows[0], peal.Delivered, at))
	if due := l.now(2).DueAt; !due.Equal(l.rows[2].DueAt) { // a rung that was not needed has not failed
		b.Errorf("the last rung is due at %v, want %v", due, l.rows[2].DueAt)
	}
	b.fold(byID(&l.rows[0], peal.Read, at))
	l.are(peal.Read, peal.Canceled, peal.Canceled)

	// A receipt of a later rung cancels what an earlier one has not sent yet, and a late one of a rung that went cancels the rest.
	l = b.ladder([]peal.Status{""}, []peal.Status{peal.Delivered}, []peal.Status{peal.Delivered})
	b.clock.advance(rungGap)
	b.claim(l.ins[1], l.rows[1].ID)
	b.clock.advance(time.Millisecond)
	b.record(l.attempted(1, peal.ClassAccepted, peal.Sent))
	b.same("why it went", b.timeline(l.rows[1]), []string{"queued queued", "ladder sending", "attempt sent"})
	b.fold(byID(&l.rows[1], peal.Delivered, at))
	l.are(peal.Canceled, peal.Delivered, peal.Canceled)
	l = b.ladder([]peal.Status{""}, []peal.Status{peal.Delivered}, []peal.Status{peal.Delivered})
	l.send(0)
	b.clock.advance(rungGap)
	l.send(1)
	b.fold(byID(&l.rows[0], peal.Read, at))
	l.are(peal.Read, peal.Sent, peal.Canceled)
}

// dues gathers what is told to have fallen due.
func (b *bundle) dues() func() []pipeline.Job {
	var mu sync.Mutex
	var all []pipeline.Job
	b.OnDue(func(jobs []pipeline.Job) {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, jobs...)
	})
	return func() []pipeline.Job {
		mu.Lock()
		defer mu.Unlock()
		jobs := all
		all = nil
		return jobs
	}
}

func ladderFalls(b *bundle) {
	dues := b.dues()
	l := b.ladder([]peal.Status{"", ""}, []peal.Status{peal.Delivered}, []peal.Status{peal.Delivered})
	l.send(0)
	b.claim(l.ins[1], l.rows[1].ID)
	b.record(l.attempted(1, peal.ClassPermanent, peal.Failed))
	l.are(peal.Sent, peal.Failed, peal.Queued, peal.Queued)
	if jobs := dues(); len(jobs) > 0 {
		b.Errorf("fell due while one of the rung before may still arrive: %v", jobs)
	}
	at := b.clock.advance(time.Second)
	b.fold(failure(byID(&l.rows[0], "", at)))
	job := pipeline.Job{IntegrationID: l.ins[2].ID, DeliveryID: l.rows[2].ID, Due: at}
	b.same("what falls due", dues(), []pipeline.Job{job})
	if due := l.now(3).DueAt; !due.Equal(l.rows[3].DueAt) {
		b.Errorf("the last rung is due at %v, want %v", due, l.rows[3].DueAt)
	}
	b.claim(l.ins[2], l.rows[2].ID)
	_, events, err := b.Delivery(b.Context(), "a", l.rows[2].ID)
	b.ok(err)
	if e := events[len(events)-1]; len(events) != 2 || e.Type != peal.EventLadder || e.Code != peal.CodeLadderEnded || e.Detail == "" {
		b.Errorf("why it went: %+v", events)
	}
	b.record(l.attempted(2, peal.ClassTemporary, peal.Failed, func(a *peal.Attempt) { a.Dead = true }))
	b.same("after a dead letter", len(dues()), 1)
	// Proof that the first rung arrived after all still cancels what has not gone.
	b.fold(byID(&l.rows[0], peal.Delivered, at))
	l.are(peal.Delivered, peal.Failed, peal.Failed, peal.Canceled)
}

func ladderEnds(b *bundle) {
	ctx := b.Context()
	fold := func(l *ladder) { b.fold(failure(byID(&l.rows[0], "", b.clock.now()))) }
	uncertain := func(l *ladder) {
		b.claim(l.ins[0], l.rows[0].ID)
		b.record(l.attempted(0, peal.ClassUnknown, peal.Uncertain, func(a *peal.Attempt) { a.Check = a.At }))
		if l.now(1).DueAt.Before(l.rows[1].DueAt) {
			b.Error("that one is uncertain is no failure")
		}
	}
	for name, end := range map[string]func(l *ladder){
		"a receipt of failure": func(l *ladder) { l.send(0); fold(l) },
		"skipped": func(l *ladder) {
			b.claim(l.ins[0], l.rows[0].ID)
			b.record(l.attempted(0, peal.ClassNone, peal.Skipped))
		},
		"expired": func(l *ladder) {
			b.tamper(`UPDATE communications_log SET expires_at = created_at WHERE tenant_id = ? AND delivery_id = ?`, "a", l.rows[0].ID)
			n, err := b.Expire(ctx, l.rows[:1])
			b.ok(err)
			b.same("expired", n, int64(1))
		},
		"its integration is gone": func(l *ladder) {
			_, err := b.CancelOrphans(ctx, l.rows[:1])
			b.ok(err)
		},
		"by a person": func(l *ladder) {
			uncertain(l)
			_, err := b.Resolve(ctx, "a", l.rows[0].ID, peal.Failed, "asked them")
			b.ok(err)
		},
		"by a person, many": func(l *ladder) {
			uncertain(l)
			_, _, err := b.ResolveAll(ctx, "a", peal.UncertainFilter{IDs: []string{l.rows[0].ID}}, peal.Verdict{As: peal.Failed}, 10)
			b.ok(err)
		},
		"by a look into the provider's log": func(l *ladder) {
			uncertain(l)
			lost, err := b.DueFinds(ctx, l.ins[0].ID, b.clock.now(), 10)
			b.ok(err)
			r, err := b.Reconcile(ctx, []pipeline.Finding{{Lost: lost[0], Next: peal.Failed, Code: "no", Detail: "it is there, as failed"}})
			b.ok(err)
			b.same("moved", len(r.Moved), 1)
		},
	} {
		l := b.ladder([]peal.Status{""}, []peal.Status{peal.Delivered})
		end(l)
		if got := l.now(1); got.Status != peal.Queued || got.DueAt.After(b.clock.now()) {
			b.Errorf("%s: the next rung is %s, due at %v", name, got.Status, got.DueAt)
		}
	}
	l := b.ladder([]peal.Status{""}, []peal.Status{peal.Delivered})
	b.ok(b.Cancel(ctx, "a", l.note.ID))
	l.are(peal.Canceled, peal.Canceled)
}

func ladderRetry(b *bundle) {
	l := b.ladder([]peal.Status{""}, []peal.Status{peal.Delivered}, []peal.Status{peal.Delivered})
	l.send(0)
	b.clock.advance(rungGap)
	// Without an intent it would be queued while it is being sent.
	c, err := b.Claim(b.Context(), l.ins[1], []string{l.rows[1].ID}, false)
	b.ok(err)
	if len(c.Ready) != 1 || c.Ready[0].Status != peal.Sending || c.Ready[0].Rung == nil {
		b.Fatalf("claimed %+v", c)
	}
	b.fold(byID(&l.rows[0], peal.Delivered, b.clock.now()))
	l.are(peal.Delivered, peal.Sending, peal.Canceled)
	b.record(l.attempted(1, peal.ClassTemporary, peal.Queued, func(a *peal.Attempt) { a.Due = a.At.Add(time.Second) }))
	l.are(peal.Delivered, peal.Canceled, peal.Canceled)
}

// ladderRace: either a rung goes, or it is canceled.
func ladderRace(b *bundle) {
	const many = 40
	ls := make([]*ladder, many)
	for i := range ls {
		ls[i] = b.ladder([]peal.Status{""}, []peal.Status{peal.Delivered})
		ls[i].send(0)
	}
	b.clock.advance(rungGap)
	claimed := make([]bool, many)
	var all sync.WaitGroup
	for i, l := range ls {
		all.Go(func() {
			c, err := b.Claim(b.Context(), l.ins[1], []string{l.rows[1].ID}, i%2 == 0)
			if claimed[i] = len(c.Ready) == 1; err != nil {
				b.Error(err)
			}
		})
		all.Go(func() {
			if _, err := b.Fold(b.Context(), []peal.Evidence{byID(&l.rows[0], peal.Delivered, b.clock.now())}); err != nil {
				b.Error(err)
			}
		})
	}
	all.Wait()
	for i, l := range ls {
		want := peal.Canceled
		if claimed[i] {
			want = peal.Sending
		}
		l.are(peal.Delivered, want)
	}
}

// ladderEndsAtOnce: two that end the last deliveries of a rung each see the other's end, or the second does.
func ladderEndsAtOnce(b *bundle) {
	const many = 40
	ls := make([]*ladder, many)
	for i := range ls {
		ls[i] = b.ladder([]peal.Status{"", ""}, []peal.Status{peal.Delivered})
		ls[i].send(0)
		b.claim(ls[i].ins[1], ls[i].rows[1].ID)
	}
	var all sync.WaitGroup
	for _, l := range ls {
		failed, receipt := l.attempted(1, peal.ClassPermanent, peal.Failed), failure(byID(&l.rows[0], "", b.clock.now()))
		all.Go(func() {
			if _, err := b.Record(b.Context(), []peal.Attempt{failed}); err != nil {
				b.Error(err)
			}
		})
		all.Go(func() {
			if _, err := b.Fold(b.Context(), []peal.Evidence{receipt}); err != nil {
				b.Error(err)
			}
		})
	}
	all.Wait()
	for _, l := range ls {
		l.are(peal.Failed, peal.Failed, peal.Queued)
		if due := l.now(2).DueAt; due.After(b.clock.now()) {
			b.Fatalf("the next rung is due at %v", due)
		}
	}
}

// ladderRandom does anything that may happen to ladders in random order, and holds every moment to what a ladder is: no
// rung is claimed before its turn, nor after a receipt that makes it needless; and none waits for what cannot come.
func ladderRandom(b *bundle) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // it is to be repeated
	shapes := []peal.Status{peal.Delivered, peal.Read}
	for range 12 {
		rungs := [][]peal.Status{{""}}
		if r.IntN(2) == 0 {
			rungs[0] = append(rungs[0], "")
		}
		for range 1 + r.IntN(3) {
			rungs = append(rungs, []peal.Status{shapes[r.IntN(2)]})
		}
		l := b.ladder(rungs...)
		for range 25 {
			l.anything(r, seed)
		}
	}
}

func (l *ladder) anything(r *rand.Rand, seed uint64) {
	n := r.IntN(len(l.rows))
	before := make([]peal.Delivery, len(l.rows))
	for i := range before {
		before[i] = l.now(i)
	}
	d, what := &before[n], ""
	number := func(a *peal.Attempt) { a.Number = d.Attempts }
	switch k := r.IntN(8); {
	case k == 0:
		l.clock.advance(time.Duration(r.Int64N(int64(rungGap))))
		what = "time passes"
	case k < 3 && d.Status == peal.Queued:
		c, err := l.Claim(l.Context(), l.ins[n], []string{d.ID}, r.IntN(2) == 0)
		l.ok(err)
		if what = fmt.Sprint("claims ", n); len(c.Ready) == 1 && needless(before, d) {
			l.Errorf("seed %d: claimed %d of %s", seed, n, shown(before))
		}
	case k < 3 && d.Status == peal.Sending:
		ends := []peal.Status{peal.Sent, peal.Failed, peal.Uncertain, peal.Queued}
		next := ends[r.IntN(len(ends))]
		classes := map[peal.Status]peal.Class{peal.Sent: peal.ClassAccepted, peal.Failed: peal.ClassPermanent, peal.Uncertain: peal.ClassUnknown, peal.Queued: peal.ClassTemporary}
		l.record(l.attempted(n, classes[next], next, number, func(a *peal.Attempt) {
			if next == peal.Queued {
				a.Due = a.At.Add(time.Second)
			}
		}))
		what = fmt.Sprint(n, " ends ", next)
	case k < 3 && d.Status == peal.Uncertain:
		_, err := l.Resolve(l.Context(), "a", d.ID, []peal.Status{peal.Sent, peal.Failed}[r.IntN(2)], "")
		l.ok(err)
		what = fmt.Sprint(n, " is resolved")
	case d.MessageID != "":
		e := byID(d, []peal.Status{peal.Sent, peal.Delivered, peal.Read, peal.Failed}[r.IntN(4)], l.clock.now())
		l.fold(e)
		what = fmt.Sprint("receipt of ", e.Status, " for ", n)
	}
	after := make([]peal.Delivery, len(l.rows))
	for i := range after {
		after[i] = l.now(i)
	}
	for i := range after {
		d := &after[i]
		if d.Status == peal.Queued && needless(after, d) {
			l.Errorf("seed %d: %d waits though it is needless: %s; then %s: %s", seed, i, shown(before), what, shown(after))
		}
		if d.Status == peal.Canceled && !needless(after, d) {
			l.Errorf("seed %d: %d was canceled for nothing: %s; then %s: %s", seed, i, shown(before), what, shown(after))
		}
		if d.Waits(l.clock.now()) && lost(after, d.Rung.Number-1) && lost(after, 0) && d.Rung.Number == 1 {
			l.Errorf("seed %d: %d waits though the rung before is lost: %s; then %s: %s", seed, i, shown(before), what, shown(after))
		}
	}
}

// needless says it once more, in other words than the store's.
func needless(rows []peal.Delivery, d *peal.Delivery) bool {
	for i := range rows {
		o := &rows[i]
		asked := d.Rung.Unless
		if o.Rung.Number > d.Rung.Number {
			asked = o.Rung.Unless
		}
		if o.Rung.Number != d.Rung.Number && (o.Status == peal.Read || o.Status == peal.Delivered && asked == peal.Delivered) {
			return true
		}
	}
	return false
}

func lost(rows []peal.Delivery, rung int) bool {
	for i := range rows {
		if s := rows[i].Status; rows[i].Rung.Number == rung && s != peal.Failed {
			return false
		}
	}
	return true
}

func shown(rows []peal.Delivery) (s string) {
	for i := range rows {
		s += fmt.Sprintf(" [%d unless %s: %s due %v]", rows[i].Rung.Number, rows[i].Rung.Unless, rows[i].Status, rows[i].DueAt.Format(time.TimeOnly))
	}
	return s
}
