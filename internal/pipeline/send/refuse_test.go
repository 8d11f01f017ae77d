package send_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"peal/api"
	"peal/internal/integration"
	"peal/internal/lease"
	"peal/internal/metrics"
	"peal/internal/peal"
	"peal/internal/pipeline/send"
	"peal/internal/provider"
	"peal/internal/vault"
)

// peer is a node among others: a stage with leases of its own, over the records and the broker of a bundle.
type peer struct {
	*bundle

	directory *integration.Directory
	metrics   *metrics.Metrics
	log       lines
}

// lines is a log that may be read while it is written.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// peer starts a node with these kinds of provider; the byte makes its master key, and the bundle's is 7.
func (b *bundle) peer(id string, key byte, kinds ...provider.Kind) *peer {
	b.Helper()
	p := &peer{bundle: b, metrics: metrics.New()}
	log := slog.New(slog.NewTextHandler(&p.log, nil))
	v, err := vault.New(bytes.Repeat([]byte{key}, 32))
	if err != nil {
		b.Fatal(err)
	}
	p.directory = integration.NewDirectory(b.store, v, kinds, log)
	if key != 7 { // it has one of its own, or its key would be the wrong one altogether
		req := &api.IntegrationRequest{Name: "of " + id, Kind: "carrier", Settings: unlimited()}
		if _, err := integration.NewService(p.directory, b.store, time.Now).Create(b.Context(), "a", req); err != nil {
			b.Fatal(err)
		}
	}
	p.reload()
	k := lease.New(lease.Config{
		Records: b.store, Node: peal.Node{ID: id, Roles: []string{peal.RoleSend}, StartedAt: time.Now()}, TTL: 400 * time.Millisecond,
	})
	s := send.New(send.Config{
		Own:          func(ctx context.Context, id string) (send.Lease, error) { return k.Hold(ctx, id, peal.RoleSend) },
		Refuse:       k.Refuse,
		Integrations: p.directory, Records: b.store, Queues: b.stream, Env: provider.Env{Transport: http.DefaultTransport}, Metrics: p.metrics, Log: log,
		OpenEvery: 5 * time.Millisecond,
	})
	var running sync.WaitGroup
	sctx, stop := context.WithCancel(context.Background())
	kctx, leave := context.WithCancel(context.Background())
	running.Go(func() { _ = k.Run(kctx) })
	ended := make(chan error, 1)
	go func() { ended <- s.Run(sctx) }()
	b.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			b.Error(err)
		}
		leave()
		running.Wait()
	})
	return p
}

func (p *peer) reload() {
	p.Helper()
	if err := p.directory.Reload(p.Context()); err != nil {
		p.Fatal(err)
	}
}

// unopened tells what /metrics says of the integration.
func (p *peer) unopened() bool {
	p.Helper()
	families, err := p.metrics.Registry.Gather()
	if err != nil {
		p.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "peal_integration_unopened" {
			for _, s := range f.GetMetric() {
				if s.GetLabel()[0].GetValue() == p.in.ID {
					return s.GetGauge().GetValue() == 1
				}
			}
		}
	}
	return false
}

// stubborn is a provider that cannot be opened.
type stubborn struct {
	*carrier

	mended atomic.Bool
	tried  atomic.Int64
}

func (s *stubborn) Open(*peal.Integration, provider.Env) (provider.Client, error) {
	s.tried.Add(1)
	if s.mended.Load() {
		return s.carrier, nil
	}
	return nil, errors.New("its key file is not there")
}

// TestWhatANodeCannotOpenAnotherSends: most nodes cannot, so the hash is likely to favour one of them.
func TestWhatANodeCannotOpenAnotherSends(t *testing.T) {
	t.Parallel()
	for name, kinds := range map[string]func(b *bundle) (key byte, kinds []provider.Kind){
		"a binary without the provider": func(*bundle) (byte, []provider.Kind) { return 7, nil },
		"another master key":            func(b *bundle) (byte, []provider.Kind) { return 8, []provider.Kind{b.carrier} },
		"a client that fails":           func(b *bundle) (byte, []provider.Kind) { return 7, []provider.Kind{&stubborn{carrier: b.carrier}} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, unlimited())
			key, kinds := kinds(b)
			var unable []*peer
			for i := range 4 {
				unable = append(unable, b.peer(fmt.Sprint("unable-", i), key, kinds...))
			}
			able := b.peer("able", 7, b.carrier)
			rows := b.send(20)
			b.reaches(peal.Sent, rows...)
			b.called(1, rows...)
			for _, p := range unable {
				b.eventually("it says that it cannot", p.unopened)
				p.reload()
				p.reload()
				if n := strings.Count(p.log.String(), b.in.ID); n != 1 {
					t.Errorf("the log tells %d times of it: %s", n, p.log.String())
				}
			}
			if able.unopened() {
				t.Error("the node that sends says that it cannot")
			}
		})
	}
}

// TestWhatCanBeOpenedAgainIsSent: the only node there is tries on, without a word, until it can.
func TestWhatCanBeOpenedAgainIsSent(t *testing.T) {
	t.Parallel()
	b := setup(t, unlimited())
	kind := &stubborn{carrier: b.carrier}
	p := b.peer("only", 7, kind)
	rows := b.send(3)
	b.eventually("it has tried again", func() bool { return kind.tried.Load() > 5 })
	if log := p.log.String(); strings.Count(log, "its key file is not there") != 1 || !p.unopened() {
		t.Errorf("it should say once that it cannot; the metric says %v, the log %s", p.unopened(), log)
	}
	b.called(0, rows...)
	kind.mended.Store(true)
	b.reaches(peal.Sent, rows...)
	if p.unopened() {
		t.Error("it still says that it cannot")
	}
}

// TestAnOwnerThatCanOpenNoMoreGoes: a change that it does not understand takes the lease from it.
func TestAnOwnerThatCanOpenNoMoreGoes(t *testing.T) {
	t.Parallel()
	b := setup(t, unlimited())
	kind := &stubborn{carrier: b.carrier}
	kind.mended.Store(true)
	first := b.peer("first", 7, kind)
	rows := b.send(3)
	b.reaches(peal.Sent, rows...)
	kind.mended.Store(false)
	b.peer("second", 7, b.carrier)
	if _, err := b.service.Update(t.Context(), "a", b.in.ID, &api.IntegrationPatch{}); err != nil { // everybody opens it anew
		t.Fatal(err)
	}
	first.reload()
	rows = b.send(3)
	b.reaches(peal.Sent, rows...)
	b.eventually("it says that it cannot", first.unopened)
}
