package storetest

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"peal/internal/peal"
	"peal/internal/pipeline"
)

// Numbers is what is known of sending numbers, and of files that providers keep.
type Numbers interface {
	Number(ctx context.Context, integrationID string) (n peal.NumberState, ok bool, err error)
	PutNumber(ctx context.Context, tenantID, integrationID string, news peal.NumberState) (before, after peal.NumberState, err error)
	Reached(ctx context.Context, tenantID, integrationID string, since time.Time) (int64, error)
	Media(ctx context.Context, m peal.Media, until time.Time) (*peal.Media, error)
	PutMedia(ctx context.Context, m peal.Media) error
}

func numberCases() []testCase {
	return []testCase{
		{"news of a number are laid over what is known", numberNews},
		{"whom templates reached", numberReached},
		{"files that a provider keeps", mediaKept},
	}
}

func numberNews(b *bundle) {
	in := b.integration("a")
	if _, ok, err := b.Number(b.Context(), in.ID); ok || err != nil {
		b.Fatalf("of a number that nobody spoke of: %v, %v", ok, err)
	}
	b.ok(b.EnableNotices(b.Context(), in.TenantID))
	at := b.clock.now()
	put := func(news peal.NumberState) (before, after peal.NumberState) {
		b.Helper()
		before, after, err := b.PutNumber(b.Context(), in.TenantID, in.ID, news)
		b.ok(err)
		return before, after
	}
	first := peal.NumberState{Quality: "green", Tier: "TIER_2K", Limit: 2000, At: at}
	before, after := put(first)
	b.same("before", before, peal.NumberState{})
	b.same("after", after, first)
	_, after = put(peal.NumberState{Quality: "red", At: at.Add(time.Minute)})
	want := first
	want.Quality, want.At = "red", at.Add(time.Minute)
	b.same("with news", after, want)
	_, after = put(peal.NumberState{Quality: "yellow", At: at})
	b.same("with news of earlier", after, want)
	got, ok, err := b.Number(b.Context(), in.ID)
	b.ok(err)
	if b.same("read", got, want); !ok {
		b.Error("it is not there")
	}
	_, after = put(peal.NumberState{Used: 5, UsedAt: at, AskedAt: at, At: want.At})
	want.Used, want.UsedAt, want.AskedAt = 5, at, at
	b.same("counted", after, want)
	told, _ := b.told(in.TenantID, []string{peal.NoticeNumberUpdated})
	if len(told) != 1 || told[0].Subject != in.ID || !strings.Contains(string(told[0].Data), `"quality":"red"`) {
		b.Errorf("it is told: %+v", told)
	}
}

func numberReached(b *bundle) {
	in, other := b.integration("a"), b.integration("a")
	since := b.clock.now().Add(-time.Hour)
	template := func(to string) func(*pipeline.Submission) {
		return func(s *pipeline.Submission) {
			s.Deliveries[0].Recipient, s.Deliveries[0].Payload = to, json.RawMessage(`{"template":{"name":"t"}}`)
		}
	}
	b.sent(in, template("+919800000001"))
	b.sent(in, template("+919800000001"))
	b.sent(in, template("+919800000002"))
	b.sent(in) // no template
	b.sent(other, template("+919800000003"))
	b.accept(in, template("+919800000004")) // not sent
	n, err := b.Reached(b.Context(), "a", in.ID, since)
	b.ok(err)
	b.same("reached", n, int64(2))
	n, err = b.Reached(b.Context(), "a", in.ID, b.clock.now().Add(time.Hour))
	b.ok(err)
	b.same("reached later", n, int64(0))
}

func mediaKept(b *bundle) {
	now := b.clock.now()
	m := peal.Media{TenantID: "a", IntegrationID: peal.NewID(), Scope: "s", SHA256: "00ff", Type: "image/png", ID: "1", Size: 5, ExpiresAt: now.Add(time.Hour)}
	find := func(m peal.Media, until time.Time) *peal.Media {
		b.Helper()
		got, err := b.Media(b.Context(), m, until)
		b.ok(err)
		return got
	}
	if got := find(m, now); got != nil {
		b.Errorf("before it is there: %+v", got)
	}
	b.ok(b.PutMedia(b.Context(), m))
	asked := m
	asked.ID, asked.Size, asked.ExpiresAt = "", 0, time.Time{}
	b.same("file", find(asked, now), &m)
	if got := find(asked, now.Add(2*time.Hour)); got != nil {
		b.Errorf("it is kept for too long: %+v", got)
	}
	for what, change := range map[string]func(*peal.Media){
		"another account": func(m *peal.Media) { m.Scope = "t" }, "another type": func(m *peal.Media) { m.Type = "image/jpeg" },
		"another integration": func(m *peal.Media) { m.IntegrationID = "i" },
	} {
		wrong := asked
		change(&wrong)
		if got := find(wrong, now); got != nil {
			b.Errorf("%s: got %+v", what, got)
		}
	}
	b.clock.advance(3 * time.Hour)
	again := m
	again.ID, again.ExpiresAt = "2", b.clock.now().Add(time.Hour)
	b.ok(b.PutMedia(b.Context(), again))
	b.same("uploaded again", find(asked, b.clock.now()), &again)
}
