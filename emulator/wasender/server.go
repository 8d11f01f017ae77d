package wasender

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Server is the stand-in. It is an http.Handler and safe for concurrent use.
type Server struct {
	opt    Options
	epoch  time.Time // zero of the times kept as ns
	player *player
	faults faults

	done   chan struct{} // closed by Close
	cancel context.CancelFunc

	mu          sync.Mutex
	closed      bool
	sessions    map[int64]*session
	byKey       map[string]*session
	nextSession int64
	store       store
	script      *Script
	scriptFor   map[string]*Script
	noSession   SessionCounts
	removed     SessionCounts // of sessions that are gone
	byStatus    map[int]int64
	absent      map[string]bool // Options.NotOnWhatsApp
	routes      []route
	inbound     int64 // messages played with PlayInbound
}

var _ http.Handler = (*Server)(nil)

// New makes a server and starts its webhook player. It panics when the options
// are invalid (two sessions with one key, a bad URL, a bad script): they are
// written by the programmer of a test.
func New(opt Options) *Server {
	opt = opt.withDefaults()
	if err := opt.Script.validate(); err != nil {
		panic("wasender: Options.Script: " + err.Error())
	}
	s := &Server{
		opt:    opt,
		epoch:  opt.Now(),
		done:   make(chan struct{}),
		absent: map[string]bool{},
		routes: routes(),
		store:  newStore(opt.KeepMessages, opt.FirstMsgID),
	}
	for _, number := range opt.NotOnWhatsApp {
		s.absent[number] = true
	}
	s.setup()
	// Last: what panics above must not leave goroutines behind.
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel, s.player = cancel, newPlayer(ctx, opt.Webhooks, opt.Logger)
	return s
}

// setup puts everything but the messages to the state of a new server. The
// caller holds mu, or is alone.
func (s *Server) setup() {
	s.sessions, s.byKey, s.nextSession = map[int64]*session{}, map[string]*session{}, 1
	s.noSession, s.removed, s.byStatus = SessionCounts{}, SessionCounts{}, map[int]int64{}
	script := s.opt.Script.clone()
	s.script, s.scriptFor = &script, map[string]*Script{}
	for _, c := range s.opt.Sessions {
		if _, err := s.addSession(c); err != nil {
			panic("wasender: Options.Sessions: " + err.Error())
		}
	}
}

// Reset forgets messages, counts, faults and waiting webhooks; sessions and
// script become those of the options again. msgIds go on counting, so that a
// late webhook of before cannot be taken for a new one's.
func (s *Server) Reset() {
	s.ClearFaults()
	s.player.clear()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.store = newStore(s.opt.KeepMessages, s.store.next)
	s.setup()
}

// Close stops the webhook player, releases held requests and waits until no
// goroutine of the server is left. Later requests get 503. It can be called
// more than once.
func (s *Server) Close() {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	s.mu.Unlock()
	if first {
		close(s.done)
		s.cancel()
	}
	s.player.wait()
}

// Idle waits until no webhook is waiting, being posted or to be tried again.
func (s *Server) Idle(ctx context.Context) error { return s.player.idle(ctx) }

// request is a request on its way through the server.
type request struct {
	*http.Request
	body   []byte
	key    string // bearer token
	sess   *session
	sessID int64
	args   []string // the parts of the path marked * in the route
	now    time.Time
	send   bool // POST /send-message
}

func (s *Server) ns(t time.Time) int64 { return int64(t.Sub(s.epoch)) }

// ServeHTTP serves the vendor's routes and the control routes.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	select {
	case <-s.done:
		writeReply(w, fail(http.StatusServiceUnavailable, "The emulator is closed."), limitView{}, s.opt.Now())
		return
	default:
	}
	body, err := readBody(w, r, s.opt.MaxBody)
	req := &request{Request: r, body: body, key: bearer(r), now: s.opt.Now()}
	if path, ok := strings.CutPrefix(r.URL.Path, "/_emulator/"); ok {
		s.control(w, req, path, err)
		return
	}
	path, ok := strings.CutPrefix(r.URL.Path, s.opt.BasePath)
	if !ok {
		writeReply(w, notFound(r.URL.Path), limitView{limit: nominal, remaining: nominal}, req.now)
		return
	}
	s.vendor(w, req, path, err)
}

func (s *Server) vendor(w http.ResponseWriter, req *request, path string, bodyErr error) {
	req.send = path == "/send-message" && req.Method == http.MethodPost
	if req.send {
		s.countArrival(req)
	}
	f := s.pickFault(req, path)
	if f != nil && !f.TakeFirst {
		if rep, ended := s.faultBefore(req, f); ended {
			s.finish(w, req, rep)
			return
		}
	}
	rep := s.route(req, path, bodyErr)
	if f != nil && f.TakeFirst {
		rep = s.faultAfter(req, f, rep)
	}
	s.finish(w, req, rep)
}

func (s *Server) countArrival(req *request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x := s.byKey[req.key]; x != nil {
		x.counts.Arrived++
		x.arrived.add(s.ns(req.now))
		return
	}
	s.noSession.Arrived++
}

// finish counts the answer of a send and writes it.
func (s *Server) finish(w http.ResponseWriter, req *request, rep reply) {
	s.mu.Lock()
	x := s.byKey[req.key]
	if req.send {
		counts := &s.noSession
		if x != nil {
			counts = &x.counts
		}
		rep.outcome.count(counts)
		status := rep.status
		if rep.drop {
			status = 0
		}
		s.byStatus[status]++
	}
	view := limitView{limit: nominal, remaining: nominal}
	if rep.view != nil {
		view = *rep.view
	} else if x != nil {
		view = x.sends.view(s.ns(s.opt.Now()))
		view.asSeconds = x.ResetInSeconds
	}
	s.mu.Unlock()
	if rep.drop {
		// net/http closes the connection without an answer, and without a log line.
		panic(http.ErrAbortHandler)
	}
	writeReply(w, rep, view, s.opt.Now())
}

func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength > limit {
		return nil, &http.MaxBytesError{Limit: limit}
	}
	if r.ContentLength < 0 {
		return io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	}
	body := make([]byte, r.ContentLength)
	_, err := io.ReadFull(r.Body, body)
	if err == nil {
		// Reading to the end lets net/http notice a caller who goes away.
		_, _ = r.Body.Read(make([]byte, 1))
	}
	return body, err
}

// bodyReply is the answer to a body that could not be read.
func bodyReply(err error) reply {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		// Laravel's own text for a body above the server's limit.
		return fail(http.StatusRequestEntityTooLarge, "The POST data is too large.").as(outcomeMalformed)
	}
	return fail(http.StatusBadRequest, "The request body could not be read.").as(outcomeMalformed)
}

func bearer(r *http.Request) string {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return ""
	}
	return strings.TrimSpace(token)
}
