package suite

import (
	"fmt"
	"runtime"
	"strings"
	"time"

	"peal/bench/internal/standin"
	"peal/bench/internal/stats"
	"peal/bench/internal/tally"
)

// Result is one run of one scenario. README.md says what each number means.
type Result struct {
	System   string `json:"system,omitempty"` // empty where there is only Peal
	Scenario string `json:"scenario"`
	Run      int    `json:"run"`
	Error    string `json:"error,omitempty"`   // refused, lost, doubled, or the process did not end well
	Skipped  string `json:"skipped,omitempty"` // why nothing was measured

	Accepted   int   `json:"accepted"`
	Arrived    int   `json:"arrived"`
	Missing    int   `json:"missing"`
	Duplicates int   `json:"duplicates"`
	Uninvited  int   `json:"uninvited"`
	Strays     int64 `json:"strays"`
	Lookups    int64 `json:"lookups"`

	AcceptedPerSec  float64 `json:"accepted_per_s"`
	DeliveredPerSec float64 `json:"delivered_per_s"`

	Accept     stats.Quantiles `json:"accept"`
	ToProvider stats.Quantiles `json:"accept_to_provider"`
	After202   stats.Quantiles `json:"from_202_to_provider"`
	Late       stats.Quantiles `json:"sent_late"`

	PealCPU        float64 `json:"peal_cpu_s_per_1000"`
	BenchCPU       float64 `json:"bench_cpu_s_per_1000"`
	OthersPercent  float64 `json:"others_cpu_percent"`
	BeforeBytes    int64   `json:"before_bytes,omitempty"` // resident when nothing was pushed yet
	PeakBytes      int64   `json:"peak_bytes"`
	ResidentBytes  int64   `json:"resident_bytes"`
	IdleCPUPercent float64 `json:"idle_cpu_percent"`
}

func (r *Result) fail(err error) {
	switch {
	case err == nil:
	case r.Error == "":
		r.Error = err.Error()
	default:
		r.Error += "; " + err.Error()
	}
}

func (r *Result) fill(rep *tally.Report, counts standin.Counts) {
	r.Accepted, r.Arrived = rep.Accepted, rep.Arrived
	r.Missing, r.Duplicates, r.Uninvited = rep.Missing, rep.Duplicates, rep.Uninvited
	r.Strays, r.Lookups = counts.Strays, counts.Lookups
	r.AcceptedPerSec = perSecond(rep.Accepted, rep.LastAccepted-rep.FirstSent)
	r.DeliveredPerSec = perSecond(rep.Arrived, rep.LastArrived-rep.FirstSent)
	r.Accept, r.ToProvider, r.After202 = stats.Of(rep.Accept), stats.Of(rep.ToProvider), stats.Of(rep.After202)
}

// fillUsage needs the counts of fill.
func (r *Result) fillUsage(before, after usage) {
	peal, own := after.peal-before.peal, after.own-before.own
	if r.Accepted > 0 {
		r.PealCPU = peal.Seconds() / float64(r.Accepted) * 1000
		r.BenchCPU = own.Seconds() / float64(r.Accepted) * 1000
	}
	available := after.at.Sub(before.at).Seconds() * float64(runtime.NumCPU())
	if others := (after.machine - before.machine - peal - own).Seconds(); available > 0 {
		r.OthersPercent = max(0, 100*others/available) // clocks of different grain can differ by a little
	}
}

func perSecond(n int, ns int64) float64 {
	if n == 0 || ns <= 0 {
		return 0
	}
	return float64(n) / time.Duration(ns).Seconds()
}

// line is the result in short, for those who wait.
func (r *Result) line() string {
	name := strings.TrimPrefix(r.System+" "+r.Scenario, " ")
	if r.Error != "" {
		first, _, _ := strings.Cut(r.Error, "\n")
		return name + ": FAILED: " + first
	}
	if r.Skipped != "" {
		return name + ": SKIPPED: " + r.Skipped
	}
	if r.Scenario == Idle {
		return fmt.Sprintf("%s: %.1f MB", name, float64(r.ResidentBytes)/(1<<20))
	}
	return fmt.Sprintf("%s: %d sent, %.0f/s delivered", name, r.Accepted, r.DeliveredPerSec)
}
