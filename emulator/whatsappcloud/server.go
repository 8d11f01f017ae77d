package whatsappcloud

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
	errors errorTable
	schema map[string]*rule
	player *player
	outbox outbox
	faults faults

	done   chan struct{} // closed by Close
	cancel context.CancelFunc

	mu         sync.Mutex
	closed     bool
	accounts   map[string]*account
	accountIDs []string
	numbers    map[string]*number
	numberIDs  []string
	users      map[string]*user // by "account/phone" and "account/user id"
	pairs      map[string]*pair
	media      map[string]*media
	store      store
	script     *Script
	scriptFor  map[string]*Script
	noNumber   NumberCounts
	byStatus   map[int]int64
	serial     uint64 // of ids
}

var _ http.Handler = (*Server)(nil)

// New makes a server and starts its webhook player. It panics when the options
// are invalid (two numbers with one id, a bad URL, a bad script): they are
// written by the programmer of a test.
func New(opt Options) *Server {
	opt = opt.withDefaults()
	if err := opt.Script.validate(); err != nil {
		panic("whatsappcloud: Options.Script: " + err.Error())
	}
	s := &Server{
		opt:    opt,
		epoch:  opt.Clock(),
		errors: newErrorTable(opt),
		schema: messageSchema(),
		done:   make(chan struct{}),
		// So that ids are not repeated after a restart against a caller who kept its records.
		serial: uint64(time.Now().UnixMicro()),
	}
	s.setup()
	// Last: what panics above must not leave goroutines behind.
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel, s.player = cancel, newPlayer(ctx, opt.Webhooks, opt.Logger)
	return s
}

// setup puts everything to the state of a new server. The caller holds mu, or
// is alone.
func (s *Server) setup() {
	s.accounts, s.accountIDs = map[string]*account{}, nil
	s.numbers, s.numberIDs = map[string]*number{}, nil
	s.users, s.pairs, s.media = map[string]*user{}, map[string]*pair{}, map[string]*media{}
	s.store = newStore(s.opt.KeepMessages)
	s.noNumber, s.byStatus = NumberCounts{}, map[int]int64{}
	script := s.opt.Script.clone()
	s.script, s.scriptFor = &script, map[string]*Script{}
	for _, c := range s.opt.Accounts {
		if err := s.addAccount(c); err != nil {
			panic("whatsappcloud: Options.Accounts: " + err.Error())
		}
	}
}

// Reset forgets messages, users, media, counts, faults and waiting webhooks;
// accounts, numbers, templates and script become those of the options again.
// Ids go on counting, so that a late webhook of before cannot be taken for a
// new one's.
func (s *Server) Reset() {
	s.ClearFaults()
	s.player.clear()
	s.outbox.clear()
	s.mu.Lock()
	defer s.mu.Unlock()
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
	body    []byte
	now     time.Time
	version string
	route   string // as faults name it
	key     string // token, or the gateway's key
	num     *number
	acc     *account
	id      string // the object in the path
	target  target
}

func (s *Server) ns(t time.Time) int64 { return int64(t.Sub(s.epoch)) }

// ServeHTTP serves the vendor's routes and the control routes.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	select {
	case <-s.done:
		http.Error(w, "The emulator is closed.", http.StatusServiceUnavailable)
		return
	default:
	}
	limit := s.opt.MaxBody
	if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/form-data") {
		limit = maxUpload + 1<<20
	}
	body, err := readBody(w, r, limit)
	req := &request{Request: r, body: body, now: s.opt.Clock()}
	if path, ok := strings.CutPrefix(r.URL.Path, "/_emulator/"); ok {
		s.control(w, req, path, err)
		return
	}
	s.vendor(w, req, err)
}

func (s *Server) vendor(w http.ResponseWriter, req *request, bodyErr error) {
	call, refused := s.locate(req)
	if req.route == routeSend || req.route == routeRead {
		req.target = peek(req)
		if req.target.read {
			req.route = routeRead
		} else {
			s.countArrival(req)
		}
	}
	f := s.pickFault(req)
	if f != nil && !f.TakeFirst {
		if rep, ended := s.faultBefore(req, f); ended {
			s.finish(w, req, rep)
			return
		}
	}
	rep := s.answer(req, call, refused, bodyErr)
	if f != nil && f.TakeFirst {
		rep = s.faultAfter(req, f, rep)
	}
	s.finish(w, req, rep)
}

func (s *Server) answer(req *request, call handler, refused *refusal, bodyErr error) reply {
	if refused != nil {
		return s.refused(refused)
	}
	if refused := s.authorise(req); refused != nil {
		return s.refused(refused).as(outcomeUnauthorized)
	}
	if bodyErr != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](bodyErr); ok {
			return s.refused(graph(http.StatusRequestEntityTooLarge, 1, 0, "", "The request body is too large.")).as(outcomeMalformed)
		}
		return s.refused(graph(http.StatusBadRequest, 1, 0, "", "The request body could not be read.")).as(outcomeMalformed)
	}
	return call(s, req)
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
