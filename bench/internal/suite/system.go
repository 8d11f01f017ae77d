package suite

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"peal/bench/internal/host"
	"peal/bench/internal/server"
	"peal/bench/internal/standin"
	"peal/bench/internal/tally"
)

// System is what a run measures: one process or several, with the API of Peal's that the loops use.
type System struct {
	Addr   string // where it takes notifications
	Key    string // what they are sent with
	Exited <-chan struct{}

	Push *Push // of a system that pushes

	Usage  func() (Usage, error)
	Verify func(ctx context.Context, want int) error // so many rows, each with its one end; nil where nobody looks
	Stop   func() error
}

// Push is what is different about a system that pushes.
type Push struct {
	Provider Provider // the system's own; it closes it
	Devices  int      // that are registered, numbered from 0
	Before   int64    // resident bytes when nothing was sent yet
}

// Provider takes what a system sends, and counts.
type Provider interface {
	Addr() string
	Record(t *tally.Tally)
	Counts() standin.Counts
}

// Usage is what the system's processes have used so far.
type Usage struct {
	host.Usage
	Peak int64 // resident bytes at most; 0 where it is not known
}

// Launcher is a system by name.
type Launcher struct {
	Name   string
	Launch func(context.Context, Launch) (*System, error)
}

// Launch is what a system has to know to start.
type Launch struct {
	*Options
	Name     string // of the run, for files
	Scenario string
	Run      int
	Dir      string // its own
	Provider string // the stand-in's address
}

// LaunchPeal starts Peal with everything at its default, and sets it up.
func LaunchPeal(ctx context.Context, l Launch) (*System, error) {
	cfg, err := l.Process()
	if err != nil {
		return nil, err
	}
	peal, err := server.Start(ctx, cfg)
	if err != nil {
		return nil, err
	}
	tenant, err := peal.SetUp(ctx, l.Provider, l.Concurrency)
	if err != nil {
		return nil, errors.Join(err, peal.Stop())
	}
	return SystemOf(peal, tenant), nil
}

// Process is how a run's Peal is to be started.
func (l *Launch) Process() (server.Config, error) {
	cfg := server.Config{Binary: l.Binary, Dir: l.Dir, Args: l.PealArgs, Env: l.PealEnv}
	if l.CPUProfile != "" {
		path, err := filepath.Abs(fmt.Sprintf("%s-%s-%d.prof", l.CPUProfile, l.Name, l.Run))
		if err != nil {
			return cfg, err
		}
		cfg.Env = append(cfg.Env[:len(cfg.Env):len(cfg.Env)], "PEAL_CPUPROFILE="+path)
	}
	return cfg, nil
}

// SystemOf is a Peal that is set up.
func SystemOf(peal *server.Process, tenant server.Tenant) *System {
	return &System{
		Addr: peal.Addr, Key: tenant.Key, Exited: peal.Exited(), Stop: peal.Stop,
		Usage: func() (u Usage, err error) {
			if u.CPU, err = host.CPU(peal.PID()); err != nil {
				return u, err
			}
			m, err := host.MemoryOf(peal.PID())
			u.Resident, u.Peak = m.Now, m.Peak
			return u, err
		},
	}
}
