package e2e_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"peal/api"
	"peal/client"
	"peal/emulator/wasender"
	"peal/internal/config"
)

// oneAttempt makes every failure a dead letter.
func oneAttempt(s *api.Settings) { s.MaxAttempts = 1 }

// dead makes n dead letters of an HTTP status, and gives their recipients and ids.
func (w *world) dead(t *testing.T, n, status int, change ...func(*api.NotificationRequest)) map[string]string {
	t.Helper()
	id := w.fault(t, wasender.Fault{Kind: wasender.FaultStatus, Status: status, Every: true})
	ids := w.sendMany(t, n, change...)
	for _, id := range ids {
		if d := w.reaches(t, id, "failed"); !d.DeadLetter || d.ErrorCode != fmt.Sprintf("http_%d", status) {
			t.Fatalf("dead letter %v, error %s", d.DeadLetter, d.ErrorCode)
		}
	}
	if err := w.emu.RemoveFault(id); err != nil {
		t.Fatal(err)
	}
	return ids
}

func values(ids map[string]string) []string {
	var list []string
	for _, id := range ids {
		list = append(list, id)
	}
	slices.Sort(list)
	return list
}

// listDead walks all pages of the dead letters and gives their ids, sorted.
func (w *world) listDead(t *testing.T, q client.DeadLetterQuery) []string {
	t.Helper()
	q.Limit = 2
	var ids []string
	last := ""
	for d, err := range w.peal.DeadLetters(t.Context(), q) {
		if err != nil {
			t.Fatal(err)
		}
		if !d.DeadLetter || last != "" && d.ID >= last {
			t.Errorf("listed %+v after %s", d, last)
		}
		last = d.ID
		ids = append(ids, d.ID)
	}
	slices.Sort(ids)
	return ids
}

// TestDeadLettersSeen: a person finds what has failed: listed, filtered, grouped with counts and a sample, and whole.
func TestDeadLettersSeen(t *testing.T) {
	t.Parallel()
	w := setup(t, oneAttempt)
	second := w.connect(t, "second", oneAttempt)
	a := w.dead(t, 3, 503)
	b := w.dead(t, 2, 500)
	c := w.dead(t, 1, 503, func(r *api.NotificationRequest) { r.Integration = "second" })
	for _, tt := range []struct {
		name string
		q    client.DeadLetterQuery
		want []string
	}{
		{"all", client.DeadLetterQuery{}, slices.Sorted(slices.Values(slices.Concat(values(a), values(b), values(c))))},
		{"by code", client.DeadLetterQuery{ErrorCode: "http_500"}, values(b)},
		{"by integration's name", client.DeadLetterQuery{Integration: "second"}, values(c)},
		{"by integration's id and code", client.DeadLetterQuery{Integration: w.integration.ID, ErrorCode: "http_503"}, values(a)},
		{"dead since the last one was accepted", client.DeadLetterQuery{Since: w.delivery(t, values(c)[0]).CreatedAt}, values(c)},
		{"before there were any", client.DeadLetterQuery{Until: time.Now().Add(-time.Hour)}, nil},
		{"of another code", client.DeadLetterQuery{ErrorCode: "http_418"}, nil},
	} {
		if got := w.listDead(t, tt.q); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
	groups, err := w.peal.DeadLetterGroups(t.Context())
	if err != nil || len(groups.Groups) != 3 {
		t.Fatalf("%+v, %v", groups, err)
	}
	for i, want := range []struct {
		integration, code string
		ids               []string
	}{{w.integration.ID, "http_503", values(a)}, {w.integration.ID, "http_500", values(b)}, {second.ID, "http_503", values(c)}} {
		g := groups.Groups[i]
		if g.IntegrationID != want.integration || g.ErrorCode != want.code || g.Count != int64(len(want.ids)) ||
			!slices.Contains(want.ids, g.Sample.ID) || g.OldestAt.IsZero() || g.NewestAt.Before(g.OldestAt) {
			t.Errorf("group %d: %+v, want %+v", i, g, want)
		}
	}
	d, err := w.peal.DeadLetter(t.Context(), values(b)[0])
	if err != nil || kinds(d.Timeline) != "queued:queued attempt:failed" || d.Timeline[1].Code != "http_500" || d.Content == nil {
		t.Errorf("%+v, %v", d, err)
	}
}

// TestRedriveOne: a dead letter goes out again under its own id, with its history, and with a full number of attempts.
func TestRedriveOne(t *testing.T) {
	t.Parallel()
	w := setup(t, func(s *api.Settings) { s.MaxAttempts = 2 })
	w.fault(t, wasender.Fault{Kind: wasender.FaultStatus, Status: 503, Times: 3})
	to, id := w.sendText(t, "third time lucky")
	w.reaches(t, id, "failed")
	d, err := w.peal.RedriveDeadLetter(t.Context(), id)
	if err != nil || d.ID != id || d.DeadLetter || d.Status == "failed" {
		t.Fatalf("%+v, %v", d, err)
	}
	d = w.reaches(t, id, "read")
	if got := kinds(d.Timeline); !strings.HasPrefix(got, "queued:queued attempt:queued attempt:failed redriven:queued attempt:queued attempt:sent ") {
		t.Errorf("timeline %s", got)
	}
	if d.Attempts != 4 || d.ErrorCode != "" || d.EndedAt != nil || w.emu.CountByRecipient(to) != 1 {
		t.Errorf("attempts %d, error %q, ended %v, taken %d times", d.Attempts, d.ErrorCode, d.EndedAt, w.emu.CountByRecipient(to))
	}
	if ids := w.listDead(t, client.DeadLetterQuery{}); ids != nil {
		t.Errorf("still dead: %v", ids)
	}
}

// TestRedriveByFilter: dry_run counts and changes nothing; a filter takes what it names, in steps if asked; all takes the rest.
func TestRedriveByFilter(t *testing.T) {
	t.Parallel()
	w := setup(t, oneAttempt)
	a, b := w.dead(t, 3, 503), w.dead(t, 2, 500)
	redrive := func(req api.RedriveRequest) api.DeadLetterResult {
		t.Helper()
		res, err := w.peal.RedriveDeadLetters(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		return *res
	}
	by503 := api.DeadLetterFilter{ErrorCode: "http_503"}
	past := time.Now().Add(-time.Hour)
	for _, tt := range []struct {
		req  api.RedriveRequest
		want api.DeadLetterResult
	}{
		{api.RedriveRequest{Filter: by503, DryRun: true}, api.DeadLetterResult{DryRun: true, Matched: 3, Remaining: 3}},
		{api.RedriveRequest{Filter: api.DeadLetterFilter{All: true}, DryRun: true}, api.DeadLetterResult{DryRun: true, Matched: 5, Remaining: 5}},
		{api.RedriveRequest{Filter: api.DeadLetterFilter{Until: &past}}, api.DeadLetterResult{}},
		{api.RedriveRequest{Filter: api.DeadLetterFilter{IDs: []string{w.integration.ID}}}, api.DeadLetterResult{}},
		{api.RedriveRequest{Filter: api.DeadLetterFilter{IntegrationID: "another"}}, api.DeadLetterResult{}},
	} {
		if got := redrive(tt.req); got != tt.want {
			t.Errorf("%+v: %+v, want %+v", tt.req, got, tt.want)
		}
	}
	if n := len(w.listDead(t, client.DeadLetterQuery{})); n != 5 {
		t.Fatalf("%d are left though nothing was to be done", n)
	}
	if got, want := redrive(api.RedriveRequest{Filter: by503, Limit: 2}), (api.DeadLetterResult{Matched: 3, Done: 2, Remaining: 1}); got != want {
		t.Errorf("with a limit: %+v, want %+v", got, want)
	}
	if got, want := redrive(api.RedriveRequest{Filter: by503}), (api.DeadLetterResult{Matched: 1, Done: 1}); got != want {
		t.Errorf("the rest: %+v, want %+v", got, want)
	}
	w.allOnce(t, a)
	if got := w.listDead(t, client.DeadLetterQuery{}); !slices.Equal(got, values(b)) {
		t.Errorf("dead letters %v, want %v", got, values(b))
	}
	if got, want := redrive(api.RedriveRequest{Filter: api.DeadLetterFilter{All: true, IDs: []string{}}}), (api.DeadLetterResult{Matched: 2, Done: 2}); got != want {
		t.Errorf("all: %+v, want %+v", got, want)
	}
	w.allOnce(t, b)
}

// TestRedriveRate: with a rate they do not fall on the provider all at once.
func TestRedriveRate(t *testing.T) {
	t.Parallel()
	w := setup(t, oneAttempt)
	ids := w.dead(t, 4, 503)
	w.pause(t)
	before := time.Now()
	if _, err := w.peal.RedriveDeadLetters(t.Context(), api.RedriveRequest{Filter: api.DeadLetterFilter{All: true}, Rate: 2}); err != nil {
		t.Fatal(err)
	}
	order := values(ids)
	var first time.Time
	for i, id := range order { // oldest first, half a second apart
		d := w.delivery(t, id)
		if d.Status != "queued" || d.DueAt == nil {
			t.Fatalf("%d: %s, due %v", i, d.Status, d.DueAt)
		}
		if i == 0 {
			first = *d.DueAt
			if first.Before(before.Add(-time.Millisecond)) {
				t.Errorf("the first is due %v, before it was asked for", first)
			}
		}
		if got, want := d.DueAt.Sub(first), time.Duration(i)*500*time.Millisecond; got != want {
			t.Errorf("%d is due %v after the first, want %v", i, got, want)
		}
	}
	w.resume(t)
	w.allOnce(t, ids)
	for to, id := range ids {
		if m := w.emu.Messages(queryTo(to)); m[0].TakenAt.Before(first.Add(time.Duration(slices.Index(order, id)) * 500 * time.Millisecond)) {
			t.Errorf("taken before its time: %v", m[0].TakenAt)
		}
	}
}

// TestRedriveExpired: a one-time password that has run out is not sent late by a re-drive either, nor by a resolve.
func TestRedriveExpired(t *testing.T) {
	t.Parallel()
	w := setup(t, oneAttempt)
	expired := w.dead(t, 1, 503, func(r *api.NotificationRequest) { r.TTL = shortLife() })
	good := w.dead(t, 1, 503)
	id := values(expired)[0]
	over := *w.delivery(t, id).ExpiresAt
	eventually(t, "its time is over", func() error { return want("over", time.Now().After(over), true) })
	a := w.do(t, http.MethodPost, "/v1/dead-letters/"+id+"/redrive", w.key, "")
	if a.status != http.StatusConflict || a.problem(t).Code != api.CodeExpired {
		t.Errorf("re-drive it: %d %s", a.status, a.body)
	}
	for _, dry := range []bool{true, false} {
		want := api.DeadLetterResult{DryRun: dry, Matched: 2, Expired: 1}
		if want.Done = 1; dry {
			want.Done, want.Remaining = 0, 1
		}
		got, err := w.peal.RedriveDeadLetters(t.Context(), api.RedriveRequest{Filter: api.DeadLetterFilter{All: true}, DryRun: dry})
		if err != nil || *got != want {
			t.Errorf("re-drive all: %+v, %v; want %+v", got, err, want)
		}
	}
	w.allOnce(t, good)
	if d := w.delivery(t, id); d.Status != "failed" || !d.DeadLetter {
		t.Errorf("%s, dead letter %v", d.Status, d.DeadLetter)
	}
	if n := w.emu.CountByRecipient(w.delivery(t, id).Recipient); n != 0 {
		t.Errorf("it went out %d times", n)
	}
}

// TestDiscard: what is discarded stays failed and asks for nobody any more.
func TestDiscard(t *testing.T) {
	t.Parallel()
	w := setup(t, oneAttempt)
	ids := values(w.dead(t, 3, 503))
	d, err := w.peal.DiscardDeadLetter(t.Context(), ids[0])
	if err != nil || d.Status != "failed" || d.DeadLetter || d.ErrorCode != "http_503" {
		t.Errorf("%+v, %v", d, err)
	}
	if last := d.Timeline[len(d.Timeline)-1]; last.Type != "discarded" {
		t.Errorf("timeline %s", kinds(d.Timeline))
	}
	filter := api.DeadLetterFilter{IDs: []string{strings.ToUpper(ids[0]), strings.ToUpper(ids[1]), ids[2]}}
	for _, want := range []api.DeadLetterResult{{DryRun: true, Matched: 2, Remaining: 2}, {Matched: 2, Done: 2}, {}} {
		got, err := w.peal.DiscardDeadLetters(t.Context(), api.DiscardRequest{Filter: filter, DryRun: want.DryRun})
		if err != nil || *got != want {
			t.Errorf("discard: %+v, %v; want %+v", got, err, want)
		}
	}
	if left := w.listDead(t, client.DeadLetterQuery{}); left != nil {
		t.Errorf("still dead: %v", left)
	}
}

// TestAllWithEmptyIDs: an empty list of ids is as good as none.
func TestAllWithEmptyIDs(t *testing.T) {
	t.Parallel()
	w := setup(t, oneAttempt)
	w.dead(t, 2, 503)
	var got api.DeadLetterResult
	a := w.do(t, http.MethodPost, "/v1/dead-letters/discard", w.key, `{"filter":{"all":true,"ids":[]}}`)
	a.decode(t, &got)
	if want := (api.DeadLetterResult{Matched: 2, Done: 2}); a.status != http.StatusOK || got != want {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestNoDeadLetter: what is none, or whose filter chooses nothing, is refused, and nothing happens.
func TestNoDeadLetter(t *testing.T) {
	t.Parallel()
	w := setup(t, oneAttempt)
	_, sent := w.sendText(t, "fine")
	w.reaches(t, sent, "read")
	discarded := values(w.dead(t, 1, 503))[0]
	if _, err := w.peal.DiscardDeadLetter(t.Context(), discarded); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		method, path, body string
		status             int
		code               string
	}{
		{"POST", sent + "/redrive", "", 409, api.CodeNotDeadLetter},
		{"POST", sent + "/discard", "", 409, api.CodeNotDeadLetter},
		{"POST", discarded + "/redrive", "", 409, api.CodeNotDeadLetter},
		{"POST", discarded + "/discard", "", 409, api.CodeNotDeadLetter},
		{"GET", sent, "", 404, api.CodeNotFound},
		{"GET", w.integration.ID, "", 404, api.CodeNotFound},
		{"POST", w.integration.ID + "/redrive", "", 404, api.CodeNotFound},
		{"POST", "redrive", `{"filter":{}}`, 422, api.CodeInvalidRequest},
		{"POST", "discard", `{"filter":{}}`, 422, api.CodeInvalidRequest},
		{"POST", "redrive", `{}`, 422, api.CodeInvalidRequest},
		{"POST", "redrive", `{"filter":{"all":true,"error_code":"http_503"}}`, 422, api.CodeInvalidRequest},
		{"POST", "redrive", `{"filter":{"all":true},"rate":-1}`, 422, api.CodeInvalidRequest},
		{"POST", "redrive", `{"filter":{"all":true},"rate":1e-300}`, 422, api.CodeInvalidRequest},
		{"POST", "redrive", `{"filter":{"all":true},"rate":0.0009}`, 422, api.CodeInvalidRequest},
		{"POST", "redrive", `{"filter":{"everything":true}}`, 422, api.CodeInvalidRequest},
	} {
		a := w.do(t, tt.method, "/v1/dead-letters/"+tt.path, w.key, tt.body)
		if a.status != tt.status || a.problem(t).Code != tt.code {
			t.Errorf("%s %s %s: %d %s", tt.method, tt.path, tt.body, a.status, a.body)
		}
	}
	if d := w.delivery(t, sent); d.Status != "read" {
		t.Errorf("what was read became %s", d.Status)
	}
}

// TestDeletedIntegration: deleting an integration cancels what waits in it; its dead letters stay dead.
func TestDeletedIntegration(t *testing.T) {
	t.Parallel()
	w := setupWith(t, wasender.Options{}, func(c *config.Config) { c.LedgerEvery = 50 * time.Millisecond }, oneAttempt)
	dead := values(w.dead(t, 1, 503))[0]
	w.pause(t)
	ids := w.sendMany(t, 3)
	if err := w.peal.DeleteIntegration(t.Context(), "wa"); err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		if d := w.reaches(t, id, "canceled"); kinds(d.Timeline) != "queued:queued canceled:canceled" {
			t.Errorf("timeline %s", kinds(d.Timeline))
		}
	}
	a := w.do(t, http.MethodPost, "/v1/dead-letters/"+dead+"/redrive", w.key, "")
	if p := a.problem(t); a.status != http.StatusConflict || p.Code != api.CodeConflict || !strings.Contains(p.Detail, "deleted") {
		t.Errorf("re-drive what cannot go out any more: %d %s", a.status, a.body)
	}
	got, err := w.peal.RedriveDeadLetters(t.Context(), api.RedriveRequest{Filter: api.DeadLetterFilter{All: true}})
	if want := (api.DeadLetterResult{Matched: 1, Expired: 1}); err != nil || *got != want {
		t.Errorf("re-drive all: %+v, %v; want %+v", got, err, want)
	}
	if d := w.delivery(t, dead); d.Status != "failed" || !d.DeadLetter {
		t.Errorf("%s, dead letter %v", d.Status, d.DeadLetter)
	}
	in := w.connect(t, "wa") // the name is free again, and nothing of the old one comes over the new
	_, id := w.send(t, text(phone(), "new"))
	if d := w.reaches(t, id, "sent"); d.IntegrationID != in.ID {
		t.Errorf("over %s, want %s", d.IntegrationID, in.ID)
	}
	if n := w.emu.Counts().Accepted; n != 1 {
		t.Errorf("the provider took %d", n)
	}
}
