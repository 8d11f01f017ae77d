package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"peal/bench/internal/fakepeal"
	"peal/bench/internal/suite"
)

// The test binary is also the peal that the tests start.
func TestMain(m *testing.M) {
	if faults, ok := os.LookupEnv(fakepeal.FaultsVar); ok && len(os.Args) > 1 && os.Args[1] == "serve" {
		os.Exit(fakepeal.Command(os.Args[1:], faults))
	}
	if err := os.Setenv(fakepeal.FaultsVar, "0 0 0 0 0"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

func bench(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	all := slices.Concat(args[:1], []string{"-peal", self, "-dir", t.TempDir(), "-settle", "50ms", "-idle", "50ms", "-stall", "1s"}, args[1:])
	code = run(t.Context(), all, &out, &errs)
	return code, out.String(), errs.String()
}

func TestSmoke(t *testing.T) {
	t.Parallel()
	code, out, errs := bench(t, "smoke", "-n", "300", "-warmup", "20", "-rate", "3000")
	if code != 0 {
		t.Fatalf("code %d\n%s%s", code, out, errs)
	}
	for _, want := range []string{
		"machine: ", "floor of durability", "of the ceiling", "accept to provider p99, ms", "sent late p99, ms",
		"Peal CPU s per 1,000", "Peal peak memory, MB", "exactly once: 300 accepted, 0 missing, 0 twice, 0 without a 202",
		"ceiling: ", "single: ", "batch: ", "open: ", "idle: ", "fanout: ", "to an audience of 200 devices", "for the right device",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in the table:\n%s", want, out)
		}
	}
}

func TestPush(t *testing.T) {
	t.Parallel()
	code, out, errs := bench(t, "push", "-runs", "1", "-n", "100", "-warmup", "10", "-devices", "20", "-audience", "30", "-batch-size", "10")
	if code != 0 || strings.Contains(out, "SKIPPED") {
		t.Fatalf("code %d\n%s%s", code, out, errs)
	}
	for _, name := range []string{"fcm", "fcm-50ms", "apns", "apns-50ms"} {
		if n := strings.Count(out, " "+name+" "); n != 3 {
			t.Errorf("%d rows of %s:\n%s", n, name, out)
		}
	}
}

// What is wrong with pushes is noticed like what is wrong with messages.
func TestPushFaultsFail(t *testing.T) {
	for faults, want := range map[string]string{"1 0 0 0 0": "1 never came", "0 1 0 0 0": "1 came again", "0 0 1 0 0": "422"} {
		t.Run(faults, func(t *testing.T) {
			t.Setenv(fakepeal.FaultsVar, faults)
			for _, scenario := range suite.PushScenarios() {
				code, out, errs := bench(t, "push", "-systems", "apns", "-runs", "1", "-scenario", scenario, "-n", "50", "-warmup", "0", "-devices", "20",
					"-audience", "30", "-batch-size", "10", "-stall", "300ms")
				if code != 1 || !strings.Contains(out+errs, want) {
					t.Errorf("%s: code %d, want 1 and %q\n%s%s", scenario, code, want, out, errs)
				}
			}
		})
	}
}

func TestRunJSON(t *testing.T) {
	t.Parallel()
	code, out, errs := bench(t, "run", "-json", "-runs", "2", "-scenario", "single", "-duration", "50ms", "-warmup", "0")
	var rep suite.Report
	if err := json.Unmarshal([]byte(out), &rep); code != 0 || err != nil {
		t.Fatalf("code %d, %v\n%s%s", code, err, out, errs)
	}
	if len(rep.Results) != 2 || rep.Machine.Cores == 0 || rep.Sync.Overwrite.Count == 0 {
		t.Fatalf("%+v", rep)
	}
	for _, r := range rep.Results {
		if r.Accepted == 0 || r.Accepted != r.Arrived || r.DeliveredPerSec <= 0 || r.ToProvider.P50 <= 0 || r.PeakBytes == 0 {
			t.Errorf("%+v", r)
		}
	}
}

// A process that errs is what the bench is for; these are started one after another, by the environment.
func TestFaultsFail(t *testing.T) {
	for faults, want := range map[string]string{
		"50 0 0 0 0": "1 never came",
		"0 50 0 0 0": "1 came again",
		"0 0 50 0 0": "422",
		"0 0 0 50 0": "1 came without a 202",
		"0 0 0 0 50": "ended by itself: exit status 3",
		"nonsense":   "expected integer",
	} {
		t.Run(faults, func(t *testing.T) {
			t.Setenv(fakepeal.FaultsVar, faults)
			for _, scenario := range []string{"single", "batch", "open"} {
				code, out, errs := bench(t, "smoke", "-scenario", scenario, "-n", "200", "-warmup", "0", "-rate", "3000", "-batch-size", "10", "-stall", "300ms")
				if code != 1 || !strings.Contains(out+errs, want) {
					t.Errorf("%s: code %d, want 1 and %q\n%s%s", scenario, code, want, out, errs)
				}
			}
		})
	}
}

func TestWarmUpCounts(t *testing.T) {
	t.Setenv(fakepeal.FaultsVar, "3 0 0 0 0")
	code, out, _ := bench(t, "smoke", "-scenario", "single", "-n", "200", "-warmup", "10")
	if code != 1 || !strings.Contains(out, "warm-up") {
		t.Errorf("code %d\n%s", code, out)
	}
}

func TestCrash(t *testing.T) {
	t.Parallel()
	code, _, errs := bench(t, "smoke", "-peal-args", "--crash")
	if code != 1 || !strings.Contains(errs, "exit status 1") || !strings.Contains(errs, "crashing as asked") {
		t.Errorf("code %d\n%s", code, errs)
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{nil, 0, "usage: bench run"},
		{[]string{"run", "-h"}, 0, "-batch-size"},
		{[]string{"walk"}, 2, `no command "walk"`},
		{[]string{"run", "-scenario", "double"}, 2, `no scenario "double"`},
		{[]string{"run", "-nope"}, 2, "-nope"},
		{[]string{"run", "extra"}, 2, `"extra"`},
		{[]string{"run", "-runs", "0"}, 2, "runs: 0"},
		{[]string{"run", "-batch-size", "1001"}, 2, "at most 1000"},
		{[]string{"run", "-rate", "0"}, 2, "rate: 0"},
		{[]string{"rivals", "-h"}, 0, "asynq-tuned-always"},
		{[]string{"rivals", "-systems", "peal,celery"}, 2, `no system "celery"`},
		{[]string{"push", "-h"}, 0, "-audience"},
		{[]string{"push", "-systems", "webpush"}, 2, `no system "webpush"`},
		{[]string{"push", "-devices", "0"}, 2, "devices: 0"},
		{[]string{"run", "-scenario", "fanout"}, 2, `no scenario "fanout"`},
		{[]string{"slope", "-h"}, 0, "-queued"},
		{[]string{"slope", "-rows", "-1"}, 2, "not below 0"},
		{[]string{"slope", "-queued", "60000000"}, 2, "phone numbers"},
	} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), tt.args, &out, &errs); code != tt.code || !strings.Contains(errs.String(), tt.want) {
			t.Errorf("%q: code %d, %q", tt.args, code, errs.String())
		}
	}
}

func TestBuildFails(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	dir := t.TempDir()
	if code := run(t.Context(), []string{"smoke", "-repo", dir, "-dir", filepath.Join(dir, "d")}, &out, &errs); code != 1 || !strings.Contains(errs.String(), "building peal") {
		t.Errorf("code %d, %q", code, errs.String())
	}
}
