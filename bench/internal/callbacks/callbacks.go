// Package callbacks measures how fast Peal takes webhooks, and whether all of them move their rows in the end, also when
// the database is restarted meanwhile.
package callbacks

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"peal/bench/internal/host"
	"peal/bench/internal/server"
	"peal/bench/internal/services"
	"peal/bench/internal/stats"
	"peal/bench/internal/suite"
)

// Options says how many, and how.
type Options struct {
	suite.Options
	PerBody   int  // statuses in a webhook
	Large     bool // over PostgreSQL, which is restarted in the middle
	Reference int  // webhooks for the reference, before Peal starts
}

// Validate says what is wrong with the options.
func (o *Options) Validate() error {
	if o.PerBody < 1 || o.PerBody > 1000 {
		return fmt.Errorf("per-body: %d, but it has to be from 1 to 1000", o.PerBody)
	}
	if o.Messages < 1 && o.Duration < time.Second {
		return errors.New("duration: at least a second is needed")
	}
	return o.Options.Validate()
}

// Report is what was measured.
type Report struct {
	Machine   host.Machine    `json:"machine"`
	Large     bool            `json:"large"`
	Rate      float64         `json:"rate"`     // webhooks per second
	PerBody   int             `json:"per_body"` // statuses in each
	Webhooks  int             `json:"webhooks"`
	Sync      host.Sync       `json:"sync"`
	Reference stats.Quantiles `json:"reference"` // a bare server that appends and syncs, at the same rate
	Quiet     stats.Quantiles `json:"quiet"`     // of the first half
	Away      stats.Quantiles `json:"away"`      // of the second; in it the database is restarted, where there is one
	DBAwayMS  int64           `json:"db_away_ms"`
	Refused   int             `json:"refused"` // answers that were not 200; posted again, as a provider does
	Lost      int             `json:"lost"`    // deliveries that did not come to their end
	CatchUpMS int64           `json:"catch_up_ms"`
	PealCPU   float64         `json:"peal_cpu_s_per_1000"`
	PeakBytes int64           `json:"peak_bytes"`
	Others    float64         `json:"others_percent"` // CPU that neither Peal nor the bench used while posting
}

// Failed tells whether something was lost.
func (r *Report) Failed() bool { return r.Lost > 0 }

// Run measures.
func Run(ctx context.Context, o Options) (rep *Report, err error) {
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, err
	}
	work, err := os.MkdirTemp(o.Dir, "callbacks-")
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(work, 0o711); err != nil { // PostgreSQL may run as another user
		return nil, err
	}
	if !o.Keep {
		defer func() { _ = os.RemoveAll(work) }() // what stays behind is in a folder that git ignores
	}
	if o.Binary == "" {
		o.say("building peal")
		if o.Binary, err = server.Build(ctx, o.Repo, work); err != nil {
			return nil, err
		}
	}
	if o.Messages == 0 {
		o.Messages = int(o.Rate * o.Duration.Seconds())
	}
	rep = &Report{Machine: host.Inspect(work), Large: o.Large, Rate: o.Rate, PerBody: o.PerBody, Webhooks: o.Messages}
	if rep.Sync, err = host.MeasureSync(work, 500); err != nil {
		return nil, err
	}
	m := &measurement{Options: &o, rep: rep, dir: work}
	if err := m.reference(ctx); err != nil {
		return nil, fmt.Errorf("reference: %w", err)
	}
	return rep, m.run(ctx)
}

func (o *Options) say(format string, args ...any) { fmt.Fprintf(o.Progress, format+"\n", args...) }

type measurement struct {
	*Options
	rep    *Report
	dir    string
	peal   *server.Process
	tenant server.Tenant
	meta   *meta
	pg     *services.Postgres
}

func (m *measurement) run(ctx context.Context) (err error) {
	if m.meta, err = newMeta(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.meta.close()) }()
	var env []string
	if m.Large {
		if m.pg, err = services.StartPostgres(ctx, m.dir, true); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, m.pg.Stop()) }()
		env = []string{"PEAL_DATABASE_URL=" + m.pg.URL}
	}
	m.peal, err = server.Start(ctx, server.Config{Binary: m.Binary, Dir: filepath.Join(m.dir, "peal"), Args: m.PealArgs, Env: append(env, m.PealEnv...)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.peal.Stop()) }()
	var hook string
	if m.tenant, hook, err = m.peal.SetUpCloud(ctx, "http://"+m.meta.addr, m.Concurrency, appSecret); err != nil {
		return err
	}
	// Each delivery is told of three times.
	n := (m.Messages*m.PerBody + 2) / 3
	m.say("sending %d messages", n)
	if err := m.sendAll(ctx, n); err != nil {
		return err
	}
	bodies := m.bodies(n)
	m.say("posting %d webhooks, %.0f a second", len(bodies), m.Rate)
	return m.measure(ctx, hook, bodies, n)
}

// bodies are signed webhooks with the statuses of all messages, in a disorder of some seconds.
func (m *measurement) bodies(n int) [][]byte {
	type told struct {
		id     int
		status string
		place  float64
	}
	all := make([]told, 0, 3*n)
	r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // to be the same every time
	for i := range n {
		for j, status := range []string{"sent", "delivered", "read"} {
			all = append(all, told{i, status, float64(3*i+j) + r.Float64()*m.Rate*float64(m.PerBody)})
		}
	}
	sortBy(all, func(t told) float64 { return t.place })
	var bodies [][]byte
	for len(all) > 0 {
		k := min(m.PerBody, len(all))
		w := webhook{}
		for _, t := range all[:k] {
			w.add(m.meta.ids()[t.id], t.status)
		}
		bodies = append(bodies, w.bytes())
		all = all[k:]
	}
	return bodies
}

func (m *measurement) measure(ctx context.Context, hook string, bodies [][]byte, n int) error {
	p := &poster{addr: m.peal.Addr, path: hook, connections: m.OpenConnections, rate: m.Rate}
	cpu, err := host.CPU(m.peal.PID())
	if err != nil {
		return err
	}
	busy, err := host.BusyCPU()
	if err != nil {
		return err
	}
	own, start := host.OwnCPU(), time.Now()
	half := len(bodies) / 2
	restarted := make(chan error, 1)
	p.halfway = func() {
		if m.pg == nil {
			restarted <- nil
			return
		}
		go func() { restarted <- m.restart(ctx) }()
	}
	took, err := p.post(ctx, bodies, half)
	if err != nil {
		return err
	}
	if err := <-restarted; err != nil {
		return fmt.Errorf("restarting PostgreSQL: %w", err)
	}
	posted := time.Now()
	m.rep.Refused = p.refused()
	m.rep.Quiet, m.rep.Away = stats.Of(took[:half]), stats.Of(took[half:])
	after, err := host.CPU(m.peal.PID())
	if err != nil {
		return err
	}
	busyAfter, err := host.BusyCPU()
	if err != nil {
		return err
	}
	m.rep.PealCPU = (after - cpu).Seconds() / float64(len(bodies)) * 1000
	others := busyAfter - busy - (after - cpu) - (host.OwnCPU() - own)
	m.rep.Others = 100 * others.Seconds() / time.Since(start).Seconds() / float64(runtime.NumCPU())
	if err := m.settle(ctx, n); err != nil {
		return err
	}
	m.rep.CatchUpMS = time.Since(posted).Milliseconds()
	mem, err := host.MemoryOf(m.peal.PID())
	m.rep.PeakBytes = mem.Peak
	return err
}

func (m *measurement) restart(ctx context.Context) error {
	start := time.Now()
	m.say("restarting PostgreSQL")
	err := m.pg.Restart(ctx)
	m.rep.DBAwayMS = time.Since(start).Milliseconds()
	return err
}
