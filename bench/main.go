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
	"runtime/debug"
	"runtime/pprof"
	"syscall"
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
	rep, err := cmd.measure(ctx)
	if err := errors.Join(err, stopProfile()); err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return 1
	}
	if cmd.json {
		enc := json.NewEncoder(stdout)
		enc.SetIndent("", "  ")
		err = enc.Encode(rep.all)
	} else {
		err = rep.table(stdout)
	}
	if err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return 1
	}
	if rep.failed {
		fmt.Fprintln(stderr, "bench: FAILED, see above")
		return 1
	}
	return 0
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
