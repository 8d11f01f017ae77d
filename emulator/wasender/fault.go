package wasender

import (
	"errors"
	"fmt"
	"math/rand/v2"
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
// it was: it counts, and its webhooks play.
const (
	// FaultStatus answers with Status, Body and RetryAfter, before taking the
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
	// FaultWrongJSON takes the message and answers 200 with Body (default: JSON
	// that is cut off).
	FaultWrongJSON FaultKind = "wrong_json"
	// FaultEmpty takes the message and answers 200 without a body.
	FaultEmpty FaultKind = "empty"
	// FaultLoggedOut logs the session out, with its session.status event, and
	// answers as a session does that is not connected.
	FaultLoggedOut FaultKind = "logged_out"
)

// Fault is something that goes wrong with requests that match.
type Fault struct {
	Kind FaultKind

	// What it matches. Empty matches everything, except Path: there empty is
	// "/send-message" and "*" is everything. A * at the end of a path stands
	// for any rest.
	Method  string
	Path    string
	To      string // recipient of a send
	Session int64

	// How often: the next Times requests (default 1), or Every one. With
	// Probability, each matching one with that chance, drawn from Seed, and
	// Times of them at most if it is set.
	Times       int
	Every       bool
	Probability float64
	Seed        uint64

	// Delay comes first, with every kind.
	Delay      time.Duration
	TakeFirst  bool // FaultStatus, FaultDelay, FaultHold: take the message first
	Status     int
	Body       string // default: a body in the vendor's shape
	RetryAfter string // header, as it is (seconds or a date)
}

// FaultInfo is a fault with its id and what it did so far.
type FaultInfo struct {
	Fault
	ID   int64
	Hits int
	Done bool // has happened as often as asked
}

const (
	maxFaults     = 1000
	maxFaultDelay = 10 * time.Minute
)

type activeFault struct {
	FaultInfo
	rng     *rand.Rand
	release chan struct{} // closed when removed
}

type faults struct {
	live atomic.Int64 // not done: lets a send without faults skip the lock
	mu   sync.Mutex
	next int64
	list []*activeFault
}

func (f *Fault) normalise() {
	if f.Path == "" {
		f.Path = "/send-message"
	}
	if f.Times == 0 && !f.Every && f.Probability == 0 {
		f.Times = 1
	}
	switch f.Kind {
	case FaultDropAfter, FaultWrongJSON, FaultEmpty:
		f.TakeFirst = true
	case FaultStatus, FaultDelay, FaultHold, FaultDropBefore, FaultLoggedOut:
	}
}

func (f *Fault) validate() error {
	kinds := []FaultKind{FaultStatus, FaultDelay, FaultHold, FaultDropBefore, FaultDropAfter, FaultWrongJSON, FaultEmpty, FaultLoggedOut}
	isStatus := f.Kind == FaultStatus
	switch {
	case !slices.Contains(kinds, f.Kind):
		return fmt.Errorf("kind: %q is none of %v", f.Kind, kinds)
	case isStatus && (f.Status < 200 || f.Status > 599):
		return fmt.Errorf("status: must be 200 to 599, is %d", f.Status)
	case !isStatus && f.Status != 0:
		return fmt.Errorf("status: not with kind %q", f.Kind)
	case f.Body != "" && !isStatus && f.Kind != FaultWrongJSON:
		return fmt.Errorf("body: not with kind %q", f.Kind)
	case f.RetryAfter != "" && !isStatus:
		return fmt.Errorf("retry_after: not with kind %q", f.Kind)
	case strings.ContainsAny(f.RetryAfter, "\r\n"):
		return errors.New("retry_after: must be one line")
	case f.TakeFirst && (f.Kind == FaultDropBefore || f.Kind == FaultLoggedOut):
		return fmt.Errorf("take_first: not with kind %q", f.Kind)
	case f.Delay < 0 || f.Delay > maxFaultDelay:
		return fmt.Errorf("delay: must be 0 to %s", maxFaultDelay)
	case f.Kind == FaultDelay && f.Delay == 0:
		return errors.New("delay: is required with kind \"delay\"")
	case f.Times < 0:
		return errors.New("times: must not be negative")
	case f.Every && (f.Times > 0 || f.Probability != 0):
		return errors.New("every: not together with times or probability")
	case f.Probability < 0 || f.Probability > 1:
		return errors.New("probability: must be 0 to 1")
	case f.Path != "" && f.Path != "*" && !strings.HasPrefix(f.Path, "/"):
		return errors.New("path: must start with / (without the base path), or be *")
	}
	return nil
}

// AddFault starts a fault and returns its id. Among several that match, the
// oldest acts.
func (s *Server) AddFault(f Fault) (int64, error) {
	if err := f.validate(); err != nil {
		return 0, fmt.Errorf("fault: %w", err)
	}
	f.normalise()
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
	fs.list = append(fs.list, &activeFault{
		FaultInfo: FaultInfo{Fault: f, ID: fs.next},
		rng:       rand.New(rand.NewPCG(f.Seed, 1)),
		release:   make(chan struct{}),
	})
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
		return errors.New("fault " + strconv.FormatInt(id, 10) + ": not found")
	}
	return nil
}

// ClearFaults ends all faults and releases what they hold.
func (s *Server) ClearFaults() {
	s.removeFaults(func(*activeFault) bool { return true })
}

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
