package main

import (
	"context"
	"iter"
	"strconv"
	"strings"
	"time"

	"peal/api"
	"peal/client"
)

// LogCmd is `peal log`.
type LogCmd struct {
	List    LogListCmd    `cmd:"" default:"withargs" help:"List deliveries, newest first; the same as peal log."`
	Show    LogShowCmd    `cmd:"" help:"Show one delivery with its timeline, and why it is as it is."`
	Explain LogExplainCmd `cmd:"" help:"Tell why one delivery is as it is: every decision in order, and what happens next."`
	Resolve LogResolveCmd `cmd:"" help:"Settle deliveries whose outcome is uncertain."`

	Conn `embed:"" group:"conn"`
}

// Help gives examples.
func (LogCmd) Help() string {
	return "Examples:\n\n  peal log --to +919812345678 --since 24h\n  peal log -f\n  peal log show 01920000-0000-7000-8000-000000000000"
}

// LogListCmd is `peal log list`.
type LogListCmd struct {
	To           string        `name:"to" placeholder:"PHONE" help:"Only to this recipient."`
	MessageID    string        `name:"message-id" placeholder:"ID" help:"Only with this id of the provider."`
	Notification string        `name:"notification" placeholder:"ID" help:"Only of this notification."`
	Integration  string        `name:"integration" placeholder:"NAME" help:"Only over this integration, by name or id."`
	Status       string        `name:"status" enum:",queued,sending,sent,delivered,read,failed,skipped,canceled,expired,uncertain" default:"" placeholder:"STATUS" help:"Only in this status."`
	Channel      string        `name:"channel" placeholder:"NAME" help:"Only over this channel."`
	Since        when          `name:"since" placeholder:"TIME" help:"Only created since then, or so long ago: 2026-01-31, 24h."`
	Until        when          `name:"until" placeholder:"TIME" help:"Only created before then, or so long ago."`
	Limit        int           `name:"limit" short:"n" default:"50" placeholder:"COUNT" help:"At most so many; 0 for all."`
	Follow       bool          `name:"follow" short:"f" help:"Go on printing new deliveries and changes of status."`
	Interval     time.Duration `name:"interval" default:"1s" placeholder:"DURATION" help:"With -f: time between two looks."`
}

// Help gives examples.
func (LogListCmd) Help() string { return LogCmd{}.Help() }

// pageLimit is the largest page that the server gives.
const pageLimit = 500

func (c *LogListCmd) query(now time.Time) (client.DeliveryQuery, error) {
	if c.Limit < 0 {
		return client.DeliveryQuery{}, usagef("--limit must not be negative")
	}
	q := client.DeliveryQuery{
		Recipient: c.To, MessageID: c.MessageID, NotificationID: c.Notification, Integration: c.Integration,
		Status: c.Status, Channel: c.Channel, Since: c.Since.ago(now), Until: c.Until.ago(now), Limit: pageLimit,
	}
	if c.Limit > 0 {
		q.Limit = min(c.Limit, pageLimit)
	}
	return q, nil
}

// Run lists the log.
func (c *LogListCmd) Run(ctx context.Context, t *term, parent *LogCmd) error {
	cl, err := parent.client()
	if err != nil {
		return err
	}
	q, err := c.query(t.now())
	if err != nil {
		return err
	}
	if c.Follow {
		return c.follow(ctx, t, cl, q, parent.JSON)
	}
	return listDeliveries(t, parent.JSON, c.Limit, cl.Deliveries(ctx, q))
}

// listDeliveries prints the first limit rows of a walk (all for 0): as one JSON document or as a table. It holds no
// more than a page of them.
func listDeliveries(t *term, asJSON bool, limit int, walk iter.Seq2[api.Delivery, error]) error {
	out := rowPrinter{t: t, json: asJSON}
	more := false
	for d, err := range walk {
		if err == nil && limit > 0 && out.count == limit {
			more = true
			break
		}
		if err == nil {
			err = out.add(&d)
		}
		if err != nil {
			return err
		}
	}
	if err := out.end(); err != nil {
		return err
	}
	if more && !asJSON {
		t.notef("there are more; see --limit\n")
	}
	return nil
}

// rowPrinter prints deliveries: the table in blocks of a page, the JSON document row by row.
type rowPrinter struct {
	t     *term
	json  bool
	block [][]string
	count int
}

func (p *rowPrinter) add(d *api.Delivery) error {
	p.count++
	if !p.json {
		p.block = append(p.block, p.t.deliveryRow(d))
		if len(p.block) == pageLimit {
			return p.flush()
		}
		return nil
	}
	row, err := plainJSON(d)
	if err != nil {
		return err
	}
	lead := ",\n"
	if p.count == 1 {
		lead = "{\"deliveries\": [\n"
	}
	return p.t.printf("%s%s", lead, row)
}

func (p *rowPrinter) flush() error {
	var head []string
	if p.count == len(p.block) {
		head = deliveryHead()
	}
	err := p.t.table(head, p.block)
	p.block = nil
	return err
}

func (p *rowPrinter) end() error {
	switch {
	case p.json && p.count == 0:
		return p.t.printf("{\"deliveries\": []}\n")
	case p.json:
		return p.t.printf("\n]}\n")
	case p.count == 0:
		p.t.notef("no deliveries\n")
		return nil
	case len(p.block) > 0:
		return p.flush()
	}
	return nil
}

func deliveryHead() []string {
	return []string{"CREATED", "DELIVERY", "RECIPIENT", "STATUS", "ATTEMPTS", "WHAT"}
}

func (t *term) deliveryRow(d *api.Delivery) []string {
	return []string{t.shortTime(d.CreatedAt), d.ID, d.Recipient, d.Status, strconv.Itoa(d.Attempts), what(d)}
}

// what is the most telling thing about a delivery: its error, when it is due, or the kind of its content.
func what(d *api.Delivery) string {
	var parts []string
	if d.Content != nil {
		parts = append(parts, strings.Join(d.Content.Kinds(), " "))
	}
	if why := reason(d.ErrorCode, d.ErrorReason); why != "" {
		parts = append(parts, shorten(why))
	}
	if d.DueAt != nil && d.Status == "queued" {
		parts = append(parts, "due "+d.DueAt.Local().Format(time.DateTime))
	}
	if d.DeadLetter {
		parts = append(parts, "dead letter")
	}
	if d.Flag != "" {
		parts = append(parts, d.Flag)
	}
	return strings.Join(parts, "; ")
}

// shorten keeps a table's line on the screen; `show` has the whole.
func shorten(s string) string {
	const most = 80
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}
