package send

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/pipeline"
	"peal/internal/provider"
)

// TestClosed: the window is closed when it is known to be, not when nothing is known.
func TestClosed(t *testing.T) {
	t.Parallel()
	now := time.Now()
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	for name, c := range map[string]struct {
		p    person
		want bool
	}{
		"wrote just now":                        {person{wrote: now, heard: ago(time.Hour)}, false},
		"wrote a second too late":               {person{wrote: ago(openFor - time.Second)}, false},
		"wrote a day ago":                       {person{wrote: ago(openFor)}, true},
		"wrote long ago, webhooks came lately":  {person{wrote: ago(48 * time.Hour), heard: ago(time.Minute)}, true},
		"never wrote, and webhooks come":        {person{heard: ago(openFor)}, true},
		"never wrote, and webhooks came lately": {person{heard: ago(openFor - time.Second)}, false},
		"never wrote, and no webhook ever came": {person{}, false},
		"wrote in the future, by Meta's clock":  {person{wrote: now.Add(time.Minute)}, false},
	} {
		if got := c.p.closed(now); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// one is the only integration there is; nil: there is none.
type one struct {
	Integrations
	in *peal.Integration
}

func (o one) ByID(string) *peal.Integration { return o.in }

// slow are records that answer when the lease has gone.
type slow struct {
	People
	lease *going
}

func (s slow) Consents(context.Context, string, string, []string) (map[string][]peal.Consent, error) {
	s.lease.over = true
	return nil, nil
}

// going is a lease that goes.
type going struct {
	Lease
	over bool
}

func (l *going) Valid() bool { return !l.over }

// TestALeaseThatGoesWhileLooking: who has asked the records for long, and is no longer the owner, makes no call.
func TestALeaseThatGoesWhileLooking(t *testing.T) {
	t.Parallel()
	now, lease := time.Now(), &going{}
	in := &peal.Integration{ID: "i", Channel: peal.ChannelWhatsApp}
	s := &shift{
		lane: &lane{id: "i", log: slog.New(slog.DiscardHandler), Stage: &Stage{cfg: Config{
			Now: func() time.Time { return now }, Integrations: one{in: in}, People: slow{lease: lease},
		}}},
		in: in, lease: lease, people: true, calls: make(chan struct{}, 1),
	}
	d := &peal.Delivery{ID: "d", Attempts: 1, Payload: []byte(`{"text":"hi"}`)}
	a := s.attempt(d, &looked{at: now.Add(-2 * lookAge)}, waits{}) // there is no client: a call would panic
	if a.Next != peal.Queued || a.Outcome.Class != peal.ClassNone || !lease.over {
		t.Errorf("%+v", a)
	}
}

// promoted is a catalogue in which every template is marketing by now.
type promoted struct{ Templates }

func (promoted) Category(string, string, string) string { return "MARKETING" }

// TestAddress: who wants no message like it is skipped, whatever else would become of it; and what a template is, the
// catalogue may know only since it was accepted.
func TestAddress(t *testing.T) {
	t.Parallel()
	now := time.Now()
	s := &shift{
		lane: &lane{id: "i", log: slog.New(slog.DiscardHandler), Stage: &Stage{cfg: Config{
			Now: func() time.Time { return now }, Integrations: one{}, Templates: promoted{},
		}}},
		in: &peal.Integration{ID: "i", Window: true},
	}
	out := func(category string) []peal.Consent {
		return []peal.Consent{{Category: category, State: peal.OptedOut, At: now}}
	}
	text, template := api.Content{Text: new("hi")}, api.Content{Template: &api.Template{Name: "t", Language: "en"}}
	falling := api.Content{Text: new("hi"), FallbackTemplate: template.Template}
	open, shut := now, now.Add(-openFor)
	for name, c := range map[string]struct {
		content  api.Content
		category string
		said     []peal.Consent
		wrote    time.Time
		want     string
	}{
		"wanted":                            {text, "", nil, open, ""},
		"of no category":                    {text, "", out(peal.CategoryMarketing), open, ""},
		"stopped":                           {text, "", out(peal.CategoryAll), open, peal.SkipOptedOut},
		"outside of the window":             {text, "", nil, shut, codeWindow},
		"stopped, and outside":              {text, "", out(peal.CategoryAll), shut, peal.SkipOptedOut},
		"a template":                        {template, "", nil, shut, ""},
		"a template that is marketing":      {template, "", out(peal.CategoryMarketing), shut, peal.SkipOptedOut},
		"a template, as its sender says":    {template, peal.CategoryUtility, out(peal.CategoryMarketing), shut, ""},
		"a fallback that is marketing":      {falling, "", out(peal.CategoryMarketing), shut, peal.SkipOptedOut},
		"its text, in place of which it is": {falling, "", out(peal.CategoryMarketing), open, ""},
	} {
		said := &pipeline.Said{Content: c.content, Category: c.category}
		m := provider.Message{Content: c.content}
		a, ended := s.address(&peal.Delivery{ID: "d", Attempts: 1}, said, &m, &looked{person: person{said: c.said, wrote: c.wrote}}, now)
		if a.Outcome.Code != c.want || ended != (c.want != "") {
			t.Errorf("%s: %+v, %v, want %q", name, a, ended, c.want)
		}
		if skipped := c.want == peal.SkipOptedOut; ended && (a.Next == peal.Skipped) != skipped {
			t.Errorf("%s: it ends as %s", name, a.Next)
		}
	}
}
