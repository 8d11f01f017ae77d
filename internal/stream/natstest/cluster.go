package natstest

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// servers is how many a cluster has.
	servers = 3
	// patience is how long anything is waited for. A server takes up to nine seconds to notice that its leader is gone.
	patience = 60 * time.Second
	password = "of-the-tests"
)

// A replicated store that is deleted while its server stops is now and then not ended (seen with nats-server 2.15.2). What
// it leaves are goroutines: the clock that ticks for all stores of the process and ends with the last of them, and the loop
// that writes the store's state.
const (
	Clock     = "github.com/nats-io/nats-server/v2/server/ats.Register.func1"
	StateLoop = "github.com/nats-io/nats-server/v2/server.(*fileStore).flushStreamStateLoop"
)

// Cluster is three servers that know each other. Its accounts see nothing of one another.
type Cluster struct {
	dir      string
	accounts int

	mu      sync.Mutex
	running [servers]*server.Server // nil: killed
	ports   [servers]ports          // of the first start, so that a server is found again after a restart
	free    []int                   // accounts that nobody has
}

// ports of a server; zero: any that is free.
type ports struct{ client, route int }

// New starts a cluster with one account that ends with the test.
func New(tb testing.TB) *Cluster {
	tb.Helper()
	c, err := Start(1)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Stop)
	return c
}

// Start starts a cluster with so many accounts, and returns when it takes streams. Stop stops it.
func Start(accounts int) (_ *Cluster, err error) {
	c := &Cluster{accounts: accounts}
	for n := range accounts {
		c.free = append(c.free, n)
	}
	defer func() {
		if err != nil {
			c.Stop()
		}
	}()
	if c.dir, err = os.MkdirTemp("", "natstest"); err != nil {
		return nil, err
	}
	for i := range servers {
		if err := c.start(i); err != nil {
			return nil, err
		}
		ns := c.running[i]
		addr, ok := ns.Addr().(*net.TCPAddr)
		if !ok {
			return nil, fmt.Errorf("server %d listens on %s", i, ns.Addr())
		}
		c.ports[i] = ports{addr.Port, ns.ClusterAddr().Port}
	}
	return c, c.wait("a cluster that takes streams", c.whole)
}

func (c *Cluster) configure(i int) (*server.Options, error) {
	var text strings.Builder
	fmt.Fprintf(&text, "server_name: n%d\nlisten: \"127.0.0.1:%d\"\nmax_payload: 8MB\n", i, cmp.Or(c.ports[i].client, -1))
	fmt.Fprintf(&text, "jetstream { store_dir: %q, max_file_store: 1TB, max_memory_store: 8GB }\n", filepath.Join(c.dir, strconv.Itoa(i)))
	fmt.Fprintf(&text, "cluster { name: tests, listen: \"127.0.0.1:%d\", routes: [", cmp.Or(c.ports[i].route, -1))
	for n, p := range c.ports {
		if n != i { // the first to start know only the number of the others, which they need: nobody listens on ports 1 to 3
			fmt.Fprintf(&text, "\"nats-route://127.0.0.1:%d\", ", cmp.Or(p.route, n+1))
		}
	}
	text.WriteString("] }\nsystem_account: SYS\naccounts {\n  SYS { users: [{user: sys, password: " + password + "}] }\n")
	for n := range c.accounts {
		fmt.Fprintf(&text, "  %s { jetstream: enabled, users: [{user: %[1]s, password: %s}] }\n", account(n), password)
	}
	text.WriteString("}\n")
	o := &server.Options{}
	if err := o.ProcessConfigString(text.String()); err != nil {
		return nil, fmt.Errorf("configure server %d: %w", i, err)
	}
	o.NoSigs, o.NoLog = true, true
	return o, nil
}

func account(n int) string { return fmt.Sprintf("T%d", n) }

func (c *Cluster) start(i int) error {
	o, err := c.configure(i)
	if err != nil {
		return err
	}
	ns, err := server.NewServer(o)
	if err != nil {
		return fmt.Errorf("start server %d: %w", i, err)
	}
	ns.Start()
	if !ns.ReadyForConnections(patience) {
		ns.Shutdown()
		return fmt.Errorf("server %d does not come up", i)
	}
	c.running[i] = ns
	return nil
}

// whole tells whether all servers that run are in the cluster, up to date and led.
func (c *Cluster) whole() bool {
	led := false
	for _, ns := range c.alive() {
		if !ns.JetStreamEnabled() || !ns.JetStreamIsCurrent() || ns.NumRoutes() == 0 {
			return false
		}
		led = led || ns.JetStreamIsLeader() && len(ns.JetStreamClusterPeers()) == servers
	}
	return led
}

func (c *Cluster) alive() []*server.Server {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []*server.Server
	for _, ns := range c.running {
		if ns != nil {
			all = append(all, ns)
		}
	}
	return all
}

func (c *Cluster) wait(what string, is func() bool) error {
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for !is() {
		select {
		case <-look.C:
		case <-limit.C:
			return fmt.Errorf("never came to be: %s", what)
		}
	}
	return nil
}

// Stop stops all servers and removes their files.
func (c *Cluster) Stop() {
	for i := range servers {
		c.Kill(i)
	}
	_ = os.RemoveAll(c.dir) // what is left is in the temporary folder
}

// Account lends the test an account that nobody else has now: the URLs to connect with. At the end of the test its streams
// are deleted.
func (c *Cluster) Account(tb testing.TB) (urls []string) {
	tb.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.free) == 0 {
		tb.Fatal("all accounts of the cluster are given out: start it with more")
	}
	n := c.free[0]
	c.free = c.free[1:]
	urls = c.at(account(n))
	tb.Cleanup(func() {
		if err := Empty(urls); err != nil {
			tb.Errorf("empty the NATS account: %v", err)
			return // nobody gets it any more
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.free = append(c.free, n)
	})
	return urls
}

// Empty deletes all streams of an account: nothing is left of whatever was in them.
func Empty(urls []string) error {
	conn, err := nats.Connect(strings.Join(urls, ","))
	if err != nil {
		return err
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	names := js.StreamNames(ctx)
	for name := range names.Name() {
		if err := js.DeleteStream(ctx, name); err != nil {
			return err
		}
	}
	return names.Err()
}

// URLs are where the first account is reached.
func (c *Cluster) URLs() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at(account(0))
}

func (c *Cluster) at(name string) []string {
	all := make([]string, servers)
	for i, p := range c.ports {
		all[i] = fmt.Sprintf("nats://%s:%s@127.0.0.1:%d", name, password, p.client)
	}
	return all
}

// Kill stops a server. The others are told nothing but that its connections end.
func (c *Cluster) Kill(i int) {
	c.mu.Lock()
	ns := c.running[i]
	c.running[i] = nil
	c.mu.Unlock()
	if ns != nil {
		ns.Shutdown()
		ns.WaitForShutdown()
	}
}

// Restart starts killed servers on their files and their ports, and returns when they are part of the cluster again.
func (c *Cluster) Restart(tb testing.TB, which ...int) {
	tb.Helper()
	for _, i := range which {
		c.mu.Lock()
		err := c.start(i)
		c.mu.Unlock()
		if err != nil {
			tb.Fatal(err)
		}
	}
	if err := c.wait("a cluster that is whole again", c.whole); err != nil {
		tb.Fatal(err)
	}
}

// Leader waits for a stream of the first account to have a leader, and tells which server it is.
func (c *Cluster) Leader(tb testing.TB, stream string) int {
	tb.Helper()
	return c.leader(tb, stream, func(ns *server.Server) bool { return ns.JetStreamIsStreamLeader(account(0), stream) })
}

// ConsumerLeader is Leader for a consumer.
func (c *Cluster) ConsumerLeader(tb testing.TB, stream, consumer string) int {
	tb.Helper()
	return c.leader(tb, consumer, func(ns *server.Server) bool { return ns.JetStreamIsConsumerLeader(account(0), stream, consumer) })
}

func (c *Cluster) leader(tb testing.TB, of string, leads func(*server.Server) bool) int {
	tb.Helper()
	found := -1
	err := c.wait("a leader of "+of, func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		for i, ns := range c.running {
			if ns != nil && leads(ns) {
				found = i
			}
		}
		return found >= 0
	})
	if err != nil {
		tb.Fatal(err)
	}
	return found
}
