package lease_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"peal/internal/lease"
	"peal/internal/peal"
	"peal/internal/store"
	"peal/internal/store/sqlitetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const ttl = 400 * time.Millisecond

func open(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{Path: sqlitetest.Seed(t, filepath.Join(t.TempDir(), "peal.db"))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// node is a process as the others see it.
type node struct {
	*lease.Keeper

	die func() // without a word
}

func start(t *testing.T, s lease.Records, id string) *node {
	t.Helper()
	k := lease.New(lease.Config{Records: s, Node: peal.Node{ID: id, Roles: []string{peal.RoleSend}}, TTL: ttl})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = k.Run(ctx) })
	n := &node{Keeper: k, die: func() { cancel(); wg.Wait() }}
	t.Cleanup(n.die)
	return n
}

func (n *node) hold(t *testing.T, name string) *lease.Lease {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	l, err := n.Hold(ctx, name, peal.RoleSend)
	if err != nil {
		t.Fatalf("the lease did not come: %v", err)
	}
	return l
}

func TestOneHolderAndTheNext(t *testing.T) {
	t.Parallel()
	s := open(t)
	a := start(t, s, "a")
	l := a.hold(t, "x")
	if l.Epoch != 1 || !l.Valid() {
		t.Fatalf("epoch %d, valid %v", l.Epoch, l.Valid())
	}
	a.die()
	b := start(t, s, "b") // a is not heard of any more, but its lease still runs
	next := b.hold(t, "x")
	if l.Valid() {
		t.Error("two nodes hold the lease")
	}
	if next.Epoch != 2 || !next.Valid() {
		t.Errorf("epoch %d, valid %v", next.Epoch, next.Valid())
	}
}

func TestLeasesMoveToWhoJoins(t *testing.T) {
	t.Parallel()
	s := open(t)
	a := start(t, s, "a")
	const all = 40
	var wg sync.WaitGroup
	moved := make(chan string, 2*all)
	own := func(n *node) { // as a lane does: hold, work, let go when told
		for i := range all {
			wg.Go(func() {
				for {
					l, err := n.Hold(t.Context(), fmt.Sprint("lease-", i), peal.RoleSend)
					if err != nil {
						return
					}
					moved <- n.name()
					<-l.Context(t.Context()).Done()
					l.Release()
				}
			})
		}
	}
	t.Cleanup(wg.Wait)
	own(a)
	for range all {
		<-moved
	}
	b := start(t, s, "b")
	own(b)
	got := 0
	for deadline := time.After(20 * time.Second); got < all/4; got++ {
		select {
		case <-moved:
		case <-deadline:
			t.Fatalf("only %d of %d leases moved to the node that joined", got, all)
		}
	}
	if n := b.Count(peal.RoleSend); n != 2 {
		t.Errorf("%d nodes are known", n)
	}
}

func (n *node) name() string { return fmt.Sprintf("%p", n.Keeper) }

func TestAHolderCutOffStops(t *testing.T) {
	t.Parallel()
	s := open(t)
	cut := &cutOff{Records: s}
	a := start(t, cut, "a")
	l := a.hold(t, "x")
	cut.now(true)
	next := start(t, s, "b").hold(t, "x") // only once it has run out
	if l.Valid() {
		t.Error("two nodes hold the lease")
	}
	cut.now(false)
	select {
	case <-l.Done():
	case <-time.After(20 * time.Second):
		t.Fatal("the holder of before was not told")
	}
	l.Release() // of what is another's
	if !next.Valid() {
		t.Error("the release of a lost lease took it from its holder")
	}
}

// cutOff are records that a node may be cut off from.
type cutOff struct {
	lease.Records

	mu  sync.Mutex
	off bool
}

func (c *cutOff) now(off bool) {
	c.mu.Lock()
	c.off = off
	c.mu.Unlock()
}

func (c *cutOff) Renew(ctx context.Context, node string, names []string) ([]string, error) {
	c.mu.Lock()
	off := c.off
	c.mu.Unlock()
	if off {
		return nil, errors.New("cut off")
	}
	return c.Records.Renew(ctx, node, names)
}

func (c *cutOff) Beat(ctx context.Context, n peal.Node) ([]peal.Node, error) {
	c.mu.Lock()
	off := c.off
	c.mu.Unlock()
	if off {
		return nil, errors.New("cut off")
	}
	return c.Records.Beat(ctx, n)
}

// TestALeaseTakenAgainIsNotTheFirst: what was sent in between nobody knows.
func TestALeaseTakenAgainIsNotTheFirst(t *testing.T) {
	t.Parallel()
	a := start(t, open(t), "a")
	l := a.hold(t, "x")
	l.Release()
	if again := a.hold(t, "x"); !l.First() || again.First() {
		t.Errorf("first: %v, then %v", l.First(), again.First())
	}
}

// TestWhoCannotFillARoleLetsOthers: a node without a broker gives up what it holds for sending.
func TestWhoCannotFillARoleLetsOthers(t *testing.T) {
	t.Parallel()
	s := open(t)
	a := start(t, s, "a")
	l := a.hold(t, "x")
	a.Able(peal.RoleSend, false)
	select {
	case <-l.Done():
	case <-time.After(20 * time.Second):
		t.Fatal("it keeps the lease")
	}
	l.Release()
	start(t, s, "b").hold(t, "x")
	if a.Able(peal.RoleSend, true); a.Count(peal.RoleSend) < 1 {
		t.Error("nobody sends")
	}
}

func TestAlone(t *testing.T) {
	t.Parallel()
	s := open(t)
	a, b := start(t, s, "a"), start(t, s, "b")
	var mu sync.Mutex
	working, ran := 0, make(chan struct{}, 16)
	work := func(ctx context.Context) error {
		mu.Lock()
		working++
		if working > 1 {
			t.Error("two nodes do it")
		}
		mu.Unlock()
		ran <- struct{}{}
		<-ctx.Done()
		mu.Lock()
		working--
		mu.Unlock()
		return nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for _, n := range []*node{a, b} {
		wg.Go(func() {
			if err := n.Alone(ctx, "task:x", peal.RoleSend, work); err != nil {
				t.Error(err)
			}
		})
	}
	<-ran
	cancel()
	wg.Wait()
	broken := errors.New("broken")
	if err := start(t, open(t), "c").Alone(t.Context(), "task:y", peal.RoleSend, func(context.Context) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("it ended with %v", err)
	}
}
