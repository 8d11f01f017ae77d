package fcm

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
// it was: it counts, and the phone shows it.
const (
	// FaultError answers with Failure, or with Status and Body, before taking
	// the message, or after it when TakeFirst is set.
	FaultError FaultKind = "error"
	// FaultDelay only waits (Delay), before taking or, with TakeFirst, after.
	FaultDelay FaultKind = "delay"
	// FaultHold waits until the fault is removed (or the caller goes away).
	FaultHold FaultKind = "hold"
	// FaultDropBefore closes the connection without taking the message.
	FaultDropBefore FaultKind = "drop_before"
	// FaultDropAfter takes the message and closes the connection.
	FaultDropAfter FaultKind = "drop_after"
)

// What a fault's Route can be.
const (
	RouteSend  = "send"
	RouteToken = "token"
)

// Fault is something that goes wrong with requests that match.
type Fault struct {
	Kind FaultKind

	// What it matches. Empty matches everything, except Route: there empty is
	// RouteSend.
	Route   string
	Project string // of a send
	Address string // of a send: the token, the FID or the topic

	// How often: the next Times requests (default 1), or Every one. With
	// Probability, each matching one with that chance, drawn from Seed, and
	// Times of them at most if it is set.
	Times       int
	Every       bool
	Probability float64
	Seed        uint64

	// Delay comes first, with every kind.
	Delay     time.Duration
	TakeFirst bool // FaultError, FaultDelay, FaultHold: take the message first
	// FaultError: what is answered.
	Failure     Failure
	Status      int    // instead of the failure's own; required without a Failure
	Message     string // instead of the failure's own
	Body        string // with Status, without a Failure
	ContentType string // of Body; default JSON
	RetryAfter  string // header, as it is (seconds or a date)
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
	if f.Route == "" {
		f.Route = RouteSend
	}
	if f.Times == 0 && !f.Every && f.Probability == 0 {
		f.Times = 1
	}
}

func (f *Fault) validate() error {
	kinds := []FaultKind{FaultError, FaultDelay, FaultHold, FaultDropBefore, FaultDropAfter}
	switch {
	case !slices.Contains(kinds, f.Kind):
		return fmt.Errorf("kind: %q is none of %v", f.Kind, kinds)
	case f.Route != "" && f.Route != RouteSend && f.Route != RouteToken:
		return fmt.Errorf("route: %q is neither %q nor %q", f.Route, RouteSend, RouteToken)
	case f.Route == RouteToken && (f.Project != "" || f.Address != ""):
		return errors.New("project, address: not with route \"token\"")
	case f.TakeFirst && (f.Kind == FaultDropBefore || f.Kind == FaultDropAfter):
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
	}
	return f.validateAnswer()
}

func (f *Fault) validateAnswer() error {
	_, known := failures()[f.Failure]
	isError := f.Kind == FaultError
	switch {
	case !isError && (f.Failure != "" || f.Status != 0 || f.Body != "" || f.RetryAfter != "" || f.Message != "" || f.ContentType != ""):
		return fmt.Errorf("failure, status, message, body, content_type, retry_after: not with kind %q", f.Kind)
	case isError && f.Failure == "" && f.Status == 0:
		return errors.New("failure: this or status is required with kind \"error\"")
	case f.Failure != "" && !known:
		return fmt.Errorf("failure: %q is none of %s", f.Failure, failureNames())
	case f.Status != 0 && (f.Status < 200 || f.Status > 599):
		return fmt.Errorf("status: must be 200 to 599, is %d", f.Status)
	case f.Failure != "" && (f.Body != "" || f.ContentType != ""):
		return errors.New("body, content_type: not together with failure")
	case strings.ContainsAny(f.RetryAfter+f.ContentType, "\r\n"):
		return errors.New("retry_after, content_type: must be one line")
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
