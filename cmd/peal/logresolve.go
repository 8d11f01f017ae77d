package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"peal/api"
	"peal/client"
)

// LogResolveCmd is `peal log resolve`.
type LogResolveCmd struct {
	IDs         []string `arg:"" optional:"" name:"id" help:"Ids of deliveries; or use the flags."`
	As          string   `name:"as" required:"" enum:"sent,failed,resend" placeholder:"WHAT" help:"What is true of them: sent or failed; or resend to send them (perhaps again)."`
	Note        string   `name:"note" placeholder:"TEXT" help:"Why, for the timeline."`
	All         bool     `name:"all" help:"Every uncertain delivery, or all that the other flags choose."`
	Integration string   `name:"integration" placeholder:"NAME" help:"Only of this integration, by name or id."`
	ErrorCode   string   `name:"error-code" placeholder:"CODE" help:"Only with this error code."`
	Since       when     `name:"since" placeholder:"TIME" help:"Only uncertain since then, or so long ago: 2026-01-31, 24h."`
	Until       when     `name:"until" placeholder:"TIME" help:"Only uncertain since before then, or so long ago."`
	Rate        float64  `name:"rate" placeholder:"NUMBER" help:"With --as resend: spread them out, so many a second."`
	DryRun      bool     `name:"dry-run" help:"Only count them."`
	Yes         bool     `name:"yes" short:"y" help:"Do not ask."`
}

// Help gives examples.
func (LogResolveCmd) Help() string {
	return "Examples:\n\n  peal log resolve 01920000-0000-7000-8000-000000000000 --as sent --note 'seen on the phone'\n" +
		"  peal log resolve --all --integration whatsapp --as failed --dry-run"
}

// Run settles deliveries.
func (c *LogResolveCmd) Run(ctx context.Context, t *term, parent *LogCmd) error {
	cl, err := parent.client()
	if err != nil {
		return err
	}
	filter, err := c.filter(t)
	if err != nil {
		return err
	}
	if len(c.IDs) == 1 && !c.DryRun {
		d, err := cl.ResolveDelivery(ctx, c.IDs[0], api.ResolveRequest{As: c.As, Note: c.Note})
		if err != nil {
			return err
		}
		return showDelivery(t, d, parent.JSON)
	}
	req := api.ResolveAllRequest{Filter: filter, As: c.As, Note: c.Note, Rate: c.Rate, Limit: bulkLimit}
	if c.DryRun || !c.Yes {
		dry := req
		dry.DryRun = true
		found, err := cl.ResolveDeliveries(ctx, dry)
		if err != nil {
			return err
		}
		if c.DryRun || found.Matched == 0 {
			return printResolved(t, found, parent.JSON)
		}
		if err := t.confirm(ctx, fmt.Sprintf("resolve %d deliveries as %s?", found.Matched, c.As)); err != nil {
			return err
		}
	}
	total, err := c.resolve(ctx, t, cl, req)
	if err != nil {
		if total.Done > 0 {
			t.notef("%d were resolved before the error\n", total.Done)
		}
		return err
	}
	return printResolved(t, total, parent.JSON)
}

// filter is the choice as the API has it.
func (c *LogResolveCmd) filter(t *term) (api.UncertainFilter, error) {
	now := t.now()
	f := api.UncertainFilter{
		IDs: c.IDs, IntegrationID: c.Integration, ErrorCode: c.ErrorCode, Since: orNil(c.Since.ago(now)), Until: orNil(c.Until.ago(now)),
	}
	some := f.IntegrationID != "" || f.ErrorCode != "" || f.Since != nil || f.Until != nil
	switch {
	case len(f.IDs) > 0 && (some || c.All):
		return f, usagef("choose by ids or by flags, not by both")
	case len(f.IDs) > filterIDs:
		return f, usagef("at most %d ids at once", filterIDs)
	case len(f.IDs) == 0 && !some && !c.All:
		return f, usagef("which ones? Give ids, a filter such as --integration, or --all")
	case c.Rate != 0 && c.As != "resend":
		return f, usagef("--rate goes with --as resend")
	case c.Rate != 0 && (c.Rate < minRate || c.Rate > bulkLimit):
		return f, usagef("--rate must be 0, or from %v to %d", minRate, bulkLimit)
	case c.Rate != 0 && len(f.IDs) == 1:
		return f, usagef("--rate is for more than one")
	}
	f.All = c.All && !some
	return f, nil
}

// resolve calls until all that were there at first are settled, or nothing more can be done. What is sent again and
// becomes uncertain again meanwhile is not among them.
func (c *LogResolveCmd) resolve(ctx context.Context, t *term, cl *client.Client, req api.ResolveAllRequest) (*api.ResolveResult, error) {
	if c.Rate > 0 {
		req.Limit = min(max(int(c.Rate*rateSpan.Seconds()), 1), bulkLimit)
	}
	total := &api.ResolveResult{}
	for first := true; ; first = false {
		r, err := cl.ResolveDeliveries(ctx, req)
		if err != nil {
			return total, err
		}
		if first {
			total.Matched, total.Expired = r.Matched, r.Expired
		}
		total.Done += r.Done
		total.Remaining = max(0, min(r.Remaining, total.Matched-total.Expired-total.Done))
		if total.Remaining == 0 || r.Done == 0 {
			return total, nil
		}
		req.Limit = min(req.Limit, int(total.Remaining))
		t.notef("%d resolved, %d to go\n", total.Done, total.Remaining)
		if c.Rate > 0 { // what was queued takes this long; queueing more now would double the rate
			if err := pause(ctx, time.Duration(float64(r.Done)/c.Rate*float64(time.Second))); err != nil {
				return total, err
			}
		}
	}
}

func printResolved(t *term, r *api.ResolveResult, asJSON bool) error {
	if asJSON {
		return t.json(r)
	}
	word, n := "resolved", r.Done
	if r.DryRun {
		word, n = "matched", r.Matched
	}
	facts := []string{word, strconv.FormatInt(n, 10)}
	if r.Expired > 0 {
		facts = append(facts, "refused", fmt.Sprintf("%d (they have expired, or their integration was deleted; resolve them as sent or failed)", r.Expired))
	}
	if !r.DryRun && r.Remaining > 0 {
		facts = append(facts, "left", strconv.FormatInt(r.Remaining, 10))
	}
	return t.facts(facts...)
}
