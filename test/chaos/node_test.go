package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"peal/client"
)

const (
	drain     = 10 * time.Second // --drain-timeout
	tenant    = "acme"
	shunFor   = time.Second // how long who did not answer is asked last
	startTime = time.Minute // how long a start may take, PostgreSQL's included
)

// node is a `peal serve` with all roles.
type node struct {
	*process
	addr string
	api  *client.Client
	shun atomic.Int64 // until when others are asked first, Unix nanoseconds
}

// buildPeal compiles it.
func buildPeal(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "peal")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "./cmd/peal")
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build peal: %v\n%s", err, out)
	}
	return bin
}

func startNodes(t *testing.T, w *world, p *ports) (all [3]*node) {
	t.Helper()
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "PEAL_") {
			env = append(env, v)
		}
	}
	env = append(env, "PEAL_MASTER_KEY="+w.master, "PEAL_OPERATOR_KEY="+w.operator, "PEAL_DATABASE_URL="+w.pg.url, "PEAL_NATS_URL="+natsURLs(w.nats))
	for i := range all {
		name, addr := fmt.Sprint("node", i), p.addr(t)
		n := &node{addr: addr}
		n.process = &process{
			name: name, log: filepath.Join(w.dir, name+".log"),
			build: func() *exec.Cmd {
				cmd := exec.Command(w.bin, "serve", "--listen", addr, "--data", filepath.Join(w.dir, name), "--allow-private-networks", "127.0.0.0/8",
					"--ledger-every", "2s", "--drain-timeout", drain.String()) //nolint:noctx // it is killed, not canceled
				cmd.Env = env
				return cmd
			},
			fell: func(err error) { w.broken("%s ended by itself: %v\n%s", name, err, n.tail()) },
		}
		var err error
		if n.api, err = client.New("http://"+addr, w.operator, client.WithTenant(tenant), client.WithHTTPClient(w.http), client.WithTimeout(4*time.Second)); err != nil {
			t.Fatal(err)
		}
		all[i] = n
		t.Cleanup(func() {
			n.signal(syscall.SIGCONT)
			_ = n.end(syscall.SIGKILL, time.Minute) // a kill does not fail
		})
		if err := n.up(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// up starts it, again and again as a service manager would, until it serves.
func (n *node) up(ctx context.Context) error {
	again := time.NewTicker(200 * time.Millisecond)
	defer again.Stop()
	err := await(ctx, startTime, n.name+" that serves", func(ctx context.Context) bool {
		if n.start() != nil {
			return false
		}
		if n.api.Healthy(ctx) == nil {
			return true
		}
		if !n.running() {
			<-again.C // it has ended: not at once again
		}
		return false
	})
	if err != nil {
		return fmt.Errorf("%w\n%s", err, n.tail())
	}
	n.works()
	return nil
}

// avoid has others asked first for a while.
func (n *node) avoid() { n.shun.Store(time.Now().Add(shunFor).UnixNano()) }

// order gives the nodes in a random order, those last that did not answer lately.
func (w *world) order() []*node {
	first, last := make([]*node, 0, len(w.nodes)), []*node(nil)
	now := time.Now().UnixNano()
	for _, i := range rand.Perm(len(w.nodes)) {
		if n := w.nodes[i]; n.shun.Load() > now {
			last = append(last, n)
		} else {
			first = append(first, n)
		}
	}
	return append(first, last...)
}
