package suite

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"peal/bench/internal/host"
	"peal/bench/internal/stats"
)

var update = flag.Bool("update", false, "write the golden files anew")

func quantiles(p50, p99 time.Duration) stats.Quantiles {
	return stats.Quantiles{Count: 1000, P50: int64(p50), P99: int64(p99), Max: int64(p99)}
}

func loaded(scenario string, run int, rate float64) Result {
	return Result{
		Scenario: scenario, Run: run, Accepted: 60_000, Arrived: 60_000, AcceptedPerSec: rate + 100, DeliveredPerSec: rate,
		Accept: quantiles(1200*time.Microsecond, 8*time.Millisecond), ToProvider: quantiles(2*time.Millisecond, 12*time.Millisecond),
		After202: quantiles(-100*time.Microsecond, 5*time.Millisecond), PealCPU: 0.25, BenchCPU: 0.01, PeakBytes: 150 << 20, ResidentBytes: 120 << 20,
	}
}

func TestWriteTable(t *testing.T) {
	t.Parallel()
	open := loaded(Open, 1, 1000)
	open.Late = quantiles(50*time.Microsecond, 90*time.Microsecond)
	broken := loaded(Single, 4, 9999) // its numbers must not count
	broken.Missing, broken.Error = 2, "not exactly once"
	o := Options{
		Scenarios: Scenarios(), Runs: 4, Duration: 10 * time.Second, Idle: 10 * time.Second,
		Connections: 128, BatchConnections: 16, BatchSize: 100, OpenConnections: 256, Rate: 1000,
	}
	rep := Report{
		Machine: host.Machine{Cores: 2, CPU: "A CPU", MemoryMB: 8000, Go: "go1.26", Kernel: "6.1", Filesystem: "tmpfs", Device: "none", Load: "0 0 0"},
		Sync:    host.Sync{Append: quantiles(time.Millisecond, 2*time.Millisecond), Overwrite: quantiles(500*time.Microsecond, time.Millisecond)},
		Options: Described{Runs: o.Runs, Loops: o.described().Loops, Environment: []string{"GOGC=50"}},
		Results: []Result{
			{Scenario: Ceiling, Run: 1, Accepted: 10, AcceptedPerSec: 200_000, DeliveredPerSec: 200_000, BenchCPU: 0.009},
			loaded(Single, 1, 6000), loaded(Single, 2, 5000), loaded(Single, 3, 7000), broken,
			loaded(Batch, 1, 12_345), open,
			{Scenario: Idle, Run: 1, PeakBytes: 50 << 20, ResidentBytes: 48 << 20, IdleCPUPercent: 0.4},
		},
	}
	if !rep.Failed() {
		t.Error("a report with a failed run has not failed")
	}
	var out bytes.Buffer
	rep.WriteTable(&out)
	golden := filepath.Join("testdata", "table.txt")
	if *update {
		if err := os.WriteFile(golden, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out.Bytes(), want) {
		t.Errorf("the table differs from %s (run with -update if that is meant):\n%s", golden, out.Bytes())
	}
}

func TestThousands(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"0": "0", "999": "999", "1000": "1,000", "1234567.89": "1,234,567.89", "-1234.5": "-1,234.5", "-0.10": "-0.10"} {
		if got := thousands(in); got != want {
			t.Errorf("thousands(%s) = %s, want %s", in, got, want)
		}
	}
}

func TestCapacity(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		messages int
		want     int
	}{
		{Single, 250, 250}, {Batch, 250, 300}, {Batch, 0, 400_000}, {Open, 0, 2000}, {Open, 250, 250}, {Ceiling, 0, 2_000_000},
	} {
		s := &scene{name: tt.name, Options: &Options{Messages: tt.messages, Duration: 2 * time.Second, Rate: 1000, BatchSize: 100}}
		if got := s.capacity(); got != tt.want {
			t.Errorf("capacity of %s for %d = %d, want %d", tt.name, tt.messages, got, tt.want)
		}
	}
}
