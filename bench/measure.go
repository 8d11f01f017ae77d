package main

import (
	"context"
	"io"
	"os"
	"path/filepath"

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
	case "rivals":
		rep, err := c.measureRivals(ctx)
		if err != nil {
			return report{}, err
		}
		table := func(w io.Writer) error { return rivals.WriteTable(w, rep, c.systems) }
		return report{all: rep, table: table, failed: rep.Failed()}, nil
	default:
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
