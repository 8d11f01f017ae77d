package callbacks

import (
	"fmt"
	"io"
	"text/tabwriter"

	"peal/bench/internal/stats"
)

// WriteTable prints the report.
func (r *Report) WriteTable(w io.Writer) error {
	what := "SQLite"
	if r.Large {
		what = fmt.Sprintf("PostgreSQL, restarted in the second half (away %d ms)", r.DBAwayMS)
	}
	fmt.Fprintf(w, "%s\n%.0f webhooks a second with %d statuses each, %d in all; %s\n", r.Machine, r.Rate, r.PerBody, r.Webhooks, what)
	ms := func(ns int64) float64 { return float64(ns) / 1e6 }
	fmt.Fprintf(w, "fdatasync of 4 kB, appended: p50 %.2f ms, p99 %.2f ms\n\n", ms(r.Sync.Append.P50), ms(r.Sync.Append.P99))
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "\tp50 ms\tp99 ms\tmax ms\tp50 of the reference\t")
	for _, line := range []struct {
		name string
		q    stats.Quantiles
	}{{"reference: append and sync", r.Reference}, {"Peal, first half", r.Quiet}, {"Peal, second half", r.Away}} {
		fmt.Fprintf(tw, "%s\t%.2f\t%.2f\t%.1f\t%.2f\t\n", line.name, ms(line.q.P50), ms(line.q.P99), ms(line.q.Max),
			float64(line.q.P50)/float64(max(1, r.Reference.P50)))
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\nlost %d; refused and posted again %d; all rows at their end %.1f s after the last webhook\n"+
		"Peal: %.3f s of CPU for 1,000 webhooks, folding included; peak %.0f MB; others used %.0f %% of the CPU\n",
		r.Lost, r.Refused, float64(r.CatchUpMS)/1000, r.PealCPU, float64(r.PeakBytes)/(1<<20), r.Others)
	return err
}
