package storetest

import (
	"context"
	"encoding/json"
	"time"

	"peal/internal/peal"
)

// Watcher is what watching integrations needs of the records.
type Watcher interface {
	Watches(ctx context.Context, integrationIDs []string) (map[string]peal.Watch, error)
	Watched(ctx context.Context, integrationID string, since time.Time) (peal.Watch, error)
	Unsettled(ctx context.Context) ([]peal.Watch, error)
	Sight(ctx context.Context, sightings []peal.Sighting) error
	Unheard(ctx context.Context, in *peal.Integration, after, before time.Time) (n int, first time.Time, err error)
	SetSuspect(ctx context.Context, integrationID string, since time.Time, reason string, n peal.Notice) (bool, error)
	SetSession(ctx context.Context, integrationID, before, state string, when time.Time, n *peal.Notice) (bool, error)
}

func watchCases() []testCase {
	return []testCase{
		{"what several nodes hear of an integration", watchSightings},
		{"suspicion begins and ends once, and is told", watchSuspicion},
		{"a session's state is told once", watchSession},
		{"what was sent between two times is counted", watchUnheard},
	}
}

func watchSightings(b *bundle) {
	now := b.clock.now()
	at := func(s int) time.Time { return now.Add(time.Duration(s) * time.Second) }
	w, err := b.Watched(b.Context(), "in", now)
	b.ok(err)
	b.same("new", w, peal.Watch{IntegrationID: "in", Since: now})
	b.clock.advance(time.Hour)
	b.ok(b.Sight(b.Context(), []peal.Sighting{
		{IntegrationID: "in", Webhook: at(5), Receipt: at(4), Session: "connected", SessionAt: at(3)}, {IntegrationID: "other", Refused: 2},
	}))
	b.ok(b.Sight(b.Context(), []peal.Sighting{{IntegrationID: "in", Webhook: at(2), Receipt: at(9), Session: "need_scan", SessionAt: at(1), Refused: 3}}))
	b.ok(b.Sight(b.Context(), []peal.Sighting{{IntegrationID: "in", Refused: 4}, {IntegrationID: "other", Refused: 1, Session: "expired", SessionAt: at(1)}}))
	all, err := b.Watches(b.Context(), []string{"in", "other", "unknown"})
	b.ok(err)
	b.same("known", all, map[string]peal.Watch{
		"in":    {IntegrationID: "in", Since: now, LastWebhook: at(5), LastReceipt: at(9), Refused: 7, Heard: "connected", HeardAt: at(3)},
		"other": {IntegrationID: "other", Since: at(3600), Refused: 3, Heard: "expired", HeardAt: at(1)},
	})
	w, err = b.Watched(b.Context(), "in", now)
	b.ok(err)
	b.same("of one", w, all["in"])
	b.ok(b.Sight(b.Context(), []peal.Sighting{{IntegrationID: "other", Webhook: at(1)}}))
	if w, err = b.Watched(b.Context(), "other", now); err != nil || w.Refused != 0 {
		b.Errorf("after the right secret %d are refused, %v", w.Refused, err)
	}
}

func watchSuspicion(b *bundle) {
	in, now := b.integration("a"), b.clock.now()
	b.ok(b.EnableNotices(b.Context(), "a"))
	_, err := b.Watched(b.Context(), in.ID, now)
	b.ok(err)
	n := peal.Notice{TenantID: "a", Type: peal.NoticeIntegrationSuspect, Subject: in.ID, Data: json.RawMessage(`{}`)}
	set := func(since time.Time, reason string, want bool) {
		b.Helper()
		news, err := b.SetSuspect(b.Context(), in.ID, since, reason, n)
		b.ok(err)
		b.same("news", news, want)
	}
	set(time.Time{}, "", false)
	set(now, "why", true)
	set(now.Add(time.Second), "again", false)
	w, err := b.Watched(b.Context(), in.ID, now)
	b.ok(err)
	if !w.SuspectSince.Equal(now) || w.SuspectReason != "why" {
		b.Errorf("suspect since %v: %s", w.SuspectSince, w.SuspectReason)
	}
	set(time.Time{}, "", true)
	set(time.Time{}, "", false)
	page, _ := b.told("a", []string{peal.NoticeIntegrationSuspect})
	b.same("told", len(page), 2)
}

func watchSession(b *bundle) {
	in, now := b.integration("a"), b.clock.now()
	b.ok(b.EnableNotices(b.Context(), "a"))
	n := &peal.Notice{TenantID: "a", Type: peal.NoticeIntegrationSession, Subject: in.ID, Data: json.RawMessage(`{}`)}
	set := func(before, state string, n *peal.Notice, want bool) {
		b.Helper()
		told, err := b.SetSession(b.Context(), in.ID, before, state, now, n)
		b.ok(err)
		b.same("told", told, want)
	}
	unsettled := func(want int) {
		b.Helper()
		all, err := b.Unsettled(b.Context())
		b.ok(err)
		b.same("unsettled", len(all), want)
	}
	b.ok(b.Sight(b.Context(), []peal.Sighting{{IntegrationID: in.ID, Webhook: now}}))
	unsettled(0)
	b.ok(b.Sight(b.Context(), []peal.Sighting{{IntegrationID: in.ID, Session: "connected", SessionAt: now}}))
	unsettled(1)
	set("", "connected", nil, true)
	unsettled(0)
	b.ok(b.Sight(b.Context(), []peal.Sighting{{IntegrationID: in.ID, Session: "need_scan", SessionAt: now.Add(time.Second)}}))
	unsettled(1)
	set("connected", "logged_out", n, false) // it was not heard of
	set("", "need_scan", n, false)           // another node was quicker
	set("connected", "need_scan", n, true)
	set("connected", "need_scan", n, false)
	unsettled(0)
	page, _ := b.told("a", []string{peal.NoticeIntegrationSession})
	b.same("told", len(page), 1)
}

func watchUnheard(b *bundle) {
	in, other := b.integration("a"), b.integration("a")
	start := b.clock.now()
	var sent []time.Time
	for i := range 5 {
		b.clock.advance(time.Minute)
		d := b.sent(in)
		b.sent(other)
		b.accept(in)
		if i == 2 {
			b.fold(byID(&d, peal.Read, b.clock.now())) // that one was looked up says nothing of the webhooks
		}
		sent = append(sent, b.delivery("a", d.ID).SentAt)
	}
	n, first, err := b.Unheard(b.Context(), in, sent[0], sent[4])
	b.ok(err)
	if n != 3 || !first.Equal(sent[1]) {
		b.Errorf("%d were sent, the first at %v; want 3, %v", n, first, sent[1])
	}
	n, first, err = b.Unheard(b.Context(), in, start.Add(-time.Hour), start)
	b.ok(err)
	if n != 0 || !first.IsZero() {
		b.Errorf("%d were sent before, the first at %v", n, first)
	}
}
