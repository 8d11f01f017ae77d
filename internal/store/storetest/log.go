package storetest

import (
	"slices"
	"time"

	"pgregory.net/rapid"

	"peal/internal/peal"
	"peal/internal/pipeline"
)

func logCases() []testCase {
	return []testCase{
		{"filters and pages give every row once", logPages},
		{"by the provider's id", logByMessage},
		{"a timeline tells it all in order", logTimeline},
	}
}

// logPages: whatever the filter and the size of a page, the pages put together are the rows that the filter means,
// newest first.
func logPages(b *bundle) {
	one, two := b.registered("a"), b.registered("a")
	b.tampered = true // the rows are accepted in states that nothing has led to
	rows := b.variety(one, two)
	b.variety(b.registered("b"), b.registered("b"))
	start := rows[0].CreatedAt
	rapid.Check(b.T, func(t *rapid.T) {
		f := drawFilter(t, rows, start)
		var want []string
		for i := len(rows) - 1; i >= 0; i-- {
			if chosen(&rows[i], &f) {
				want = append(want, rows[i].ID)
			}
		}
		var got []string
		for page := f; ; page.Before = got[len(got)-1] {
			ds, err := b.Deliveries(b.Context(), "a", page)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, ids(ds)...)
			for i := range ds {
				if j := slices.IndexFunc(rows, func(d peal.Delivery) bool { return d.ID == ds[i].ID }); j < 0 || ds[i].Status != rows[j].Status {
					t.Fatalf("a page has %+v", ds[i])
				}
			}
			if len(ds) < f.Limit {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%+v gave %d rows %v, want %d rows %v", f, len(got), got, len(want), want)
		}
	})
}

// variety writes rows of every status, over two integrations, five seconds apart, and gives them oldest first.
func (b *bundle) variety(one, two *peal.Integration) []peal.Delivery {
	b.Helper()
	var rows []peal.Delivery
	for i := range 60 {
		in := []*peal.Integration{one, two}[i%2]
		status := peal.Statuses()[i%len(peal.Statuses())]
		sub := b.submission(in, func(s *pipeline.Submission) {
			d := &s.Deliveries[0]
			d.Recipient, d.Status = []string{"+14155550100", "+14155550101", "+14155550102"}[i%3], status
			if status == peal.Failed {
				d.ErrorCode = []string{"x", "y"}[i/10%2]
			}
		})
		b.acceptAll(sub)
		b.clock.advance(5 * time.Second)
		rows = append(rows, sub.Deliveries[0])
	}
	for _, id := range b.dead(one, 5, "z") {
		rows = append(rows, b.delivery(one.TenantID, id))
	}
	slices.SortFunc(rows, func(x, y peal.Delivery) int {
		if x.ID < y.ID {
			return -1
		}
		return 1
	})
	return rows
}

func drawFilter(t *rapid.T, rows []peal.Delivery, start time.Time) peal.LogFilter {
	f := peal.LogFilter{Limit: rapid.IntRange(1, 80).Draw(t, "limit")}
	some := rapid.SampledFrom(rows)
	if rapid.Bool().Draw(t, "by recipient") {
		f.Recipient = some.Draw(t, "recipient").Recipient
	}
	if rapid.Bool().Draw(t, "by integration") {
		f.IntegrationID = some.Draw(t, "integration").IntegrationID
	}
	if rapid.Bool().Draw(t, "by status") {
		f.Status = rapid.SampledFrom(peal.Statuses()).Draw(t, "status")
	}
	if rapid.IntRange(0, 3).Draw(t, "by channel") == 0 {
		f.Channel = rapid.SampledFrom([]string{peal.ChannelWhatsApp, "pigeon"}).Draw(t, "channel")
	}
	if rapid.IntRange(0, 3).Draw(t, "by notification") == 0 {
		f.NotificationID = rapid.SampledFrom([]string{some.Draw(t, "notification").NotificationID, peal.NewID(), "none"}).Draw(t, "id")
	}
	if rapid.IntRange(0, 3).Draw(t, "by code") == 0 {
		f.ErrorCode = rapid.SampledFrom([]string{"x", "y", "z", "%"}).Draw(t, "code")
	}
	f.Dead = rapid.IntRange(0, 4).Draw(t, "dead") == 0
	steps := rapid.IntRange(-1, 62)
	if rapid.Bool().Draw(t, "since") {
		f.Since = start.Add(time.Duration(steps.Draw(t, "from")) * 5 * time.Second)
	}
	if rapid.Bool().Draw(t, "until") {
		f.Until = start.Add(time.Duration(steps.Draw(t, "to")) * 5 * time.Second)
	}
	return f
}

// chosen says in Go what the filter means.
func chosen(d *peal.Delivery, f *peal.LogFilter) bool {
	is := func(want, have string) bool { return want == "" || want == have }
	when := d.CreatedAt
	if f.Dead {
		when = d.DeadAt
	}
	return is(f.Recipient, d.Recipient) && is(f.IntegrationID, d.IntegrationID) && is(string(f.Status), string(d.Status)) &&
		is(f.Channel, d.Channel) && is(f.NotificationID, d.NotificationID) && is(f.ErrorCode, d.ErrorCode) &&
		(!f.Dead || !d.DeadAt.IsZero()) && (f.Since.IsZero() || !when.Before(f.Since)) &&
		(f.Until.IsZero() || when.Before(f.Until))
}

func logByMessage(b *bundle) {
	in := b.registered("a")
	d, other := b.sent(in), b.sent(in)
	b.fold(join(&d), join(&other))
	for _, id := range []string{"m-" + d.ID, "k-" + d.ID} {
		got, err := b.Deliveries(b.Context(), "a", peal.LogFilter{MessageID: id, Limit: 10})
		b.ok(err)
		b.same(id, ids(got), []string{d.ID})
		got, err = b.Deliveries(b.Context(), "a", peal.LogFilter{MessageID: id, Recipient: other.Recipient, Limit: 10})
		b.ok(err)
		b.same(id+" of another recipient", ids(got), []string(nil))
		b.registered("b")
		got, err = b.Deliveries(b.Context(), "b", peal.LogFilter{MessageID: id, Limit: 10})
		b.ok(err)
		b.same(id+" as another tenant", ids(got), []string(nil))
	}
	got, err := b.Deliveries(b.Context(), "a", peal.LogFilter{MessageID: "none", Limit: 10})
	b.ok(err)
	b.same("no such id", ids(got), []string(nil))
}

func logTimeline(b *bundle) {
	in := b.integration("a")
	d := b.accept(in)
	for n := 1; n <= 2; n++ {
		b.clock.advance(time.Second)
		b.claim(in, d.ID)
		class, next := peal.ClassTemporary, peal.Queued
		if n == 2 {
			class, next = peal.ClassAccepted, peal.Sent
		}
		b.clock.advance(time.Second)
		b.record(b.attempt(in, d.ID, class, next, func(a *peal.Attempt) { a.Number = n }))
	}
	b.clock.advance(time.Second)
	b.fold(join(&d))
	b.clock.advance(time.Second)
	occurred := b.clock.now().Add(-100 * time.Millisecond)
	b.fold(byKey(&d, peal.Delivered, occurred))
	b.clock.advance(time.Second)
	b.fold(byKey(&d, peal.Delivered, occurred)) // told twice, it stands once
	_, events, err := b.Delivery(b.Context(), "a", d.ID)
	b.ok(err)
	at := func(s int) time.Time { return d.CreatedAt.Add(time.Duration(s) * time.Second) }
	b.same("timeline", events, []peal.Event{
		{DeliveryID: d.ID, At: at(0), Type: peal.EventQueued, Status: peal.Queued},
		{
			DeliveryID: d.ID, At: at(2), Type: peal.EventAttempt, Status: peal.Queued, Attempt: 1, Class: peal.ClassTemporary,
			Code: "temporary_code", Detail: "the provider's words", Took: 20 * time.Millisecond,
		},
		{
			DeliveryID: d.ID, At: at(4), Type: peal.EventAttempt, Status: peal.Sent, Attempt: 2, Class: peal.ClassAccepted,
			Took: 20 * time.Millisecond,
		},
		{DeliveryID: d.ID, At: at(5), Type: peal.EventKey, Detail: "message key k-" + d.ID},
		{DeliveryID: d.ID, At: at(6), Type: peal.EventReceipt, Status: peal.Delivered, OccurredAt: occurred},
	})
}
