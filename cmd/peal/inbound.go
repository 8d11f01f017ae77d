package main

import (
	"context"
	"maps"
	"slices"
	"time"

	"peal/api"
	"peal/client"
)

// InboundCmd is `peal inbound`.
type InboundCmd struct {
	From        string        `name:"from" placeholder:"PHONE" help:"Only from this number, or WhatsApp user id."`
	Integration string        `name:"integration" placeholder:"NAME" help:"Only to this integration, by name or id."`
	Delivery    string        `name:"delivery" placeholder:"ID" help:"Only those that answer this delivery."`
	Type        string        `name:"type" placeholder:"TYPE" help:"Only of this type, such as text."`
	Since       when          `name:"since" placeholder:"TIME" help:"Only received since then, or so long ago: 2026-01-31, 24h."`
	Until       when          `name:"until" placeholder:"TIME" help:"Only received before then, or so long ago."`
	Limit       int           `name:"limit" short:"n" default:"50" placeholder:"COUNT" help:"At most so many; 0 for all."`
	Follow      bool          `name:"follow" short:"f" help:"Go on printing what comes."`
	Interval    time.Duration `name:"interval" default:"1s" placeholder:"DURATION" help:"With -f: time between two looks."`

	Conn `embed:"" group:"conn"`
}

// Help gives examples.
func (InboundCmd) Help() string {
	return "Examples:\n\n  peal inbound --since 24h\n  peal inbound --from +919812345678\n  peal inbound -f"
}

// Run lists what people wrote: newest first, or with -f oldest first and then what comes.
func (c *InboundCmd) Run(ctx context.Context, t *term) error {
	if c.Limit < 0 {
		return usagef("--limit must not be negative")
	}
	if c.Follow && c.Interval < minInterval {
		return usagef("--interval must be at least %v", minInterval)
	}
	cl, err := c.client()
	if err != nil {
		return err
	}
	q := client.InboundQuery{
		Integration: c.Integration, From: c.From, DeliveryID: c.Delivery, Type: c.Type,
		Since: c.Since.ago(t.now()), Until: c.Until.ago(t.now()), Limit: pageLimit,
	}
	if c.Limit > 0 {
		q.Limit = min(c.Limit, pageLimit)
	}
	all, err := c.read(ctx, cl, q, c.Limit)
	if err != nil {
		return err
	}
	if !c.Follow {
		return c.show(t, all)
	}
	return c.follow(ctx, t, cl, q, all)
}

// read gives messages, newest first; at most so many, or all for 0.
func (c *InboundCmd) read(ctx context.Context, cl *client.Client, q client.InboundQuery, most int) (all []api.InboundMessage, err error) {
	for m, err := range cl.Inbound(ctx, q) {
		if err != nil {
			return nil, err
		}
		if all = append(all, m); most > 0 && len(all) == most {
			break
		}
	}
	return all, nil
}

func (c *InboundCmd) show(t *term, all []api.InboundMessage) error {
	if c.JSON {
		return t.json(api.InboundPage{Messages: slices.Concat([]api.InboundMessage{}, all)})
	}
	if len(all) == 0 {
		t.notef("nobody wrote\n")
		return nil
	}
	rows := make([][]string, len(all))
	for i := range all {
		rows[i] = inboundRow(&all[i])
	}
	return t.table([]string{"id", "received", "from", "type", "text"}, rows)
}

// maxLine is how much of a text a line shows.
const maxLine = 60

func inboundRow(m *api.InboundMessage) []string {
	from := m.From
	if from == "" {
		from = m.FromUserID
	}
	text := []rune(clean(m.Text))
	if len(text) > maxLine {
		text = append(text[:maxLine-1], '…')
	}
	return []string{m.ID, longTime(&m.ReceivedAt), clean(from), clean(m.Type), string(text)}
}

// follow prints what is there, oldest first, and then what comes, until ctx ends. Messages are known by their ids, so each
// look may reach back behind the newest: one can be committed a little later than the time it carries.
func (c *InboundCmd) follow(ctx context.Context, t *term, cl *client.Client, q client.InboundQuery, all []api.InboundMessage) error {
	known, away := map[string]time.Time{}, false
	var floor, newest time.Time
	if c.Limit > 0 && len(all) == c.Limit {
		floor = all[len(all)-1].ReceivedAt
	}
	for {
		for i := range slices.Backward(all) {
			m := &all[i]
			if _, shown := known[m.ID]; shown || m.ReceivedAt.Before(floor) {
				continue
			}
			known[m.ID] = m.ReceivedAt
			if m.ReceivedAt.After(newest) {
				newest = m.ReceivedAt
			}
			if err := t.inboundLine(m, c.JSON); err != nil {
				return err
			}
		}
		maps.DeleteFunc(known, func(_ string, at time.Time) bool { return at.Before(newest.Add(-2 * followOverlap)) })
		if pause(ctx, c.Interval) != nil {
			return nil // Ctrl-C is how following ends
		}
		if !newest.IsZero() {
			q.Since, q.Limit = newest.Add(-followOverlap), pageLimit
		}
		var err error
		all, err = c.read(ctx, cl, q, 0)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !passing(err):
			return err
		case err != nil && !away:
			report(t.err, err)
			t.notef("trying on\n")
		}
		away = err != nil
	}
}

func (t *term) inboundLine(m *api.InboundMessage, asJSON bool) error {
	if asJSON {
		return t.jsonLine(m)
	}
	row := inboundRow(m)
	return t.printf("%-15s  %s  %-16s  %-11s  %s\n", t.shortTime(m.ReceivedAt), m.ID, row[2], row[3], row[4])
}
