package slope

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// WriteTable prints both sides beside each other.
func (r *Report) WriteTable(w io.Writer) error {
	fmt.Fprintf(w, "\nmachine: %s\n", r.Machine)
	size := "SQLite and the embedded broker"
	if r.Large {
		size = "PostgreSQL and a NATS of its own"
	}
	fmt.Fprintf(w, "Peal over %s; everything sent came exactly once\n\n", size)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(tw, "\tempty\t%d rows, %d queued\tratio\t\n", r.Full.Rows, r.Full.Queued)
	line := func(name, format string, empty, full float64) {
		ratio := "-"
		if empty > 0 && full > 0 {
			ratio = fmt.Sprintf("%.2f", full/empty)
		}
		fmt.Fprintf(tw, "%s\t"+format+"\t"+format+"\t%s\t\n", name, empty, full, ratio)
	}
	line("single, delivered/s", "%.0f", r.Empty.Single.DeliveredPerSec, r.Full.Single.DeliveredPerSec)
	line("single, accepted/s", "%.0f", r.Empty.Single.AcceptedPerSec, r.Full.Single.AcceptedPerSec)
	line("batch, delivered/s", "%.0f", r.Empty.Batch.DeliveredPerSec, r.Full.Batch.DeliveredPerSec)
	line("batch, accepted/s", "%.0f", r.Empty.Batch.AcceptedPerSec, r.Full.Batch.AcceptedPerSec)
	line("queueing on a paused one, accepted/s", "%.0f", r.Empty.QueuedPerSec, r.Full.QueuedPerSec)
	line("draining it after, delivered/s", "%.0f", r.Empty.DrainedPerSec, r.Full.DrainedPerSec)
	line("CPU of others, single, %", "%.0f", r.Empty.Single.OthersPercent, r.Full.Single.OthersPercent)
	line("CPU of others, batch, %", "%.0f", r.Empty.Batch.OthersPercent, r.Full.Batch.OthersPercent)
	line("start, s", "%.2f", r.Empty.StartSeconds, r.Full.StartSeconds)
	mb := func(b int64) float64 { return float64(b) / (1 << 20) }
	line("peak memory, MB", "%.0f", mb(r.Empty.PeakBytes), mb(r.Full.PeakBytes))
	line("data before the start, MB", "%.0f", mb(r.Empty.DataBytes), mb(r.Full.DataBytes))
	if err := tw.Flush(); err != nil {
		return err
	}
	for _, s := range []struct {
		name string
		side *Side
	}{{"empty", &r.Empty}, {"full", &r.Full}} {
		fmt.Fprintf(w, "resident memory, %s:", s.name)
		for _, m := range s.side.Memory {
			fmt.Fprintf(w, " %s %.0f MB;", m.When, mb(m.Bytes))
		}
		fmt.Fprintln(w)
	}
	ms := func(ns int64) float64 { return float64(ns) / float64(time.Millisecond) }
	for _, l := range r.Full.Lookups {
		fmt.Fprintf(w, "page of the log by %s: p50 %.2f ms, p99 %.2f ms, greatest %.2f ms, of %d\n", l.By, ms(l.Took.P50), ms(l.Took.P99), ms(l.Took.Max), l.Took.Count)
	}
	fmt.Fprintf(w, "filled in %.0f s\n", r.Full.FillSeconds)
	return nil
}
