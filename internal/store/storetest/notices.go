package storetest

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/pipeline"
)

// Teller is the event log.
type Teller interface {
	EnableNotices(ctx context.Context, tenantID string) error
	Tell(ctx context.Context, notices []peal.Notice) error
	Notices(ctx context.Context, tenantID, after string, types []string, limit int) (page []peal.Notice, next string, err error)
	NoticesEnd(ctx context.Context) (string, error)
	NoticesSince(ctx context.Context, tenantID string, since time.Time) (string, error)
	NoticesLost(ctx context.Context, tenantID, after string) (on string, lost bool, err error)
	RetainNotices(ctx context.Context, before time.Time) (int64, error)
}

func noticeCases() []testCase {
	return []testCase{
		{"a delivery's moves are told in their order, each once", noticeLife},
		{"every way to end is told", noticeEnds},
		{"who has not asked is told nothing, and who asks only of what comes", noticeSwitch},
		{"others than deliveries are told in place", noticeTell},
		{"a reader of some types gets past the others", noticeTypes},
		{"whoever writes at once, a reader misses nothing", noticeTail},
		{"what is old leaves, and a reader learns of it", noticeRetain},
		{"pauses are told when they change", noticePauses},
	}
}

// told reads all of a tenant's log. What was written before must show, once other transactions on the same server let it.
func (b *bundle) told(tenant string, types []string) (all []peal.Notice, next string) {
	b.Helper()
	b.ok(b.EnableNotices(b.Context(), "mark"))
	mark := []peal.Notice{{TenantID: "mark", Type: peal.NoticeEndpointTest, Subject: "mark", At: farAhead()}}
	b.ok(b.Tell(b.Context(), mark))
	for deadline := time.Now().Add(time.Minute); ; {
		page, _, err := b.Notices(b.Context(), "mark", "", nil, 1000)
		b.ok(err)
		if len(page) > 0 && page[len(page)-1].ID == mark[0].ID {
			break
		}
		if time.Now().After(deadline) {
			b.Fatal("what was told did not show within a minute")
		}
	}
	for {
		page, on, err := b.Notices(b.Context(), tenant, next, types, 100)
		b.ok(err)
		all, next = append(all, page...), on
		if len(page) == 0 {
			return all, next
		}
	}
}

// says are the types of events, with what of a delivery's data is worth a look.
func (b *bundle) says(all []peal.Notice) (says []string) {
	b.Helper()
	seen := map[string]bool{}
	for i := range all {
		n := &all[i]
		if seen[n.ID] || n.ID == "" || n.At.IsZero() {
			b.Errorf("the event %+v has no id or time of its own", n)
		}
		seen[n.ID] = true
		var d api.DeliveryEvent
		b.ok(json.Unmarshal(n.Data, &d))
		said := n.Type
		if d.Code != "" {
			said += " " + d.Code
		}
		if d.DeadLetter {
			said += " dead"
		}
		says = append(says, said)
	}
	return says
}

func noticeLife(b *bundle) {
	b.ok(b.EnableNotices(b.Context(), "a"))
	in := b.integration("a")
	d := b.accept(in, func(s *pipeline.Submission) {
		s.Notification.Metadata, s.Notification.EventType = json.RawMessage(`{"order":1}`), "order.shipped"
	})
	b.claim(in, d.ID)
	b.clock.advance(time.Second)
	retry := b.attempt(in, d.ID, peal.ClassTemporary, peal.Queued, func(a *peal.Attempt) { a.Due = a.At })
	b.record(retry)
	b.claim(in, d.ID)
	sent := b.attempt(in, d.ID, peal.ClassAccepted, peal.Sent, func(a *peal.Attempt) { a.Number = 2 })
	b.record(sent)
	b.record(sent) // who does not learn that it worked does it again
	at := b.clock.advance(time.Second)
	delivered := peal.Evidence{IntegrationID: in.ID, TenantID: "a", MessageID: sent.Outcome.MessageID, Status: peal.Delivered, At: at}
	read := delivered
	read.Status = peal.Read
	for _, e := range [][]peal.Evidence{{delivered}, {delivered, delivered}, {read, delivered}, {read}} {
		_, err := b.Fold(b.Context(), e)
		b.ok(err)
	}
	all, next := b.told("a", nil)
	b.same("told", b.says(all), []string{"delivery.queued", "delivery.sent", "delivery.delivered", "delivery.read"})
	var got api.DeliveryEvent
	b.ok(json.Unmarshal(all[2].Data, &got))
	b.same("data", got, api.DeliveryEvent{
		DeliveryID: d.ID, NotificationID: d.NotificationID, IntegrationID: in.ID, Channel: in.Channel, Recipient: d.Recipient,
		EventType: "order.shipped", Metadata: json.RawMessage(`{"order":1}`), Status: "delivered", Attempt: 2,
		MessageID: sent.Outcome.MessageID, OccurredAt: &at,
	})
	for i := range all {
		if all[i].TenantID != "a" || all[i].Subject != d.ID || all[i].DeliveryID != d.ID {
			b.Errorf("it is of another: %+v", all[i])
		}
		rest, _, err := b.Notices(b.Context(), "a", all[i].Position, nil, 100)
		b.ok(err)
		b.same("after one", b.says(rest), b.says(all[i+1:]))
	}
	rest, _, err := b.Notices(b.Context(), "a", next, nil, 100)
	b.ok(err)
	b.same("after all", rest, []peal.Notice(nil))
	if others, _, err := b.Notices(b.Context(), "b", "", nil, 100); err != nil || len(others) > 0 {
		b.Errorf("another tenant reads %+v (%v)", others, err)
	}
}

func noticeEnds(b *bundle) {
	b.ok(b.EnableNotices(b.Context(), "a"))
	in := b.integration("a")
	tell := func(what string, want ...string) {
		b.Helper()
		all, _ := b.told("a", nil)
		b.same(what, b.says(all), want)
		_, err := b.RetainNotices(b.Context(), b.clock.now().Add(time.Hour))
		b.ok(err)
	}
	b.accept(in, first(func(d *peal.Delivery) { d.Status, d.ErrorCode, d.EndedAt = peal.Skipped, "no_phone", d.CreatedAt }))
	tell("skipped at once", "delivery.skipped no_phone")

	d := b.accept(in)
	b.ok(b.Cancel(b.Context(), "a", d.NotificationID))
	tell("canceled", "delivery.queued", "delivery.canceled")

	d = b.accept(in, expires(b.clock.now().Add(time.Second)))
	b.clock.advance(time.Minute)
	_, err := b.Expire(b.Context(), []peal.Delivery{d})
	b.ok(err)
	tell("expired", "delivery.queued", "delivery.expired expired")

	d = b.accept(in)
	b.claim(in, d.ID)
	b.record(b.attempt(in, d.ID, peal.ClassTemporary, peal.Failed, func(a *peal.Attempt) { a.Dead, a.Outcome.Code = true, "http_503" }))
	_, err = b.Redrive(b.Context(), "a", peal.DeadFilter{}, 10, peal.Pace{})
	b.ok(err)
	b.claim(in, d.ID)
	b.record(b.attempt(in, d.ID, peal.ClassUnknown, peal.Uncertain, func(a *peal.Attempt) { a.Number, a.Outcome.Code = 2, "timeout" }))
	_, err = b.Resolve(b.Context(), "a", d.ID, peal.Failed, "asked them")
	b.ok(err)
	tell("failed, re-driven, lost and resolved", "delivery.queued", "delivery.failed http_503 dead", "delivery.queued",
		"delivery.uncertain timeout", "delivery.failed timeout")
}

func noticeSwitch(b *bundle) {
	in, other := b.integration("a"), b.integration("b")
	b.accept(in)
	b.ok(b.Tell(b.Context(), []peal.Notice{{TenantID: "a", Type: peal.NoticeMessageReceived, Subject: "x"}}))
	b.ok(b.EnableNotices(b.Context(), "a"))
	b.ok(b.EnableNotices(b.Context(), "a"))
	b.accept(other)
	all, _ := b.told("a", nil)
	b.same("before it asked", all, []peal.Notice(nil))
	b.accept(in)
	all, _ = b.told("a", nil)
	b.same("since", b.says(all), []string{"delivery.queued"})
	b.ok(b.EnableNotices(b.Context(), "b"))
	all, _ = b.told("b", nil)
	b.same("another's", all, []peal.Notice(nil))
	_, _, err := b.Notices(b.Context(), "a", "no position", nil, 10)
	b.refused(err, peal.Invalid)
}

func noticeTell(b *bundle) {
	b.ok(b.EnableNotices(b.Context(), "a"))
	in := b.integration("a")
	d := b.accept(in)
	told := []peal.Notice{
		{TenantID: "a", Type: peal.NoticeMessageReceived, Subject: "inbound", DeliveryID: d.ID, At: b.clock.now(), Data: json.RawMessage(`{"text":"hi"}`)},
		{TenantID: "nobody", Type: peal.NoticeMessageReceived, Subject: "inbound"},
	}
	b.ok(b.Tell(b.Context(), told))
	b.ok(b.Cancel(b.Context(), "a", d.NotificationID))
	all, _ := b.told("a", nil)
	if len(all) != 3 {
		b.Fatalf("told: %+v", all)
	}
	b.same("in place, as it was told", all[1], told[0])
	b.same("kept for nobody", told[1].ID, "")
}

func noticeTypes(b *bundle) {
	b.ok(b.EnableNotices(b.Context(), "a"))
	in := b.integration("a")
	var first string
	for i := range 3 {
		d := b.accept(in)
		b.ok(b.Cancel(b.Context(), "a", d.NotificationID))
		if i == 0 {
			first = d.ID
		}
	}
	all, next := b.told("a", []string{"delivery.canceled", "delivery.read"})
	b.same("of two types", b.says(all), []string{"delivery.canceled", "delivery.canceled", "delivery.canceled"})
	page, on, err := b.Notices(b.Context(), "a", "", []string{"delivery.canceled"}, 1)
	b.ok(err)
	b.same("the first", page[0].Subject, first)
	rest, _, err := b.Notices(b.Context(), "a", on, []string{"delivery.canceled"}, 10)
	b.ok(err)
	b.same("the others", len(rest), 2)
	none, past, err := b.Notices(b.Context(), "a", "", []string{"delivery.read"}, 10)
	b.ok(err)
	b.same("none", none, []peal.Notice(nil))
	if past == "" || next == "" {
		b.Errorf("who found nothing does not get on: %q, %q", past, next)
	}
	since, err := b.NoticesSince(b.Context(), "a", b.clock.now().Add(time.Hour))
	b.ok(err)
	rest, _, err = b.Notices(b.Context(), "a", since, nil, 10)
	b.ok(err)
	b.same("since a time to come", rest, []peal.Notice(nil))
	since, err = b.NoticesSince(b.Context(), "a", b.clock.now().Add(-time.Hour))
	b.ok(err)
	rest, _, err = b.Notices(b.Context(), "a", since, nil, 10)
	b.ok(err)
	b.same("since before all", len(rest), 6)
}

// noticeTail reads while several write, each in transactions of its own, through all lanes that a database may have.
func noticeTail(b *bundle) {
	const writers, each = 6, 40
	b.ok(b.EnableNotices(b.Context(), "a"))
	in := b.integration("a")
	var done sync.WaitGroup
	for range writers {
		done.Go(func() {
			for range each {
				sub := b.submission(in)
				d := sub.Deliveries[0]
				if _, err := b.Accept(b.Context(), []pipeline.Submission{sub}); err != nil {
					b.Error(err)
					return
				}
				_, err := b.Claim(b.Context(), in, []string{d.ID}, true)
				if err == nil {
					_, err = b.Record(b.Context(), []peal.Attempt{b.attempt(in, d.ID, peal.ClassAccepted, peal.Sent)})
				}
				if err == nil {
					_, err = b.Fold(b.Context(), []peal.Evidence{{IntegrationID: in.ID, TenantID: "a", DeliveryID: d.ID, Status: peal.Read}})
				}
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	states := map[string][]string{}
	after := ""
	deadline := time.Now().Add(2 * time.Minute)
	for n := 0; n < writers*each*3; {
		page, next, err := b.Notices(b.Context(), "a", after, nil, 7)
		b.ok(err)
		for i := range page {
			states[page[i].Subject] = append(states[page[i].Subject], page[i].Type)
		}
		n, after = n+len(page), next
		if time.Now().After(deadline) {
			b.Errorf("%d of %d events were told", n, writers*each*3)
			break
		}
	}
	done.Wait()
	want := fmt.Sprint([]string{"delivery.queued", "delivery.sent", "delivery.read"})
	for id, types := range states {
		if fmt.Sprint(types) != want {
			b.Errorf("of %s was told %v", id, types)
		}
	}
	b.same("deliveries", len(states), writers*each)
}

func noticeRetain(b *bundle) {
	b.ok(b.EnableNotices(b.Context(), "a"))
	in := b.integration("a")
	b.accept(in)
	old, middle := b.told("a", nil)
	b.clock.advance(24 * time.Hour)
	b.accept(in)
	lost := func(position string) bool {
		b.Helper()
		on, lost, err := b.NoticesLost(b.Context(), "a", position)
		b.ok(err)
		if lost {
			rest, _, err := b.Notices(b.Context(), "a", on, nil, 10)
			b.ok(err)
			b.same("the oldest that is there", b.says(rest), []string{"delivery.queued"})
		}
		return lost
	}
	b.same("nothing is lost yet", lost(""), false)
	n, err := b.RetainNotices(b.Context(), b.clock.now().Add(-time.Hour))
	b.ok(err)
	b.same("left", n, int64(1))
	all, _ := b.told("a", nil)
	b.same("there", b.says(all), []string{"delivery.queued"})
	b.same("who was before it has lost it", lost(""), true)
	b.same("who had it has not", lost(old[0].Position) || lost(middle), false)
	b.same("nobody was that far", lost("zzzzzzzz"), true)
}

func noticePauses(b *bundle) {
	now := b.clock.now()
	b.ok(b.CreateTenant(b.Context(), peal.Tenant{ID: "a", Name: "A", CreatedAt: now}))
	b.ok(b.EnableNotices(b.Context(), "a"))
	in := &peal.SealedIntegration{
		TenantID: "a", ID: peal.NewID(), Name: "wa", Kind: "wasender", Channel: peal.ChannelWhatsApp, Settings: json.RawMessage(`{}`),
		Secrets: []byte("sealed"), CreatedAt: now,
	}
	b.ok(b.CreateIntegration(b.Context(), in))
	pause := func(version int64, p *peal.Pause) {
		b.Helper()
		_, err := b.SetPause(b.Context(), in.ID, version, p)
		b.ok(err)
	}
	throttled := &peal.Pause{Code: peal.PauseThrottled, Since: now, Until: now.Add(time.Second)}
	pause(0, nil)
	pause(1, throttled)
	pause(1, throttled)
	pause(1, &peal.Pause{Code: peal.PauseCredentials, Reason: "401", Since: now})
	pause(7, nil) // of another version
	in.Version = 1
	b.ok(b.UpdateIntegration(b.Context(), in))
	pause(0, &peal.Pause{Code: peal.PauseManual, Since: now})
	pause(0, nil)
	pause(0, nil)
	all, _ := b.told("a", nil)
	b.same("told", b.says(all), []string{
		"integration.paused throttled", "integration.paused credentials", "integration.resumed credentials",
		"integration.paused manual", "integration.resumed manual",
	})
}
