package suite

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"peal/bench/internal/stats"
)

// Described is the part of the options that has to stand beside the numbers.
type Described struct {
	Runs        int      `json:"runs"`
	Loops       []string `json:"loops"`
	Environment []string `json:"environment"` // names and values that change what is measured
	PealArgs    []string `json:"peal_args"`
}

func (o *Options) described() Described {
	length := o.Duration.String()
	if o.Messages > 0 {
		length = fmt.Sprintf("%d messages", o.Messages)
	}
	d := Described{Runs: o.Runs, PealArgs: o.PealArgs}
	for name, text := range map[string]string{
		Ceiling: fmt.Sprintf("no Peal: generator straight to the stand-in, closed loop, %d connections, %s", o.Connections, length),
		Single:  fmt.Sprintf("closed loop, %d connections, 1 notification per request, %s", o.Connections, length),
		Batch:   fmt.Sprintf("closed loop, %d connections, %d notifications per request, %s", o.BatchConnections, o.BatchSize, length),
		Open:    fmt.Sprintf("open loop, %g/s, 1 notification per request, up to %d connections, %s", o.Rate, o.OpenConnections, length),
		Idle:    fmt.Sprintf("set up and nothing sent, %s", o.Idle),
		FanOut:  fmt.Sprintf("one request to an audience of %d devices", o.Audience),
	} {
		if slices.Contains(o.Scenarios, name) {
			d.Loops = append(d.Loops, name+": "+text)
		}
	}
	slices.SortFunc(d.Loops, func(a, b string) int { return order(a) - order(b) })
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		if slices.Contains([]string{"GOGC", "GOMEMLIMIT", "GOMAXPROCS", "GODEBUG"}, name) {
			d.Environment = append(d.Environment, kv)
		}
	}
	return d
}

func order(loop string) int {
	return slices.Index(append(Scenarios(), FanOut), LoopName(loop))
}

// LoopName is the scenario that an entry of Described.Loops describes.
func LoopName(loop string) string {
	name, _, _ := strings.Cut(loop, ":")
	return name
}

// metric is a line of the table.
type metric struct {
	name   string
	format string
	get    func(*Result) (float64, bool)
}

func metrics() []metric {
	load := func(f func(*Result) float64) func(*Result) (float64, bool) {
		return func(r *Result) (float64, bool) { return f(r), r.Accepted > 0 }
	}
	peal := func(f func(*Result) float64) func(*Result) (float64, bool) {
		return func(r *Result) (float64, bool) { return f(r), r.Accepted > 0 && r.Scenario != Ceiling }
	}
	ms := func(ns int64) float64 { return float64(ns) / float64(time.Millisecond) }
	mb := func(b int64) float64 { return float64(b) / (1 << 20) }
	return []metric{
		{"accepted/s", "%.0f", load(func(r *Result) float64 { return r.AcceptedPerSec })},
		{"delivered/s to the provider", "%.0f", load(func(r *Result) float64 { return r.DeliveredPerSec })},
		{"accept p50, ms", "%.2f", load(func(r *Result) float64 { return ms(r.Accept.P50) })},
		{"accept p99, ms", "%.2f", load(func(r *Result) float64 { return ms(r.Accept.P99) })},
		{"accept to provider p50, ms", "%.2f", peal(func(r *Result) float64 { return ms(r.ToProvider.P50) })},
		{"accept to provider p99, ms", "%.2f", peal(func(r *Result) float64 { return ms(r.ToProvider.P99) })},
		{"202 to provider p50, ms", "%.2f", peal(func(r *Result) float64 { return ms(r.After202.P50) })},
		{"202 to provider p99, ms", "%.2f", peal(func(r *Result) float64 { return ms(r.After202.P99) })},
		{"sent late p99, ms", "%.2f", func(r *Result) (float64, bool) { return ms(r.Late.P99), r.Late.Count > 0 }},
		{"Peal CPU s per 1,000", "%.3f", peal(func(r *Result) float64 { return r.PealCPU })},
		{"bench CPU s per 1,000", "%.3f", load(func(r *Result) float64 { return r.BenchCPU })},
		{"CPU used by others, %", "%.1f", load(func(r *Result) float64 { return r.OthersPercent })},
		{"Peal peak memory, MB", "%.1f", func(r *Result) (float64, bool) { return mb(r.PeakBytes), r.PeakBytes > 0 }},
		{"Peal resident at the end, MB", "%.1f", func(r *Result) (float64, bool) { return mb(r.ResidentBytes), r.ResidentBytes > 0 }},
		{"Peal CPU while idle, %", "%.1f", func(r *Result) (float64, bool) { return r.IdleCPUPercent, r.Scenario == Idle }},
	}
}

// WriteTable prints the report for people.
func (r *Report) WriteTable(w io.Writer) {
	r.WriteHead(w)
	for _, loop := range r.Options.Loops {
		r.writeScenario(w, loop)
	}
}

// WriteHead prints what has to stand beside every number.
func (r *Report) WriteHead(w io.Writer) {
	fmt.Fprintf(w, "\nmachine: %s\n", r.Machine)
	if r.Machine.InMemory() {
		fmt.Fprintf(w, "NOTE: the data folder is in memory (%s): a sync costs nothing there, so nothing below is durable. Choose another with -dir.\n", r.Machine.Filesystem)
	}
	ms := func(ns int64) float64 { return float64(ns) / float64(time.Millisecond) }
	fmt.Fprintf(w, "floor of durability: write and fdatasync of 4 kB on that file system, one at a time: appending p50 %.2f ms, p99 %.2f ms; overwriting p50 %.2f ms, p99 %.2f ms\n",
		ms(r.Sync.Append.P50), ms(r.Sync.Append.P99), ms(r.Sync.Overwrite.P50), ms(r.Sync.Overwrite.P99))
	if changed := slices.Concat(r.Options.Environment, r.Options.PealArgs); len(changed) > 0 {
		fmt.Fprintf(w, "NOTE: not the defaults: %s\n", strings.Join(changed, " "))
	}
	fmt.Fprintf(w, "runs: %d; generator, stand-in and Peal share the machine; fsync is on; notifications of 1 kB\n", r.Options.Runs)
}

func (r *Report) writeScenario(w io.Writer, loop string) {
	name := LoopName(loop)
	fmt.Fprintf(w, "\n%s\n", loop)
	fmt.Fprintf(w, "  %-32s %12s %12s %12s\n", "", "median", "min", "max")
	for _, m := range metrics() {
		s, ok := r.spread(name, m.get)
		if !ok {
			continue
		}
		fmt.Fprintf(w, "  %-32s", m.name)
		for _, v := range []float64{s.Median, s.Min, s.Max} {
			fmt.Fprintf(w, " %12s", thousands(fmt.Sprintf(m.format, v)))
		}
		fmt.Fprintln(w)
		if c, ok := r.spread(Ceiling, m.get); ok && (name == Single || name == Batch) && m.name == "delivered/s to the provider" {
			fmt.Fprintf(w, "  %-32s %11.0f%%\n", "  of the ceiling", 100*s.Median/c.Median)
		}
	}
	r.writeVerdict(w, name)
}

// writeVerdict says for a scenario whether every accepted message arrived once.
func (r *Report) writeVerdict(w io.Writer, name string) {
	var accepted, missing, again, uninvited int
	var lookups int64
	var errs []string
	for _, res := range r.Results {
		if res.Scenario != name {
			continue
		}
		accepted += res.Accepted
		missing += res.Missing
		again += res.Duplicates
		uninvited += res.Uninvited
		lookups += res.Lookups
		if res.Error != "" {
			errs = append(errs, fmt.Sprintf("run %d: %s", res.Run, res.Error))
		}
	}
	if accepted > 0 {
		fmt.Fprintf(w, "  exactly once: %s accepted, %d missing, %d twice, %d without a 202", thousands(fmt.Sprint(accepted)), missing, again, uninvited)
		if lookups > 0 {
			fmt.Fprintf(w, "; %d look-ups", lookups)
		}
		fmt.Fprintln(w)
	}
	for _, e := range errs {
		fmt.Fprintf(w, "  FAILED %s\n", e)
	}
}

// spread is over the runs of a scenario that did not fail; ok is whether there are any with this number.
func (r *Report) spread(scenario string, get func(*Result) (float64, bool)) (stats.Spread, bool) {
	var values []float64
	for i := range r.Results {
		res := &r.Results[i]
		if v, ok := get(res); ok && res.Scenario == scenario && res.Error == "" {
			values = append(values, v)
		}
	}
	return stats.SpreadOf(values), len(values) > 0
}

// thousands puts commas into the whole part of a number.
func thousands(s string) string {
	whole, fraction, dot := strings.Cut(s, ".")
	sign := ""
	if strings.HasPrefix(whole, "-") {
		sign, whole = "-", whole[1:]
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if dot {
		whole += "." + fraction
	}
	return sign + whole
}
