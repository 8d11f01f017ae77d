package storetest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"peal/internal/peal"
	"peal/internal/pipeline"
)

// Catalogues are the templates that accounts have, and what waits for them.
type Catalogues interface {
	Catalogues(ctx context.Context) ([]peal.Catalogue, error)
	Templates(ctx context.Context, integrationID string, f peal.TemplateFilter) ([]peal.Template, error)
	PutCatalogue(ctx context.Context, c *peal.Catalogue, all []peal.Template, trust time.Time) ([]peal.TemplateChange, error)
	FailCatalogue(ctx context.Context, c *peal.Catalogue) error
	AskCatalogue(ctx context.Context, tenantID, integrationID string, when time.Time, forced bool) error
	HearTemplate(ctx context.Context, integrationID string, st *peal.TemplateState) (*peal.TemplateChange, error)
	WordOnTemplate(ctx context.Context, in *peal.Integration, key peal.TemplateKey, w *peal.TemplateWord) (*peal.TemplateChange, error)
	TemplateWaits(ctx context.Context, integrationID string) (map[peal.TemplateKey]int64, error)
	WakeTemplates(ctx context.Context, in *peal.Integration, held func(peal.TemplateKey) bool, jobs func([]pipeline.Job)) error
	ForgetCatalogues(ctx context.Context) error
}

func templateCases() []testCase {
	return []testCase{
		{"a catalogue is written, changed, and what is gone is deleted", catalogueChanges},
		{"a reading that began before a word does not undo it", catalogueGuard},
		{"news in any order", templateNews},
		{"answers to calls stop, until they are outdated", templateWords},
		{"what waits is counted and woken", templateWaits},
		{"readings are asked for, and fail", catalogueAsked},
	}
}

func (b *bundle) putTemplates(in *peal.Integration, began, trust time.Time, all ...peal.Template) []peal.TemplateChange {
	b.Helper()
	c := b.catalogue(in)
	c.TenantID, c.IntegrationID, c.Of, c.TriedAt, c.Pages = in.TenantID, in.ID, 1, began, 1
	changes, err := b.PutCatalogue(b.Context(), &c, all, trust)
	b.ok(err)
	return changes
}

// catalogue is an integration's; empty when there is none.
func (b *bundle) catalogue(in *peal.Integration) (none peal.Catalogue) {
	b.Helper()
	all, err := b.Catalogues(b.Context())
	b.ok(err)
	for _, c := range all {
		if c.IntegrationID == in.ID {
			return c
		}
	}
	return none
}

// listed are an integration's templates as "name/language status", in their order.
func (b *bundle) listed(in *peal.Integration, f peal.TemplateFilter) string {
	b.Helper()
	all, err := b.Templates(b.Context(), in.ID, f)
	b.ok(err)
	var list []string
	for i := range all {
		list = append(list, all[i].Name+"/"+all[i].Language+" "+string(all[i].Stands()))
	}
	return strings.Join(list, ", ")
}

func (b *bundle) template(in *peal.Integration, name string) peal.Template {
	b.Helper()
	all, err := b.Templates(b.Context(), in.ID, peal.TemplateFilter{Name: name})
	b.ok(err)
	if len(all) != 1 {
		b.Fatalf("%d templates of the name %s", len(all), name)
	}
	return all[0]
}

func template(name string, change ...func(*peal.Template)) peal.Template {
	t := peal.Template{
		Name: name, Language: "en", ProviderID: "1", Category: "utility", Status: peal.TemplateApproved, Format: "positional", Quality: "green",
		Components: json.RawMessage(`[{"type":"BODY","text":"Hi"}]`),
	}
	for _, f := range change {
		f(&t)
	}
	return t
}

func as(status peal.TemplateStatus) func(*peal.Template) {
	return func(t *peal.Template) { t.Status = status }
}

func told(changes []peal.TemplateChange) string {
	var list []string
	for i := range changes {
		list = append(list, fmt.Sprintf("%s %s>%s", changes[i].Now.Name, changes[i].Old, changes[i].Now.Stands()))
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

func catalogueChanges(b *bundle) {
	in, other := b.integration("a"), b.integration("a")
	began := b.clock.now()
	hindi := template("one", func(t *peal.Template) { t.Language = "hi" })
	b.same("told of the first reading", told(b.putTemplates(in, began, began, template("one"), hindi, template("two"))), "")
	b.putTemplates(other, began, began, template("one"))
	got := b.template(other, "one")
	want := template("one", func(t *peal.Template) {
		t.TenantID, t.IntegrationID, t.StateAt, t.ChangedAt = "a", other.ID, began, began
	})
	b.same("a template", got, want)
	version := b.catalogue(in).Version

	later := began.Add(time.Hour)
	changes := b.putTemplates(in, later, began, template("one", as(peal.TemplatePaused)), hindi, template("three"))
	b.same("told of the second", told(changes), "one approved>paused, three >approved, two approved>deleted")
	b.same("listed", b.listed(in, peal.TemplateFilter{}), "one/en paused, one/hi approved, three/en approved, two/en deleted")
	b.same("a page", b.listed(in, peal.TemplateFilter{After: [2]string{"one", "en"}, Limit: 2}), "one/hi approved, three/en approved")
	b.same("by status", b.listed(in, peal.TemplateFilter{Status: peal.TemplatePaused}), "one/en paused")
	b.same("of the other integration", b.listed(other, peal.TemplateFilter{}), "one/en approved")
	c := b.catalogue(in)
	if c.Version <= version || !c.SyncedAt.Equal(later) || c.Of != 1 || c.Failures != 0 {
		b.Errorf("the catalogue is %+v", c)
	}
	b.same("told when nothing changes", told(b.putTemplates(in, later.Add(time.Hour), began, template("one", as(peal.TemplatePaused)), hindi, template("three"))), "")
	b.same("told when it is back", told(b.putTemplates(in, later.Add(2*time.Hour), began, template("one"), hindi, template("three"), template("two"))),
		"one paused>approved, two deleted>approved")
	b.putTemplates(in, later.Add(3*time.Hour), began, template("one"))
	b.putTemplates(in, later.Add(40*24*time.Hour), began, template("one"))
	b.same("after a long time", b.listed(in, peal.TemplateFilter{}), "one/en approved")
}

func catalogueGuard(b *bundle) {
	in := b.integration("a")
	began := b.clock.now()
	b.putTemplates(in, began, began, template("one"))
	b.clock.advance(time.Minute)
	_, err := b.HearTemplate(b.Context(), in.ID, &peal.TemplateState{Name: "one", Language: "en", Status: peal.TemplatePaused})
	b.ok(err)
	b.putTemplates(in, began.Add(time.Second), began, template("one", func(t *peal.Template) { t.Quality = "red" }))
	b.putTemplates(in, began.Add(time.Second), began)
	b.same("listed", b.listed(in, peal.TemplateFilter{}), "one/en paused")
}

func templateNews(b *bundle) {
	in := b.integration("a")
	at := b.clock.now()
	b.putTemplates(in, at, at, template("one"))
	hear := func(st peal.TemplateState) *peal.TemplateChange {
		b.Helper()
		st.Name, st.Language = "one", "en"
		c, err := b.HearTemplate(b.Context(), in.ID, &st)
		b.ok(err)
		return c
	}
	version := b.catalogue(in).Version
	b.clock.advance(time.Hour)
	approved := peal.TemplateState{Status: peal.TemplateApproved, At: at.Add(20 * time.Second)}
	if c := hear(peal.TemplateState{Status: peal.TemplatePaused, Reason: "why", Category: "marketing", At: at.Add(10 * time.Second)}); c == nil || c.Old != peal.TemplateApproved {
		b.Errorf("paused: %+v", c)
	}
	if got := b.template(in, "one"); got.Status != peal.TemplatePaused || got.Reason != "why" || got.Category != "marketing" || got.Quality != "green" {
		b.Errorf("paused it is %+v", got)
	}
	if c := hear(approved); c == nil || c.Old != peal.TemplatePaused || c.Now.Reason != "" {
		b.Errorf("approved: %+v", c)
	}
	if c := hear(approved); c != nil {
		b.Errorf("the same again: %+v", c)
	}
	if c := hear(peal.TemplateState{Status: peal.TemplatePaused, At: at.Add(15 * time.Second)}); c != nil {
		b.Errorf("what came late: %+v", c)
	}
	if b.catalogue(in).Version <= version {
		b.Error("nobody learns of it")
	}
	b.putTemplates(in, b.clock.now(), at, template("one", func(t *peal.Template) { t.Category = "marketing" }))
	if c := hear(peal.TemplateState{Status: peal.TemplateDisabled, At: at.Add(30 * time.Second)}); c != nil {
		b.Errorf("what is older than the last reading, by far: %+v", c)
	}
	if c, err := b.HearTemplate(b.Context(), in.ID, &peal.TemplateState{Name: "two", Language: "en", Status: peal.TemplatePaused}); c != nil || err != nil {
		b.Errorf("of one that is not known: %+v, %v", c, err)
	}
}

func templateWords(b *bundle) {
	in := b.integration("a")
	at := b.clock.now()
	b.putTemplates(in, at, at, template("one"), template("two"))
	key := peal.TemplateKey{Name: "one", Language: "en"}
	word := func(k peal.TemplateKey, status peal.TemplateStatus) *peal.TemplateChange {
		b.Helper()
		c, err := b.WordOnTemplate(b.Context(), in, k, &peal.TemplateWord{Status: status, Code: "132015", Reason: "paused, it says"})
		b.ok(err)
		return c
	}
	b.clock.advance(time.Minute)
	if c := word(key, peal.TemplatePaused); c == nil || c.Now.Stands() != peal.TemplatePaused || c.Now.Why() != "paused, it says" {
		b.Errorf("paused: %+v", c)
	}
	if c := word(key, peal.TemplatePaused); c != nil {
		b.Errorf("the same again: %+v", c)
	}
	b.same("by status", b.listed(in, peal.TemplateFilter{Status: peal.TemplatePaused}), "one/en paused")
	now := b.clock.now()
	b.putTemplates(in, now.Add(time.Second), now.Add(-time.Second), template("one"), template("two"))
	b.same("a list that may lag does not free it", b.listed(in, peal.TemplateFilter{}), "one/en paused, two/en approved")
	b.same("a later one does", told(b.putTemplates(in, now.Add(time.Hour), now.Add(time.Minute), template("one"), template("two"))), "one paused>approved")

	word(key, peal.TemplateBroken)
	if got := b.template(in, "one"); got.BrokenCode != "132015" || got.BrokenReason == "" || got.Stands() != peal.TemplateApproved {
		b.Errorf("broken it is %+v", got)
	}
	b.putTemplates(in, now.Add(2*time.Hour), now, template("one"), template("two"))
	if got := b.template(in, "one"); got.BrokenCode == "" {
		b.Error("a reading in which it has not changed mends it")
	}
	b.putTemplates(in, now.Add(3*time.Hour), now, template("one", func(t *peal.Template) { t.Components = json.RawMessage(`[]`) }), template("two"))
	if got := b.template(in, "one"); got.BrokenCode != "" {
		b.Errorf("changed it is %+v", got)
	}

	// Of one that the catalogue does not have it is remembered, so that its messages wait.
	word(peal.TemplateKey{Name: "three", Language: "en"}, peal.TemplateMissing)
	b.same("one that is missing", b.listed(in, peal.TemplateFilter{Name: "three"}), "three/en missing")
	b.clock.advance(time.Hour)
	word(key, peal.TemplateDisabled)
	if c, err := b.HearTemplate(b.Context(), in.ID, &peal.TemplateState{Name: "one", Language: "en", Status: peal.TemplateApproved}); err != nil || c == nil || c.Old != peal.TemplateDisabled {
		b.Errorf("its provider's word frees it: %+v, %v", c, err)
	}
}

func templateWaits(b *bundle) {
	in, other := b.integration("a"), b.integration("a")
	of := func(name, language string) func(*pipeline.Submission) {
		return first(func(d *peal.Delivery) {
			d.Payload = json.RawMessage(`{"template":{"name":"` + name + `","language":"` + language + `"}}`)
		})
	}
	park := func(in *peal.Integration, n int, code string, change func(*pipeline.Submission)) []string {
		b.Helper()
		ids := b.acceptMany(in, n, change)
		b.claim(in, ids...)
		for _, id := range ids {
			b.record(b.attempt(in, id, peal.ClassNone, peal.Queued, func(a *peal.Attempt) {
				a.Outcome.Code, a.Outcome.Reason, a.Due = code, "it is paused", b.clock.now().Add(time.Hour)
			}))
		}
		return ids
	}
	code := peal.TemplatePaused.Code()
	one, hindi := park(in, 3, code, of("one", "en")), park(in, 2, code, of("one", "hi"))
	park(in, 1, peal.CodeQuiet, of("one", "en"))
	park(other, 1, code, of("one", "en"))
	park(in, 1, code, of("nul", `en","\u0000":"`)) // no database is to stumble over it
	b.acceptMany(in, 1, of("one", "en"))
	nul := peal.TemplateKey{Name: "nul", Language: "en"}
	d := b.delivery("a", one[0])
	if d.Status != peal.Queued || d.ErrorCode != code || d.ErrorReason != "it is paused" || d.Attempts != 0 {
		b.Errorf("it waits as %+v", d)
	}
	b.same("its timeline", b.timeline(d), []string{"queued queued", "held queued"})
	waits := func() map[peal.TemplateKey]int64 {
		b.Helper()
		all, err := b.TemplateWaits(b.Context(), in.ID)
		b.ok(err)
		delete(all, nul)
		return all
	}
	en, hi := peal.TemplateKey{Name: "one", Language: "en"}, peal.TemplateKey{Name: "one", Language: "hi"}
	b.same("waiting", waits(), map[peal.TemplateKey]int64{en: 3, hi: 2})
	var woken []string
	wake := func(held ...peal.TemplateKey) {
		held = append(held, nul)
		b.Helper()
		b.ok(b.WakeTemplates(b.Context(), in, func(k peal.TemplateKey) bool { return slices.Contains(held, k) }, func(jobs []pipeline.Job) {
			for _, j := range jobs {
				woken = append(woken, j.DeliveryID)
			}
		}))
	}
	wake(en, hi)
	wake(hi)
	slices.Sort(woken)
	b.same("woken", woken, one)
	b.same("waiting still", waits(), map[peal.TemplateKey]int64{hi: 2})
	if d := b.delivery("a", one[0]); !d.DueAt.IsZero() || d.ErrorCode != "" {
		b.Errorf("woken it is %+v", d)
	}
	b.claim(in, one...)
	woken = nil
	wake()
	slices.Sort(woken)
	b.same("woken at last", woken, hindi)
}

func catalogueAsked(b *bundle) {
	in := b.integration("a")
	at := b.clock.now()
	b.ok(b.AskCatalogue(b.Context(), "a", in.ID, at, true))
	b.ok(b.AskCatalogue(b.Context(), "a", in.ID, at.Add(time.Second), false))
	if c := b.catalogue(in); !c.Forced || !c.AskedAt.Equal(at.Add(time.Second)) || !c.TriedAt.IsZero() || c.TenantID != "a" {
		b.Errorf("asked for it is %+v", c)
	}
	for n := range 2 {
		b.ok(b.FailCatalogue(b.Context(), &peal.Catalogue{TenantID: "a", IntegrationID: in.ID, Of: 1, TriedAt: at.Add(time.Minute), Error: "190"}))
		if c := b.catalogue(in); c.Failures != n+1 || c.Error != "190" || !c.SyncedAt.IsZero() {
			b.Errorf("failed it is %+v", c)
		}
	}
	b.putTemplates(in, at.Add(2*time.Minute), at)
	if c := b.catalogue(in); c.Failures != 0 || c.Error != "" || c.Forced || !c.SyncedAt.Equal(at.Add(2*time.Minute)) {
		b.Errorf("read it is %+v", c)
	}
	b.ok(b.ForgetCatalogues(b.Context()))
	if c := b.catalogue(in); c.Version == 0 {
		b.Error("one that nobody deleted is forgotten")
	}
}
