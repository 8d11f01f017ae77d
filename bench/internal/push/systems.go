// Package push starts Peal with one push service to send over, and the devices that it sends to.
package push

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"peal/bench/internal/load"
	"peal/bench/internal/pushsvc"
	"peal/bench/internal/server"
	"peal/bench/internal/suite"
	"peal/bench/internal/tally"
)

const (
	registerRun         = 9
	registerConnections = 64
)

// system is Peal over one service.
type system struct {
	name, kind string
	latency    time.Duration
	gorush     float64 // what gorush did, see README.md
}

func systems() []system {
	return []system{
		{"fcm", pushsvc.FCM, 0, 7700},
		{"fcm-50ms", pushsvc.FCM, 50 * time.Millisecond, 4200},
		{"apns", pushsvc.APNs, 0, 9200},
		{"apns-50ms", pushsvc.APNs, 50 * time.Millisecond, 1900},
	}
}

// Names is all systems.
func Names() []string {
	var names []string
	for _, s := range systems() {
		names = append(names, s.name)
	}
	return names
}

// Launchers are the systems of these names.
func Launchers(names []string) ([]suite.Launcher, error) {
	all := systems()
	var found []suite.Launcher
	for _, name := range names {
		i := slices.IndexFunc(all, func(s system) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("no system %q; there are %s", name, strings.Join(Names(), ", "))
		}
		found = append(found, suite.Launcher{Name: name, Launch: all[i].launch})
	}
	return found, nil
}

// launch starts the service and Peal, registers the devices, and starts Peal anew: its peak of memory is to be that of
// sending.
func (s system) launch(ctx context.Context, l suite.Launch) (_ *suite.System, err error) {
	svc, err := pushsvc.Start(s.kind, s.latency)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, svc.Close())
		}
	}()
	cfg, err := l.Process()
	if err != nil {
		return nil, err
	}
	first, err := server.Start(ctx, cfg)
	if err != nil {
		return nil, err
	}
	devices := l.Devices
	if l.Scenario == suite.FanOut {
		devices = l.Audience
	}
	tenant, err := s.setUp(ctx, l, first, svc, devices)
	if err := errors.Join(err, first.Stop()); err != nil {
		return nil, err
	}
	peal, err := first.Restart(ctx)
	if err != nil {
		return nil, err
	}
	sys := suite.SystemOf(peal, tenant)
	sys.Stop = func() error { return errors.Join(peal.Stop(), svc.Close()) }
	u, err := sys.Usage()
	if err != nil {
		return nil, errors.Join(err, peal.Stop())
	}
	sys.Push = &suite.Push{Provider: svc, Devices: devices, Before: u.Resident}
	return sys, nil
}

func (s system) setUp(ctx context.Context, l suite.Launch, peal *server.Process, svc *pushsvc.Server, devices int) (t server.Tenant, err error) {
	to := server.Push{Kind: s.kind, URL: svc.URL(), CA: svc.CA, Concurrency: l.Concurrency}
	if to.Credentials, err = svc.Credentials(); err != nil {
		return t, err
	}
	if t, err = peal.SetUpPush(ctx, to); err != nil {
		return t, err
	}
	kind := "apns"
	if s.kind == pushsvc.FCM {
		kind = "fcm_token"
	}
	all := tally.New(registerRun, 0, devices)
	began := time.Now()
	err = load.Closed(ctx, load.Config{
		Addr: peal.Addr, Request: load.Register(peal.Addr, t.Key, kind), Connections: min(registerConnections, devices), Messages: devices, Tally: all,
	}, 0)
	if err != nil {
		return t, fmt.Errorf("registering devices: %w", err)
	}
	fmt.Fprintf(l.Progress, "  %s %s: %d devices registered, %.0f/s\n", s.name, l.Scenario, devices, float64(devices)/time.Since(began).Seconds())
	return t, nil
}
