package storetest

import (
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"peal/internal/peal"
)

// step is one thing that happens to a delivery: a piece of evidence, or the recording of its send when evidence is nil.
type step struct{ evidence *peal.Evidence }

// foldAnyOrder: whatever a provider tells of a message, how often, in which order, before or after Peal has recorded
// the send and learned the key, and in which batches it is folded: the row ends the same, and never goes back.
func foldAnyOrder(b *bundle) {
	rapid.Check(b.T, func(t *rapid.T) {
		in := b.integration("a")
		one, two := b.accept(in), b.accept(in)
		b.claim(in, one.ID, two.ID)
		told := drawEvidence(t)
		rows := make([]peal.Delivery, 2)
		events := make([]string, 2)
		for i, d := range []peal.Delivery{one, two} {
			b.play(t, in, &d, steps(&d, told))
			rows[i], events[i] = b.delivery("a", d.ID), b.facts(d)
		}
		sameEnd(t, told, rows[0])
		for i, d := range []peal.Delivery{one, two} { // what names the delivery itself is of course its own
			rows[i].ID, rows[i].NotificationID, rows[i].Recipient = "", "", ""
			rows[i].MessageID = strings.TrimSuffix(rows[i].MessageID, d.ID)
			rows[i].MessageKey = strings.TrimSuffix(rows[i].MessageKey, d.ID)
		}
		if diff := differ(rows[1], rows[0]); diff != "" {
			t.Fatalf("two orders ended in two rows:\n%s", diff)
		}
		if events[0] != events[1] {
			t.Fatalf("two orders ended in two timelines:\n%s\n%s", events[0], events[1])
		}
		if n, want := b.parked(in), 2*unmatched(told); n != want {
			t.Fatalf("%d are parked, want %d", n, want)
		}
	})
}

// fact is evidence of no particular delivery.
type fact struct {
	status peal.Status
	id     bool // carries the id of the send's answer
	key    bool // carries the webhooks' key
	after  time.Duration
}

func drawEvidence(t *rapid.T) []fact {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) fact {
		f := fact{
			status: rapid.SampledFrom([]peal.Status{peal.Sent, peal.Delivered, peal.Read, peal.Failed, ""}).Draw(t, "status"),
			id:     rapid.Bool().Draw(t, "has id"),
			after:  time.Duration(rapid.IntRange(1, 5).Draw(t, "seconds after")) * time.Second,
		}
		f.key = !f.id || f.status == "" || rapid.Bool().Draw(t, "has key")
		f.id = f.id || f.status == ""
		return f
	}), 0, 7).Draw(t, "evidence")
}

// steps are the facts as evidence of a delivery, with the recording of its send.
func steps(d *peal.Delivery, told []fact) []step {
	all := []step{{}}
	for _, f := range told {
		e := byKey(d, f.status, d.CreatedAt.Add(f.after))
		if f.status == peal.Failed {
			e = failure(e)
		}
		if f.id {
			e.MessageID = "m-" + d.ID
		}
		if !f.key {
			e.MessageKey = ""
		}
		all = append(all, step{&e})
	}
	return all
}

// play makes the steps happen in a drawn order, some of them twice, some of them in one call.
func (b *bundle) play(t *rapid.T, in *peal.Integration, d *peal.Delivery, all []step) {
	order := rapid.Permutation(slices.Concat(all, rapid.SliceOfN(rapid.SampledFrom(all), 0, 4).Draw(t, "repeats"))).Draw(t, "order")
	rank := 0
	watch := func() {
		got := height(b.delivery("a", d.ID).Status)
		if got < rank {
			t.Fatalf("the row went back from %d to %d", rank, got)
		}
		rank = got
	}
	var batch []peal.Evidence
	flush := func() {
		b.fold(batch...)
		batch = nil
		watch()
	}
	for _, s := range order {
		if s.evidence == nil {
			flush()
			b.record(b.attempt(in, d.ID, peal.ClassAccepted, peal.Sent))
			watch()
			continue
		}
		batch = append(batch, *s.evidence)
		if rapid.Bool().Draw(t, "fold now") {
			flush()
		}
	}
	flush()
}

// height orders the states, failed among them: it lies above sent, and under the proofs of life.
func height(s peal.Status) int {
	return slices.Index([]peal.Status{peal.Queued, peal.Sending, peal.Sent, peal.Failed, peal.Delivered, peal.Read}, s)
}

// facts are a timeline without its times and order.
func (b *bundle) facts(d peal.Delivery) string {
	all := b.timeline(d)
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// joined tells whether the facts let a row learn its key.
func joined(told []fact) bool {
	return slices.ContainsFunc(told, func(f fact) bool { return f.id && f.key })
}

// unmatched counts the facts that no row can be found for: with a key that nobody learns, once per status.
func unmatched(told []fact) int {
	if joined(told) {
		return 0
	}
	seen := map[peal.Status]bool{}
	for _, f := range told {
		if !f.id && f.status != "" {
			seen[f.status] = true
		}
	}
	return len(seen)
}

// sameEnd holds the row against what the facts must come to.
func sameEnd(t *rapid.T, told []fact, got peal.Delivery) {
	first := map[peal.Status]time.Time{}
	for _, f := range told {
		at := got.CreatedAt.Add(f.after)
		if !f.id && !joined(told) || f.status == "" {
			continue
		}
		if old, ok := first[f.status]; !ok || at.Before(old) {
			first[f.status] = at
		}
	}
	failedAt, failed := first[peal.Failed]
	want := got
	want.Status, want.Flag, want.ErrorCode, want.ErrorReason, want.EndedAt = peal.Sent, "", "", "", time.Time{}
	want.SentAt, want.DeliveredAt, want.ReadAt = got.CreatedAt, first[peal.Delivered], first[peal.Read]
	if failed {
		f := failure(peal.Evidence{})
		want.ErrorCode, want.ErrorReason = f.Code, f.Reason
	}
	switch {
	case !want.ReadAt.IsZero():
		want.Status = peal.Read
	case !want.DeliveredAt.IsZero():
		want.Status = peal.Delivered
	case failed:
		want.Status, want.EndedAt = peal.Failed, failedAt
	}
	if failed && want.Status != peal.Failed {
		want.Flag = peal.FlagReceiptAfterEnd
	}
	if want.MessageKey = ""; joined(told) {
		want.MessageKey = "k-" + got.ID
	}
	want.MessageID = "m-" + got.ID
	if diff := differ(got, want); diff != "" {
		t.Fatalf("the row did not end as its evidence says:\n%s", diff)
	}
}
