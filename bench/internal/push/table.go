package push

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"peal/bench/internal/stats"
	"peal/bench/internal/suite"
)

type column struct {
	title, format string
	scenario      string // the only one that it is of; empty: of all
	get           func(*suite.Result) float64
}

func columns() []column {
	ms := func(ns int64) float64 { return float64(ns) / float64(time.Millisecond) }
	mb := func(b int64) float64 { return float64(b) / (1 << 20) }
	return []column{
		{"accepted/s", "%.0f", suite.Single, func(r *suite.Result) float64 { return r.AcceptedPerSec }},
		{"accepted/s", "%.0f", suite.Batch, func(r *suite.Result) float64 { return r.AcceptedPerSec }},
		{"accept p99 ms", "%.1f", "", func(r *suite.Result) float64 { return ms(r.Accept.P99) }},
		{"CPU s/1,000", "%.3f", "", func(r *suite.Result) float64 { return r.PealCPU }},
		{"bench CPU s/1,000", "%.3f", "", func(r *suite.Result) float64 { return r.BenchCPU }},
		{"before MB", "%.0f", "", func(r *suite.Result) float64 { return mb(r.BeforeBytes) }},
		{"peak MB", "%.0f", "", func(r *suite.Result) float64 { return mb(r.PeakBytes) }},
		{"others' CPU %", "%.0f", "", func(r *suite.Result) float64 { return r.OthersPercent }},
	}
}

// WriteTable prints medians, least and greatest of what was taken, and how many times gorush's rate that is.
func WriteTable(w io.Writer, rep *suite.Report, names []string) error {
	rep.WriteHead(w)
	for _, loop := range rep.Options.Loops {
		scenario := suite.LoopName(loop)
		fmt.Fprintf(w, "\n%s\n", loop)
		tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprint(tw, "\ttaken/s\tmin-max\t")
		if scenario == suite.Single {
			fmt.Fprint(tw, "gorush*\tPeal is\t")
		} else {
			fmt.Fprint(tw, "of single\t")
		}
		for _, c := range columns() {
			if c.scenario == "" || c.scenario == scenario {
				fmt.Fprint(tw, c.title, "\t")
			}
		}
		fmt.Fprintln(tw)
		for _, s := range systems() {
			for _, name := range names {
				if name == s.name {
					writeRow(tw, rep, s, scenario)
				}
			}
		}
		if err := tw.Flush(); err != nil {
			return err
		}
		for _, r := range rep.Results {
			switch {
			case r.Scenario != scenario:
			case r.Error != "":
				fmt.Fprintf(w, "  FAILED %s, run %d: %s\n", r.System, r.Run, r.Error)
			case r.Skipped != "":
				fmt.Fprintf(w, "  SKIPPED %s, run %d: %s\n", r.System, r.Run, r.Skipped)
			}
		}
	}
	fmt.Fprintln(w, "\nOf every run: each accepted notification came to the push service once, for the right device; where not, it says FAILED."+
		"\n* gorush was not measured here: what it did once on 2 cores, see README.md.")
	return nil
}

func writeRow(w io.Writer, rep *suite.Report, sys system, scenario string) {
	taken := func(r *suite.Result) float64 { return r.DeliveredPerSec }
	fmt.Fprint(w, sys.name, "\t")
	rate, ok := spread(rep, sys.name, scenario, taken)
	if !ok {
		fmt.Fprintln(w, "-\t")
		return
	}
	fmt.Fprintf(w, "%.0f\t%.0f-%.0f\t", rate.Median, rate.Min, rate.Max)
	if scenario == suite.Single {
		fmt.Fprintf(w, "%.0f\t%.2fx\t", sys.gorush, rate.Median/sys.gorush)
	} else if single, ok := spread(rep, sys.name, suite.Single, taken); ok && single.Median > 0 {
		fmt.Fprintf(w, "%.2fx\t", rate.Median/single.Median)
	} else {
		fmt.Fprint(w, "-\t")
	}
	for _, c := range columns() {
		if c.scenario != "" && c.scenario != scenario {
			continue
		}
		s, _ := spread(rep, sys.name, scenario, c.get)
		fmt.Fprintf(w, c.format+"\t", s.Median)
	}
	fmt.Fprintln(w)
}

// spread is over the runs of a system that did not fail; ok is whether there are any.
func spread(rep *suite.Report, sys, scenario string, get func(*suite.Result) float64) (stats.Spread, bool) {
	var values []float64
	for i := range rep.Results {
		if r := &rep.Results[i]; r.System == sys && r.Scenario == scenario && r.Error == "" && r.Skipped == "" {
			values = append(values, get(r))
		}
	}
	return stats.SpreadOf(values), len(values) > 0
}
