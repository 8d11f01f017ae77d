package suite

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

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
	// PostgreSQL may run as another user, with its folder somewhere below.
	if err := os.Chmod(work, 0o711); err != nil {
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
	if len(o.Systems) == 0 {
		o.Systems = []Launcher{{Launch: LaunchPeal}}
	}
	for run := range o.Runs {
		for _, name := range o.Scenarios {
			for _, l := range o.Systems {
				res, err := o.oneOf(ctx, work, l, name, run+1)
				if err != nil {
					return nil, fmt.Errorf("%s %s: %w", l.Name, name, err)
				}
				rep.Results = append(rep.Results, res)
				o.progress("run %d of %d: %s", run+1, o.Runs, res.line())
			}
		}
	}
	return rep, nil
}

// oneOf gives a run a folder of its own.
func (o *Options) oneOf(ctx context.Context, work string, l Launcher, name string, run int) (Result, error) {
	dir := filepath.Join(work, strings.TrimPrefix(fmt.Sprintf("%s-%s-%d", l.Name, name, run), "-"))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return Result{}, err
	}
	if !o.Keep {
		defer func() { _ = os.RemoveAll(dir) }() // as in Run
	}
	return o.runOne(ctx, l, name, run, dir)
}

func (o *Options) progress(format string, args ...any) {
	fmt.Fprintf(o.Progress, format+"\n", args...)
}
