package main

import (
	"cmp"
	"context"
	"encoding/json"
	"time"

	"peal/api"
	"peal/client"
)

// EventsCmd is `peal events`.
type EventsCmd struct {
	Follow       bool     `name:"follow" short:"f" help:"Go on printing events as they come. It begins with what comes from now on, or with --since or --after; when the server goes away it comes again and goes on where it was."`
	Since        when     `name:"since" placeholder:"TIME" help:"What happened since then, or so long ago: 2026-01-31, 24h. Default without -f: 1h."`
	After        string   `name:"after" placeholder:"PLACE" help:"What came after a place in the log, as --json prints it; 0: the oldest that is kept."`
	Type         []string `name:"type" placeholder:"TYPE" help:"Only these types, such as delivery.failed or delivery.*; docs/events.md names them."`
	Integration  string   `name:"integration" placeholder:"NAME" help:"Only of this integration, by name or id."`
	Notification string   `name:"notification" placeholder:"ID" help:"Only of this notification."`
	Delivery     string   `name:"delivery" placeholder:"ID" help:"Only of this delivery."`

	Conn `embed:"" group:"conn"`
}

// Help gives examples.
func (EventsCmd) Help() string {
	return "It prints a tenant's event log, oldest first. With --json each event is a line; its position is what --after takes.\n\n" +
		"A tenant's log begins when it first asks for it: by this command, GET /v1/events, or an endpoint.\n\n" +
		"Examples:\n\n  peal events -f\n  peal events -f --type delivery.failed --type integration.* --json\n  peal events --since 24h --type message.received"
}

// defaultEvents is how far back it looks where nothing is said.
const defaultEvents = time.Hour

// Run prints events.
func (c *EventsCmd) Run(ctx context.Context, t *term) error {
	if c.After != "" && c.Since != (when{}) {
		return usagef("--after and --since exclude each other")
	}
	cl, err := c.client()
	if err != nil {
		return err
	}
	q := client.EventQuery{
		After: c.After, Since: c.Since.ago(t.now()), Types: c.Type, Integration: c.Integration, Notification: c.Notification, Delivery: c.Delivery,
	}
	if c.Follow {
		return c.follow(ctx, t, cl, q)
	}
	if c.After == "" && q.Since.IsZero() {
		q.Since = t.now().Add(-defaultEvents)
	}
	for {
		page, err := cl.EventPage(ctx, q)
		if err != nil {
			return err
		}
		if page.Reset {
			t.reset()
		}
		for i := range page.Events {
			if err := t.event(c.JSON, &page.Events[i], ""); err != nil {
				return err
			}
		}
		if q.After = page.Next; !page.More {
			return nil
		}
	}
}

func (c *EventsCmd) follow(ctx context.Context, t *term, cl *client.Client, q client.EventQuery) error {
	away := false
	q.Trouble = func(err error) {
		if !away {
			report(t.err, err)
			t.notef("trying on\n")
		}
		away = true
	}
	for e, err := range cl.Events(ctx, q) {
		away = false
		switch {
		case ctx.Err() != nil:
			return nil // Ctrl-C is how following ends
		case err != nil:
			return err
		case e.Reset:
			t.reset()
		default:
			if err := t.event(c.JSON, &e.EventMessage, e.Position); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *term) reset() {
	t.notef("what came after that place is not kept any more; this goes on with the oldest that is\n")
}

// event prints one as a line. The position is none where it is not known.
func (t *term) event(asJSON bool, m *api.EventMessage, position string) error {
	if asJSON {
		return t.jsonLine(struct {
			api.EventMessage
			Position string `json:"position,omitempty"`
		}{*m, position})
	}
	var d struct {
		Delivery  string `json:"delivery_id"`
		Recipient string `json:"recipient"`
		From      string `json:"from"`
		FromUser  string `json:"from_user_id"`
		Contact   string `json:"contact"`
		Number    string `json:"number"`
		Name      string `json:"name"`
		URL       string `json:"url"`
		Code      string `json:"code"`
		Reason    string `json:"reason"`
		Text      string `json:"text"`
	}
	if err := json.Unmarshal(m.Data, &d); err != nil {
		return err
	}
	about := cmp.Or(d.Recipient, d.From, d.FromUser, d.Contact, d.Number, d.Name, d.URL)
	says := cmp.Or(d.Text, d.Reason, d.Code)
	if d.Code != "" && says != d.Code {
		says = d.Code + ": " + says
	}
	return t.printf("%-16s  %-20s  %-36s  %-16s  %s\n", t.shortTime(m.Timestamp), clean(m.Type), clean(d.Delivery), clean(about), clean(says))
}
