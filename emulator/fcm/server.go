package fcm

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Server is the stand-in. It is an http.Handler and safe for concurrent use.
// Nothing is locked while a body is taken apart and checked.
type Server struct {
	opt      Options
	epoch    time.Time // zero of the times kept as ns
	schema   *schema
	failures map[Failure]row
	faults   faults
	done     chan struct{} // closed by Close
	close    sync.Once

	latency, tokenLatency atomic.Int64 // ns
	nextID                atomic.Int64
	tally                 tally
	kept                  kept

	mu       sync.RWMutex // of the maps: who looks up, locks for reading
	url      string
	accounts map[string]*account // by client_email
	bearers  map[string]bearer   // by access token
	projects map[string]*project // by id
	numbers  map[string]string   // number to id
	devices  map[string]*device  // by token and by fid
}

var _ http.Handler = (*Server)(nil)

// New makes a server.
func New(opt Options) *Server {
	opt = opt.withDefaults()
	s := &Server{
		opt: opt, epoch: opt.Clock(), schema: requestSchema(), failures: failures(), done: make(chan struct{}), url: opt.URL,
		accounts: map[string]*account{}, bearers: map[string]bearer{}, projects: map[string]*project{}, numbers: map[string]string{}, devices: map[string]*device{},
	}
	s.SetLatency(opt.Latency)
	s.SetTokenLatency(opt.TokenLatency)
	s.tally.reset()
	return s
}

// SetURL says where the emulator is reached, once that is known.
func (s *Server) SetURL(url string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.url = strings.TrimSuffix(url, "/")
}

// URL is where the emulator is reached, as Options or SetURL said.
func (s *Server) URL() string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.url
}

// SetLatency changes Options.Latency.
func (s *Server) SetLatency(d time.Duration) { s.latency.Store(int64(d)) }

// SetTokenLatency changes Options.TokenLatency.
func (s *Server) SetTokenLatency(d time.Duration) { s.tokenLatency.Store(int64(d)) }

// Reset forgets devices, faults, counts, what was shown and every access token.
// Service accounts and the projects that they name stay.
func (s *Server) Reset() {
	s.ClearFaults()
	s.mu.Lock()
	s.bearers, s.devices = map[string]bearer{}, map[string]*device{}
	for name := range s.projects {
		s.projects[name] = &project{name: name, number: s.projects[name].number}
	}
	s.mu.Unlock()
	s.SetLatency(s.opt.Latency)
	s.SetTokenLatency(s.opt.TokenLatency)
	s.tally.reset()
	s.kept.reset()
}

// Close ends what waits. Later requests get 503. It can be called more than once.
func (s *Server) Close() {
	s.close.Do(func() { close(s.done) })
}

// reply is an answer that is not written yet, so that a fault can change it.
type reply struct {
	status     int
	kind       string // default: JSON
	body       []byte
	retryAfter string
	failure    Failure
	drop       bool // close the connection instead
}

// request is a request on its way through the server.
type request struct {
	*http.Request
	body    []byte
	bodyErr error
	now     time.Time
	project string // as the path names it
	send    bool

	parsed   bool // root and parseErr are set
	root     value
	parseErr error
}

func (s *Server) ns(t time.Time) int64 { return int64(t.Sub(s.epoch)) }

// ServeHTTP serves the vendor's routes and the control routes.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	select {
	case <-s.done:
		writeReply(w, reply{status: http.StatusServiceUnavailable})
		return
	default:
	}
	req := &request{Request: r, now: s.opt.Clock()}
	req.body, req.bodyErr = readBody(w, r, s.opt.MaxBody)
	if path, ok := strings.CutPrefix(r.URL.Path, "/_emulator/"); ok {
		s.control(w, req, path)
		return
	}
	if r.URL.Path == "/token" && r.Method == http.MethodPost {
		s.answer(w, s.serveToken(req))
		return
	}
	rest, _ := strings.CutPrefix(r.URL.Path, "/v1/projects/")
	name, ok := strings.CutSuffix(rest, "/messages:send")
	if !ok || name == "" || strings.Contains(name, "/") || r.Method != http.MethodPost || len(rest) == len(r.URL.Path) {
		s.answer(w, reply{status: http.StatusNotFound, kind: "text/html; charset=UTF-8",
			body: []byte(htmlPage("404", "The requested URL was not found on this server. That’s all we know."))})
		return
	}
	req.project, req.send = name, true
	s.answer(w, s.serveSend(req))
}

// wait is false when the request is over before.
func (s *Server) wait(req *request, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-req.Context().Done():
	case <-s.done:
	}
	return false
}

func (s *Server) answer(w http.ResponseWriter, rep reply) {
	if rep.drop {
		// net/http closes the connection (or resets the stream) without an
		// answer, and without a log line.
		panic(http.ErrAbortHandler)
	}
	writeReply(w, rep)
}

func writeReply(w http.ResponseWriter, rep reply) {
	h := w.Header()
	kind := "application/json; charset=UTF-8"
	if rep.kind != "" {
		kind = rep.kind
	}
	h["Content-Type"] = []string{kind}
	h["Content-Length"] = []string{strconv.Itoa(len(rep.body))}
	if rep.retryAfter != "" {
		h.Set("Retry-After", rep.retryAfter)
	}
	if rep.status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="https://accounts.google.com/"`)
	}
	w.WriteHeader(rep.status)
	_, _ = w.Write(rep.body) // nobody to tell when the caller has gone
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
