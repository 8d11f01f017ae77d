package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"peal/api"
)

// LogExplainCmd is `peal log explain`.
type LogExplainCmd struct {
	ID string `arg:"" help:"Id of the delivery."`
}

// Help gives an example.
func (LogExplainCmd) Help() string {
	return "Example:\n\n  peal log explain 01920000-0000-7000-8000-000000000000"
}

// Run explains one delivery.
func (c *LogExplainCmd) Run(ctx context.Context, t *term, parent *LogCmd) error {
	cl, err := parent.client()
	if err != nil {
		return err
	}
	x, err := cl.ExplainDelivery(ctx, c.ID)
	if err != nil {
		return err
	}
	if parent.JSON {
		return t.json(x)
	}
	return showExplanation(t, x)
}

// showExplanation prints the decisions about a delivery, and what comes next.
func showExplanation(t *term, x *api.Explanation) error {
	rows := make([][]string, len(x.Steps))
	for i := range x.Steps {
		s := &x.Steps[i]
		rows[i] = []string{longTime(&s.At), s.Stage, s.Decision, s.Rule, inputText(s.Input, s.Detail)}
	}
	if err := t.table([]string{"TIME", "STAGE", "DECISION", "RULE", "BY"}, rows); err != nil {
		return err
	}
	if err := t.printf("\n"); err != nil {
		return err
	}
	return t.facts("next", x.Next.What, "when", longTime(x.Next.At), "rule", x.Next.Rule, "why", x.Next.Why, "by", inputText(x.Next.Input, ""), "see", x.Next.Docs)
}

// inputText is what was decided by, in one line.
func inputText(in map[string]any, detail string) string {
	parts := make([]string, 0, len(in)+1)
	for _, k := range slices.Sorted(maps.Keys(in)) {
		v := fmt.Sprint(in[k])
		if f, ok := in[k].(float64); ok { // every number of JSON is one
			v = strconv.FormatFloat(f, 'f', -1, 64)
		}
		parts = append(parts, strings.ReplaceAll(k, "_", " ")+" "+v)
	}
	if detail != "" {
		parts = append(parts, detail)
	}
	return strings.Join(parts, ", ")
}

// missing tells whether the server knows no such thing.
func missing(err error) bool { return says(err, api.CodeNotFound) }

// says tells whether the server answered with an error of this code.
func says(err error, code string) bool {
	p, ok := errors.AsType[*api.Problem](err)
	return ok && p.Code == code
}
