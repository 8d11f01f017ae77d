package track

import (
	"context"
	"time"

	"golang.org/x/time/rate"

	"peal/internal/peal"
	"peal/internal/pipeline"
)

const (
	// stuckFor is how long after its time a message waits to be looked up where the pace of look-ups is slow; then nobody asks.
	stuckFor = 24 * time.Hour
	// paceWait is how long a look-up may wait for its turn. What has to wait longer stays due.
	paceWait = time.Second
)

// What the timeline says of a message that no receipt has come of, and that the look-up did not help.
const (
	stuckKnown   = "no receipt has come; the provider, asked, says no more than that it was sent"
	stuckUnknown = "no receipt has come; the provider, asked, does not know the message"
)

// patient waits for a place among the look-ups; false when that would take long.
func patient(ctx context.Context, limit *rate.Limiter) bool {
	place := limit.Reserve()
	if !place.OK() {
		return false
	}
	wait := place.Delay()
	if wait > paceWait {
		place.Cancel()
		return false
	}
	if wait > 0 {
		sleep(ctx, wait)
	}
	return ctx.Err() == nil
}

// checkOrDrop looks up what is due. Where look-ups teach no key, what has its receipt by now needs none, and what has waited
// for too long is let go of.
func (c *Checker) checkOrDrop(ctx context.Context, in *peal.Integration, rows []pipeline.Unkeyed) bool {
	if c.learns(in) {
		return c.check(ctx, in, rows)
	}
	var due, done []pipeline.Unkeyed
	old := c.Now().Add(-in.ReceiptTimeout - stuckFor)
	for _, row := range rows {
		if row.Status != peal.Sent || row.MessageID == "" || row.SentAt.Before(old) {
			row.CheckAt = time.Time{}
			done = append(done, row)
		} else {
			due = append(due, row)
		}
	}
	if len(done) > 0 {
		if err := c.Checks.SetChecks(ctx, done); err != nil {
			c.Log.Warn("look-ups that are not needed stay", "integration_id", in.ID, "error", err)
			return false
		}
	}
	return len(due) == 0 || c.check(ctx, in, due)
}

// note writes into the timelines what did not help.
func (c *Checker) note(ctx context.Context, rows []pipeline.Unkeyed, why []string) bool {
	var stuck []pipeline.Stuck
	for i := range rows {
		if why[i] != "" {
			stuck = append(stuck, pipeline.Stuck{TenantID: rows[i].TenantID, DeliveryID: rows[i].DeliveryID, Detail: why[i]})
		}
	}
	if len(stuck) == 0 {
		return true
	}
	err := c.Checks.NoteStuck(ctx, stuck)
	if err != nil && ctx.Err() == nil {
		c.Log.Warn("not noted that no receipt has come", "deliveries", len(stuck), "error", err)
	}
	return err == nil
}
