package load

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"peal/bench/internal/fakepeal"
	"peal/bench/internal/http1"
	"peal/bench/internal/standin"
	"peal/bench/internal/tally"
)

type bundle struct {
	addr  string // the fake Peal's
	tally *tally.Tally
	prov  *standin.Server
	// drained closes the fake Peal, which sends all that it still has.
	drained func() tally.Report
}

func setup(t *testing.T, faults fakepeal.Faults) *bundle {
	t.Helper()
	prov, err := standin.New("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = prov.Close() })
	ta := tally.New(1, 0, 10_000)
	prov.Record(ta)
	fake := fakepeal.New("op", faults)
	fake.SendTo("http://" + prov.Addr() + "/api")
	srv := httptest.NewServer(fake)
	t.Cleanup(srv.Close)
	return &bundle{addr: srv.Listener.Addr().String(), tally: ta, prov: prov, drained: func() tally.Report {
		srv.Close()
		fake.Close()
		return ta.Report()
	}}
}

func (b *bundle) config(req *Request, messages int) Config {
	return Config{Addr: b.addr, Request: req, Connections: 8, Messages: messages, Tally: b.tally}
}

func TestClosed(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		req      func(addr string) *Request
		messages int
		want     int
	}{
		"single":           {func(a string) *Request { return Single(a, "the-key", 1) }, 500, 500},
		"batch":            {func(a string) *Request { return Batch(a, "the-key", 1, 50) }, 480, 500},
		"more than places": {func(a string) *Request { return Batch(a, "the-key", 1, 999) }, 20_000, 9990},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, fakepeal.Faults{})
			if err := Closed(t.Context(), b.config(tt.req(b.addr), tt.messages), 0); err != nil {
				t.Fatal(err)
			}
			r := b.drained()
			if r.Accepted != tt.want || !r.ExactlyOnce() || b.prov.Counts() != (standin.Counts{}) {
				t.Errorf("accepted %d, want %d; %+v", r.Accepted, tt.want, b.prov.Counts())
			}
			for i, lat := range r.ToProvider {
				if lat <= 0 || r.Accept[i] <= 0 || lat != r.Accept[i]+r.After202[i] {
					t.Fatalf("latencies %d, %d, %d", r.Accept[i], lat, r.After202[i])
				}
			}
		})
	}
}

func TestClosedForAWhile(t *testing.T) {
	t.Parallel()
	b := setup(t, fakepeal.Faults{})
	if err := Closed(t.Context(), b.config(Single(b.addr, "the-key", 1), 10_000), 20*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if r := b.drained(); r.Accepted == 0 || !r.ExactlyOnce() {
		t.Errorf("accepted %d", r.Accepted)
	}
}

func TestClosedDirect(t *testing.T) {
	t.Parallel()
	b := setup(t, fakepeal.Faults{})
	cfg := b.config(Direct(b.prov.Addr(), "k", 1), 300)
	cfg.Addr = b.prov.Addr()
	if err := Closed(t.Context(), cfg, 0); err != nil {
		t.Fatal(err)
	}
	if r := b.drained(); r.Accepted != 300 || !r.ExactlyOnce() {
		t.Errorf("%d accepted, %d missing", r.Accepted, r.Missing)
	}
}

func TestFaultsAreNoticed(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		faults                        fakepeal.Faults
		missing, duplicate, uninvited int
		refused                       bool
	}{
		"lost":                {faults: fakepeal.Faults{Lose: 120}, missing: 1},
		"twice":               {faults: fakepeal.Faults{Double: 120}, duplicate: 1},
		"refused":             {faults: fakepeal.Faults{Refuse: 120}, refused: true},
		"refused but sent":    {faults: fakepeal.Faults{Stray: 120}, refused: true, uninvited: 1},
		"lost and then twice": {faults: fakepeal.Faults{Lose: 1, Double: 2}, missing: 1, duplicate: 1},
	} {
		for kind, req := range map[string]func(addr string) *Request{
			"single": func(a string) *Request { return Single(a, "the-key", 1) },
			"batch":  func(a string) *Request { return Batch(a, "the-key", 1, 20) },
		} {
			t.Run(name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				b := setup(t, tt.faults)
				err := Closed(t.Context(), b.config(req(b.addr), 400), 0)
				r := b.drained()
				if (err != nil) != tt.refused || r.Missing != tt.missing || r.Duplicates != tt.duplicate || r.Uninvited != tt.uninvited {
					t.Errorf("%v; %d missing, %d twice, %d uninvited", err, r.Missing, r.Duplicates, r.Uninvited)
				}
				if err != nil && !strings.Contains(err.Error(), "422") {
					t.Errorf("the error does not name the status: %v", err)
				}
			})
		}
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	b := setup(t, fakepeal.Faults{})
	late, err := Open(t.Context(), b.config(Single(b.addr, "the-key", 1), 200), 2000)
	if err != nil {
		t.Fatal(err)
	}
	r := b.drained()
	if len(late) != 200 || r.Accepted != 200 || !r.ExactlyOnce() {
		t.Errorf("%d sent, %d accepted, %d missing", len(late), r.Accepted, r.Missing)
	}
	// The schedule takes 99.5 ms from the first to the last, however fast the server is.
	if took := r.LastAccepted - r.FirstSent; took < int64(99*time.Millisecond) {
		t.Errorf("took %v", time.Duration(took))
	}
}

// A server that stalls is charged for every request that was due meanwhile.
func TestOpenChargesForWaiting(t *testing.T) {
	t.Parallel()
	gate := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		<-gate
		w.WriteHeader(http.StatusAccepted)
	}))
	t.Cleanup(srv.Close)
	ta := tally.New(1, 0, 100)
	timer := time.AfterFunc(60*time.Millisecond, func() { close(gate) })
	t.Cleanup(func() { timer.Stop() })
	addr := srv.Listener.Addr().String()
	// One connection, due every millisecond: the first waits 60 ms, the second 59 ms, and so on.
	late, err := Open(t.Context(), Config{Addr: addr, Request: Single(addr, "k", 1), Connections: 1, Messages: 40, Tally: ta}, 1000)
	if err != nil {
		t.Fatal(err)
	}
	lat := ta.Report().Accept
	if lat[0] < int64(55*time.Millisecond) || lat[30] < int64(25*time.Millisecond) || late[30] < int64(25*time.Millisecond) {
		t.Errorf("accept latency of request 0: %v, of 30: %v, sent late by %v", time.Duration(lat[0]), time.Duration(lat[30]), time.Duration(late[30]))
	}
}

func TestOpenRefused(t *testing.T) {
	t.Parallel()
	b := setup(t, fakepeal.Faults{Refuse: 50})
	_, err := Open(t.Context(), b.config(Single(b.addr, "the-key", 1), 5000), 5000)
	if err == nil || !strings.Contains(err.Error(), "422") {
		t.Errorf("got %v, want the refusal", err)
	}
	if r := b.drained(); r.Missing != 0 || r.Duplicates != 0 {
		t.Errorf("%d missing, %d twice", r.Missing, r.Duplicates)
	}
}

// A server that dies breaks idle and busy connections alike.
func TestServerDies(t *testing.T) {
	t.Parallel()
	for name, loop := range map[string]func(context.Context, Config) error{
		"closed": func(ctx context.Context, cfg Config) error { return Closed(ctx, cfg, 0) },
		"open":   func(ctx context.Context, cfg Config) error { _, err := Open(ctx, cfg, 5000); return err },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var seen atomic.Int64
			die := make(chan struct{})
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if seen.Add(1) == 30 {
					close(die)
				}
				w.WriteHeader(http.StatusAccepted)
			}))
			t.Cleanup(srv.Close)
			go func() {
				<-die
				srv.CloseClientConnections()
			}()
			addr := srv.Listener.Addr().String()
			cfg := Config{Addr: addr, Request: Single(addr, "k", 1), Connections: 64, Messages: 50_000, Tally: tally.New(1, 0, 50_000)}
			if err := loop(t.Context(), cfg); err == nil || t.Context().Err() != nil {
				t.Errorf("got %v", err)
			}
		})
	}
}

// A server that never answers does not outlive the context.
func TestLoopsEndWithContext(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	addr := ln.Addr().String()
	for name, loop := range map[string]func(context.Context, Config) error{
		"closed": func(ctx context.Context, cfg Config) error { return Closed(ctx, cfg, 0) },
		"open":   func(ctx context.Context, cfg Config) error { _, err := Open(ctx, cfg, 1000); return err },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
			defer cancel()
			cfg := Config{Addr: addr, Request: Single(addr, "k", 1), Connections: 2, Messages: 10, Tally: tally.New(1, 0, 10)}
			if err := loop(ctx, cfg); err == nil {
				t.Error("no error")
			}
		})
	}
}

// What is built by hand must be what net/http and encoding/json read.
func TestRequestBytes(t *testing.T) {
	t.Parallel()
	ta := tally.New(12, 0, 5000)
	for name, tt := range map[string]struct {
		req   *Request
		items int
	}{
		"single": {Single("h:1", "the-key", 12), 1},
		"batch":  {Batch("h:1", "the-key", 12, 3), 3},
		"direct": {Direct("h:1", "the-key", 12), 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			raw := tt.req.clone().number(ta, 4000, 77)
			r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(string(raw))))
			if err != nil {
				t.Fatal(err)
			}
			if r.Header.Get("Authorization") != "Bearer the-key" || r.Host != "h:1" || tt.req.Size() != tt.items {
				t.Errorf("%v, %d items", r.Header, tt.req.Size())
			}
			var v any
			if err := json.NewDecoder(r.Body).Decode(&v); err != nil {
				t.Fatal(err)
			}
			if over := int(r.ContentLength) - tt.items*itemSize; over < 0 || over > 30 {
				t.Errorf("%d bytes for %d items", r.ContentLength, tt.items)
			}
			for i := range tt.items {
				for _, part := range []string{fmt.Sprintf("%s%08d", tally.PhonePrefix, ta.Phone(4000+i)), "seq=000000400" + string(rune('0'+i)) + " sent=0000000000000077"} {
					if !strings.Contains(string(raw), part) {
						t.Errorf("no %q in the request", part)
					}
				}
			}
		})
	}
}

func TestRecordBatch(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		body     string
		accepted int
		bad      bool
	}{
		"all":           {`{"results":[{"status":202},{"status":202}]}`, 2, false},
		"with space":    {`{"results": [{"status": 202}, {"status": 202}]}`, 2, false},
		"one refused":   {`{"results":[{"status":202},{"status":422,"error":{"code":"x"}}]}`, 1, true},
		"too few":       {`{"results":[{"status":202}]}`, 0, true},
		"not an object": {`[]`, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ta := tally.New(1, 0, 2)
			ta.Sent(0, 1)
			ta.Sent(1, 1)
			err := Batch("h", "k", 1, 2).record(ta, 0, &http1.Response{Status: 202, Body: []byte(tt.body)}, 5)
			if (err != nil) != tt.bad || ta.Report().Accepted != tt.accepted {
				t.Errorf("%d accepted, %v", ta.Report().Accepted, err)
			}
		})
	}
}
