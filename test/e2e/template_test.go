package e2e_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"peal/api"
	"peal/client"
	"peal/emulator/whatsappcloud"
)

// withTemplates is an account with templates: a body of two places in two languages, one of another, and filler of several
// pages.
func withTemplates(filler int) whatsappcloud.Options {
	opt := receipts("sent", "delivered")
	body := func(text string) []whatsappcloud.Component {
		return []whatsappcloud.Component{{Type: "BODY", Text: text}}
	}
	list := []whatsappcloud.Template{
		{Name: "order_paid", Language: "en", Components: body("Hi {{1}}, {{2}} is paid.")},
		{Name: "order_paid", Language: "hi", Components: body("{{1}} {{2}}")},
		{Name: "hello", Language: "en", Category: "MARKETING", Components: body("Hello")},
		{Name: "refused", Language: "en", Status: "REJECTED", Reason: "ABUSIVE_CONTENT"},
	}
	for i := range filler {
		list = append(list, whatsappcloud.Template{Name: fmt.Sprintf("filler_%03d", i), Language: "en"})
	}
	opt.Accounts = []whatsappcloud.Account{{Templates: list}}
	return opt
}

// synced waits until the catalogue has been read as asked for.
func (c *cloud) synced(t *testing.T, w *world, templates int) {
	t.Helper()
	eventually(t, "the catalogue is read", func() error {
		in, err := w.peal.Integration(t.Context(), c.integration.ID)
		if err != nil {
			return err
		}
		if s := in.Templates; s == nil || s.SyncedAt == nil || s.AskedAt != nil || s.Templates != templates || !s.Checked {
			return fmt.Errorf("it is %+v", s)
		}
		return nil
	})
}

func (c *cloud) of(name, language string, body ...string) api.NotificationRequest {
	tm := &api.Template{Name: name, Language: language}
	for _, s := range body {
		tm.Body = append(tm.Body, api.TemplateParameter{Text: new(s)})
	}
	return c.over(phone(), api.Content{Template: tm})
}

// waits waits until so many deliveries wait for a template in the status.
func (c *cloud) waits(t *testing.T, w *world, name, status string, n int64) *api.CatalogueTemplate {
	t.Helper()
	var got *api.CatalogueTemplate
	eventually(t, fmt.Sprintf("%d wait for %s, which is %s", n, name, status), func() error {
		list, err := w.peal.Template(t.Context(), "cloud", name)
		if err != nil {
			return err
		}
		if got = &list.Templates[0]; got.Status != status || got.Waiting != n {
			return fmt.Errorf("it is %s and %d wait", got.Status, got.Waiting)
		}
		return nil
	})
	return got
}

// TestTemplatesAreChecked: the catalogue is read in pages when the integration is made; what does not fit it is refused
// before it is accepted, and a repeat of what was accepted is not.
func TestTemplatesAreChecked(t *testing.T) {
	t.Parallel()
	w := silent(t)
	c := w.cloud(t, withTemplates(250))
	c.synced(t, w, 254)
	page, err := w.peal.Templates(t.Context(), "cloud", client.TemplateQuery{Limit: 200})
	if err != nil || len(page.Templates) != 200 || page.NextCursor == "" {
		t.Fatalf("%d templates, %v", len(page.Templates), err)
	}
	rest, err := w.peal.Templates(t.Context(), "cloud", client.TemplateQuery{Limit: 200, Cursor: page.NextCursor})
	if err != nil || len(rest.Templates) != 54 || rest.NextCursor != "" {
		t.Fatalf("%d templates on the second page, %v", len(rest.Templates), err)
	}
	if none, err := w.peal.Templates(t.Context(), w.integration.ID, client.TemplateQuery{}); err != nil || none.Catalogue.Missing == "" {
		t.Errorf("of an integration that has none: %+v, %v", none, err)
	}
	some, err := w.peal.Templates(t.Context(), "cloud", client.TemplateQuery{Status: "rejected"})
	if err != nil || len(some.Templates) != 1 || some.Templates[0].Reason != "ABUSIVE_CONTENT" || some.Templates[0].Sendable {
		t.Errorf("the rejected ones: %+v, %v", some, err)
	}

	for name, tt := range map[string]struct {
		req              api.NotificationRequest
		path, code, word string
	}{
		"too few":       {c.of("order_paid", "en", "Ann"), "content.template.body", "count", "takes 2 parameters; 1 given"},
		"too many":      {c.of("hello", "en", "Ann"), "content.template.body", "count", "takes no parameters; 1 given"},
		"language":      {c.of("order_paid", "de", "Ann", "it"), "content.template.language", "not_found", "exists in en, hi"},
		"no such":       {c.of("other", "en"), "content.template.name", "not_found", "no such template"},
		"rejected":      {c.of("refused", "en"), "content.template", "rejected", "ABUSIVE_CONTENT"},
		"header of one": {c.over(phone(), api.Content{Template: &api.Template{Name: "hello", Language: "en", Header: []api.TemplateParameter{{Text: new("x")}}}}), "content.template.header", "unsupported", "no header"},
	} {
		_, err := w.peal.Send(t.Context(), tt.req)
		p := problemOf(err)
		if p == nil || p.Status != 422 || len(p.Errors) != 1 || p.Errors[0].Path != tt.path || p.Errors[0].Code != tt.code || !strings.Contains(p.Errors[0].Message, tt.word) {
			t.Errorf("%s: %v %+v", name, err, p)
		}
	}
	if n := c.Counts().Accepted + c.Counts().Refused; n != 0 {
		t.Errorf("the provider was called %d times", n)
	}
	req := c.of("order_paid", "en", "Ann", "it")
	req.IdempotencyKey = "once"
	_, id := w.send(t, req)
	w.reaches(t, id, "delivered")

	// It is deleted at Meta: nothing new is accepted, a repeat is answered as it was, and one that is new is known soon.
	if err := c.RemoveTemplate("", "order_paid", "en"); err != nil {
		t.Fatal(err)
	}
	if err := c.PutTemplate("", whatsappcloud.Template{Name: "fresh", Language: "en"}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.peal.SyncTemplates(t.Context(), "cloud"); err != nil {
		t.Fatal(err)
	}
	c.synced(t, w, 254)
	if _, err := w.peal.Send(t.Context(), c.of("order_paid", "en", "Ann", "it")); problemOf(err) == nil {
		t.Errorf("a deleted one is accepted: %v", err)
	}
	if again, err := w.peal.Send(t.Context(), req); err != nil || !again.Replayed || again.Deliveries[0].ID != id {
		t.Errorf("the repeat: %+v, %v", again, err)
	}
	_, id = w.send(t, c.of("fresh", "en"))
	w.reaches(t, id, "delivered")
}

// TestAPausedTemplateStopsItsOwn: what is of a paused template waits, visibly, also over a restart; the others go on; and
// when Meta says that it is approved again all of it goes at once.
func TestAPausedTemplateStopsItsOwn(t *testing.T) {
	t.Parallel()
	w := silent(t)
	c := w.cloud(t, withTemplates(0), func(s *api.Settings) { s.RecipientLimit = &api.RecipientLimit{} })
	c.synced(t, w, 4)
	put := func(status, reason string) {
		t.Helper()
		if err := c.PutTemplate("", whatsappcloud.Template{Name: "hello", Language: "en", Category: "MARKETING", Status: status, Reason: reason}); err != nil {
			t.Fatal(err)
		}
	}
	q := client.EventQuery{Types: []string{"template.updated"}, After: client.FirstEvent, Integration: "cloud"}
	if _, err := w.peal.EventPage(t.Context(), q); err != nil { // from now on it is written
		t.Fatal(err)
	}
	put("PAUSED", "")
	c.waits(t, w, "hello", "paused", 0)
	var ids []string
	for range 5 {
		_, id := w.send(t, c.of("hello", "en"))
		ids = append(ids, id)
	}
	_, other := w.send(t, c.of("order_paid", "en", "Ann", "it"))
	w.reaches(t, other, "delivered")
	short := c.of("hello", "en")
	short.TTL = "1s"
	_, late := w.send(t, short)
	w.reaches(t, late, "expired")
	c.waits(t, w, "hello", "paused", 5)
	d := w.delivery(t, ids[0])
	if d.Status != "queued" || d.ErrorCode != "template_paused" || !strings.Contains(d.ErrorReason, "hello (en) is paused") || d.Attempts != 0 || !strings.HasSuffix(kinds(d.Timeline), "held:queued") {
		t.Errorf("it waits as %+v, %s", d, kinds(d.Timeline))
	}
	in, err := w.peal.Integration(t.Context(), "cloud")
	if err != nil || len(in.Templates.Stopped) != 1 || in.Templates.Stopped[0].Waiting != 5 || in.Paused != nil {
		t.Errorf("the integration says %+v, %v", in.Templates, err)
	}
	w.restart(t)
	c.waits(t, w, "hello", "paused", 5)
	put("APPROVED", "")
	for _, id := range ids {
		if d := w.reaches(t, id, "delivered"); d.Attempts != 1 || d.ErrorCode != "" {
			t.Errorf("it went as %+v", d)
		}
	}
	c.waits(t, w, "hello", "approved", 0)

	// No webhook tells this one: the answer to a call does, and a reading of the catalogue that a person asks for.
	if err := c.UpdateAccount("", func(a *whatsappcloud.Account) { a.Fields = []string{"messages"} }); err != nil {
		t.Fatal(err)
	}
	put("PAUSED", "")
	_, told := w.send(t, c.of("hello", "en"))
	c.waits(t, w, "hello", "paused", 1)
	if d := w.delivery(t, told); d.Status != "queued" || d.ErrorCode != "template_paused" || d.Attempts != 0 {
		t.Errorf("it waits as %+v", d)
	}
	put("APPROVED", "")
	if _, err := w.peal.SyncTemplates(t.Context(), "cloud"); err != nil {
		t.Fatal(err)
	}
	if d := w.reaches(t, told, "delivered"); d.Attempts != 1 {
		t.Errorf("it went as %+v", d)
	}
	if n := c.CountByRecipient(d.Recipient); n != 1 {
		t.Errorf("one was sent %d times", n)
	}

	// A message that does not fit fails by itself, and its template is marked until it is another.
	if _, err := c.AddFault(whatsappcloud.Fault{Kind: whatsappcloud.FaultError, Code: 132012, Via: whatsappcloud.ViaAnswer}); err != nil {
		t.Fatal(err)
	}
	_, broken := w.send(t, c.of("hello", "en"))
	if d := w.reaches(t, broken, "failed"); d.ErrorCode != "132012" {
		t.Errorf("it failed as %+v", d)
	}
	if got := c.waits(t, w, "hello", "approved", 0); got.Broken == nil || got.Broken.Code != "132012" {
		t.Errorf("the template is %+v", got)
	}
	_, id := w.send(t, c.of("hello", "en"))
	w.reaches(t, id, "delivered")

	eventually(t, "it is told", func() error {
		page, err := w.peal.EventPage(t.Context(), q)
		if err != nil {
			return err
		}
		var all []string
		for _, e := range page.Events {
			var d api.TemplateEvent
			if err := json.Unmarshal(e.Data, &d); err != nil || d.Name != "hello" || d.IntegrationID != c.integration.ID || d.Category != "marketing" {
				return fmt.Errorf("an event is %s, %w", e.Data, err)
			}
			if d.PreviousStatus != d.Status { // else the catalogue says itself now what an answer had said
				all = append(all, d.PreviousStatus+">"+d.Status)
			}
		}
		return want("changes", strings.Join(all, " "), "approved>paused paused>approved approved>paused paused>approved")
	})
}
