package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"peal/bench/internal/callbacks"
	"peal/bench/internal/push"
	"peal/bench/internal/rivals"
	"peal/bench/internal/slope"
	"peal/bench/internal/suite"
)

const usage = `usage: bench run    [flags]   measure, with numbers worth keeping
       bench smoke  [flags]   a short check that everything sent arrives exactly once
       bench rivals [flags]   measure Peal beside other queues that do the same work
       bench push   [flags]   measure pushes over FCM and APNs, and a fan-out to many devices
       bench slope  [flags]   measure an empty log beside a long one with a long queue
       bench callbacks [flags]  measure how fast webhooks are taken, and that none is lost

`

// command is a parsed command line.
type command struct {
	name         string
	options      suite.Options
	systems      []string      // of rivals and push
	slopeOptions slope.Options // but for the options that all have
	hooks        callbacks.Options
	json         bool
	selfProfile  string
}

func parse(args []string, stderr io.Writer) (command, error) {
	if len(args) == 0 {
		args = []string{"-h"}
	}
	c := command{name: args[0], options: defaults()}
	switch c.name {
	case "run":
	case "smoke":
		c.options = smoke()
	case "rivals":
		c.options = rivalsDefaults(slices.Contains(args, "-smoke"))
	case "slope":
		c.options = slopeDefaults()
	case "push":
		c.options = pushDefaults()
	case "callbacks":
		c.options = callbacksDefaults()
	case "-h", "-help", "--help", "help":
		c.name, args = "run", []string{"run", "-h"}
	default:
		return c, fmt.Errorf("no command %q\n%s", c.name, strings.TrimSpace(usage))
	}
	fs := flag.NewFlagSet(c.name, flag.ContinueOnError)
	fs.SetOutput(io.Discard) // run prints the error
	fs.Usage = func() {}
	readLists := c.flags(fs)
	if err := fs.Parse(args[1:]); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprint(stderr, usage)
			fs.SetOutput(stderr)
			fs.PrintDefaults()
		}
		return c, err
	}
	if fs.NArg() > 0 {
		return c, fmt.Errorf("%q is no flag", fs.Arg(0))
	}
	readLists()
	c.options.Progress = stderr
	switch c.name {
	case "slope":
		o := c.slope()
		return c, o.Validate()
	case "callbacks":
		o := c.callbacks()
		return c, o.Validate()
	case "rivals":
		if _, err := rivals.Launchers(c.systems, &rivals.Tools{}); err != nil {
			return c, err
		}
	case "push":
		if _, err := push.Launchers(c.systems); err != nil {
			return c, err
		}
	}
	return c, c.options.Validate()
}

// flags are those of all commands, and the command's own. The function it returns reads the lists, once parsed.
func (c *command) flags(fs *flag.FlagSet) (readLists func()) {
	own := func() {}
	scenarios := strings.Join(suite.Scenarios(), ",")
	switch c.name {
	case "rivals":
		scenarios = suite.Single + "," + suite.Batch // one notification per request, and many
		systems := fs.String("systems", strings.Join(rivals.Default(), ","), "which to run, of "+strings.Join(rivals.Names(), ", "))
		own = func() { c.systems = strings.Split(*systems, ",") }
		fs.Bool("smoke", false, "few notifications, once: shows that everything works; no judgement on times")
	case "push":
		scenarios = strings.Join(suite.PushScenarios(), ",")
		systems := fs.String("systems", strings.Join(push.Names(), ","), "which to run, of "+strings.Join(push.Names(), ", "))
		own = func() { c.systems = strings.Split(*systems, ",") }
		fs.IntVar(&c.options.Devices, "devices", c.options.Devices, "that single notifications and batches go to, one after another")
		fs.IntVar(&c.options.Audience, "audience", c.options.Audience, "devices that a fan-out goes to")
	case "callbacks":
		o := &c.hooks
		fs.IntVar(&o.PerBody, "per-body", 1, "statuses in a webhook")
		fs.BoolVar(&o.Large, "large", false, "over PostgreSQL, which is restarted in the middle")
		fs.IntVar(&o.Reference, "reference", 10_000, "webhooks that a bare server takes first, to compare with")
	case "slope":
		o := &c.slopeOptions
		fs.IntVar(&o.Rows, "rows", 10_000_000, "rows in the log of the full side")
		fs.IntVar(&o.Queued, "queued", 1_000_000, "deliveries that wait there, on a paused integration")
		fs.IntVar(&o.Lookups, "lookups", 500, "how often the log is asked in each way")
		fs.BoolVar(&o.Large, "large", false, "over PostgreSQL and NATS")
	}
	which, pealArgs := c.commonFlags(fs, scenarios)
	return func() {
		own()
		c.options.Scenarios = strings.Split(*which, ",")
		c.options.PealArgs = strings.Fields(*pealArgs)
	}
}

func (c *command) commonFlags(fs *flag.FlagSet, all string) (scenarios, pealArgs *string) {
	o := &c.options
	scenarios = fs.String("scenario", all, "which to run")
	pealArgs = fs.String("peal-args", "", "further arguments of peal serve, separated by spaces")
	fs.IntVar(&o.Runs, "runs", o.Runs, "how often to run each; the table has median, least and greatest")
	fs.DurationVar(&o.Duration, "duration", o.Duration, "how long each loop runs")
	fs.IntVar(&o.Messages, "n", o.Messages, "send so many notifications instead of sending for a duration")
	fs.IntVar(&o.Warmup, "warmup", o.Warmup, "notifications sent before each measurement")
	fs.DurationVar(&o.Idle, "idle", o.Idle, "how long the idle process is watched")
	fs.DurationVar(&o.Settle, "settle", o.Settle, "how long after the last arrival one that is too many is waited for")
	fs.DurationVar(&o.Stall, "stall", o.Stall, "without an arrival for so long, what is missing counts as lost")
	fs.IntVar(&o.Connections, "connections", o.Connections, "connections of the single closed loop")
	fs.IntVar(&o.BatchConnections, "batch-connections", o.BatchConnections, "connections of the batch closed loop")
	fs.IntVar(&o.BatchSize, "batch-size", o.BatchSize, "notifications in a batch")
	fs.IntVar(&o.OpenConnections, "open-connections", o.OpenConnections, "connections that the open loop may use at once")
	fs.Float64Var(&o.Rate, "rate", o.Rate, "notifications per second of the open loop")
	fs.IntVar(&o.Concurrency, "concurrency", o.Concurrency, "calls to the provider at once, a setting of the integration")
	fs.StringVar(&o.Dir, "dir", o.Dir, "where data folders are made; they should be on a real disk")
	fs.BoolVar(&o.Keep, "keep", o.Keep, "leave data folders and logs there")
	fs.StringVar(&o.Binary, "peal", o.Binary, "a built peal (default: build it from -repo)")
	fs.StringVar(&o.Repo, "repo", o.Repo, "folder of the module peal")
	fs.StringVar(&o.CPUProfile, "cpuprofile", "", "give Peal PEAL_CPUPROFILE=`prefix`-<scenario>-<run>.prof")
	fs.StringVar(&c.selfProfile, "self-cpuprofile", "", "write a CPU profile of the bench itself to this `file`")
	fs.BoolVar(&c.json, "json", false, "print JSON instead of the table")
	return scenarios, pealArgs
}

func defaults() suite.Options {
	return suite.Options{
		Runs: 3, Duration: 10 * time.Second, Warmup: 2000, Idle: 10 * time.Second,
		Settle: time.Second, Stall: 30 * time.Second,
		Connections: 128, BatchConnections: 16, BatchSize: 100, OpenConnections: 64, Rate: 1000, Concurrency: 64,
		Dir: ".data", Repo: "..",
	}
}

// smoke is short: it proves that nothing is lost or doubled, and its times prove nothing.
func smoke() suite.Options {
	o := defaults()
	o.Runs, o.Messages, o.Warmup, o.Idle = 1, 2000, 100, time.Second
	o.Connections = 32
	return o
}

// rivalsDefaults gives every system so many notifications, for in a given time the slowest would take so few that its
// queue is never long.
func rivalsDefaults(smoke bool) suite.Options {
	o := defaults()
	o.Messages = 50_000
	if smoke {
		o.Runs, o.Messages, o.Warmup, o.Connections, o.BatchConnections, o.Settle = 1, 1000, 100, 32, 4, 200*time.Millisecond
	}
	return o
}

// pushDefaults has as many calls at once as a service needs that takes 50 ms for each.
func pushDefaults() suite.Options {
	o := defaults()
	o.Messages, o.Concurrency, o.Devices, o.Audience = 50_000, 512, 20_000, 100_000
	return o
}

// smokePush are the options of the pushes that smoke sends after all else.
func (c *command) smokePush() suite.Options {
	o := c.options
	o.Scenarios, o.Devices, o.Audience = suite.PushScenarios(), 1000, 200
	o.Messages = min(o.Messages, 1000)
	return o
}

// callbacksDefaults is three times a rate of 1,000 messages a second, which Meta gives who asks for it.
func callbacksDefaults() suite.Options {
	o := defaults()
	o.Rate, o.Duration, o.Concurrency = 3000, 20*time.Second, 256
	return o
}

func slopeDefaults() suite.Options {
	o := defaults()
	o.Messages = 100_000
	return o
}
