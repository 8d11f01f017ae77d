package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"peal/api"
	"peal/client"
)

// sendRetries is how often a send is tried again when the server is busy or away; it is safe, for every send that
// is tried again has an idempotency key.
const sendRetries = 3

// SendCmd is `peal send`.
type SendCmd struct {
	To          string `name:"to" placeholder:"PHONE" xor:"recipient" help:"Phone number in E.164, such as +919812345678; or a WhatsApp user id, such as US.13491208655302741918."`
	User        string `name:"user" placeholder:"ID" xor:"recipient" help:"Your own id of a user whose phone number or devices Peal knows."`
	Audience    string `name:"audience" placeholder:"WHOM" xor:"recipient" help:"Of a push: many devices at once: all, or app=ID, platform=NAME, locale=TAG, parted by commas."`
	Platform    string `name:"platform" placeholder:"NAME" help:"Of a push: only the user's devices of it, such as ios."`
	Channel     string `name:"channel" placeholder:"NAME" help:"Channel to send over: whatsapp or push."`
	Integration string `name:"integration" placeholder:"NAME" help:"Integration to send over, by name or id."`

	Ladder []string `name:"ladder" sep:"none" placeholder:"RUNG" help:"Instead of a channel or an integration: what to try one after the other, until a receipt comes: push, then whatsapp,after=5m,unless=read. Repeat it for each rung; or give the ladder as JSON, once."`

	ContentFlags `embed:"" group:"content"`

	Category string            `name:"category" enum:",marketing,utility,authentication" default:"" placeholder:"SORT" help:"Over WhatsApp: what sort of message it is, by which people opt out: marketing, utility or authentication."`
	Priority string            `name:"priority" placeholder:"LANE" help:"The lane that it waits in: critical, normal or bulk. Default: normal."`
	Key      string            `name:"key" placeholder:"KEY" help:"Idempotency key: the same key within 24 h sends nothing twice."`
	TTL      time.Duration     `name:"ttl" placeholder:"DURATION" help:"Give up when it has not been sent after this long."`
	SendAt   when              `name:"send-at" placeholder:"TIME" help:"Not before this time, or this long from now: 2026-01-31T15:04:05Z, 90m."`
	Metadata map[string]string `name:"metadata" mapsep:"none" placeholder:"KEY=VALUE" help:"Anything of yours, kept and given back; may be repeated."`

	File string `name:"file" placeholder:"FILE" help:"Send the notifications of this file: a JSON array, or one JSON object after the other; - is the standard input."`

	DryRun bool `name:"dry-run" help:"Send nothing: show what each delivery's provider would be sent, and why the others are skipped."`

	Wait        bool          `name:"wait" help:"Follow the delivery and print its ticks."`
	WaitFor     string        `name:"wait-for" enum:"sent,delivered,read" default:"delivered" placeholder:"STATUS" help:"What to wait for: sent, delivered or read."`
	WaitTimeout time.Duration `name:"wait-timeout" default:"1m" placeholder:"DURATION" help:"Longest wait."`

	Conn `embed:"" group:"conn"`
}

// Help gives examples.
func (SendCmd) Help() string {
	return "Examples:\n\n" +
		"  peal send --to +919812345678 --text 'Your order is on its way' --ttl 10m --wait\n" +
		"  peal send --user raju --title 'Your order' --text 'It is on its way' --link https://shop.example.com/orders/17 --dry-run\n" +
		"  peal send --to +919812345678 --template order_paid --language en_US --param Ann --param '$ 100.99'\n" +
		"  peal send --user raju --text 'It is here' --ladder push --ladder whatsapp,after=5m,unless=delivered\n" +
		"  peal send --audience app=com.example.shop,platform=android --title Sale --text 'Today only' --priority bulk\n" +
		"  peal send --file batch.json"
}

// Run sends.
func (c *SendCmd) Run(ctx context.Context, t *term) error {
	cl, err := c.client(client.WithRetries(sendRetries))
	if err != nil {
		return err
	}
	if c.File != "" {
		if c.To != "" || c.User != "" || c.Audience != "" || c.Wait || c.DryRun || c.Key != "" || len(c.kinds()) > 0 {
			return usagef("--file stands alone: recipients, contents and keys are in the file, and --wait and --dry-run are for one notification")
		}
		return sendFile(ctx, t, cl, c.File, c.JSON)
	}
	req, err := c.request(t.now())
	if err != nil {
		return err
	}
	if c.DryRun {
		if c.Wait {
			return usagef("--dry-run sends nothing: there is nothing to --wait for")
		}
		return dryRun(ctx, t, cl, req, c.JSON)
	}
	sent, err := cl.Send(ctx, *req)
	if err != nil {
		return err
	}
	wait := waiter{cl: cl, t: t, until: c.WaitFor, timeout: c.WaitTimeout, quiet: c.JSON}
	return follow(ctx, &wait, &sent.Accepted, c.Wait, c.JSON, sent.Replayed)
}

// dryRun prints what a notification would become.
func dryRun(ctx context.Context, t *term, cl *client.Client, req *api.NotificationRequest, asJSON bool) error {
	out, err := cl.DryRun(ctx, *req)
	if err != nil {
		return err
	}
	if asJSON {
		return t.json(out)
	}
	if a := out.Audience; a != nil {
		facts := []string{"would be queued", strconv.FormatInt(a.Queued, 10)}
		for _, reason := range slices.Sorted(maps.Keys(a.Skipped)) {
			facts = append(facts, "would be skipped", fmt.Sprintf("%d: %s", a.Skipped[reason], reason))
		}
		if err := t.facts(facts...); err != nil {
			return err
		}
	}
	for i := range out.Deliveries {
		d := &out.Deliveries[i]
		status := d.Status
		if d.Reason != "" {
			status += ": " + d.Reason
		}
		if d.Rung != nil {
			status = fmt.Sprintf("%s, on rung %d", status, *d.Rung)
			if d.DueAt != nil {
				status += ", from " + t.shortTime(*d.DueAt)
			}
		}
		facts := []string{"to", d.Recipient, "user", d.UserID, "channel", d.Channel, "integration", d.IntegrationID, "would be", status}
		if r := d.Request; r != nil {
			facts = append(facts, "url", r.URL)
			for _, name := range slices.Sorted(maps.Keys(r.Header)) {
				facts = append(facts, "header", name+": "+r.Header[name])
			}
			facts = append(facts, "body", string(r.Body))
		}
		if err := t.facts(facts...); err != nil {
			return err
		}
	}
	return nil
}

// follow prints what was accepted and, where wanted, waits for what becomes of it. For scripts there is one
// document: the answer, or after a wait the notification.
func follow(ctx context.Context, w *waiter, a *api.Accepted, wait, asJSON, replayed bool) error {
	switch {
	case asJSON && !wait:
		return w.t.json(a)
	case !asJSON:
		if err := printAccepted(w.t, a, replayed); err != nil || !wait {
			return err
		}
	}
	failed := w.wait(ctx, a)
	if asJSON {
		n, err := w.cl.Notification(ctx, a.ID)
		if err != nil {
			return err
		}
		if err := w.t.json(n); err != nil {
			return err
		}
	}
	return failed
}

// printAccepted prints the answer to a send.
func printAccepted(t *term, a *api.Accepted, replayed bool) error {
	note := ""
	if replayed {
		note = "  (accepted earlier, under the same idempotency key)"
	}
	rows := [][]string{{"notification", a.ID + note}}
	for _, d := range a.Deliveries {
		row := d.ID + "  " + d.Status
		if d.Rung != nil {
			row = fmt.Sprintf("%s  rung %d  %s", d.ID, *d.Rung, d.Status)
		}
		if d.Reason != "" {
			row += ": " + d.Reason
		}
		rows = append(rows, []string{"delivery", row})
	}
	if a.Expanding {
		rows = append(rows, []string{"audience", "its deliveries are made from now on, or from --send-at"})
	}
	if q := a.Queue; q != nil && q.Ahead > 0 {
		row := fmt.Sprintf("%d before it", q.Ahead)
		if q.ETA != nil {
			row += ", goes out at about " + t.shortTime(*q.ETA)
		}
		rows = append(rows, []string{"queue", row})
	}
	return t.table(nil, rows)
}

// request makes the notification that the flags describe.
func (c *SendCmd) request(now time.Time) (*api.NotificationRequest, error) {
	if c.To == "" && c.User == "" && c.Audience == "" {
		return nil, usagef("nobody to send to: give --to, --user or --audience (or --file)")
	}
	if c.Audience != "" && c.Wait {
		return nil, usagef("--wait follows the deliveries to somebody; look at how far an audience is with: peal log --notification ID")
	}
	audience, err := audienceOf(c.Audience)
	if err != nil {
		return nil, err
	}
	ladder, err := ladderOf(c.Ladder)
	if err != nil {
		return nil, err
	}
	content := &api.Content{}
	if len(c.kinds()) > 0 || !ownWords(ladder) {
		if content, err = c.content(); err != nil {
			return nil, err
		}
	}
	req := &api.NotificationRequest{
		Recipient:      api.Recipient{Phone: c.To, UserID: c.User, Platform: c.Platform, Audience: audience},
		Channel:        c.Channel,
		Integration:    c.Integration,
		Ladder:         ladder,
		Content:        *content,
		Category:       c.Category,
		Priority:       c.Priority,
		SendAt:         c.SendAt.ahead(now),
		IdempotencyKey: c.Key,
	}
	if strings.Contains(c.To, ".") && !strings.HasPrefix(c.To, "+") {
		req.Recipient.Phone, req.Recipient.WhatsAppUserID = "", c.To
	}
	if c.TTL < 0 {
		return nil, usagef("--ttl must be more than 0")
	}
	if c.TTL > 0 {
		req.TTL = c.TTL.String()
	}
	if len(c.Metadata) > 0 {
		metadata, err := json.Marshal(c.Metadata)
		if err != nil {
			return nil, usagef("--metadata: %w", err)
		}
		req.Metadata = metadata
	}
	return req, nil
}
