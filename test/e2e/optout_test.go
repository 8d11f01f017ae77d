package e2e_test

import (
	"slices"
	"testing"
	"time"

	"peal/api"
	"peal/client"
	"peal/emulator/whatsappcloud"
)

// wants waits until it is known what somebody wants of a category.
func (w *world) wants(t *testing.T, contact, category, state string) {
	t.Helper()
	eventually(t, contact+" has opted "+state, func() error {
		said, err := w.peal.Consents(t.Context(), contact)
		if err != nil {
			return err
		}
		got := ""
		for _, c := range said.Consents {
			if c.Category == category {
				got = c.State
			}
		}
		return want("consent to "+category, got, state)
	})
}

// TestStop: whoever writes STOP is skipped from then on, also what was accepted before; after START they are sent to. Nothing
// of that concerns another tenant, and a stop of marketing concerns no one-time passwords.
func TestStop(t *testing.T) {
	t.Parallel()
	w := silent(t)
	c := w.cloud(t, receipts("sent"))
	to := phone()
	if _, err := w.peal.PauseIntegration(t.Context(), "cloud"); err != nil {
		t.Fatal(err)
	}
	_, before := w.send(t, c.text(to, "accepted before"))
	c.says(t, whatsappcloud.Inbound{From: to, Text: " Stop! "})
	w.wants(t, to, "all", "out")
	sent, err := w.peal.Send(t.Context(), c.text(to, "accepted after"))
	if err != nil || sent.Deliveries[0].Status != "skipped" || sent.Deliveries[0].Reason != "opted_out" {
		t.Errorf("%+v, %v", sent, err)
	}
	if _, err := w.peal.ResumeIntegration(t.Context(), "cloud"); err != nil {
		t.Fatal(err)
	}
	if d := w.reaches(t, before, "skipped", "sent"); d.ErrorCode != "opted_out" {
		t.Errorf("%+v", d)
	}
	_, other := w.send(t, c.text(phone(), "to another"))
	w.reaches(t, other, "sent")
	c.says(t, whatsappcloud.Inbound{From: to, Text: "START"})
	w.wants(t, to, "all", "in")
	_, again := w.send(t, c.text(to, "back again"))
	w.reaches(t, again, "sent")
	if n := c.CountByRecipient(to); n != 1 {
		t.Errorf("%d messages to them, want 1", n)
	}

	// By the person's word to WhatsApp itself: marketing only.
	if err := c.PlayPreference("", to, "stop"); err != nil {
		t.Fatal(err)
	}
	w.wants(t, to, "marketing", "out")
	for category, status := range map[string]string{"marketing": "skipped", "authentication": "queued", "": "queued"} {
		req := c.text(to, "of category "+category)
		req.Category = category
		sent, err := w.peal.Send(t.Context(), req)
		if err != nil || sent.Deliveries[0].Status != status {
			t.Errorf("%q: %+v, %v", category, sent, err)
		}
	}
	next := phone() // they take another number, and what they said goes with them
	if err := c.PlaySystem("", to, "user_changed_number", next); err != nil {
		t.Fatal(err)
	}
	w.wants(t, next, "marketing", "out")
	w.wants(t, to, "marketing", "")
	to = next
	o := w.newTenant(t, "beta")
	if said, err := o.peal.Consents(t.Context(), to); err != nil || len(said.Consents) != 0 {
		t.Errorf("another tenant sees %+v, %v", said, err)
	}
	if sent, err := o.peal.Send(t.Context(), api.NotificationRequest{Recipient: api.Recipient{Phone: to}, Content: api.Content{Text: new("hi")}, Category: "marketing"}); err != nil || sent.Deliveries[0].Status != "queued" {
		t.Errorf("of another tenant: %+v, %v", sent, err)
	}
}

// TestConsents: opt-outs are taken over and listed, stated and taken back; where an opt-in is required nothing goes without.
func TestConsents(t *testing.T) {
	t.Parallel()
	w := silent(t, func(s *api.Settings) { s.RequireOptIn = []string{"marketing"}; s.StopWords = []string{"Genug"} })
	var all []api.OptOut
	var numbers []string
	for range 3 {
		numbers = append(numbers, phone())
		all = append(all, api.OptOut{Contact: numbers[len(numbers)-1]})
	}
	done, err := w.peal.ImportOptOuts(t.Context(), all...)
	if err != nil || done.Accepted != 3 || done.Changed != 3 {
		t.Fatalf("%+v, %v", done, err)
	}
	var listed []string
	for cursor := ""; ; {
		p, err := w.peal.OptOutPage(t.Context(), 2, cursor)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range p.OptOuts {
			if c.Source != "import" || c.Category != "all" {
				t.Errorf("%+v", c)
			}
			listed = append(listed, c.Contact)
		}
		if cursor = p.NextCursor; cursor == "" {
			break
		}
	}
	if !slices.Equal(listed, numbers) {
		t.Errorf("listed %v, want %v", listed, numbers)
	}
	to := numbers[0]
	req := text(to, "sale")
	req.Category = "marketing"
	skipped := func(reason string) {
		t.Helper()
		sent, err := w.peal.Send(t.Context(), req)
		if err != nil || sent.Deliveries[0].Reason != reason {
			t.Errorf("%+v, %v; want %q", sent, err, reason)
		}
	}
	skipped("opted_out")
	if _, err := w.peal.PutConsents(t.Context(), to, api.ConsentRequest{Category: "marketing", State: "in", Source: "checkout form"}); err != nil {
		t.Fatal(err)
	}
	_, id := w.send(t, req)
	w.reaches(t, id, "sent")
	req.Recipient.Phone = phone()
	skipped("no_opt_in")
	known, err := w.peal.Contact(t.Context(), to)
	if err != nil || known.Phone != to || len(known.Consents) != 2 {
		t.Errorf("%+v, %v", known, err)
	}
	soon := time.Now().Add(30 * time.Second) // by a clock that is fast; what they write next is later all the same
	if said, err := w.peal.PutConsents(t.Context(), to, api.ConsentRequest{State: "in", At: &soon}); err != nil || said.Consents[0].At.After(time.Now()) {
		t.Errorf("%+v, %v", said, err)
	}
	long := time.Now().Add(time.Hour)
	for path, err := range map[string]error{
		"opt_outs[1].contact": second(w.peal.ImportOptOuts(t.Context(), api.OptOut{Contact: to}, api.OptOut{Contact: "+1"})),
		"contact":             second(w.peal.Consents(t.Context(), "nobody")),
		"consents[0].at":      second(w.peal.PutConsents(t.Context(), to, api.ConsentRequest{State: "in", At: &long})),
	} {
		if p := problemOf(err); p == nil || p.Status != 422 || p.Errors[0].Path != path {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// ago is a clock that is slow.
func ago(d time.Duration) func() time.Time { return func() time.Time { return time.Now().Add(-d) } }

// TestWindow: to somebody who is known to have written yesterday no free text is tried; their fallback template goes, and
// what has none fails at once. Where that is not wanted Meta decides.
func TestWindow(t *testing.T) {
	t.Parallel()
	w := silent(t)
	opt := receipts("sent", "delivered")
	opt.Accounts = []whatsappcloud.Account{{Templates: []whatsappcloud.Template{{Name: "come_back", Language: "en"}}}}
	opt.Clock = ago(25 * time.Hour)
	c := w.cloud(t, opt)
	to := phone()
	c.says(t, whatsappcloud.Inbound{From: to, Text: "hi"})
	w.inbound(t, client.InboundQuery{From: to})

	_, closed := w.send(t, c.text(to, "are you still there?"))
	if d := w.reaches(t, closed, "failed", "sent"); d.ErrorCode != "window_closed" || c.CountByRecipient(to) != 0 {
		t.Errorf("%+v, taken %d times", d, c.CountByRecipient(to))
	}
	fallback := &api.Template{Name: "come_back", Language: "en"}
	_, fell := w.send(t, c.over(to, api.Content{Text: new("are you still there?"), FallbackTemplate: fallback}))
	w.reaches(t, fell, "delivered")
	if got := c.Messages(whatsappcloud.Query{}); len(got) != 1 || got[0].Kind != "template" {
		t.Errorf("taken %+v", got)
	}

	off := api.IntegrationPatch{Settings: &api.Settings{WhatsAppCloud: &api.WhatsAppCloud{Window: "off"}}}
	if _, err := w.peal.UpdateIntegration(t.Context(), "cloud", off); err != nil {
		t.Fatal(err)
	}
	_, left := w.send(t, c.text(to, "Meta decides"))
	w.reaches(t, left, "delivered") // its windows are all open in this test
}

// TestWindowByMeta: where Peal cannot know, Meta is asked, and what it refuses goes once more with its fallback: whether it
// says so in its answer or by webhook. Without one it fails.
func TestWindowByMeta(t *testing.T) {
	t.Parallel()
	w := silent(t)
	opt := receipts("sent", "delivered")
	opt.WindowsOpen = false
	opt.Accounts = []whatsappcloud.Account{{Templates: []whatsappcloud.Template{{Name: "come_back", Language: "en"}}}}
	c := w.cloud(t, opt)
	content := api.Content{Text: new("hello?"), FallbackTemplate: &api.Template{Name: "come_back", Language: "en"}}
	for _, via := range []whatsappcloud.Via{whatsappcloud.ViaWebhook, whatsappcloud.ViaAnswer, whatsappcloud.ViaBoth} {
		to := phone()
		if _, err := c.AddFault(whatsappcloud.Fault{Kind: whatsappcloud.FaultError, Code: 131047, Via: via, To: to}); err != nil {
			t.Fatal(err)
		}
		_, id := w.send(t, c.over(to, content))
		d := w.reaches(t, id, "delivered", "failed")
		if d.Status != "delivered" || d.Attempts != 2 {
			t.Errorf("%v: %+v", via, d)
		}
		var told []string
		for _, e := range d.Timeline {
			if e.Code == "131047" || e.Type == "fell_back" {
				told = append(told, e.Type)
			}
		}
		if len(told) == 0 {
			t.Errorf("%v: the timeline does not tell: %+v", via, d.Timeline)
		}
		var kinds []string // newest first
		for _, m := range c.Messages(whatsappcloud.Query{To: to}) {
			kinds = append(kinds, m.Kind)
		}
		if len(kinds) == 0 || kinds[0] != "template" || slices.Contains(kinds[1:], "template") {
			t.Errorf("%v: taken %v", via, kinds)
		}
	}
	c.idle(t)
}
