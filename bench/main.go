// Command bench measures Peal on one machine: it builds and starts `peal serve`, sends to it, stands in for the
// provider, and prints what came of it. README.md says how to run it and what the numbers mean.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"runtime/pprof"
	"syscall"

	"peal/bench/internal/rivals"
	"peal/bench/internal/suite"
)

// Collecting garbage seldom leaves more of the two cores to Peal; the bench makes little of it anyway.
const ownGOGC = 400

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	debug.SetGCPercent(ownGOGC)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run returns the exit code: 0 all well, 1 something failed, 2 used wrongly.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	cmd, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(stderr, "bench:", err)
		return 2
	}
	stopProfile, err := profile(cmd.selfProfile)
	if err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return 1
	}
	rep, err := measure(ctx, &cmd)
	if err := errors.Join(err, stopProfile()); err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return 1
	}
	if err := cmd.print(stdout, rep); err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return 1
	}
	if rep.Failed() {
		fmt.Fprintln(stderr, "bench: FAILED, see above")
		return 1
	}
	return 0
}

func measure(ctx context.Context, cmd *command) (*suite.Report, error) {
	if cmd.rivals == nil {
		return suite.Run(ctx, cmd.options)
	}
	tools, err := os.MkdirTemp("", "peal-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(tools) }() // only what is built anew every time
	var t rivals.Tools
	if cmd.options.Systems, err = rivals.Launchers(cmd.rivals, &t); err != nil {
		return nil, err
	}
	if err := t.Build(ctx, cmd.rivals, filepath.Join(cmd.options.Repo, "bench"), tools); err != nil {
		return nil, err
	}
	return suite.Run(ctx, cmd.options)
}

func (c *command) print(w io.Writer, rep *suite.Report) error {
	switch {
	case c.json:
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(rep)
	case c.rivals != nil:
		return rivals.WriteTable(w, rep, c.rivals)
	default:
		rep.WriteTable(w)
		return nil
	}
}

// profile profiles the bench itself; the function it returns ends that.
func profile(path string) (stop func() error, err error) {
	if path == "" {
		return func() error { return nil }, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return f.Close()
	}, nil
}
