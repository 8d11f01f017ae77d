package rivals

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"

	"peal/bench/internal/host"
	"peal/bench/internal/proc"
	"peal/bench/internal/services"
	"peal/bench/internal/suite"
)

const key = "the-key-of-the-rival"

// stack is the processes of a system, in the order they were started.
type stack struct {
	pids  []int
	stops []func() error
}

func (s *stack) add(p *proc.Process) {
	s.pids, s.stops = append(s.pids, p.PID()), append(s.stops, p.Stop)
}

// stop ends the last first, since it uses the others.
func (s *stack) stop() error {
	var errs []error
	for _, stop := range slices.Backward(s.stops) {
		errs = append(errs, stop())
	}
	return errors.Join(errs...)
}

func (s *stack) usage() (u suite.Usage, err error) {
	u.Usage, err = host.Tree(s.pids...)
	return u, err
}

// launchPeal is the small size: one process.
func launchPeal(ctx context.Context, l suite.Launch) (*suite.System, error) {
	sys, err := suite.LaunchPeal(ctx, l)
	if err != nil {
		return nil, err
	}
	sys.Verify = func(ctx context.Context, want int) error {
		return verifySQLite(ctx, filepath.Join(l.Dir, "data", "peal.db"), want, l.Stall)
	}
	usage := sys.Usage
	sys.Usage = func() (suite.Usage, error) {
		u, err := usage()
		u.Peak = 0 // the others' is not known
		return u, err
	}
	return sys, nil
}

// launchLarge is the same binary over a PostgreSQL and a NATS of its own.
func (t *Tools) launchLarge(ctx context.Context, l suite.Launch) (_ *suite.System, err error) {
	var s stack
	defer func() {
		if err != nil {
			err = errors.Join(err, s.stop())
		}
	}()
	pg, err := services.StartPostgres(ctx, l.Dir, true)
	if err != nil {
		return nil, err
	}
	s.add(pg.Process)
	nats, err := services.StartNATS(ctx, t.NATS, l.Dir)
	if err != nil {
		return nil, err
	}
	s.add(nats.Process)
	o := *l.Options
	o.PealEnv = append(slices.Clone(o.PealEnv), "PEAL_DATABASE_URL="+pg.URL, "PEAL_NATS_URL="+nats.URL, "PEAL_NATS_REPLICAS=1")
	l.Options = &o
	sys, err := suite.LaunchPeal(ctx, l)
	if err != nil {
		return nil, err
	}
	peal, servers := *sys, s
	sys.Usage = func() (suite.Usage, error) {
		own, err := peal.Usage()
		if err != nil {
			return own, err
		}
		u, err := servers.usage()
		u.CPU, u.Resident = u.CPU+own.CPU, u.Resident+own.Resident
		return u, err
	}
	sys.Stop = func() error { return errors.Join(peal.Stop(), servers.stop()) }
	sys.Verify = func(ctx context.Context, want int) error {
		return verifyPostgres(ctx, pg.URL, "communications_log", want, l.Stall)
	}
	return sys, nil
}

// launchRival starts Redis, PostgreSQL and the application.
func (t *Tools) launchRival(ctx context.Context, l suite.Launch, r rival) (_ *suite.System, err error) {
	var s stack
	defer func() {
		if err != nil {
			err = errors.Join(err, s.stop())
		}
	}()
	pg, err := services.StartPostgres(ctx, l.Dir, r.sync != "none")
	if err != nil {
		return nil, err
	}
	s.add(pg.Process)
	if err := pg.Exec(ctx, schema); err != nil {
		return nil, err
	}
	redis, err := services.StartRedis(ctx, l.Dir, r.sync)
	if err != nil {
		return nil, err
	}
	s.add(redis.Process)
	addr, err := proc.FreeAddr()
	if err != nil {
		return nil, err
	}
	app, err := proc.Start(ctx, proc.Config{
		Name: "app", Dir: l.Dir, Args: t.args(r),
		Env: []string{
			"LISTEN=" + addr, "REDIS_ADDR=" + redis.Addr, "DATABASE_URL=" + pg.URL, "PROVIDER=http://" + l.Provider + "/api",
			"KEY=" + key, fmt.Sprint("CONCURRENCY=", l.Concurrency),
		},
		Ready: func(ctx context.Context) error { return ready(ctx, addr) },
	})
	if err != nil {
		return nil, err
	}
	s.add(app)
	return &suite.System{
		Addr: addr, Key: key, Exited: app.Exited(), Usage: s.usage, Stop: s.stop,
		Verify: func(ctx context.Context, want int) error {
			return verifyPostgres(ctx, pg.URL, "notification_log", want, l.Stall)
		},
	}, nil
}

func (t *Tools) args(r rival) []string {
	switch r.app {
	case "asynq-tutorial":
		return []string{t.Asynq, "tutorial"}
	case "asynq-tuned":
		return []string{t.Asynq, "tuned"}
	default:
		return []string{"node", filepath.Join(t.Bull, "server.js")}
	}
}

func ready(ctx context.Context, addr string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/readyz", nil)
	if err != nil {
		return err
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("/readyz answers %s", resp.Status)
	}
	return nil
}
