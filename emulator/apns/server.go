package apns

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Server is the stand-in. It is safe for concurrent use.
type Server struct {
	opt      Options
	identity *identity
	latency  atomic.Int64
	tokens   tokens
	devices  devices
	faults   faults
	ledger   ledger
	running  sync.WaitGroup

	mu        sync.Mutex
	closed    bool
	refusing  bool
	listeners map[net.Listener]bool
	conns     map[int64]*conn
	lastConn  int64
	past      []ConnInfo
}

// New makes a server, with an authority and a certificate of its own. It panics
// when the options are invalid: they are written by the programmer of a test.
func New(opt Options) *Server {
	s := &Server{opt: opt.withDefaults(), listeners: map[net.Listener]bool{}, conns: map[int64]*conn{}}
	var err error
	if s.identity, err = newIdentity(s.opt.Hosts); err != nil {
		panic("apns: " + err.Error())
	}
	s.latency.Store(int64(s.opt.Latency))
	if err := s.setup(); err != nil {
		panic("apns: Options: " + err.Error())
	}
	return s
}

func (s *Server) setup() error {
	s.tokens = newTokens()
	s.ledger.counts = newCounts()
	s.devices = devices{byToken: map[string]*device{}, apps: map[string]App{}}
	for _, k := range s.opt.Keys {
		if err := s.AddKey(k); err != nil {
			return err
		}
	}
	for _, a := range s.opt.Apps {
		s.AddApp(a)
	}
	for _, d := range s.opt.Devices {
		if err := s.Register(d); err != nil {
			return err
		}
	}
	return nil
}

// CA is the certificate of the server's own authority, in PEM: what a client
// has to trust.
func (s *Server) CA() []byte { return slices.Clone(s.identity.ca) }

// Start listens on an address, such as "127.0.0.1:0", and serves in the
// background until Close.
func (s *Server) Start(addr string) (net.Addr, error) {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", addr)
	if err != nil {
		return nil, err
	}
	s.running.Go(func() { _ = s.Serve(l) }) // ends with Close
	return l.Addr(), nil
}

// Serve serves a listener, over TLS, until Close. It then gives http.ErrServerClosed.
func (s *Server) Serve(l net.Listener) error {
	s.mu.Lock()
	closed := s.closed
	if !closed {
		s.listeners[l] = true
	}
	s.mu.Unlock()
	if closed {
		_ = l.Close() // nobody has it yet
		return http.ErrServerClosed
	}
	for {
		nc, err := l.Accept()
		if err != nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(s.listeners, l)
			if s.closed {
				return http.ErrServerClosed
			}
			return err
		}
		s.accept(nc)
	}
}

func (s *Server) accept(nc net.Conn) {
	c := s.newConn(nc)
	s.mu.Lock()
	if s.closed || s.refusing {
		s.mu.Unlock()
		c.drop()
		return
	}
	s.lastConn++
	c.id = s.lastConn
	c.info = ConnInfo{ID: c.id, Remote: nc.RemoteAddr().String(), OpenedAt: s.opt.Clock(), ByStatus: map[int]int64{}}
	s.conns[c.id] = c
	s.running.Go(func() {
		c.run()
		info := c.stats()
		info.ClosedAt = s.opt.Clock()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.conns, c.id)
		if len(s.past) >= keepConns {
			s.past = slices.Delete(s.past, 0, 1)
		}
		s.past = append(s.past, info)
	})
	s.mu.Unlock()
}

// Close ends all listeners and connections and waits until no goroutine of the
// server is left. It can be called more than once.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	for l := range s.listeners {
		_ = l.Close() // its Serve tells
	}
	s.mu.Unlock()
	s.DropConnections()
	s.running.Wait()
}

// Reset forgets pushes, counts, faults, provider tokens and what devices
// showed; the devices become those of the options again. Keys and apps that
// were added stay, and connections stay open.
func (s *Server) Reset() error {
	s.ClearFaults()
	s.latency.Store(int64(s.opt.Latency))
	s.tokens.mu.Lock()
	clear(s.tokens.known)
	clear(s.tokens.teams)
	s.tokens.mu.Unlock()
	s.ledger.mu.Lock()
	s.ledger.counts, s.ledger.pushes, s.ledger.next = newCounts(), nil, 0
	s.ledger.mu.Unlock()
	s.devices.mu.Lock()
	clear(s.devices.byToken)
	s.devices.mu.Unlock()
	for _, d := range s.opt.Devices {
		if err := s.Register(d); err != nil {
			return errors.New("devices: " + err.Error())
		}
	}
	return nil
}

// SetLatency changes how long every answer takes from now on.
func (s *Server) SetLatency(d time.Duration) { s.latency.Store(int64(max(0, d))) }

// ClientTLS is a client's configuration that trusts this server only.
func (s *Server) ClientTLS() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2"}, RootCAs: s.identity.pool()}
}
