package fcm

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"peal/internal/netguard"
)

// road is a server over TLS, with HTTP/2, and lanes to it.
type road struct {
	*lanes
	url    string
	dials  atomic.Int64
	refuse atomic.Bool
	held   chan struct{} // a dial waits for it, if not nil
}

func newRoad(t *testing.T, concurrency int, h http.HandlerFunc) *road {
	t.Helper()
	srv := httptest.NewUnstartedServer(h)
	srv.EnableHTTP2 = true
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	conf := srv.Client().Transport.(*http.Transport).TLSClientConfig
	r := &road{url: srv.URL}
	r.lanes = newLanes(func() *http.Transport {
		return netguard.Over(func(ctx context.Context, network, address string) (net.Conn, error) {
			r.dials.Add(1)
			if r.held != nil {
				<-r.held
			}
			if r.refuse.Load() {
				return nil, errors.New("refused")
			}
			return (&net.Dialer{}).DialContext(ctx, network, address)
		}, conf.Clone())
	}, concurrency)
	t.Cleanup(r.close)
	return r
}

func (r *road) call(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url, nil)
	if err != nil {
		return err
	}
	res, err := r.RoundTrip(req)
	if err != nil {
		return err
	}
	return res.Body.Close()
}

// many makes calls at once, and gives how many failed.
func (r *road) many(n int) int {
	var failed atomic.Int64
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			if r.call(context.Background()) != nil {
				failed.Add(1)
			}
		})
	}
	wg.Wait()
	return int(failed.Load())
}

// TestOneConnectionPerLane: at once, from nothing, and none of them ends before all have come.
func TestOneConnectionPerLane(t *testing.T) {
	t.Parallel()
	const calls = 2*laneCalls + 5
	var arrived atomic.Int64
	all := make(chan struct{})
	r := newRoad(t, calls, func(http.ResponseWriter, *http.Request) {
		if arrived.Add(1) == calls {
			close(all)
		}
		<-all
	})
	if n := r.many(calls); n > 0 {
		t.Errorf("%d failed", n)
	}
	if n := r.dials.Load(); n != 3 {
		t.Errorf("%d connections, want 3", n)
	}
}

// TestMoreThanTheLanes: who finds no room is not turned away.
func TestMoreThanTheLanes(t *testing.T) {
	t.Parallel()
	r := newRoad(t, 1, func(http.ResponseWriter, *http.Request) {})
	if n := r.many(5 * laneCalls); n > 0 || len(r.all) > 2 {
		t.Errorf("%d failed, %d lanes", n, len(r.all))
	}
	for _, ln := range r.all {
		if ln.calls != 0 {
			t.Errorf("%d calls are still under way", ln.calls)
		}
	}
}

func TestNoConnectionTellsAll(t *testing.T) {
	t.Parallel()
	r := newRoad(t, 50, func(http.ResponseWriter, *http.Request) {})
	r.held = make(chan struct{})
	r.refuse.Store(true)
	failed := make(chan int)
	go func() { failed <- r.many(50) }()
	for r.waiting() < 50 {
		select {
		case n := <-failed:
			t.Fatalf("%d failed before there was a dial", n)
		case <-time.After(time.Millisecond):
		}
	}
	close(r.held)
	if n := <-failed; n != 50 {
		t.Errorf("%d failed", n)
	}
	if n := r.dials.Load(); n > 40 { // who came to look after the dial had failed dials for himself
		t.Errorf("%d dials for 50 calls", n)
	}
	r.refuse.Store(false)
	if err := r.call(t.Context()); err != nil {
		t.Errorf("when it can be reached again: %v", err)
	}
}

// waiting is how many calls are on the lanes.
func (r *road) waiting() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, ln := range r.all {
		n += ln.calls
	}
	return n
}

// TestTheFirstGivesUp: then another goes ahead.
func TestTheFirstGivesUp(t *testing.T) {
	t.Parallel()
	r := newRoad(t, 10, func(http.ResponseWriter, *http.Request) {})
	r.held = make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error)
	go func() { first <- r.call(ctx) }()
	for r.dials.Load() == 0 {
		select {
		case err := <-first:
			t.Fatal(err)
		case <-time.After(time.Millisecond):
		}
	}
	others := make(chan int)
	go func() { others <- r.many(9) }()
	for r.waiting() < 10 {
		select {
		case <-others:
			t.Fatal("the others did not wait")
		case <-time.After(time.Millisecond):
		}
	}
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("the first: %v", err)
	}
	close(r.held)
	if n := <-others; n != 0 {
		t.Errorf("%d of the others failed", n)
	}
}
