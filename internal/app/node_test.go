package app

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"peal/internal/config"
	"peal/internal/lease"
	"peal/internal/peal"
	"peal/internal/store"
	"peal/internal/store/pgtest"
	"peal/internal/stream/natstest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction(natstest.Clock), goleak.IgnoreAnyFunction(natstest.StateLoop))
}

// onBoth runs a test of a node with an embedded broker on each of the databases.
func onBoth(t *testing.T, test func(t *testing.T, cfg config.Config)) {
	t.Helper()
	own := func(t *testing.T) config.Config {
		t.Helper()
		cfg := config.Default()
		cfg.Listen, cfg.Data = "127.0.0.1:0", t.TempDir()
		cfg.MasterKey = config.Secret(base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32))))
		cfg.OperatorKey = "an-operator-key-that-is-long-enough"
		return cfg
	}
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, own(t))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		cfg := own(t)
		cfg.DatabaseURL = config.Secret(pgtest.URL(t))
		test(t, cfg)
	})
}

// left gives what stands in the records of a Peal that does not run: its nodes, and the leases that somebody has.
func left(t *testing.T, cfg config.Config) (nodes, held []string) {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{Path: filepath.Join(cfg.Data, recordsFile), URL: string(cfg.DatabaseURL)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	known, err := s.Beat(t.Context(), peal.Node{ID: "who looks"})
	err = errors.Join(err, s.Leave(t.Context(), "who looks"))
	leases, lerr := s.Leases(t.Context())
	if err = errors.Join(err, lerr); err != nil {
		t.Fatal(err)
	}
	for _, n := range known {
		if n.ID != "who looks" {
			nodes = append(nodes, n.ID)
		}
	}
	for _, l := range leases {
		if l.Node != "" {
			held = append(held, l.Name)
		}
	}
	return nodes, held
}

func wantNothingLeft(t *testing.T, cfg config.Config) {
	t.Helper()
	if nodes, held := left(t, cfg); len(nodes)+len(held) > 0 {
		t.Errorf("left are the nodes %v and the leases %v", nodes, held)
	}
}

// TestAStartThatFailsLeavesNothing: another node, or the next start, need not wait for what this one would have left.
func TestAStartThatFailsLeavesNothing(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, cfg config.Config) {
		log := slog.New(slog.DiscardHandler)
		bad := cfg
		bad.MasterKey = "not a key" // which shows when records and broker are open
		if _, err := Open(t.Context(), bad, log); err == nil || !strings.Contains(err.Error(), "PEAL_MASTER_KEY") {
			t.Fatalf("it should fail for its key: %v", err)
		}
		wantNothingLeft(t, cfg)

		taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer taken.Close()
		bad = cfg
		bad.DebugListen = taken.Addr().String() // when everything runs
		if err := Serve(t.Context(), bad, io.Discard); err == nil || !strings.Contains(err.Error(), "profiler") {
			t.Fatalf("it should fail for the profiler's port: %v", err)
		}
		wantNothingLeft(t, cfg)

		running, err := Start(t.Context(), cfg, log)
		if err != nil {
			t.Fatal(err)
		}
		l, err := running.app.leases.Hold(t.Context(), "task:of the test", peal.RoleTrack)
		if err != nil {
			t.Fatal(err)
		}
		if cfg.DatabaseURL != "" { // a file is one process' own
			if nodes, held := left(t, cfg); len(nodes) != 1 || !slices.Contains(held, "task:of the test") {
				t.Errorf("while it runs there are the nodes %v and the leases %v", nodes, held)
			}
		}
		l.Release()
		if err := running.Stop(time.Minute); err != nil {
			t.Error(err)
		}
		wantNothingLeft(t, cfg)
	})
}

// TestAStartThatFindsAnotherLeavesItAlone: it is refused, and only the other is known after that.
func TestAStartThatFindsAnotherLeavesItAlone(t *testing.T) {
	t.Parallel()
	cfg := config.Default()
	cfg.Data, cfg.DatabaseURL = t.TempDir(), config.Secret(pgtest.URL(t))
	s, err := store.Open(t.Context(), store.Config{URL: string(cfg.DatabaseURL)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Beat(t.Context(), peal.Node{ID: "the other", Roles: []string{ownBroker}}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), joinTime/5)
	defer cancel()
	if _, err := Open(ctx, cfg, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "the other") {
		t.Errorf("it should name the other: %v", err)
	}
	if nodes, _ := left(t, cfg); !slices.Equal(nodes, []string{"the other"}) {
		t.Errorf("known are %v", nodes)
	}
}

// TestWithoutTheBrokerOthersSend: a node that is cut off from it for long gives up what it owns, and may own again when it
// is back.
func TestWithoutTheBrokerOthersSend(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "peal.db")
	synctest.Test(t, func(t *testing.T) {
		s, err := store.Open(t.Context(), store.Config{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		var running sync.WaitGroup
		defer running.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		node := func(id string) (k *lease.Keeper, away *atomic.Bool) {
			k, away = lease.New(lease.Config{Records: s, Node: peal.Node{ID: id, Roles: []string{peal.RoleSend}}}), &atomic.Bool{}
			running.Go(func() { _ = k.Run(ctx) })
			running.Go(func() {
				ready := func() error {
					if away.Load() {
						return errors.New("no servers")
					}
					return nil
				}
				watchBroker(ctx, ready, func(able bool) { k.Able(peal.RoleSend, able) })
			})
			return k, away
		}
		hold := func(k *lease.Keeper) *lease.Lease {
			l, err := k.Hold(ctx, "integration:x", peal.RoleSend)
			if err != nil {
				t.Fatal(err)
			}
			return l
		}
		a, aAway := node("a")
		l := hold(a)
		aAway.Store(true)
		<-time.After(brokerPatience - 2*time.Second)
		aAway.Store(false)
		<-time.After(lease.TTL)
		select {
		case <-l.Done():
			t.Error("it gave up for a broker that was away for a moment")
		default:
		}

		b, bAway := node("b")
		aAway.Store(true)
		gone := time.Now()
		<-l.Done()
		if passed := time.Since(gone); passed > brokerPatience+lease.TTL/2 {
			t.Errorf("it gave up after %s", passed)
		}
		l.Release()
		l = hold(b)

		aAway.Store(false)
		bAway.Store(true)
		<-l.Done()
		l.Release()
		hold(a).Release()
	})
}
