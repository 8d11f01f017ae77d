package main

import (
	"context"
	"strconv"

	"peal/api"
	"peal/client"
)

// DLQCmd is `peal dlq`.
type DLQCmd struct {
	List    DLQListCmd    `cmd:"" help:"List dead letters, newest first."`
	Groups  DLQGroupsCmd  `cmd:"" help:"Count them by integration and error code."`
	Show    DLQShowCmd    `cmd:"" help:"Show one with its timeline."`
	Redrive DLQRedriveCmd `cmd:"" help:"Send them again; they keep their ids and history."`
	Discard DLQDiscardCmd `cmd:"" help:"Lay them to rest."`

	Conn `embed:"" group:"conn"`
}

// Help gives examples.
func (DLQCmd) Help() string {
	return "Examples:\n\n  peal dlq groups\n  peal dlq redrive --error-code timeout --rate 20"
}

// DLQListCmd is `peal dlq list`.
type DLQListCmd struct {
	DLQFilter `embed:""`

	Limit int `name:"limit" short:"n" default:"50" placeholder:"COUNT" help:"At most so many; 0 for all."`
}

// Help gives an example.
func (DLQListCmd) Help() string {
	return "Example:\n\n  peal dlq list --error-code timeout --since 24h"
}

// Run lists dead letters.
func (c *DLQListCmd) Run(ctx context.Context, t *term, parent *DLQCmd) error {
	cl, err := parent.client()
	if err != nil {
		return err
	}
	if c.Limit < 0 {
		return usagef("--limit must not be negative")
	}
	q := client.DeadLetterQuery{
		Integration: c.Integration, ErrorCode: c.ErrorCode, Since: c.Since.ago(t.now()), Until: c.Until.ago(t.now()), Limit: pageLimit,
	}
	if c.Limit > 0 {
		q.Limit = min(c.Limit, pageLimit)
	}
	return listDeliveries(t, parent.JSON, c.Limit, cl.DeadLetters(ctx, q))
}

// DLQGroupsCmd is `peal dlq groups`.
type DLQGroupsCmd struct{}

// Help gives an example.
func (DLQGroupsCmd) Help() string { return "Example:\n\n  peal dlq groups" }

// Run counts dead letters.
func (c *DLQGroupsCmd) Run(ctx context.Context, t *term, parent *DLQCmd) error {
	cl, err := parent.client()
	if err != nil {
		return err
	}
	groups, err := cl.DeadLetterGroups(ctx)
	if err != nil {
		return err
	}
	if parent.JSON {
		return t.json(groups)
	}
	if len(groups.Groups) == 0 {
		t.notef("no dead letters\n")
		return nil
	}
	rows := make([][]string, len(groups.Groups))
	for i, g := range groups.Groups {
		rows[i] = []string{
			strconv.FormatInt(g.Count, 10), g.IntegrationID, g.ErrorCode, t.shortTime(g.OldestAt), t.shortTime(g.NewestAt), g.Sample.ID, shorten(g.Sample.ErrorReason),
		}
	}
	return t.table([]string{"COUNT", "INTEGRATION", "ERROR", "OLDEST", "NEWEST", "SAMPLE", "ITS REASON"}, rows)
}

// DLQShowCmd is `peal dlq show`.
type DLQShowCmd struct {
	ID string `arg:"" help:"Id of the delivery."`
}

// Help gives an example.
func (DLQShowCmd) Help() string {
	return "Example:\n\n  peal dlq show 01920000-0000-7000-8000-000000000000"
}

// Run shows one dead letter.
func (c *DLQShowCmd) Run(ctx context.Context, t *term, parent *DLQCmd) error {
	cl, err := parent.client()
	if err != nil {
		return err
	}
	d, err := cl.DeadLetter(ctx, c.ID)
	if err != nil {
		return err
	}
	return showDelivery(t, d, parent.JSON)
}

// DLQFilter are the flags that choose dead letters.
type DLQFilter struct {
	Integration string `name:"integration" placeholder:"ID" help:"Only of this integration, by its id."`
	ErrorCode   string `name:"error-code" placeholder:"CODE" help:"Only with this error code."`
	Since       when   `name:"since" placeholder:"TIME" help:"Only dead since then, or so long ago: 2026-01-31, 24h."`
	Until       when   `name:"until" placeholder:"TIME" help:"Only dead before then, or so long ago."`
}

// DLQChoice are the flags and ids that choose the dead letters to act on.
type DLQChoice struct {
	IDs []string `arg:"" optional:"" name:"id" help:"Ids of deliveries; or use the flags."`

	DLQFilter `embed:""`

	All    bool `name:"all" help:"Every dead letter."`
	DryRun bool `name:"dry-run" help:"Only count them."`
	Yes    bool `name:"yes" short:"y" help:"Do not ask."`
}

// filter is the choice as the API has it. All goes only by itself, so that a filter that was mistyped as nothing
// never means everything.
func (c *DLQChoice) filter(t *term) (api.DeadLetterFilter, error) {
	now := t.now()
	f := api.DeadLetterFilter{
		All: c.All, IDs: c.IDs, IntegrationID: c.Integration, ErrorCode: c.ErrorCode, Since: orNil(c.Since.ago(now)), Until: orNil(c.Until.ago(now)),
	}
	some := f.IntegrationID != "" || f.ErrorCode != "" || f.Since != nil || f.Until != nil
	switch {
	case len(f.IDs) > 0 && (some || f.All), some && f.All:
		return f, usagef("choose by ids, or by flags, or --all: not by two of them")
	case len(f.IDs) == 0 && !some && !f.All:
		return f, usagef("which ones? Give ids, a filter such as --error-code, or --all")
	}
	return f, nil
}
