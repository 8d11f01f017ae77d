package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"

	"peal/bench/internal/callbacks"
	"peal/bench/internal/push"
	"peal/bench/internal/rivals"
	"peal/bench/internal/slope"
	"peal/bench/internal/suite"
)

// report is what a command measured.
type report struct {
	all    any // for -json
	table  func(io.Writer) error
	failed bool
}

func (c *command) measure(ctx context.Context) (report, error) {
	switch c.name {
	case "slope":
		rep, err := slope.Run(ctx, c.slope())
		if err != nil {
			return report{}, err
		}
		return report{all: rep, table: rep.WriteTable}, nil
	case "callbacks":
		rep, err := callbacks.Run(ctx, c.callbacks())
		if err != nil {
			return report{}, err
		}
		return report{all: rep, table: rep.WriteTable, failed: rep.Failed()}, nil
	case "rivals":
		rep, err := c.measureRivals(ctx)
		if err != nil {
			return report{}, err
		}
		table := func(w io.Writer) error { return rivals.WriteTable(w, rep, c.systems) }
		return report{all: rep, table: table, failed: rep.Failed()}, nil
	case "push":
		return c.measurePush(ctx, c.options, c.systems)
	case "smoke":
		return c.smoke(ctx)
	default:
		return c.measureSuite(ctx)
	}
}

func (c *command) measureSuite(ctx context.Context) (report, error) {
	rep, err := suite.Run(ctx, c.options)
	if err != nil {
		return report{}, err
	}
	table := func(w io.Writer) error {
		rep.WriteTable(w)
		return nil
	}
	return report{all: rep, table: table, failed: rep.Failed()}, nil
}

func (c *command) measurePush(ctx context.Context, o suite.Options, systems []string) (r report, err error) {
	if o.Systems, err = push.Launchers(systems); err != nil {
		return r, err
	}
	rep, err := suite.Run(ctx, o)
	if err != nil {
		return r, err
	}
	table := func(w io.Writer) error { return push.WriteTable(w, rep, systems) }
	return report{all: rep, table: table, failed: rep.Failed()}, nil
}

// smoke is everything that Peal alone is measured with. Pushes are left out where only some scenarios are asked for.
func (c *command) smoke(ctx context.Context) (report, error) {
	first, err := c.measureSuite(ctx)
	if err != nil || !slices.Equal(c.options.Scenarios, suite.Scenarios()) {
		return first, err
	}
	second, err := c.measurePush(ctx, c.smokePush(), []string{"fcm", "apns"})
	if err != nil {
		return report{}, err
	}
	return report{
		all: []any{first.all, second.all}, failed: first.failed || second.failed,
		table: func(w io.Writer) error { return errors.Join(first.table(w), second.table(w)) },
	}, nil
}

func (c *command) measureRivals(ctx context.Context) (*suite.Report, error) {
	tools, err := os.MkdirTemp("", "peal-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(tools) }() // only what is built anew every time
	var t rivals.Tools
	if c.options.Systems, err = rivals.Launchers(c.systems, &t); err != nil {
		return nil, err
	}
	if err := t.Build(ctx, c.systems, filepath.Join(c.options.Repo, "bench"), tools); err != nil {
		return nil, err
	}
	return suite.Run(ctx, c.options)
}

// slope is the options of the command slope.
func (c *command) slope() slope.Options {
	o := c.slopeOptions
	o.Options = c.options
	return o
}

// callbacks is the options of the command callbacks.
func (c *command) callbacks() callbacks.Options {
	o := c.hooks
	o.Options = c.options
	return o
}
