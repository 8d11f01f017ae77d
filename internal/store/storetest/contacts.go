package storetest

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/pipeline"
)

// Contacts are people who write, and what they want to be told.
type Contacts interface {
	Hear(ctx context.Context, heard []peal.Heard) (peal.News, error)
	InboundMessages(ctx context.Context, tenantID string, f peal.InboundFilter) ([]peal.Inbound, error)
	InboundMessage(ctx context.Context, tenantID, id string) (peal.Inbound, error)
	Listen(ctx context.Context, integrationID string, since time.Time) error
	ListeningSince(ctx context.Context, integrationID string) (time.Time, error)
	Contacts(ctx context.Context, tenantID, id string) ([]peal.Contact, error)
	LastInbound(ctx context.Context, tenantID, integrationID string, ids []string) (map[string]time.Time, error)
	PutConsents(ctx context.Context, words []peal.Consent) ([]peal.Consent, error)
	Consents(ctx context.Context, tenantID, channel string, ids []string) (map[string][]peal.Consent, error)
	FallBack(ctx context.Context, evidence []peal.Evidence) (pipeline.FellBack, error)
	SetPayload(ctx context.Context, tenantID, deliveryID string, payload json.RawMessage) error
	OptOuts(ctx context.Context, tenantID, channel string, after peal.Consent, limit int) ([]peal.Consent, error)
}

func contactCases() []testCase {
	return []testCase{
		{"what somebody wrote reads back, once", inboundReadsBack},
		{"a page of what was written", inboundPages},
		{"a reply names the delivery that it answers", inboundAnswers},
		{"what was written leaves with the log", inboundRetained},
		{"who has two identities is one person", contactBothIdentities},
		{"who moves takes along what is known of them", contactMoves},
		{"the latest word counts", consentLatest},
		{"a word said with a message counts once", consentOfMessage},
		{"who is written to by a longer number is who writes by a shorter", otherSpelling},
		{"opt-outs are paged", optOutPages},
		{"no tenant hears another's people", contactIsolation},
		{"since when webhooks come", listening},
		{"what was refused outside of the window goes once more", fellBack},
		{"what people say is told", toldOfPeople},
	}
}

const (
	ann   = "+14155550101"
	annID = "US.13491208655302741918"
)

func (b *bundle) wrote(in *peal.Integration, messageID string, change ...func(*peal.Inbound)) peal.Inbound {
	now := b.clock.now()
	m := peal.Inbound{
		TenantID: in.TenantID, IntegrationID: in.ID, ID: peal.NewID(), MessageID: messageID, From: ann, Type: "text", Text: "hi",
		At: now.Add(-time.Second), ReceivedAt: now,
	}
	for _, f := range change {
		f(&m)
	}
	return m
}

// hear takes messages in, and gives the ids of those that are new.
func (b *bundle) hear(all ...peal.Inbound) (isNew []string) {
	b.Helper()
	heard := make([]peal.Heard, len(all))
	for i := range all {
		heard[i].Inbound = &all[i]
	}
	news, err := b.Hear(b.Context(), heard)
	b.ok(err)
	for i := range news.Inbound {
		isNew = append(isNew, news.Inbound[i].MessageID)
	}
	return isNew
}

func inboundReadsBack(b *bundle) {
	in := b.integration("a")
	m := b.wrote(in, "wamid.1", func(m *peal.Inbound) {
		m.FromUserID, m.Name, m.Type, m.Content, m.MediaID, m.MediaType, m.ReplyTo = annID, "Ann", "image", json.RawMessage(`{"id":"7"}`), "7", "image/png", "wamid.0"
	})
	again := m
	again.ID, again.Text = peal.NewID(), "other"
	b.same("new", b.hear(m, again), []string{"wamid.1"})
	b.same("new later", b.hear(again), []string(nil))
	got, err := b.InboundMessage(b.Context(), "a", m.ID)
	b.ok(err)
	b.same("message", got, m)
	_, err = b.InboundMessage(b.Context(), "a", again.ID)
	b.refused(err, peal.NotFound)
	other := b.integration("a") // ids are an account's own
	b.same("over another integration", b.hear(b.wrote(other, "wamid.1")), []string{"wamid.1"})
	b.same("of nobody that is shown", b.hear(b.wrote(in, "wamid.2", func(m *peal.Inbound) { m.From = "" })), []string{"wamid.2"})
}

func inboundPages(b *bundle) {
	in, other := b.integration("a"), b.integration("a")
	start := b.clock.now()
	for i := range 4 {
		b.hear(b.wrote(in, fmt.Sprint("m", i), func(m *peal.Inbound) {
			m.ReceivedAt = start.Add(time.Duration(i) * time.Second)
			if i == 3 {
				m.From, m.FromUserID, m.Type = "", annID, "image"
			}
		}))
	}
	b.hear(b.wrote(other, "o"))
	page := func(f peal.InboundFilter) (ids []string) {
		b.Helper()
		if f.Limit == 0 {
			f.Limit = 10
		}
		all, err := b.InboundMessages(b.Context(), "a", f)
		b.ok(err)
		for i := range all {
			ids = append(ids, all[i].MessageID)
		}
		return ids
	}
	b.same("all", page(peal.InboundFilter{}), []string{"o", "m3", "m2", "m1", "m0"})
	b.same("of one", page(peal.InboundFilter{IntegrationID: in.ID, Limit: 2}), []string{"m3", "m2"})
	b.same("from a number", page(peal.InboundFilter{IntegrationID: in.ID, From: ann}), []string{"m2", "m1", "m0"})
	b.same("from a user id", page(peal.InboundFilter{From: annID}), []string{"m3"})
	b.same("of a type", page(peal.InboundFilter{Type: "image"}), []string{"m3"})
	b.same("of a time", page(peal.InboundFilter{IntegrationID: in.ID, Since: start.Add(time.Second), Until: start.Add(3 * time.Second)}), []string{"m2", "m1"})
	first, err := b.InboundMessages(b.Context(), "a", peal.InboundFilter{Limit: 2})
	b.ok(err)
	b.same("the next page", page(peal.InboundFilter{Before: first[1].ID}), []string{"m2", "m1", "m0"})
}

func inboundAnswers(b *bundle) {
	in := b.integration("a")
	d := b.accept(in)
	b.claim(in, d.ID)
	_, err := b.Record(b.Context(), []peal.Attempt{{
		TenantID: "a", DeliveryID: d.ID, IntegrationID: in.ID, Number: 1, Next: peal.Sent, At: b.clock.now(),
		Outcome: peal.Outcome{Class: peal.ClassAccepted, MessageID: "wamid.ours"},
	}})
	b.ok(err)
	m := b.wrote(in, "wamid.1", func(m *peal.Inbound) { m.ReplyTo = "wamid.ours" })
	b.hear(m)
	got, err := b.InboundMessage(b.Context(), "a", m.ID)
	b.ok(err)
	b.same("answers", got.DeliveryID, d.ID)
	byDelivery, err := b.InboundMessages(b.Context(), "a", peal.InboundFilter{DeliveryID: d.ID, Limit: 5})
	b.ok(err)
	b.same("by delivery", byDelivery, []peal.Inbound{got})

	_, err = b.Fold(b.Context(), []peal.Evidence{{TenantID: "a", IntegrationID: in.ID, DeliveryID: d.ID, MessageKey: "3EB0", Status: peal.Sent}})
	b.ok(err)
	byKey, stranger := b.wrote(in, "2", func(m *peal.Inbound) { m.ReplyTo = "3EB0" }), b.integration("b")
	elsewhere := b.wrote(stranger, "2", func(m *peal.Inbound) { m.ReplyTo = "3EB0" })
	b.hear(byKey, elsewhere)
	got, err = b.InboundMessage(b.Context(), "a", byKey.ID)
	b.ok(err)
	b.same("answers by key", got.DeliveryID, d.ID)
	got, err = b.InboundMessage(b.Context(), "b", elsewhere.ID)
	b.ok(err)
	b.same("of another tenant", got.DeliveryID, "")
}

func inboundRetained(b *bundle) {
	in := b.integration("a")
	m := b.wrote(in, "1")
	b.hear(m)
	_, err := b.Retain(b.Context(), b.clock.now().Add(-time.Hour))
	b.ok(err)
	_, err = b.InboundMessage(b.Context(), "a", m.ID)
	b.ok(err)
	_, err = b.Retain(b.Context(), b.clock.now().Add(time.Hour))
	b.ok(err)
	_, err = b.InboundMessage(b.Context(), "a", m.ID)
	b.refused(err, peal.NotFound)
}

// lastOf tells how long ago somebody last wrote, in seconds before now; -1: never.
func (b *bundle) lastOf(in *peal.Integration, ids ...string) (ago []int) {
	b.Helper()
	last, err := b.LastInbound(b.Context(), in.TenantID, in.ID, ids)
	b.ok(err)
	for _, id := range ids {
		if at, ok := last[id]; ok {
			ago = append(ago, int(b.clock.now().Sub(at)/time.Second))
		} else {
			ago = append(ago, -1)
		}
	}
	return ago
}

func contactBothIdentities(b *bundle) {
	in := b.integration("a")
	b.hear(b.wrote(in, "1"))
	b.same("by number", b.lastOf(in, ann, annID), []int{1, -1})
	b.clock.advance(time.Minute)
	b.hear(b.wrote(in, "2", func(m *peal.Inbound) { m.From, m.FromUserID = "", annID }))
	b.same("not known to be the same", b.lastOf(in, ann, annID), []int{61, 1})
	b.clock.advance(time.Minute)
	both := b.wrote(in, "3", func(m *peal.Inbound) { m.FromUserID, m.At = annID, m.At.Add(-time.Hour) }) // it comes late
	b.hear(both)
	b.same("both, and never back", b.lastOf(in, ann, annID), []int{61, 61})
	b.clock.advance(time.Minute)
	b.hear(b.wrote(in, "4", func(m *peal.Inbound) { m.From, m.FromUserID, m.Name = "", annID, "Ann" }))
	b.same("by either", b.lastOf(in, ann, annID), []int{1, 1})
	b.hear(b.wrote(in, "5", func(m *peal.Inbound) { m.Type, m.At = peal.InboundSystem, b.clock.now() }))
	b.same("nobody wrote that", b.lastOf(in, ann, annID), []int{1, 1})
	known, err := b.Contacts(b.Context(), "a", ann)
	b.ok(err)
	if len(known) != 1 || known[0].Other != annID || known[0].Name != "Ann" || known[0].IntegrationID != in.ID {
		b.Errorf("known %+v", known)
	}
	_, err = b.PutConsents(b.Context(), []peal.Consent{out(annID, peal.CategoryAll, b.clock.now())})
	b.ok(err)
	b.same("what one said, both did", b.wants("a", "", ann, annID, "+14155550109"), []peal.ConsentState{"out", "out", ""})
}

func out(contact, category string, at time.Time) peal.Consent {
	return peal.Consent{TenantID: "a", Contact: contact, Channel: peal.ChannelWhatsApp, Category: category, State: peal.OptedOut, Source: "api", At: at}
}

func (b *bundle) wants(tenantID, category string, ids ...string) (all []peal.ConsentState) {
	b.Helper()
	said, err := b.Consents(b.Context(), tenantID, peal.ChannelWhatsApp, ids)
	b.ok(err)
	for _, id := range ids {
		all = append(all, peal.Wants(said[id], category))
	}
	return all
}

func contactMoves(b *bundle) {
	in := b.integration("a")
	const next, nextID = "+14155550102", "US.2"
	b.hear(b.wrote(in, "1", func(m *peal.Inbound) { m.FromUserID, m.Name = annID, "Ann" }))
	_, err := b.PutConsents(b.Context(), []peal.Consent{out(ann, peal.CategoryMarketing, b.clock.now())})
	b.ok(err)
	for range 2 {
		_, err := b.Hear(b.Context(), []peal.Heard{{Move: &peal.Move{
			TenantID: "a", IntegrationID: in.ID, From: ann, To: next, ToUserID: nextID, At: b.clock.now(),
		}}})
		b.ok(err)
	}
	b.same("wrote", b.lastOf(in, ann, annID, next, nextID), []int{-1, -1, 1, 1})
	b.same("wants", b.wants("a", peal.CategoryMarketing, ann, annID, next, nextID), []peal.ConsentState{"", "", "out", "out"})
	known, err := b.Contacts(b.Context(), "a", nextID)
	b.ok(err)
	if len(known) != 1 || known[0].Name != "Ann" || known[0].Other != next {
		b.Errorf("known %+v", known)
	}

	// Another id under the same number; the message that says so still comes from the one before.
	const third = "US.3"
	said := b.wrote(in, "2", func(m *peal.Inbound) { m.From, m.FromUserID, m.Type = next, nextID, peal.InboundSystem })
	_, err = b.Hear(b.Context(), []peal.Heard{
		{Move: &peal.Move{TenantID: "a", IntegrationID: in.ID, From: next, FromUserID: nextID, To: next, ToUserID: third, At: b.clock.now()}},
		{Inbound: &said},
	})
	b.ok(err)
	b.same("wrote, by the new id", b.lastOf(in, next, nextID, third), []int{1, -1, 1})
	b.same("wants, by the new id", b.wants("a", peal.CategoryMarketing, next, nextID, third), []peal.ConsentState{"out", "", "out"})
}

func consentLatest(b *bundle) {
	at := b.clock.now()
	say := func(changed int, category string, state peal.ConsentState, at time.Time) {
		b.Helper()
		c := out(ann, category, at)
		c.State = state
		got, err := b.PutConsents(b.Context(), []peal.Consent{c})
		b.ok(err)
		if len(got) != changed {
			b.Errorf("%s %s: %d changed, want %d", state, category, len(got), changed)
		}
	}
	b.same("nothing said", b.wants("a", peal.CategoryMarketing, ann), []peal.ConsentState{""})
	say(1, peal.CategoryMarketing, peal.OptedOut, at)
	b.same("marketing", b.wants("a", peal.CategoryMarketing, ann), []peal.ConsentState{"out"})
	b.same("authentication", b.wants("a", peal.CategoryAuthentication, ann), []peal.ConsentState{""})
	b.same("of no category", b.wants("a", "", ann), []peal.ConsentState{""})
	say(0, peal.CategoryMarketing, peal.OptedOut, at.Add(time.Second))
	say(0, peal.CategoryMarketing, peal.OptedIn, at) // an older word
	say(1, peal.CategoryAll, peal.OptedIn, at.Add(2*time.Second))
	b.same("all is marketing, too", b.wants("a", peal.CategoryMarketing, ann), []peal.ConsentState{"in"})
	say(1, peal.CategoryAll, peal.OptedOut, at.Add(3*time.Second))
	b.same("stopped", b.wants("a", "", ann), []peal.ConsentState{"out"})
	say(1, peal.CategoryMarketing, peal.OptedIn, at.Add(4*time.Second))
	b.same("marketing again", b.wants("a", peal.CategoryMarketing, ann), []peal.ConsentState{"in"})
	b.same("nothing else", b.wants("a", peal.CategoryUtility, ann), []peal.ConsentState{"out"})
}

func otherSpelling(b *bundle) {
	in := b.integration("a")
	const long, short, id = "+5531987654321", "+553187654321", "BR.13491208655302741918"
	m := b.wrote(in, "1", func(m *peal.Inbound) { m.From, m.FromUserID = short, id })
	c := out(short, peal.CategoryAll, m.At)
	_, err := b.Hear(b.Context(), []peal.Heard{{Inbound: &m, Consent: &c}})
	b.ok(err)
	b.same("by one, the other, and the user id", b.wants("a", "", long, short, id), []peal.ConsentState{"out", "out", "out"})
	last, err := b.LastInbound(b.Context(), "a", in.ID, []string{long, short, ann})
	b.ok(err)
	if len(last) != 2 || !last[long].Equal(m.At) || !last[short].Equal(m.At) {
		b.Errorf("they wrote %v", last)
	}
	again := out(long, peal.CategoryAll, m.At.Add(time.Second)) // as a tenant states it, who knows the longer one
	again.State = peal.OptedIn
	_, err = b.PutConsents(b.Context(), []peal.Consent{again})
	b.ok(err)
	b.same("the latest word counts", b.wants("a", "", long, short, id), []peal.ConsentState{"in", "in", "in"})
}

func consentOfMessage(b *bundle) {
	in := b.integration("a")
	stop, start := b.wrote(in, "1"), b.wrote(in, "2")
	word := func(m peal.Inbound, state peal.ConsentState) peal.Heard {
		c := out(ann, peal.CategoryAll, m.At)
		c.State, c.Source = state, peal.ConsentByMessage
		return peal.Heard{Inbound: &m, Consent: &c}
	}
	say := func(h peal.Heard) int {
		b.Helper()
		news, err := b.Hear(b.Context(), []peal.Heard{h})
		b.ok(err)
		return len(news.Consents)
	}
	b.same("STOP", say(word(stop, peal.OptedOut)), 1)
	b.same("wants", b.wants("a", "", ann), []peal.ConsentState{"out"})
	b.same("START in the same second", say(word(start, peal.OptedIn)), 1)
	b.same("STOP, told again", say(word(stop, peal.OptedOut)), 0)
	b.same("wants", b.wants("a", "", ann), []peal.ConsentState{"in"})
}

func optOutPages(b *bundle) {
	var words []peal.Consent
	for i := range 5 {
		words = append(words, out(fmt.Sprintf("+1415555020%d", i), peal.CategoryAll, b.clock.now()))
	}
	words = append(words, out("+14155550200", peal.CategoryMarketing, b.clock.now()))
	words[1].State = peal.OptedIn
	_, err := b.PutConsents(b.Context(), words)
	b.ok(err)
	var got []string
	var after peal.Consent
	for {
		page, err := b.OptOuts(b.Context(), "a", "", after, 2)
		b.ok(err)
		for _, c := range page {
			got = append(got, c.Contact[len(c.Contact)-1:]+c.Category)
		}
		if len(page) < 2 {
			break
		}
		after = page[1]
	}
	b.same("opt-outs", got, []string{"0all", "0marketing", "2all", "3all", "4all"})
	none, err := b.OptOuts(b.Context(), "a", "push", peal.Consent{}, 2)
	b.ok(err)
	b.same("of another channel", none, []peal.Consent(nil))
}

func contactIsolation(b *bundle) {
	in, other := b.integration("a"), b.integration("b")
	m := b.wrote(in, "1")
	b.hear(m)
	_, err := b.PutConsents(b.Context(), []peal.Consent{out(ann, peal.CategoryAll, b.clock.now())})
	b.ok(err)
	_, err = b.InboundMessage(b.Context(), "b", m.ID)
	b.refused(err, peal.NotFound)
	all, err := b.InboundMessages(b.Context(), "b", peal.InboundFilter{Limit: 5})
	b.ok(err)
	b.same("messages", all, []peal.Inbound(nil))
	known, err := b.Contacts(b.Context(), "b", ann)
	b.ok(err)
	b.same("contacts", known, []peal.Contact(nil))
	last, err := b.LastInbound(b.Context(), "b", in.ID, []string{ann})
	b.ok(err)
	b.same("last", last, map[string]time.Time{})
	b.hear(b.wrote(other, "2")) // they write to both
	c := out("+14155550109", peal.CategoryAll, b.clock.now())
	c.TenantID = "b"
	_, err = b.PutConsents(b.Context(), []peal.Consent{c})
	b.ok(err)
	b.same("wants", b.wants("b", "", ann), []peal.ConsentState{""})
	outs, err := b.OptOuts(b.Context(), "b", "", peal.Consent{}, 5)
	b.ok(err)
	b.same("opt-outs", outs, []peal.Consent{c})
}

func listening(b *bundle) {
	id, at := peal.NewID(), b.clock.now()
	since, err := b.ListeningSince(b.Context(), id)
	b.ok(err)
	b.same("not yet", since, time.Time{})
	b.ok(b.Listen(b.Context(), id, at))
	b.ok(b.Listen(b.Context(), id, at.Add(time.Hour)))
	since, err = b.ListeningSince(b.Context(), id)
	b.ok(err)
	b.same("since", since, at)
}

// shut is evidence that a message was refused outside of the 24-hour window.
func shut(in *peal.Integration, deliveryID, messageID string) peal.Evidence {
	return peal.Evidence{
		TenantID: in.TenantID, IntegrationID: in.ID, DeliveryID: deliveryID, MessageID: messageID, Status: peal.Failed, Code: "131047",
		Reason: "closed", WindowClosed: true,
	}
}

func (b *bundle) fallsBack(jobs, rest int, wait bool, e peal.Evidence) {
	b.Helper()
	f, err := b.FallBack(b.Context(), []peal.Evidence{e})
	b.ok(err)
	if len(f.Jobs) != jobs || len(f.Rest) != rest || f.Wait != wait {
		b.Errorf("%d jobs, %d left, wait %v; want %d, %d, %v", len(f.Jobs), len(f.Rest), f.Wait, jobs, rest, wait)
	}
}

// fellBack: what was refused goes once more with its fallback, and only once; what the provider repeats changes nothing.
func fellBack(b *bundle) {
	in := b.integration("a")
	sent := func(d *peal.Delivery, number int, id string) {
		b.Helper()
		_, err := b.Record(b.Context(), []peal.Attempt{{
			TenantID: "a", DeliveryID: d.ID, IntegrationID: in.ID, Number: number, Next: peal.Sent, At: b.clock.advance(time.Second),
			Outcome: peal.Outcome{Class: peal.ClassAccepted, MessageID: id},
		}})
		b.ok(err)
	}
	plain, d := b.accept(in), b.accept(in, first(func(d *peal.Delivery) {
		d.Payload = json.RawMessage(`{"text":"hi","fallback_template":{"name":"n","language":"en"},"category":"utility"}`)
	}))
	b.claim(in, plain.ID, d.ID)
	b.fallsBack(0, 0, true, shut(in, d.ID, "w1")) // its call is still going on
	sent(&plain, 1, "w0")
	sent(&d, 1, "w1")
	b.fallsBack(0, 1, false, shut(in, plain.ID, "w0")) // it has none
	b.fallsBack(0, 1, false, shut(b.integration("b"), d.ID, "w1"))
	b.fallsBack(1, 0, false, shut(in, "", "w1"))
	b.fallsBack(0, 0, false, shut(in, d.ID, "w1")) // told again
	row, events, err := b.Delivery(b.Context(), "a", d.ID)
	b.ok(err)
	if row.Status != peal.Queued || row.MessageID != "" || row.ErrorCode != "131047" || !row.SentAt.IsZero() || events[len(events)-1].Type != peal.EventFellBack {
		b.Errorf("row %+v, events %+v", row, events)
	}
	of := func(status peal.Status, messageID string) peal.Evidence {
		return peal.Evidence{TenantID: "a", IntegrationID: in.ID, DeliveryID: d.ID, MessageID: messageID, Status: status, At: b.clock.now()}
	}
	stands := func(what string, want peal.Status) {
		b.Helper()
		if got := b.delivery("a", d.ID); got.Status != want || got.Flag != "" {
			b.Errorf("%s: it is %s %s, want %s", what, got.Status, got.Flag, want)
		}
	}
	b.fold(of(peal.Sent, "w1"), of(peal.Failed, "w1"))
	stands("told late of the one that was refused", peal.Queued)
	claimed := b.claim(in, d.ID)
	var said pipeline.Said
	b.ok(json.Unmarshal(claimed[0].Payload, &said))
	b.same("what it says", said, pipeline.Said{
		Content:  api.Content{Text: new("hi"), FallbackTemplate: &api.Template{Name: "n", Language: "en"}},
		Category: "utility", FellBack: "131047", Instead: "w1",
	})
	b.fallsBack(0, 0, false, shut(in, d.ID, "w1"))
	sent(&d, 2, "w2")
	b.fallsBack(0, 0, false, shut(in, d.ID, "w1"))
	again, err := b.Refold(b.Context(), []peal.Retold{{Evidence: shut(in, d.ID, "w1")}, {Evidence: of(peal.Failed, "w1")}, {Evidence: shut(in, d.ID, "w0")}})
	b.ok(err)
	b.same("replayed", again.Changed, int64(0))
	stands("replayed", peal.Sent)
	b.fold(of(peal.Delivered, "w2"))
	stands("it arrives", peal.Delivered)
	b.fallsBack(0, 1, false, shut(in, d.ID, "w2")) // that is of the template: it fails
	b.ok(b.SetPayload(b.Context(), "b", d.ID, json.RawMessage(`{}`)))
	row, _, err = b.Delivery(b.Context(), "a", d.ID)
	b.ok(err)
	b.same("nobody else's", row.Payload, claimed[0].Payload)
}

// toldOfPeople: what people say is in their tenant's event log, each thing once.
func toldOfPeople(b *bundle) {
	b.ok(b.EnableNotices(b.Context(), "a"))
	in := b.integration("a")
	stop := b.wrote(in, "1", func(m *peal.Inbound) { m.Text = "STOP" })
	c := out(ann, peal.CategoryAll, stop.At)
	c.Source, c.Keyword, c.IntegrationID = peal.ConsentByMessage, "STOP", in.ID
	for range 2 {
		_, err := b.Hear(b.Context(), []peal.Heard{{Inbound: &stop, Consent: &c}})
		b.ok(err)
	}
	back := out(ann, peal.CategoryMarketing, b.clock.now())
	back.State = peal.OptedIn
	_, err := b.PutConsents(b.Context(), []peal.Consent{back})
	b.ok(err)
	page, _ := b.told("a", nil)
	var told []string
	for i := range page {
		told = append(told, page[i].Type+" "+page[i].Subject)
	}
	b.same("told", told, []string{"message.received " + ann, "contact.opted_out " + ann, "contact.opted_in " + ann})
	var e api.ContactEvent
	b.ok(json.Unmarshal(page[1].Data, &e))
	b.same("opted out", e, api.ContactEvent{Contact: ann, Channel: peal.ChannelWhatsApp, Source: "keyword", Keyword: "STOP", IntegrationID: in.ID, At: stop.At})
}
