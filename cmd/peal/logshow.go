package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"peal/api"
)

// LogShowCmd is `peal log show`.
type LogShowCmd struct {
	ID string `arg:"" help:"Id of the delivery."`
}

// Help gives an example.
func (LogShowCmd) Help() string {
	return "Example:\n\n  peal log show 01920000-0000-7000-8000-000000000000"
}

// Run shows one delivery.
func (c *LogShowCmd) Run(ctx context.Context, t *term, parent *LogCmd) error {
	cl, err := parent.client()
	if err != nil {
		return err
	}
	d, err := cl.Delivery(ctx, c.ID)
	if err != nil {
		return err
	}
	if err := showDelivery(t, d, parent.JSON); err != nil || parent.JSON {
		return err
	}
	x, err := cl.ExplainDelivery(ctx, c.ID)
	if missing(err) { // a server that is older than this command
		return nil
	}
	if err == nil {
		err = t.printf("\n")
	}
	if err != nil {
		return err
	}
	return showExplanation(t, x)
}

// showDelivery prints everything about a delivery.
func showDelivery(t *term, d *api.Delivery, asJSON bool) error {
	if asJSON {
		return t.json(d)
	}
	content := ""
	if d.Content != nil {
		var err error
		if content, err = plainJSON(d.Content); err != nil {
			return err
		}
	}
	rung, deadLetter := "", ""
	if d.Rung != nil {
		rung = strconv.Itoa(*d.Rung)
	}
	if d.DeadLetter {
		deadLetter = "yes: it waits to be re-driven or discarded"
	}
	err := t.facts(
		"delivery", d.ID, "notification", d.NotificationID, "integration", d.IntegrationID, "channel", d.Channel,
		"rung", rung, "recipient", d.Recipient, "user", d.UserID, "content", content,
		"status", tick(d.Status), "error", reason(d.ErrorCode, d.ErrorReason), "flag", d.Flag, "dead letter", deadLetter,
		"attempts", strconv.Itoa(d.Attempts), "message id", d.MessageID, "message key", d.MessageKey,
		"created", longTime(&d.CreatedAt), "due", longTime(d.DueAt), "expires", longTime(d.ExpiresAt), "sent", longTime(d.SentAt),
		"delivered", longTime(d.DeliveredAt), "read", longTime(d.ReadAt), "ended", longTime(d.EndedAt), "updated", longTime(&d.UpdatedAt),
	)
	if err != nil || len(d.Timeline) == 0 {
		return err
	}
	if err := t.printf("\n"); err != nil {
		return err
	}
	rows := make([][]string, len(d.Timeline))
	for i := range d.Timeline {
		rows[i] = []string{longTime(&d.Timeline[i].At), eventText(&d.Timeline[i])}
	}
	return t.table([]string{"TIME", "EVENT"}, rows)
}

// plainJSON is v as JSON in one line, with < > & as they are.
func plainJSON(v any) (string, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return "", fmt.Errorf("write as JSON: %w", err)
	}
	return string(bytes.TrimSpace(b.Bytes())), nil
}
