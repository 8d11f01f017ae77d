package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"peal/api"
)

const (
	// bulkLimit is how many dead letters one call handles at most, by the API.
	bulkLimit = 10000
	// minRate is the slowest re-drive, per second, by the API.
	minRate = 0.001
	// rateSpan is how much of a paced re-drive one call queues.
	rateSpan = 10 * time.Second
	// filterIDs is how many ids the API takes at once.
	filterIDs = 1000
)

// DLQRedriveCmd is `peal dlq redrive`.
type DLQRedriveCmd struct {
	DLQChoice `embed:""`

	Rate float64 `name:"rate" placeholder:"NUMBER" help:"Spread them out: so many a second. Without it they go at once, as fast as the integration's limit allows."`
}

// Help gives examples.
func (DLQRedriveCmd) Help() string {
	return "Examples:\n\n  peal dlq redrive --all --dry-run\n  peal dlq redrive --error-code timeout --rate 20\n  peal dlq redrive 01920000-0000-7000-8000-000000000000"
}

// Run re-drives.
func (c *DLQRedriveCmd) Run(ctx context.Context, t *term, parent *DLQCmd) error {
	cl, err := parent.client()
	if err != nil {
		return err
	}
	if c.Rate != 0 && (c.Rate < minRate || c.Rate > bulkLimit) {
		return usagef("--rate must be 0, or from %v to %d", minRate, bulkLimit)
	}
	if len(c.IDs) == 1 && !c.DryRun && c.Rate == 0 {
		return one(ctx, t, parent, &c.DLQChoice, cl.RedriveDeadLetter)
	}
	limit := bulkLimit
	if c.Rate > 0 {
		limit = min(max(int(c.Rate*rateSpan.Seconds()), 1), bulkLimit)
	}
	b := bulk{t: t, json: parent.JSON, verb: "re-drive", done: "re-driven", rate: c.Rate, call: func(ctx context.Context, f api.DeadLetterFilter, dryRun bool) (*api.DeadLetterResult, error) {
		return cl.RedriveDeadLetters(ctx, api.RedriveRequest{Filter: f, DryRun: dryRun, Rate: c.Rate, Limit: limit})
	}}
	return b.run(ctx, &c.DLQChoice)
}

// DLQDiscardCmd is `peal dlq discard`.
type DLQDiscardCmd struct {
	DLQChoice `embed:""`
}

// Help gives examples.
func (DLQDiscardCmd) Help() string {
	return "Examples:\n\n  peal dlq discard --until 720h\n  peal dlq discard 01920000-0000-7000-8000-000000000000"
}

// Run discards.
func (c *DLQDiscardCmd) Run(ctx context.Context, t *term, parent *DLQCmd) error {
	cl, err := parent.client()
	if err != nil {
		return err
	}
	if len(c.IDs) == 1 && !c.DryRun {
		return one(ctx, t, parent, &c.DLQChoice, cl.DiscardDeadLetter)
	}
	b := bulk{t: t, json: parent.JSON, verb: "discard", done: "discarded", call: func(ctx context.Context, f api.DeadLetterFilter, dryRun bool) (*api.DeadLetterResult, error) {
		return cl.DiscardDeadLetters(ctx, api.DiscardRequest{Filter: f, DryRun: dryRun, Limit: bulkLimit})
	}}
	return b.run(ctx, &c.DLQChoice)
}

// one acts on a single dead letter, named by its id, and prints it.
func one(ctx context.Context, t *term, parent *DLQCmd, c *DLQChoice, act func(context.Context, string) (*api.Delivery, error)) error {
	if _, err := c.filter(t); err != nil {
		return err
	}
	d, err := act(ctx, c.IDs[0])
	if err != nil {
		return err
	}
	if parent.JSON {
		return t.json(d)
	}
	return t.table(deliveryHead(), [][]string{t.deliveryRow(d)})
}

// bulk acts on many dead letters, call by call.
type bulk struct {
	t          *term
	json       bool
	verb, done string
	rate       float64
	call       func(ctx context.Context, f api.DeadLetterFilter, dryRun bool) (*api.DeadLetterResult, error)
}

func (b *bulk) run(ctx context.Context, c *DLQChoice) error {
	filter, err := c.filter(b.t)
	if err != nil {
		return err
	}
	if len(filter.IDs) > filterIDs {
		return usagef("at most %d ids at once", filterIDs)
	}
	if c.DryRun || !c.Yes {
		found, err := b.call(ctx, filter, true)
		if err != nil {
			return err
		}
		if c.DryRun {
			return b.print(found)
		}
		if found.Matched == 0 {
			return b.print(&api.DeadLetterResult{})
		}
		if err := b.t.confirm(ctx, fmt.Sprintf("%s %d dead letters?", b.verb, found.Matched)); err != nil {
			return err
		}
	}
	total, err := b.all(ctx, filter)
	if err != nil {
		if total.Done > 0 {
			b.t.notef("%d were %s before the error\n", total.Done, b.done)
		}
		return err
	}
	return b.print(total)
}

// all calls until nothing is left, or nothing more can be done.
func (b *bulk) all(ctx context.Context, filter api.DeadLetterFilter) (*api.DeadLetterResult, error) {
	total := &api.DeadLetterResult{}
	for first := true; ; first = false {
		r, err := b.call(ctx, filter, false)
		if err != nil {
			return total, err
		}
		if first {
			total.Matched = r.Matched
		}
		total.Done += r.Done
		total.Expired, total.Remaining = r.Expired, r.Remaining
		if r.Remaining == 0 || r.Done == 0 {
			return total, nil
		}
		b.t.notef("%d %s, %d to go\n", total.Done, b.done, r.Remaining)
		if b.rate > 0 { // what was queued takes this long; queueing more now would double the rate
			if err := pause(ctx, time.Duration(float64(r.Done)/b.rate*float64(time.Second))); err != nil {
				return total, err
			}
		}
	}
}

func (b *bulk) print(r *api.DeadLetterResult) error {
	if b.json {
		return b.t.json(r)
	}
	var facts []string
	if r.DryRun {
		facts = append(facts, "matched", strconv.FormatInt(r.Matched, 10))
	} else {
		facts = append(facts, b.done, strconv.FormatInt(r.Done, 10))
	}
	if r.Expired > 0 {
		facts = append(facts, "expired", fmt.Sprintf("%d (what has expired is never sent late; discard them)", r.Expired))
	}
	if !r.DryRun && r.Remaining > 0 {
		facts = append(facts, "left", strconv.FormatInt(r.Remaining, 10))
	}
	return b.t.facts(slices.Clip(facts)...)
}
