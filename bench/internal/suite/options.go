// Package suite runs the scenarios, each against a Peal process of its own, and reports what they measured.
package suite

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// The scenarios, in the order they run.
const (
	Ceiling = "ceiling" // generator straight to the stand-in: what this machine could show at most
	Single  = "single"  // one notification per request, closed loop
	Batch   = "batch"   // many notifications per request, closed loop
	Open    = "open"    // one notification per request, by a fixed schedule
	Idle    = "idle"    // nothing is sent

	FanOut = "fanout" // one notification to many devices; only of systems that push
)

// Scenarios is all of them.
func Scenarios() []string { return []string{Ceiling, Single, Batch, Open, Idle} }

// PushScenarios is all of them for systems that push.
func PushScenarios() []string { return []string{Single, Batch, FanOut} }

func (o *Options) scenarios() []string {
	if o.Audience > 0 {
		return PushScenarios()
	}
	return Scenarios()
}

// Options says what to run and how.
type Options struct {
	Systems   []Launcher // what is measured; Peal alone where there are none
	Scenarios []string
	Runs      int

	Duration time.Duration // of each loop
	Messages int           // instead of the duration, when above 0
	Warmup   int           // notifications before each measurement
	Idle     time.Duration // how long idle is watched
	Settle   time.Duration // how long after the last arrival a second arrival is waited for
	Stall    time.Duration // without an arrival for so long, what is missing counts as lost

	Connections      int
	BatchConnections int
	BatchSize        int
	OpenConnections  int
	Rate             float64 // of the open loop, per second
	Concurrency      int     // of the integration
	Devices          int     // of systems that push: how many messages go to by turns
	Audience         int     // and how many a fan-out goes to; 0: nothing is pushed

	Dir        string   // data folders are made in it
	Keep       bool     // leave them there
	Binary     string   // a built peal; else it is built from Repo
	Repo       string   // the main module
	PealArgs   []string // further arguments of peal serve
	PealEnv    []string // further environment of peal serve
	CPUProfile string   // handed to Peal as PEAL_CPUPROFILE, made different for every run

	Progress io.Writer
}

// Validate says what is wrong with the options.
func (o *Options) Validate() error {
	for _, s := range o.Scenarios {
		if all := o.scenarios(); !slices.Contains(all, s) {
			return fmt.Errorf("no scenario %q; there are %s", s, strings.Join(all, ", "))
		}
	}
	for name, n := range map[string]int{
		"runs": o.Runs, "connections": o.Connections, "batch connections": o.BatchConnections,
		"open connections": o.OpenConnections, "batch size": o.BatchSize, "concurrency": o.Concurrency,
	} {
		if n < 1 {
			return fmt.Errorf("%s: %d, but at least 1 is needed", name, n)
		}
	}
	switch {
	case o.BatchSize > 1000:
		return fmt.Errorf("batch size: %d, but Peal takes at most 1000", o.BatchSize)
	case o.Rate <= 0:
		return fmt.Errorf("rate: %v, but it has to be above 0", o.Rate)
	case o.Duration <= 0 && o.Messages <= 0:
		return fmt.Errorf("neither a duration nor a number of messages")
	case o.Audience > 0 && o.Devices < 1:
		return fmt.Errorf("devices: %d, but at least 1 is needed", o.Devices)
	case o.Messages > maxMessages:
		return fmt.Errorf("messages: %d, but there are only %d phone numbers", o.Messages, maxMessages)
	}
	return nil
}
