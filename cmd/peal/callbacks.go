package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"peal/api"
	"peal/client"
)

// CallbacksCmd is `peal callbacks`.
type CallbacksCmd struct {
	List   CallbacksListCmd   `cmd:"" help:"List webhooks as they came, the oldest first."`
	Show   CallbacksShowCmd   `cmd:"" help:"Show one with its body, and what it says."`
	Replay CallbacksReplayCmd `cmd:"" help:"Run webhooks through the parser again; what was right stays as it is."`

	Conn `embed:"" group:"conn"`
}

// Help gives examples.
func (CallbacksCmd) Help() string {
	return "Examples:\n\n  peal callbacks list --unreadable\n  peal callbacks replay --integration whatsapp --since 48h"
}

// CallbacksListCmd is `peal callbacks list`.
type CallbacksListCmd struct {
	Integration string `name:"integration" placeholder:"ID" help:"Only of this integration, by its id or name."`
	Since       when   `name:"since" default:"24h" placeholder:"TIME" help:"Only kept since then, or so long ago: 2026-01-31, 24h."`
	Until       when   `name:"until" placeholder:"TIME" help:"Only kept before then, or so long ago."`
	Unreadable  bool   `name:"unreadable" help:"Only those that could not be understood."`
	Limit       int    `name:"limit" short:"n" default:"50" placeholder:"COUNT" help:"At most so many; 0 for all."`
}

// Help gives an example.
func (CallbacksListCmd) Help() string {
	return "Example:\n\n  peal callbacks list --integration whatsapp --since 10m"
}

// Run lists webhooks.
func (c *CallbacksListCmd) Run(ctx context.Context, t *term, parent *CallbacksCmd) error {
	cl, err := parent.client()
	if err != nil {
		return err
	}
	if c.Limit < 0 {
		return usagef("--limit must not be negative")
	}
	q := client.CallbackQuery{
		Integration: c.Integration, Since: c.Since.ago(t.now()), Until: c.Until.ago(t.now()), Limit: pageLimit,
	}
	if c.Limit > 0 {
		q.Limit = min(c.Limit, pageLimit)
	}
	if c.Unreadable {
		q.State = api.CallbackUnreadable
	}
	var rows [][]string
	page := api.CallbackPage{Callbacks: []api.Callback{}}
	more := false
	for b, err := range cl.Callbacks(ctx, q) {
		if err != nil {
			return err
		}
		if more = c.Limit > 0 && len(page.Callbacks) == c.Limit; more {
			break
		}
		page.Callbacks = append(page.Callbacks, b)
		state := "ok"
		if why := b.Unreadable + b.Closed; why != "" {
			state = "unreadable: " + shorten(why)
		}
		rows = append(rows, []string{t.shortTime(b.ReceivedAt), b.ID, b.IntegrationID, strconv.Itoa(b.Bytes), state})
	}
	if parent.JSON {
		return t.json(page)
	}
	if len(rows) == 0 {
		t.notef("no webhooks\n")
		return nil
	}
	if err := t.table([]string{"RECEIVED", "ID", "INTEGRATION", "BYTES", "STATE"}, rows); err != nil {
		return err
	}
	if more {
		t.notef("there are more; see --limit and --since\n")
	}
	return nil
}

// CallbacksShowCmd is `peal callbacks show`.
type CallbacksShowCmd struct {
	ID  string `arg:"" help:"Id of the webhook."`
	Raw bool   `name:"raw" help:"Only the body, byte for byte."`
}

// Help gives an example.
func (CallbacksShowCmd) Help() string {
	return "Example:\n\n  peal callbacks show 4711 --raw > body.json"
}

// Run shows one webhook.
func (c *CallbacksShowCmd) Run(ctx context.Context, t *term, parent *CallbacksCmd) error {
	cl, err := parent.client()
	if err != nil {
		return err
	}
	b, err := cl.Callback(ctx, c.ID)
	if err != nil {
		return err
	}
	body := []byte(b.Body)
	if b.BodyEncoding == "base64" {
		if body, err = base64.StdEncoding.DecodeString(b.Body); err != nil {
			return fmt.Errorf("read the body: %w", err)
		}
	}
	switch {
	case c.Raw:
		_, err := t.out.Write(body)
		return err
	case parent.JSON:
		return t.json(b)
	}
	facts := []string{
		"webhook", b.ID, "integration", b.IntegrationID, "received", longTime(&b.ReceivedAt), "kept", longTime(&b.KeptAt),
		"unreadable", b.Unreadable, "closed", b.Closed,
	}
	for name, values := range b.Header {
		facts = append(facts, strings.ToLower(name), strings.Join(values, ", "))
	}
	for _, f := range b.Facts {
		details, err := plainJSON(f.Details)
		if err != nil {
			return err
		}
		facts = append(facts, "says", f.Type+" "+details)
	}
	if len(b.Facts) == 0 && b.Error == "" && b.Closed == "" {
		facts = append(facts, "says", "nothing that Peal takes")
	}
	if err := t.facts(append(facts, "not understood", b.Error)...); err != nil {
		return err
	}
	if b.BodyEncoding != "" {
		return t.printf("\n%s\n", "(its body is no text; --raw gives it)")
	}
	return t.printf("\n%s\n", strings.ToValidUTF8(b.Body, "?"))
}

// CallbacksReplayCmd is `peal callbacks replay`.
type CallbacksReplayCmd struct {
	IDs []string `arg:"" optional:"" name:"id" help:"Ids of webhooks; or use the flags."`

	Integration string `name:"integration" placeholder:"ID" help:"Only those of this integration, by its id or name; ids need it. Default: of all, one after the other."`
	Since       when   `name:"since" placeholder:"TIME" help:"Those kept since then, or so long ago: 2026-01-31, 48h."`
	Until       when   `name:"until" placeholder:"TIME" help:"Only those kept before then, or so long ago."`
	Unreadable  bool   `name:"unreadable" help:"Only those that could not be understood."`
	DryRun      bool   `name:"dry-run" help:"Only understand them, and change nothing."`
	Detach      bool   `name:"detach" help:"Do not wait for the end."`
}

// Help gives examples.
func (CallbacksReplayCmd) Help() string {
	return "Examples:\n\n  peal callbacks replay --since 48h --dry-run\n  peal callbacks replay --integration whatsapp --unreadable"
}

// replayPoll is how often the end of a replay is asked for.
const replayPoll = 500 * time.Millisecond

// Run replays, and shows how far that is.
func (c *CallbacksReplayCmd) Run(ctx context.Context, t *term, parent *CallbacksCmd) error {
	cl, err := parent.client()
	if err != nil {
		return err
	}
	req := api.ReplayRequest{
		Integration: c.Integration, IDs: c.IDs, Since: orNil(c.Since.ago(t.now())), Until: orNil(c.Until.ago(t.now())), DryRun: c.DryRun,
	}
	if c.Unreadable {
		req.State = api.CallbackUnreadable
	}
	if len(req.IDs) == 0 && req.Since == nil && !c.Unreadable {
		return usagef("which ones? Give ids, --since or --unreadable")
	}
	if c.Integration != "" {
		return c.replay(ctx, t, parent, cl, req)
	}
	if len(req.IDs) > 0 {
		return usagef("ids are of one integration; give --integration")
	}
	all, err := cl.Integrations(ctx)
	if err != nil {
		return err
	}
	var failed []error
	for i := range all.Integrations {
		in := &all.Integrations[i]
		if in.Channel == "push" { // push services send none
			continue
		}
		t.notef("%s:\n", in.Name)
		req.Integration = in.ID
		if err := c.replay(ctx, t, parent, cl, req); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", in.Name, err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(failed...)
}

// replay replays what is of one integration.
func (c *CallbacksReplayCmd) replay(ctx context.Context, t *term, parent *CallbacksCmd, cl *client.Client, req api.ReplayRequest) error {
	r, err := cl.ReplayCallbacks(ctx, req)
	if err != nil {
		return err
	}
	tick := time.NewTicker(replayPoll)
	defer tick.Stop()
	shown := r.Read
	for !c.Detach && r.EndedAt == nil {
		select {
		case <-ctx.Done():
			t.notef("replay %s goes on\n", r.ID)
			return ctx.Err()
		case <-tick.C:
		}
		if r, err = cl.Replay(ctx, r.ID); err != nil {
			return err
		}
		if r.EndedAt == nil && r.Read != shown {
			shown = r.Read
			t.notef("%d read, %d deliveries changed\n", r.Read, r.Changed)
		}
	}
	if parent.JSON {
		return t.json(r)
	}
	n := func(i int64) string { return strconv.FormatInt(i, 10) }
	err = t.facts("replay", r.ID, "status", r.Status, "failure", r.Failure, "read", n(r.Read), "facts", n(r.Facts), "changed", n(r.Changed),
		"mended", n(r.Mended), "unreadable", n(r.Unreadable))
	if err == nil && r.Failure != "" {
		err = fmt.Errorf("the replay failed: %s", r.Failure)
	}
	return err
}
