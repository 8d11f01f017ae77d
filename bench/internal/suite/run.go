package suite

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"peal/bench/internal/host"
	"peal/bench/internal/server"
)

const syncTimes = 300

// Report is everything that was measured.
type Report struct {
	Machine host.Machine `json:"machine"`
	Sync    host.Sync    `json:"fdatasync_4k"`
	Options Described    `json:"options"`
	Results []Result     `json:"results"`
}

// Failed says whether any run was not what it must be.
func (r *Report) Failed() bool {
	for _, res := range r.Results {
		if res.Error != "" {
			return true
		}
	}
	return false
}

// Run runs the scenarios, one after another and all of them again for every further run, so that a machine that
// changes its pace does not change it for one scenario only. The error is of what keeps the suite from measuring;
// what a run found wrong is in its result.
func Run(ctx context.Context, o Options) (*Report, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, err
	}
	work, err := os.MkdirTemp(o.Dir, "run-")
	if err != nil {
		return nil, err
	}
	if !o.Keep {
		defer func() { _ = os.RemoveAll(work) }() // what stays behind is in a folder that git ignores
	}
	if o.Binary == "" && slices.ContainsFunc(o.Scenarios, func(s string) bool { return s != Ceiling }) {
		o.progress("building peal")
		if o.Binary, err = server.Build(ctx, o.Repo, work); err != nil {
			return nil, err
		}
	}
	rep := &Report{Machine: host.Inspect(work), Options: o.described()}
	if rep.Sync, err = host.MeasureSync(work, syncTimes); err != nil {
		return nil, err
	}
	for run := range o.Runs {
		for _, name := range o.Scenarios {
			dir := filepath.Join(work, fmt.Sprintf("%s-%d", name, run+1))
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return nil, err
			}
			res, err := o.runOne(ctx, name, run+1, dir)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			rep.Results = append(rep.Results, res)
			o.progress("run %d of %d: %s", run+1, o.Runs, res.line())
			if !o.Keep {
				_ = os.RemoveAll(dir) // as above
			}
		}
	}
	return rep, nil
}

func (o *Options) progress(format string, args ...any) {
	fmt.Fprintf(o.Progress, format+"\n", args...)
}

// start runs Peal for one run of a scenario.
func (o *Options) start(ctx context.Context, name string, run int, dir string) (*server.Process, error) {
	cfg := server.Config{Binary: o.Binary, Dir: dir, Args: o.PealArgs, Env: o.PealEnv}
	if o.CPUProfile != "" {
		path, err := filepath.Abs(fmt.Sprintf("%s-%s-%d.prof", o.CPUProfile, name, run))
		if err != nil {
			return nil, err
		}
		cfg.Env = append(cfg.Env[:len(cfg.Env):len(cfg.Env)], "PEAL_CPUPROFILE="+path)
	}
	return server.Start(ctx, cfg)
}
