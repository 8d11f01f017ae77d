// Package standin is a stand-in for the WhatsApp provider that costs next to nothing: it takes messages, notes when
// each came, and says yes. For a provider that behaves like the real one, use the emulator of the main module.
package standin

import (
	"bufio"
	"net"
	"sync"
	"sync/atomic"

	"peal/bench/internal/http1"
	"peal/bench/internal/tally"
)

// Counts is what came beside the messages of the current tally.
type Counts struct {
	Lookups int64 // GETs that were answered
	Strays  int64 // messages of no run or of an earlier one
	Unknown int64 // requests that were answered with 404
}

// Server is the stand-in. It listens from New to Close.
type Server struct {
	ln    net.Listener
	tally atomic.Pointer[tally.Tally]

	lookups, strays, unknown atomic.Int64

	mu    sync.Mutex
	conns map[net.Conn]struct{} // nil once closed
	wg    sync.WaitGroup
}

// New listens on addr, such as "127.0.0.1:0", and serves.
func New(addr string) (*Server, error) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	s := &Server{ln: ln, conns: map[net.Conn]struct{}{}}
	s.wg.Go(s.accept)
	return s, nil
}

// Addr is where the stand-in listens.
func (s *Server) Addr() string { return s.ln.Addr().String() }

// Record notes arrivals in t from now on.
func (s *Server) Record(t *tally.Tally) { s.tally.Store(t) }

// Counts tells what has come so far beside recorded messages.
func (s *Server) Counts() Counts {
	return Counts{Lookups: s.lookups.Load(), Strays: s.strays.Load(), Unknown: s.unknown.Load()}
}

// Close drops all connections and waits until nothing of the server runs any more.
func (s *Server) Close() error {
	err := s.ln.Close()
	s.mu.Lock()
	for c := range s.conns {
		_ = c.Close() // nobody is to get an answer any more
	}
	s.conns = nil
	s.mu.Unlock()
	s.wg.Wait()
	return err
}

func (s *Server) accept() {
	for {
		c, err := s.ln.Accept()
		if err != nil {
			return // closed
		}
		s.mu.Lock()
		if s.conns == nil {
			s.mu.Unlock()
			_ = c.Close() // came while closing
			return
		}
		s.conns[c] = struct{}{}
		s.wg.Go(func() { s.serve(c) })
		s.mu.Unlock()
	}
}

func (s *Server) serve(c net.Conn) {
	defer func() {
		_ = c.Close() // the peer is gone, or is to go
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
	}()
	var (
		br  = bufio.NewReaderSize(c, 4<<10)
		req http1.Request
		ans = newAnswerer(s)
	)
	for {
		if err := req.Read(br); err != nil {
			return
		}
		if _, err := c.Write(ans.answer(&req)); err != nil || req.Close {
			return
		}
	}
}
