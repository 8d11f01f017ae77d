package webpush

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Server is the stand-in. It is an http.Handler and safe for concurrent use.
type Server struct {
	opt     Options
	tokens  tokens
	faults  faults
	latency atomic.Int64
	taken   atomic.Int64  // messages, for DecryptOneIn
	done    chan struct{} // closed by Close
	close   sync.Once

	mu       sync.Mutex
	origin   string
	subs     map[string]*subscription // by path
	order    []*subscription
	log      log
	counts   Counts
	byStatus map[int]int64
}

var _ http.Handler = (*Server)(nil)

// New makes a server. It panics when Options.Origin is none: options are
// written by the programmer of a test.
func New(opt Options) *Server {
	s := &Server{opt: opt.withDefaults(), done: make(chan struct{})}
	s.clear()
	s.SetLatency(s.opt.Latency)
	if opt.Origin != "" {
		if err := s.SetOrigin(opt.Origin); err != nil {
			panic("webpush: Options.Origin: " + err.Error())
		}
	}
	return s
}

func (s *Server) clear() {
	s.subs, s.order = map[string]*subscription{}, nil
	s.log, s.counts, s.byStatus = newLog(s.opt.Keep), Counts{}, map[int]int64{}
}

// Reset forgets subscriptions, messages, counts and faults; the latency becomes
// that of the options again.
func (s *Server) Reset() {
	s.ClearFaults()
	s.tokens.clear()
	s.SetLatency(s.opt.Latency)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
}

// Close releases held requests; later ones get 503. It can be called more than
// once.
func (s *Server) Close() { s.close.Do(func() { close(s.done) }) }

// SetLatency makes every answer to a push wait so long.
func (s *Server) SetLatency(d time.Duration) { s.latency.Store(int64(d)) }

// ServeHTTP serves the endpoints, the message resources and the control routes.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	select {
	case <-s.done:
		writeReply(w, refuse(http.StatusServiceUnavailable, errnoBusy, "the emulator is closed"))
		return
	default:
	}
	if path, ok := strings.CutPrefix(r.URL.Path, "/_emulator/"); ok {
		s.control(w, r, path)
		return
	}
	if id, ok := strings.CutPrefix(r.URL.Path, "/message/"); ok {
		writeReply(w, s.cancel(r.Method, id))
		return
	}
	s.mu.Lock()
	x := s.subs[r.URL.Path]
	s.mu.Unlock()
	if x != nil && x.ntfy && r.Method == http.MethodGet && r.URL.Query().Get("up") == "1" {
		writeReply(w, discovery())
		return
	}
	s.push(w, r, x)
}

// push serves a request to an endpoint, known or not.
func (s *Server) push(w http.ResponseWriter, r *http.Request, x *subscription) {
	endpoint := ""
	if x != nil {
		endpoint = x.sub.Endpoint
	}
	var rep reply
	var shown []Shown
	f := s.pickFault(endpoint)
	ended := false
	if f != nil && !f.TakeFirst {
		rep, ended = s.faultBefore(r, f)
	}
	if !ended {
		rep, shown = s.serve(w, r, x)
		s.show(shown...)
		if f != nil && f.TakeFirst {
			rep = s.faultAfter(r, f, rep)
		}
	}
	if !s.pause(r, time.Duration(s.latency.Load())) {
		rep.drop = true
		s.answerLost(x, rep.message)
	}
	s.countAnswer(x, rep)
	if rep.why != "" {
		s.opt.Logger.Debug("push refused", "status", rep.status, "reason", rep.why)
	}
	if rep.drop {
		// net/http closes the connection without an answer, and without a log line.
		panic(http.ErrAbortHandler)
	}
	writeReply(w, rep)
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request, x *subscription) (reply, []Shown) {
	if x == nil {
		rep := refuse(http.StatusNotFound, errnoEndpoint, "no such endpoint")
		rep.outcome = outcomeUnknown
		return rep, nil
	}
	if r.Method != http.MethodPost {
		return refuse(http.StatusMethodNotAllowed, errnoEndpoint, "an endpoint takes POST").with("Allow", http.MethodPost), nil
	}
	p := &push{sub: x, now: s.opt.Clock(), header: r.Header}
	body, err := readBody(w, r)
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		p.large = true
	} else if err != nil {
		return refuse(http.StatusBadRequest, errnoCrypto, "the body could not be read"), nil
	}
	if x.ntfy && p.large { // ntfy cuts it off and says nothing
		p.large = false
	}
	p.body = body
	return s.accept(p)
}

// readBody reads MaxBody bytes at most, and says when there were more.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if n := r.ContentLength; n >= 0 && n <= MaxBody {
		body := make([]byte, n)
		_, err := io.ReadFull(r.Body, body)
		return body, err
	}
	return io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
}

// answerLost notes that the sender will not hear that its message was taken.
func (s *Server) answerLost(x *subscription, m *Message) {
	if m == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !m.AnswerLost {
		m.AnswerLost = true
		s.count(x, func(c *Counts) { c.AnswerLost++ })
	}
}

// pause waits; false when the request is over first.
func (s *Server) pause(r *http.Request, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.Context().Done():
		return false
	case <-s.done:
		return false
	}
}
