package rivals

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
	ratio         bool
	get           func(*suite.Result) float64
}

func columns() []column {
	ms := func(ns int64) float64 { return float64(ns) / float64(time.Millisecond) }
	return []column{
		{"delivered/s", "%.0f", true, func(r *suite.Result) float64 { return r.DeliveredPerSec }},
		{"accepted/s", "%.0f", false, func(r *suite.Result) float64 { return r.AcceptedPerSec }},
		{"accept p99 ms", "%.1f", false, func(r *suite.Result) float64 { return ms(r.Accept.P99) }},
		{"to provider p99 ms", "%.1f", false, func(r *suite.Result) float64 { return ms(r.ToProvider.P99) }},
		{"CPU s/1,000", "%.3f", false, func(r *suite.Result) float64 { return r.PealCPU }},
		{"resident MB", "%.0f", false, func(r *suite.Result) float64 { return float64(r.ResidentBytes) / (1 << 20) }},
		{"others' CPU %", "%.0f", false, func(r *suite.Result) float64 { return r.OthersPercent }},
	}
}

// WriteTable prints medians, and how many times each system's rate Peal delivers in the same report.
func WriteTable(w io.Writer, rep *suite.Report, systems []string) error {
	rep.WriteHead(w)
	for _, loop := range rep.Options.Loops {
		scenario := suite.LoopName(loop)
		fmt.Fprintf(w, "\n%s\n", loop)
		tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprint(tw, "\t")
		for _, c := range columns() {
			fmt.Fprint(tw, c.title, "\t")
			if c.ratio {
				fmt.Fprint(tw, "min-max\tPeal is\t")
			}
		}
		fmt.Fprintln(tw)
		for _, sys := range systems {
			writeRow(tw, rep, sys, scenario)
		}
		if err := tw.Flush(); err != nil {
			return err
		}
		for _, r := range rep.Results {
			if r.Scenario == scenario && r.Error != "" {
				fmt.Fprintf(w, "  FAILED %s, run %d: %s\n", r.System, r.Run, r.Error)
			}
		}
	}
	fmt.Fprintln(w, "\nOf every run: each accepted notification came to the provider once, and has one row with its outcome; where not, it says FAILED.")
	return nil
}

func writeRow(w io.Writer, rep *suite.Report, sys, scenario string) {
	fmt.Fprint(w, sys, "\t")
	for _, c := range columns() {
		s, ok := spread(rep, sys, scenario, c.get)
		if !ok {
			fmt.Fprint(w, "-\t")
			if c.ratio {
				fmt.Fprint(w, "-\t-\t")
			}
			continue
		}
		fmt.Fprintf(w, c.format+"\t", s.Median)
		if !c.ratio {
			continue
		}
		fmt.Fprintf(w, c.format+"-"+c.format+"\t", s.Min, s.Max)
		if peal, ok := spread(rep, Peal, scenario, c.get); ok && s.Median > 0 {
			fmt.Fprintf(w, "%.2fx\t", peal.Median/s.Median)
		} else {
			fmt.Fprint(w, "-\t")
		}
	}
	fmt.Fprintln(w)
}

// spread is over the runs of a system that did not fail; ok is whether there are any.
func spread(rep *suite.Report, sys, scenario string, get func(*suite.Result) float64) (stats.Spread, bool) {
	var values []float64
	for i := range rep.Results {
		if r := &rep.Results[i]; r.System == sys && r.Scenario == scenario && r.Error == "" {
			values = append(values, get(r))
		}
	}
	return stats.SpreadOf(values), len(values) > 0
}
