package suite

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"peal/bench/internal/host"
	"peal/bench/internal/server"
)

// System is what a run measures: one process or several, with the API of Peal's that the loops use.
type System struct {
	Addr   string // where it takes notifications
	Key    string // what they are sent with
	Exited <-chan struct{}

	Usage  func() (Usage, error)
	Verify func(ctx context.Context, want int) error // so many rows, each with its one end; nil where nobody looks
	Stop   func() error
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
	Run      int
	Dir      string // its own
	Provider string // the stand-in's address
}

// LaunchPeal starts Peal with everything at its default, and sets it up.
func LaunchPeal(ctx context.Context, l Launch) (*System, error) {
	cfg := server.Config{Binary: l.Binary, Dir: l.Dir, Args: l.PealArgs, Env: l.PealEnv}
	if l.CPUProfile != "" {
		path, err := filepath.Abs(fmt.Sprintf("%s-%s-%d.prof", l.CPUProfile, l.Name, l.Run))
		if err != nil {
			return nil, err
		}
		cfg.Env = append(cfg.Env[:len(cfg.Env):len(cfg.Env)], "PEAL_CPUPROFILE="+path)
	}
	peal, err := server.Start(ctx, cfg)
	if err != nil {
		return nil, err
	}
	tenant, err := peal.SetUp(ctx, l.Provider, l.Concurrency)
	if err != nil {
		return nil, errors.Join(err, peal.Stop())
	}
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
	}, nil
}
