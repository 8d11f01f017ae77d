package lease_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"peal/internal/lease"
	"peal/internal/peal"
	"peal/internal/store"
	"peal/internal/store/pgtest"
)

// onBoth runs a test on each of the databases.
func onBoth(t *testing.T, test func(t *testing.T, open func(now func() time.Time) *store.Store)) {
	t.Helper()
	opened := func(t *testing.T, cfg store.Config) *store.Store {
		t.Helper()
		s, err := store.Open(t.Context(), cfg)
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
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, func(now func() time.Time) *store.Store {
			return opened(t, store.Config{Path: filepath.Join(t.TempDir(), "peal.db"), Now: now})
		})
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		url := pgtest.URL(t)
		test(t, func(now func() time.Time) *store.Store { return opened(t, store.Config{URL: url, Now: now}) })
	})
}

// jumpy is a clock that is put forward and back.
type jumpy struct{ off atomic.Int64 }

func (j *jumpy) jump(d time.Duration) { j.off.Add(int64(d)) }
func (j *jumpy) now() time.Time       { return time.Now().Add(time.Duration(j.off.Load())) }

// seen are records that tell when a node has looked at the leases.
type seen struct {
	lease.Records

	looks chan struct{}
}

func (s *seen) Leases(ctx context.Context) ([]peal.Lease, error) {
	rows, err := s.Records.Leases(ctx)
	select {
	case s.looks <- struct{}{}:
	default:
	}
	return rows, err
}

// TestAClockThatJumpsMakesNoSecondHolder, and delays nobody who is to take over.
func TestAClockThatJumpsMakesNoSecondHolder(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, open func(func() time.Time) *store.Store) {
		clock := &jumpy{}
		s := open(clock.now)
		a := start(t, s, "a")
		l := a.hold(t, "x")
		eyes := &seen{Records: s, looks: make(chan struct{})}
		b := start(t, eyes, "b")
		next := make(chan *lease.Lease, 1)
		var wg sync.WaitGroup
		t.Cleanup(wg.Wait)
		wg.Go(func() { next <- b.hold(t, "x") })
		a.Refuse("x", true) // so that b is to have it, and waits; the test does not let go
		for _, by := range []time.Duration{time.Hour, -2 * time.Hour} {
			clock.jump(by)
			for range 8 { // for two lives of the lease
				<-eyes.looks
			}
			select {
			case <-next:
				t.Fatalf("after a jump by %s another has the lease, which its holder renews", by)
			default:
			}
		}
		if !l.Valid() {
			t.Error("the holder has lost it")
		}
		a.die()
		clock.jump(-time.Hour)
		for got := false; !got; {
			select {
			case <-eyes.looks:
			case n := <-next:
				if got = true; l.Valid() || n.Epoch != 2 {
					t.Errorf("two hold it: %v, epoch %d", l.Valid(), n.Epoch)
				}
			}
		}
	})
}

// inBubble runs a test with time that passes when everybody waits, over records of its own.
func inBubble(t *testing.T, test func(t *testing.T, s *store.Store)) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "peal.db")
	synctest.Test(t, func(t *testing.T) {
		s, err := store.Open(t.Context(), store.Config{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		test(t, s)
	})
}

// keep starts a node with the real times.
func keep(t *testing.T, s lease.Records, id string) *node {
	t.Helper()
	k := lease.New(lease.Config{Records: s, Node: peal.Node{ID: id, Roles: []string{peal.RoleSend}}})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = k.Run(ctx) })
	n := &node{Keeper: k, die: func() { cancel(); wg.Wait() }}
	t.Cleanup(n.die)
	return n
}

// look is the most that a node lets pass between two looks.
const look = lease.TTL/4 + time.Second

func TestAfterAKillAnotherTakesOverInTime(t *testing.T) {
	t.Parallel()
	for name, joining := range map[string]int{"two nodes": 0, "others join all the time": 4} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, s *store.Store) {
				a := keep(t, s, "a")
				l := a.hold(t, "x")
				b := keep(t, s, "b")
				took := make(chan struct{}, 1+joining)
				ctx, cancel := context.WithCancel(t.Context())
				var wg sync.WaitGroup
				t.Cleanup(wg.Wait)
				t.Cleanup(cancel)
				want := func(n *node) {
					wg.Go(func() {
						next, err := n.Hold(ctx, "x", peal.RoleSend)
						if err != nil {
							return
						}
						if l.Valid() {
							t.Error("two hold it")
						}
						took <- struct{}{}
						<-next.Context(ctx).Done()
						next.Release()
					})
				}
				want(b)
				<-time.After(3 * lease.TTL)
				a.die()
				killed := time.Now()
				last := "b"
				for range joining { // each is favoured over those before it
					<-time.After(lease.TTL / 5)
					last = favoredOver(last)
					want(keep(t, s, last))
				}
				<-took
				if passed := time.Since(killed); passed > lease.TTL+look {
					t.Errorf("it took %s", passed)
				}
			})
		})
	}
}

// favoredOver gives the name of a node that the hash favours over another for the lease x.
func favoredOver(node string) string {
	for i := 0; ; i++ {
		if name := fmt.Sprint(node, i); lease.Weight(name, "x") > lease.Weight(node, "x") {
			return name
		}
	}
}

func TestWhatIsReleasedIsTakenAtOnce(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s *store.Store) {
		a := keep(t, s, "a")
		l := a.hold(t, "x")
		b := keep(t, s, "b")
		<-time.After(lease.TTL)
		if err := a.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		l.Release()
		left := time.Now()
		b.hold(t, "x")
		if passed := time.Since(left); passed > look {
			t.Errorf("it took %s", passed)
		}
	})
}

// TestTheDeadAreForgotten: the row of a node that was killed goes, that of one that lives stays.
func TestTheDeadAreForgotten(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s *store.Store) {
		a, b := keep(t, s, "a"), keep(t, s, "b")
		<-time.After(look)
		if n := b.Count(peal.RoleSend); n != 2 {
			t.Errorf("%d nodes live, want 2", n)
		}
		a.die()
		<-time.After(lease.TTL + look)
		if n := b.Count(peal.RoleSend); n != 1 {
			t.Errorf("%d nodes live, want 1", n)
		}
		<-time.After(10 * lease.TTL)
		b.die()
		rows, err := s.Beat(t.Context(), peal.Node{ID: "c"})
		if err != nil || len(rows) != 2 || rows[0].ID != "b" {
			t.Errorf("known are %v, %v", rows, err)
		}
	})
}

// TestWhoRefusesIsPassedOver: whomever the hash favours, a lease goes to who can fill it.
func TestWhoRefusesIsPassedOver(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s *store.Store) {
		a, b := keep(t, s, "a"), keep(t, s, "b")
		for _, name := range []string{"p", "q", "r", "s", "t", "u"} {
			b.Refuse(name, true)
			for _, turn := range [][2]*node{{a, b}, {b, a}, {a, b}} {
				l := turn[0].hold(t, name)
				turn[1].Refuse(name, false)
				turn[0].Refuse(name, true)
				<-l.Done()
				l.Release()
			}
			a.Refuse(name, false)
		}
	})
}
