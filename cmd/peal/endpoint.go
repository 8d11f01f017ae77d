package main

import (
	"context"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"

	"peal/api"
	"peal/client"
)

// EndpointCmd is `peal endpoint`.
type EndpointCmd struct {
	Add      EndpointAddCmd      `cmd:"" help:"Have a URL of yours told what happens; its secret is shown once."`
	List     EndpointListCmd     `cmd:"" help:"List the endpoints."`
	Show     EndpointShowCmd     `cmd:"" help:"Look at one: how it does, and what waits for it."`
	Set      EndpointSetCmd      `cmd:"" help:"Change its name, URL, types or timeout."`
	Disable  EndpointDisableCmd  `cmd:"" help:"Tell it nothing until it is enabled."`
	Enable   EndpointEnableCmd   `cmd:"" help:"Tell it again, from where it was or from now on."`
	Rotate   EndpointRotateCmd   `cmd:"" help:"Give it another secret, shown once; the old one signs too for a while."`
	Test     EndpointTestCmd     `cmd:"" help:"Call it at once with endpoint.test, and say what came of it."`
	Replay   EndpointReplayCmd   `cmd:"" help:"Tell it again what happened."`
	Attempts EndpointAttemptsCmd `cmd:"" help:"List its calls, newest first."`
	Rm       EndpointRmCmd       `cmd:"" help:"Forget it, with what waits for it."`

	Conn `embed:"" group:"conn"`
}

// Help gives examples.
func (EndpointCmd) Help() string {
	return "Outbound webhooks, by the scheme of Standard Webhooks.\n\nExamples:\n\n" +
		"  peal endpoint add https://shop.example/hooks/peal --types 'delivery.*'\n  peal endpoint test shop.example"
}

// EndpointAddCmd is `peal endpoint add`.
type EndpointAddCmd struct {
	URL     string        `arg:"" help:"https URL that takes a POST for each event."`
	Name    string        `name:"name" placeholder:"NAME" help:"Your own name of it. Default: the URL's host."`
	Types   []string      `name:"types" placeholder:"TYPE,…" help:"Types of events that it is told, or families such as delivery.*. Default: all."`
	Timeout time.Duration `name:"call-timeout" placeholder:"DURATION" help:"How long a call may take, from 1s to 30s. Default: 15s."`
	Secret  string        `name:"secret" placeholder:"SOURCE" help:"What signs: @FILE, env:VARIABLE or - for the standard input. Default: Peal makes it."`
}

// Help gives an example.
func (EndpointAddCmd) Help() string { return EndpointCmd{}.Help() }

// Run makes an endpoint.
func (c *EndpointAddCmd) Run(ctx context.Context, t *term, parent *EndpointCmd) error {
	req := api.EndpointRequest{Name: c.Name, URL: c.URL, Types: c.Types, Timeout: durationText(c.Timeout)}
	if u, err := url.Parse(c.URL); c.Name == "" && err == nil {
		req.Name = u.Hostname()
	}
	if req.Name == "" {
		return usagef("%q is no URL such as https://shop.example/hooks/peal", c.URL)
	}
	if c.Secret != "" {
		var err error
		if req.Secret, err = secret(t, c.Secret); err != nil {
			return usagef("--secret: %w", err)
		}
	}
	return parent.withSecret(t, func(cl *client.Client) (*api.Endpoint, error) { return cl.CreateEndpoint(ctx, req) })
}

// EndpointListCmd is `peal endpoint list`.
type EndpointListCmd struct{}

// Help gives an example.
func (EndpointListCmd) Help() string { return "Example:\n\n  peal endpoint list" }

// Run lists endpoints.
func (c *EndpointListCmd) Run(ctx context.Context, t *term, parent *EndpointCmd) error {
	cl, err := parent.client()
	if err != nil {
		return err
	}
	all, err := cl.Endpoints(ctx)
	if err != nil {
		return err
	}
	if parent.JSON {
		return t.json(all)
	}
	rows := make([][]string, len(all.Endpoints))
	for i := range all.Endpoints {
		e := &all.Endpoints[i]
		rows[i] = []string{e.ID, e.Name, e.URL, typesText(e.Types), endpointState(e)}
	}
	return t.table([]string{"ID", "NAME", "URL", "TYPES", "STATE"}, rows)
}

func typesText(types []string) string {
	if len(types) == 0 {
		return "all"
	}
	return strings.Join(types, " ")
}

func endpointState(e *api.Endpoint) string {
	switch {
	case e.Disabled != nil:
		return "disabled (" + e.Disabled.Code + ")"
	case e.FailingFrom != nil:
		return "failing since " + longTime(e.FailingFrom)
	}
	return e.State
}

// EndpointShowCmd is `peal endpoint show`.
type EndpointShowCmd struct {
	Name string `arg:"" help:"Name or id."`
}

// Help gives an example.
func (EndpointShowCmd) Help() string { return "Example:\n\n  peal endpoint show shop.example" }

// Run shows an endpoint.
func (c *EndpointShowCmd) Run(ctx context.Context, t *term, parent *EndpointCmd) error {
	return parent.do(t, func(cl *client.Client) (*api.Endpoint, error) { return cl.Endpoint(ctx, c.Name) })
}

// EndpointSetCmd is `peal endpoint set`.
type EndpointSetCmd struct {
	Name    string        `arg:"" help:"Name or id."`
	Rename  string        `name:"name" placeholder:"NAME" help:"Another name."`
	To      string        `name:"to" placeholder:"URL" help:"Another URL."`
	Types   []string      `name:"types" placeholder:"TYPE,…" help:"Types of events that it is told, or families such as delivery.*; all for all of them."`
	Timeout time.Duration `name:"call-timeout" placeholder:"DURATION" help:"How long a call may take, from 1s to 30s."`
}

// Help gives an example.
func (EndpointSetCmd) Help() string {
	return "Example:\n\n  peal endpoint set shop.example --types 'delivery.*,message.received'"
}

// Run changes an endpoint.
func (c *EndpointSetCmd) Run(ctx context.Context, t *term, parent *EndpointCmd) error {
	var p api.EndpointPatch
	if c.Rename != "" {
		p.Name = &c.Rename
	}
	if c.To != "" {
		p.URL = &c.To
	}
	if len(c.Types) > 0 {
		if len(c.Types) == 1 && c.Types[0] == "all" {
			c.Types = []string{}
		}
		p.Types = &c.Types
	}
	if c.Timeout != 0 {
		p.Timeout = new(c.Timeout.String())
	}
	if p == (api.EndpointPatch{}) {
		return usagef("say what to change: --name, --to, --types or --call-timeout")
	}
	return parent.do(t, func(cl *client.Client) (*api.Endpoint, error) { return cl.UpdateEndpoint(ctx, c.Name, p) })
}

// EndpointDisableCmd is `peal endpoint disable`.
type EndpointDisableCmd struct {
	Name string `arg:"" help:"Name or id."`
}

// Help gives an example.
func (EndpointDisableCmd) Help() string { return "Example:\n\n  peal endpoint disable shop.example" }

// Run disables an endpoint.
func (c *EndpointDisableCmd) Run(ctx context.Context, t *term, parent *EndpointCmd) error {
	return parent.do(t, func(cl *client.Client) (*api.Endpoint, error) {
		return cl.UpdateEndpoint(ctx, c.Name, api.EndpointPatch{Disabled: new(true)})
	})
}

// EndpointEnableCmd is `peal endpoint enable`.
type EndpointEnableCmd struct {
	Name string `arg:"" help:"Name or id."`
	From string `name:"from" enum:"cursor,now" default:"cursor" help:"cursor: with all that has happened meanwhile; now: what waits counts as failed."`
}

// Help gives an example.
func (EndpointEnableCmd) Help() string { return "Example:\n\n  peal endpoint enable shop.example" }

// Run enables an endpoint.
func (c *EndpointEnableCmd) Run(ctx context.Context, t *term, parent *EndpointCmd) error {
	return parent.do(t, func(cl *client.Client) (*api.Endpoint, error) {
		return cl.EnableEndpoint(ctx, c.Name, api.EnableRequest{From: c.From})
	})
}

// EndpointRotateCmd is `peal endpoint rotate`.
type EndpointRotateCmd struct {
	Name    string        `arg:"" help:"Name or id."`
	Overlap time.Duration `name:"overlap" default:"24h" placeholder:"DURATION" help:"How long the old secret signs too, from 0s to 168h."`
	Secret  string        `name:"secret" placeholder:"SOURCE" help:"The new one: @FILE, env:VARIABLE or - for the standard input. Default: Peal makes it."`
}

// Help gives an example.
func (EndpointRotateCmd) Help() string {
	return "Example:\n\n  peal endpoint rotate shop.example --overlap 1h"
}

// Run rotates a secret.
func (c *EndpointRotateCmd) Run(ctx context.Context, t *term, parent *EndpointCmd) error {
	req := api.RotateRequest{Overlap: new(c.Overlap.String())}
	if c.Secret != "" {
		var err error
		if req.Secret, err = secret(t, c.Secret); err != nil {
			return usagef("--secret: %w", err)
		}
	}
	return parent.withSecret(t, func(cl *client.Client) (*api.Endpoint, error) { return cl.RotateEndpoint(ctx, c.Name, req) })
}

// EndpointTestCmd is `peal endpoint test`.
type EndpointTestCmd struct {
	Name string `arg:"" help:"Name or id."`
}

// Help gives an example.
func (EndpointTestCmd) Help() string { return "Example:\n\n  peal endpoint test shop.example" }

// Run calls an endpoint, and fails when that does.
func (c *EndpointTestCmd) Run(ctx context.Context, t *term, parent *EndpointCmd) error {
	cl, err := parent.client()
	if err != nil {
		return err
	}
	a, err := cl.TestEndpoint(ctx, c.Name)
	if err != nil {
		return err
	}
	if parent.JSON {
		err = t.json(a)
	} else {
		err = t.facts("event", a.EventID, "status", number(a.Status), "took", tookText(a), "code", a.Code, "error", a.Error)
	}
	if err == nil && !a.OK {
		err = errors.New("the endpoint has not taken it")
	}
	return err
}

func tookText(a *api.EndpointAttempt) string {
	return strconv.FormatFloat(a.TookMS, 'f', 1, 64) + "ms"
}

// EndpointReplayCmd is `peal endpoint replay`.
type EndpointReplayCmd struct {
	Name   string   `arg:"" help:"Name or id."`
	Since  when     `name:"since" placeholder:"WHEN" help:"What happened then or later: a duration ago such as 2h, or a time. The log goes back 7 days, unless it is kept longer."`
	Types  []string `name:"types" placeholder:"TYPE,…" help:"Only of these types or families."`
	Event  string   `name:"event" placeholder:"ID" help:"This event alone."`
	Failed bool     `name:"failed" help:"Only what ran out of tries."`
}

// Help gives examples.
func (EndpointReplayCmd) Help() string {
	return "Examples:\n\n  peal endpoint replay shop.example --since 2h\n  peal endpoint replay shop.example --failed\n" +
		"  peal endpoint replay shop.example --event evt_1a"
}

// Run has an endpoint told again.
func (c *EndpointReplayCmd) Run(ctx context.Context, t *term, parent *EndpointCmd) error {
	req := api.EndpointReplayRequest{Types: c.Types, EventID: c.Event, Failed: c.Failed}
	if at := c.Since.ago(t.now()); !at.IsZero() {
		req.Since = &at
	}
	if req.Since == nil && req.EventID == "" && !req.Failed {
		return usagef("say what to tell again: --since, --event or --failed")
	}
	cl, err := parent.client()
	if err != nil {
		return err
	}
	done, err := cl.ReplayEndpoint(ctx, c.Name, req)
	if err != nil {
		return err
	}
	if parent.JSON {
		return t.json(done)
	}
	if req.Since != nil && !req.Failed {
		return t.printf("it is being told what happened since %s\n", longTime(req.Since))
	}
	return t.printf("%d queued\n", done.Queued)
}

// EndpointAttemptsCmd is `peal endpoint attempts`.
type EndpointAttemptsCmd struct {
	Name   string `arg:"" help:"Name or id."`
	Event  string `name:"event" placeholder:"ID" help:"Only those of this event."`
	Failed bool   `name:"failed" help:"Only failures."`
	Limit  int    `name:"limit" default:"50" placeholder:"N" help:"How many, at most 500."`
}

// Help gives an example.
func (EndpointAttemptsCmd) Help() string {
	return "Example:\n\n  peal endpoint attempts shop.example --failed"
}

// Run lists calls.
func (c *EndpointAttemptsCmd) Run(ctx context.Context, t *term, parent *EndpointCmd) error {
	cl, err := parent.client()
	if err != nil {
		return err
	}
	page, err := cl.EndpointAttempts(ctx, c.Name, client.AttemptQuery{EventID: c.Event, Failed: c.Failed, Limit: c.Limit})
	if err != nil {
		return err
	}
	if parent.JSON {
		return t.json(page)
	}
	rows := make([][]string, len(page.Attempts))
	for i := range page.Attempts {
		a := &page.Attempts[i]
		outcome := "ok"
		if !a.OK {
			outcome = a.Code
		}
		next := ""
		if a.NextTryAt != nil {
			next = t.shortTime(*a.NextTryAt)
		}
		rows[i] = []string{t.shortTime(a.At), a.EventID, a.Type, number(a.Try), outcome, tookText(a), next, a.Error}
	}
	return t.table([]string{"AT", "EVENT", "TYPE", "TRY", "OUTCOME", "TOOK", "NEXT TRY", "ERROR"}, rows)
}

// EndpointRmCmd is `peal endpoint rm`.
type EndpointRmCmd struct {
	Name string `arg:"" help:"Name or id."`
	Yes  bool   `name:"yes" short:"y" help:"Do not ask."`
}

// Help gives an example.
func (EndpointRmCmd) Help() string { return "Example:\n\n  peal endpoint rm shop.example --yes" }

// Run forgets an endpoint.
func (c *EndpointRmCmd) Run(ctx context.Context, t *term, parent *EndpointCmd) error {
	cl, err := parent.client()
	if err != nil {
		return err
	}
	if !c.Yes {
		if err := t.confirm(ctx, "forget the endpoint "+clean(c.Name)+"?"); err != nil {
			return err
		}
	}
	if err := cl.DeleteEndpoint(ctx, c.Name); err != nil {
		return err
	}
	return t.did(parent.JSON, "deleted", c.Name)
}

// withSecret is do for calls whose answer has a secret.
func (c *EndpointCmd) withSecret(t *term, call func(*client.Client) (*api.Endpoint, error)) error {
	return c.do(t, func(cl *client.Client) (*api.Endpoint, error) {
		e, err := call(cl)
		if err == nil && !c.JSON {
			t.notef("keep the secret: it is not shown again\n")
		}
		return e, err
	})
}

// do makes one call that answers an endpoint, and prints it.
func (c *EndpointCmd) do(t *term, call func(*client.Client) (*api.Endpoint, error)) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	e, err := call(cl)
	if err != nil {
		return err
	}
	if c.JSON {
		return t.json(e)
	}
	reason, signing := "", ""
	if e.Disabled != nil {
		reason = e.Disabled.Reason
	}
	if e.Secrets > 1 {
		signing = number(e.Secrets) + ", until the overlap is over"
	}
	return t.facts(
		"id", e.ID, "name", e.Name, "url", e.URL, "types", typesText(e.Types), "timeout", e.Timeout, "secret", e.Secret,
		"secrets that sign", signing, "state", endpointState(e), "reason", reason, "last error", e.LastError, "last ok", longTime(e.LastOKAt),
		"last failure", longTime(e.LastFailAt), "told until", longTime(e.ToldUntil), "waiting", number(int(e.Waiting)), "failed", number(int(e.Failed)),
		"replaying since", longTime(e.Replaying), "created", longTime(&e.CreatedAt), "updated", longTime(&e.UpdatedAt),
	)
}
