package webpush

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// FaultKind is what goes wrong.
type FaultKind string

// Kinds of fault. "Before" means that the message was not taken, "after" that
// it was: it counts and is shown.
const (
	// FaultStatus answers with Status and the fields below it, before taking the
	// message, or after it when TakeFirst is set.
	FaultStatus FaultKind = "status"
	// FaultDelay only waits (Delay), before taking or, with TakeFirst, after.
	FaultDelay FaultKind = "delay"
	// FaultHold waits until the fault is removed (or the caller goes away).
	FaultHold FaultKind = "hold"
	// FaultDropBefore closes the connection without taking the message.
	FaultDropBefore FaultKind = "drop_before"
	// FaultDropAfter takes the message and closes the connection.
	FaultDropAfter FaultKind = "drop_after"
)

// Fault is something that goes wrong with pushes.
type Fault struct {
	Kind FaultKind `json:"kind"`
	// Endpoint it happens to. Empty: any.
	Endpoint string `json:"endpoint,omitempty"`
	// Times it happens (default 1), or Every time.
	Times int  `json:"times,omitempty"`
	Every bool `json:"every,omitempty"`
	// Delay comes first, with every kind.
	Delay     time.Duration `json:"-"`
	TakeFirst bool          `json:"take_first,omitempty"`

	// Status 200 to 599. Without Body, Errno and Reason the answer has the body
	// that autopush gives with it, or ntfy with 429 and 507.
	Status int `json:"status,omitempty"`
	// Errno is the number in a body of autopush's shape: 404 has 102, 410 has
	// 103, 105 or 106.
	Errno int `json:"errno,omitempty"`
	// Reason makes a body of Apple's shape: VapidPkHashMismatch, BadJwtToken.
	Reason      string `json:"reason,omitempty"`
	Body        string `json:"body,omitempty"`
	ContentType string `json:"content_type,omitempty"` // of Body
	// RetryAfter is the header as it is; RetryAfterIn makes it an HTTP date so
	// long from now.
	RetryAfter   string        `json:"retry_after,omitempty"`
	RetryAfterIn time.Duration `json:"-"`
	Location     string        `json:"location,omitempty"` // with 301 and 308
}

// FaultInfo is a fault with its id and what it did so far.
type FaultInfo struct {
	Fault

	ID   int64 `json:"id"`
	Hits int   `json:"hits"`
	Done bool  `json:"done"` // has happened as often as asked
}

const (
	maxFaults     = 1000
	maxFaultDelay = 10 * time.Minute
)

type activeFault struct {
	FaultInfo

	release chan struct{} // closed when removed
}

type faults struct {
	live atomic.Int64 // not done: lets a push without faults skip the lock
	mu   sync.Mutex
	next int64
	list []*activeFault
}

func (f *Fault) validate() error {
	kinds := []FaultKind{FaultStatus, FaultDelay, FaultHold, FaultDropBefore, FaultDropAfter}
	isStatus := f.Kind == FaultStatus
	answers := f.Status != 0 || f.Errno != 0 || f.RetryAfterIn != 0 || f.Reason+f.Body+f.ContentType+f.RetryAfter+f.Location != ""
	switch {
	case !slices.Contains(kinds, f.Kind):
		return fmt.Errorf("kind: %q is none of %v", f.Kind, kinds)
	case !isStatus && answers:
		return fmt.Errorf("status, errno, reason, body, content_type, retry_after, location: not with kind %q", f.Kind)
	case isStatus && (f.Status < 200 || f.Status > 599):
		return fmt.Errorf("status: must be 200 to 599, is %d", f.Status)
	case (f.Errno != 0 && f.Reason != "") || (f.Body != "" && (f.Errno != 0 || f.Reason != "")):
		return errors.New("body, errno, reason: only one of them")
	case f.RetryAfter != "" && f.RetryAfterIn != 0:
		return errors.New("retry_after: not together with retry_after_in")
	case strings.ContainsAny(f.RetryAfter+f.Location+f.ContentType, "\r\n"):
		return errors.New("retry_after, location, content_type: must be one line")
	case f.TakeFirst && f.Kind == FaultDropBefore:
		return fmt.Errorf("take_first: not with kind %q", f.Kind)
	case f.Delay < 0 || f.Delay > maxFaultDelay || f.RetryAfterIn < 0:
		return fmt.Errorf("delay: must be 0 to %s", maxFaultDelay)
	case f.Kind == FaultDelay && f.Delay == 0:
		return errors.New(`delay: is required with kind "delay"`)
	case f.Times < 0:
		return errors.New("times: must not be negative")
	case f.Every && f.Times > 0:
		return errors.New("every: not together with times")
	}
	return nil
}

// AddFault starts a fault and returns its id. Among several that match, the
// oldest acts.
func (s *Server) AddFault(f Fault) (int64, error) {
	if err := f.validate(); err != nil {
		return 0, fmt.Errorf("fault: %w", err)
	}
	if f.Times == 0 && !f.Every {
		f.Times = 1
	}
	f.TakeFirst = f.TakeFirst || f.Kind == FaultDropAfter
	fs := &s.faults
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if len(fs.list) >= maxFaults {
		fs.list = slices.DeleteFunc(fs.list, func(a *activeFault) bool { return a.Done })
		if len(fs.list) >= maxFaults {
			return 0, fmt.Errorf("fault: more than %d at once", maxFaults)
		}
	}
	fs.next++
	fs.list = append(fs.list, &activeFault{FaultInfo: FaultInfo{Fault: f, ID: fs.next}, release: make(chan struct{})})
	fs.live.Add(1)
	return fs.next, nil
}

// Faults lists the faults, those that are done too.
func (s *Server) Faults() []FaultInfo {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	list := make([]FaultInfo, len(s.faults.list))
	for i, a := range s.faults.list {
		list[i] = a.FaultInfo
	}
	return list
}

// RemoveFault ends a fault and releases what it holds.
func (s *Server) RemoveFault(id int64) error {
	if s.removeFaults(func(a *activeFault) bool { return a.ID == id }) == 0 {
		return missing(errors.New("fault " + strconv.FormatInt(id, 10) + ": not found"))
	}
	return nil
}

// ClearFaults ends all faults and releases what they hold.
func (s *Server) ClearFaults() { s.removeFaults(func(*activeFault) bool { return true }) }

func (s *Server) removeFaults(which func(*activeFault) bool) int {
	fs := &s.faults
	fs.mu.Lock()
	defer fs.mu.Unlock()
	before := len(fs.list)
	fs.list = slices.DeleteFunc(fs.list, func(a *activeFault) bool {
		if !which(a) {
			return false
		}
		close(a.release)
		if !a.Done {
			fs.live.Add(-1)
		}
		return true
	})
	return before - len(fs.list)
}

// pickFault returns the fault that acts on this push, if any.
func (s *Server) pickFault(endpoint string) *activeFault {
	fs := &s.faults
	if fs.live.Load() == 0 {
		return nil
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for _, a := range fs.list {
		if a.Done || (a.Endpoint != "" && a.Endpoint != endpoint) {
			continue
		}
		a.Hits++
		if a.Times > 0 && a.Hits == a.Times {
			a.Done = true
			fs.live.Add(-1)
		}
		return a
	}
	return nil
}

// hold waits as the fault says; false when the request is over.
func (s *Server) hold(r *http.Request, a *activeFault) bool {
	if !s.pause(r, a.Delay) {
		return false
	}
	if a.Kind != FaultHold {
		return true
	}
	readAhead(r)
	select {
	case <-a.release:
		return true
	case <-r.Context().Done():
		return false
	case <-s.done:
		return false
	}
}

// readAhead reads a body and puts it back: only then net/http notices that the
// caller goes away.
func readAhead(r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, MaxBody+1))
	rest := io.Reader(r.Body)
	if err != nil {
		rest = errReader{err}
	}
	r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), rest))
}

// errReader gives an error that was met before.
type errReader struct{ err error }

func (e errReader) Read([]byte) (int, error) { return 0, e.err }

// faultBefore acts before the push is served. ended means that rep is the
// answer; otherwise the push goes on as usual.
func (s *Server) faultBefore(r *http.Request, a *activeFault) (rep reply, ended bool) {
	switch waited := s.hold(r, a); {
	case !waited, a.Kind == FaultDropBefore:
		return reply{drop: true, outcome: outcomeFaulted}, true
	case a.Kind == FaultStatus:
		rep = a.answer(s.opt.Clock())
		rep.outcome = outcomeFaulted
		return rep, true
	}
	return reply{}, false
}

// faultAfter changes the answer of a push that was served.
func (s *Server) faultAfter(r *http.Request, a *activeFault, rep reply) reply {
	if !s.hold(r, a) || a.Kind == FaultDropAfter {
		rep.drop = true
	} else if a.Kind == FaultStatus {
		f := a.answer(s.opt.Clock())
		rep.status, rep.header, rep.body = f.status, f.header, f.body
	}
	if rep.message != nil && (rep.drop || rep.status >= 300) {
		s.mu.Lock()
		x, _ := s.find(rep.message.Endpoint) // nil after a reset: only the totals count it
		s.mu.Unlock()
		s.answerLost(x, rep.message)
	}
	return rep
}
