package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"peal/api"
	"peal/client"
)

// waitEvery is the time between two looks at a delivery that is waited for.
const waitEvery = 200 * time.Millisecond

// waiter follows the deliveries of one notification.
type waiter struct {
	cl      *client.Client
	t       *term
	until   string // sent, delivered or read
	timeout time.Duration
	quiet   bool
}

// wait follows every delivery until it is where it should be, has ended, or time is up. It is an error when one
// has not come as far as it should.
func (w *waiter) wait(ctx context.Context, a *api.Accepted) error {
	deadline, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	if len(a.Deliveries) > 0 && a.Deliveries[0].Rung != nil {
		return w.climb(deadline, a)
	}
	var errs []error
	for _, d := range a.Deliveries {
		if err := w.follow(deadline, d.ID); err != nil {
			if deadline.Err() != nil && ctx.Err() == nil {
				err = fmt.Errorf("delivery %s is not %s after %v; look later with: peal log show %s", d.ID, w.until, w.timeout, d.ID)
			}
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (w *waiter) follow(ctx context.Context, id string) error {
	for seen := 0; ; {
		d, err := w.cl.Delivery(ctx, id)
		if err != nil {
			return err
		}
		for ; seen < len(d.Timeline); seen++ {
			if err := w.print(&d.Timeline[seen]); err != nil {
				return err
			}
		}
		switch {
		case reached(d, w.until):
			return nil
		case ended(d.Status):
			return fmt.Errorf("delivery %s %s: %s", id, d.Status, reason(d.ErrorCode, d.ErrorReason))
		}
		if err := pause(ctx, waitEvery); err != nil {
			return err
		}
	}
}

func (w *waiter) print(e *api.Event) error {
	if w.quiet {
		return nil
	}
	return w.t.printf("%s  %s\n", clockTime(e.At), clean(eventText(e)))
}

// reached says whether d has come as far as status, or further.
func reached(d *api.Delivery, status string) bool {
	rank := map[string]int{"sent": 1, "delivered": 2, "read": 3}
	return rank[d.Status] >= rank[status]
}

// ended says whether a delivery in this status comes no further.
func ended(status string) bool {
	switch status {
	case "failed", "skipped", "canceled", "expired":
		return true
	}
	return false
}

// tick is what a messenger shows for a status.
func tick(status string) string {
	switch status {
	case "sent":
		return "sent ✓"
	case "delivered":
		return "delivered ✓✓"
	case "read":
		return "read ✓✓ (blue)"
	}
	return status
}

// reason joins an error's code and text.
func reason(code, text string) string {
	switch {
	case code == "":
		return text
	case text == "":
		return code
	}
	return code + ": " + text
}

// eventText is an event of a timeline in one line.
func eventText(e *api.Event) string {
	s := e.Type
	if e.Attempt > 0 {
		s += fmt.Sprintf(" %d", e.Attempt)
	}
	if e.Outcome != "" {
		s += " " + e.Outcome
	}
	if e.DurationMS > 0 {
		s += fmt.Sprintf(" (%d ms)", e.DurationMS)
	}
	if e.Status != "" && e.Status != e.Type {
		s += " → " + tick(e.Status)
	}
	if why := reason(e.Code, e.Detail); why != "" {
		s += ": " + why
	}
	return s
}
