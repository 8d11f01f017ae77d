package storetest

import (
	"context"
	"encoding/json"
	"sync"
	"sync/atomic"
	"time"

	"peal/internal/peal"
)

// Endpoints is what telling the tenants' own systems needs of the records.
type Endpoints interface {
	CreateEndpoint(ctx context.Context, e *peal.Endpoint, most int) error
	Endpoint(ctx context.Context, tenantID, ref string) (peal.Endpoint, error)
	Endpoints(ctx context.Context, tenantID string) ([]peal.Endpoint, error)
	LiveEndpoints(ctx context.Context) ([]peal.Endpoint, error)
	UpdateEndpoint(ctx context.Context, e *peal.Endpoint) error
	DisableEndpoint(ctx context.Context, tenantID, id string, d peal.EndpointDisabled) error
	EnableEndpoint(ctx context.Context, tenantID, id string, from *string) error
	DeleteEndpoint(ctx context.Context, tenantID, id string) error
	StartEndpoint(ctx context.Context, id string) (*peal.EndpointRun, error)
	AdvanceEndpoint(ctx context.Context, p *peal.EndpointProgress) (bool, error)
	EndpointMessage(ctx context.Context, id, noticeID string) (peal.EndpointMessage, error)
	EndpointAttempts(ctx context.Context, id string, f peal.AttemptFilter) ([]peal.EndpointAttempt, error)
	PutAttempt(ctx context.Context, endpointID string, a peal.EndpointAttempt) error
	ReplayOne(ctx context.Context, tenantID, id string, m peal.EndpointMessage) error
	ReplayFailed(ctx context.Context, tenantID, id string, since time.Time, types []string, limit int) (int64, error)
	ReplaySince(ctx context.Context, tenantID, id string, r peal.EndpointReplay) error
	RetainEndpoints(ctx context.Context, before, wellBefore time.Time) error
	Notice(ctx context.Context, tenantID, id string) (peal.Notice, error)
}

func endpointCases() []testCase {
	return []testCase{
		{"what is written reads back", endpointReadsBack}, {"names are a tenant's own, and there is a bound", endpointNames},
		{"a run writes all or nothing, and only while it is the endpoint's", endpointRuns}, {"messages run out of tries and are replayed", endpointReplays},
		{"enabled from where it was, or from now on", endpointEnabled}, {"what is old leaves, and what is nobody's", endpointRetention},
		{"a disabled one is told of, once", endpointDisabled},
	}
}

func (b *bundle) endpoint(tenant, name string) peal.Endpoint {
	b.Helper()
	e := peal.Endpoint{
		TenantID: tenant, ID: peal.NewID(), Name: name, URL: "https://example.com/" + name, Timeout: 15 * time.Second,
		Secrets: []byte{1, 0, 255}, Cursor: "a", CursorAt: b.clock.now(), CreatedAt: b.clock.now(), UpdatedAt: b.clock.now(),
		Version: 1, Generation: 1,
	}
	b.ok(b.CreateEndpoint(b.Context(), &e, 3))
	return e
}

func (b *bundle) readEndpoint(e *peal.Endpoint) peal.Endpoint {
	b.Helper()
	got, err := b.Endpoint(b.Context(), e.TenantID, e.ID)
	b.ok(err)
	return got
}

func endpointReadsBack(b *bundle) {
	b.tenant("a")
	b.tenant("c")
	e := b.endpoint("a", "shop")
	b.same("made", b.readEndpoint(&e), e)
	got, err := b.Endpoint(b.Context(), "a", "shop")
	b.ok(err)
	b.same("by name", got, e)
	_, err = b.Endpoint(b.Context(), "c", e.ID)
	b.refused(err, peal.NotFound)
	e.URL, e.Types, e.Timeout, e.Secrets = "https://example.org/", []string{"delivery.*"}, time.Second, []byte("x")
	e.UpdatedAt = b.clock.advance(time.Minute)
	b.ok(b.UpdateEndpoint(b.Context(), &e))
	b.refused(b.UpdateEndpoint(b.Context(), &e), peal.Conflict) // of an old version
	e.Version++
	b.same("changed", b.readEndpoint(&e), e)
	all, err := b.Endpoints(b.Context(), "a")
	b.ok(err)
	b.same("all", all, []peal.Endpoint{e})
	live, err := b.LiveEndpoints(b.Context())
	b.ok(err)
	b.same("live", live, []peal.Endpoint{e})
	disabled := true
	b.ok(b.UpdateTenant(b.Context(), "a", nil, &disabled))
	live, err = b.LiveEndpoints(b.Context())
	b.ok(err)
	b.same("of a disabled tenant", live, []peal.Endpoint{})
	b.ok(b.DeleteEndpoint(b.Context(), "a", e.ID))
	b.refused(b.DeleteEndpoint(b.Context(), "a", e.ID), peal.NotFound)
}

func endpointNames(b *bundle) {
	b.tenant("a")
	b.tenant("c")
	b.endpoint("a", "one")
	b.endpoint("c", "one")
	again := peal.Endpoint{TenantID: "a", ID: peal.NewID(), Name: "one", Secrets: []byte{1}, CreatedAt: b.clock.now()}
	b.refused(b.CreateEndpoint(b.Context(), &again, 3), peal.Conflict)
	var made atomic.Int64
	var wg sync.WaitGroup
	for i := range 8 {
		e := again
		e.ID, e.Name = peal.NewID(), string(rune('p'+i))
		wg.Go(func() {
			if err := b.CreateEndpoint(b.Context(), &e, 3); err == nil {
				made.Add(1)
			} else if peal.KindOf(err) != peal.Conflict {
				b.Error(err)
			}
		})
	}
	wg.Wait()
	if made.Load() != 2 {
		b.Errorf("%d more were made, where there was room for 2", made.Load())
	}
}

func (b *bundle) message(id, subject string) peal.EndpointMessage {
	return peal.EndpointMessage{
		NoticeID: id, Type: "template.updated", Subject: subject, Position: id, At: b.clock.now(), Tries: 1,
		NextAt: b.clock.now().Add(5 * time.Second), Data: json.RawMessage(`{"n":1}`),
	}
}

func (b *bundle) startRun(e *peal.Endpoint) *peal.EndpointRun {
	b.Helper()
	r, err := b.StartEndpoint(b.Context(), e.ID)
	b.ok(err)
	return r
}

func (b *bundle) progress(p *peal.EndpointProgress, ours bool) {
	b.Helper()
	got, err := b.AdvanceEndpoint(b.Context(), p)
	b.ok(err)
	if got != ours {
		b.Errorf("written: %v, want %v", got, ours)
	}
}

func endpointRuns(b *bundle) {
	b.tenant("a")
	e := b.endpoint("a", "shop")
	r := b.startRun(&e)
	at := b.clock.now()
	one, two := b.message("1", "s"), b.message("2", "s")
	two.Tries, two.NextAt = 0, time.Time{}
	attempt := peal.EndpointAttempt{ID: peal.NewID(), NoticeID: "1", Type: "template.updated", Try: 1, At: at, Took: time.Millisecond, Status: 500, Code: "http_500", Error: "500", NextAt: one.NextAt}
	p := peal.EndpointProgress{
		EndpointID: e.ID, Generation: r.Generation, Cursor: "c", CursorAt: at, Ahead: []string{"7", "9"}, Put: []peal.EndpointMessage{one, two},
		Attempts: []peal.EndpointAttempt{attempt}, FailingAt: at, FailedAt: at, LastError: "500", Fails: 3,
		Replay: &peal.EndpointReplay{Cursor: "0", Until: "a", Since: at},
	}
	b.progress(&p, true)
	got := b.readEndpoint(&e)
	if got.Waiting != 2 || got.Failed != 0 || got.Fails != 3 || got.LastError != "500" || !got.FailingAt.Equal(at) || got.Cursor != "c" {
		b.Errorf("%+v", got)
	}
	old := p
	r = b.startRun(&e)
	b.same("ahead", r.Ahead, p.Ahead)
	b.same("replay", r.Replay, p.Replay)
	bare := map[string]peal.EndpointMessage{"1": one, "2": two}
	for _, m := range r.Messages {
		want := bare[m.NoticeID]
		want.Data = nil
		b.same("message", m, want)
	}
	m, err := b.EndpointMessage(b.Context(), e.ID, "1")
	b.ok(err)
	b.same("with its data", m, one)
	old.Told = []string{"1"}
	b.progress(&old, false) // of the run before
	one.Tries, one.Failed, one.NextAt = 8, true, time.Time{}
	p = peal.EndpointProgress{EndpointID: e.ID, Generation: r.Generation, Cursor: "d", Told: []string{"2"}, Kept: []peal.EndpointMessage{one}, OKAt: at}
	b.progress(&p, true)
	got = b.readEndpoint(&e)
	if got.Waiting != 0 || got.Failed != 1 || got.Replay != nil || !got.FailingAt.IsZero() || !got.OKAt.Equal(at) || got.LastError != "" {
		b.Errorf("%+v", got)
	}
	attempts, err := b.EndpointAttempts(b.Context(), e.ID, peal.AttemptFilter{Limit: 10})
	b.ok(err)
	b.same("attempts", attempts, []peal.EndpointAttempt{attempt})
	for _, f := range []peal.AttemptFilter{{NoticeID: "1", Failed: true, Limit: 1}, {Before: "g", Limit: 1}} {
		attempts, err = b.EndpointAttempts(b.Context(), e.ID, f)
		b.ok(err)
		b.same("attempts", attempts, []peal.EndpointAttempt{attempt})
	}
}

func endpointReplays(b *bundle) {
	b.tenant("a")
	e := b.endpoint("a", "shop")
	r := b.startRun(&e)
	old, young, other := b.message("1", "s"), b.message("2", "t"), b.message("3", "u")
	old.At = b.clock.now().Add(-time.Hour)
	other.Type = "number.updated"
	for _, m := range []*peal.EndpointMessage{&old, &young, &other} {
		m.Tries, m.Failed, m.NextAt = 8, true, time.Time{}
	}
	b.progress(&peal.EndpointProgress{EndpointID: e.ID, Generation: r.Generation, Cursor: "c", Put: []peal.EndpointMessage{old, young, other}}, true)
	n, err := b.ReplayFailed(b.Context(), "a", e.ID, b.clock.now().Add(-time.Minute), []string{"template.updated"}, 10)
	b.ok(err)
	if got := b.readEndpoint(&e); n != 1 || got.Waiting != 1 || got.Failed != 2 {
		b.Errorf("%d are replayed: %+v", n, got)
	}
	b.ok(b.ReplayOne(b.Context(), "a", e.ID, other))
	b.ok(b.ReplayOne(b.Context(), "a", e.ID, b.message("4", "x"))) // one that was told
	for _, m := range b.startRun(&e).Messages {
		if m.Tries != 0 || !m.NextAt.IsZero() {
			b.Errorf("%+v", m)
		}
	}
	if got := b.readEndpoint(&e); got.Waiting != 3 || got.Failed != 1 {
		b.Errorf("%+v", got)
	}
	_, err = b.ReplayFailed(b.Context(), "c", e.ID, time.Time{}, nil, 10)
	b.refused(err, peal.NotFound)
	b.ok(b.ReplaySince(b.Context(), "a", e.ID, peal.EndpointReplay{Cursor: "1", Since: b.clock.now(), Types: []string{"x.y"}}))
	b.refused(b.ReplaySince(b.Context(), "a", e.ID, peal.EndpointReplay{}), peal.Conflict)
	b.refused(b.ReplaySince(b.Context(), "a", peal.NewID(), peal.EndpointReplay{}), peal.NotFound)
	b.same("replay", b.startRun(&e).Replay, &peal.EndpointReplay{Cursor: "1", Until: "c", Since: b.clock.now(), Types: []string{"x.y"}})
}

func endpointEnabled(b *bundle) {
	b.tenant("a")
	e := b.endpoint("a", "shop")
	r := b.startRun(&e)
	b.progress(&peal.EndpointProgress{EndpointID: e.ID, Generation: r.Generation, Cursor: "c", Put: []peal.EndpointMessage{b.message("1", "s")}, FailingAt: b.clock.now()}, true)
	d := peal.EndpointDisabled{Code: peal.EndpointManual, Reason: "by hand", At: b.clock.now()}
	b.ok(b.DisableEndpoint(b.Context(), "a", e.ID, d))
	b.ok(b.DisableEndpoint(b.Context(), "a", e.ID, peal.EndpointDisabled{Code: peal.EndpointGone, At: b.clock.advance(time.Hour)})) // the first time counts
	b.same("disabled", b.readEndpoint(&e).Disabled, &d)
	_, err := b.StartEndpoint(b.Context(), e.ID)
	b.refused(err, peal.NotFound)
	b.refused(b.DisableEndpoint(b.Context(), "c", e.ID, d), peal.NotFound)
	b.ok(b.EnableEndpoint(b.Context(), "a", e.ID, nil))
	r = b.startRun(&e)
	if len(r.Messages) != 1 || r.Messages[0].Tries != 0 || r.Cursor != "c" || !r.FailingAt.IsZero() {
		b.Errorf("%+v", r)
	}
	from := "z"
	b.ok(b.EnableEndpoint(b.Context(), "a", e.ID, &from))
	r = b.startRun(&e)
	if got := b.readEndpoint(&e); len(r.Messages) != 0 || r.Cursor != "z" || got.Failed != 1 {
		b.Errorf("%+v", r)
	}
}

func endpointDisabled(b *bundle) {
	b.tenant("a")
	b.ok(b.EnableNotices(b.Context(), "a"))
	e := b.endpoint("a", "shop")
	r := b.startRun(&e)
	p := peal.EndpointProgress{
		EndpointID: e.ID, Generation: r.Generation, Cursor: "c", Disabled: &peal.EndpointDisabled{Code: peal.EndpointFailing, Reason: "500", At: b.clock.now()},
		Notice: &peal.Notice{TenantID: "a", Type: peal.NoticeEndpointDisabled, Subject: e.ID, At: b.clock.now(), Data: json.RawMessage(`{"endpoint_id":"x"}`)},
	}
	b.progress(&p, true)
	b.same("disabled", b.readEndpoint(&e).Disabled, p.Disabled)
	page, _ := b.told("a", nil)
	if len(page) != 1 || page[0].Type != peal.NoticeEndpointDisabled {
		b.Fatalf("told: %+v", page)
	}
	got, err := b.Notice(b.Context(), "a", page[0].ID)
	b.ok(err)
	b.same("by its id", got, page[0])
	for _, id := range []string{"", "x", "evt_", "evt_zzz", "evt_-"} {
		_, err = b.Notice(b.Context(), "a", id)
		b.refused(err, peal.NotFound)
	}
	_, err = b.Notice(b.Context(), "c", page[0].ID)
	b.refused(err, peal.NotFound)
}

func endpointRetention(b *bundle) {
	b.tenant("a")
	e := b.endpoint("a", "shop")
	r := b.startRun(&e)
	failed, waiting := b.message("1", "s"), b.message("2", "t")
	failed.Failed = true
	b.progress(&peal.EndpointProgress{EndpointID: e.ID, Generation: r.Generation, Cursor: "c", Put: []peal.EndpointMessage{failed, waiting}}, true)
	attempt := func(id string, ok bool) {
		b.Helper()
		b.ok(b.PutAttempt(b.Context(), id, peal.EndpointAttempt{ID: peal.NewID(), At: b.clock.now(), OK: ok, Status: 200}))
	}
	put := func(id string) { b.Helper(); attempt(id, true) }
	put(e.ID)
	attempt(e.ID, false)
	nobodys := peal.NewID()
	put(nobodys)
	count := func(id string) int {
		b.Helper()
		all, err := b.EndpointAttempts(b.Context(), id, peal.AttemptFilter{Limit: 10})
		b.ok(err)
		return len(all)
	}
	b.ok(b.RetainEndpoints(b.Context(), b.clock.now().Add(-time.Hour), b.clock.now().Add(-time.Hour)))
	b.same("all young", count(e.ID), 2)
	b.ok(b.RetainEndpoints(b.Context(), b.clock.now().Add(-time.Hour), b.clock.now().Add(time.Hour))) // what went well leaves first
	if got := b.readEndpoint(&e); got.Failed != 1 || got.Waiting != 1 || count(e.ID) != 1 || count(nobodys) != 0 {
		b.Errorf("%+v", got)
	}
	_, err := b.Beat(b.Context(), peal.Node{ID: "node"})
	b.ok(err)
	b.take("node", "endpoint:"+e.ID, "endpoint:held", "endpoint:released", "task:other")
	b.take("dead", "endpoint:lost")
	b.ok(b.Release(b.Context(), "node", []string{"endpoint:" + e.ID, "endpoint:released", "task:other"}))
	b.ok(b.RetainEndpoints(b.Context(), b.clock.now().Add(time.Hour), b.clock.now().Add(time.Hour)))
	leases, err := b.Leases(b.Context())
	b.ok(err)
	var left []string
	for _, l := range leases {
		left = append(left, l.Name)
	}
	b.same("leases", left, []string{"endpoint:" + e.ID, "endpoint:held", "task:other"})
	if got := b.readEndpoint(&e); got.Failed != 0 || got.Waiting != 1 || count(e.ID) != 0 {
		b.Errorf("%+v", got)
	}
	put(e.ID)
	b.ok(b.DeleteEndpoint(b.Context(), "a", e.ID))
	if _, err := b.EndpointMessage(b.Context(), e.ID, "2"); peal.KindOf(err) != peal.NotFound || count(e.ID) != 0 {
		b.Errorf("left: %v", err)
	}
}
