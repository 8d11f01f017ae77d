package whatsappcloud

import (
	"cmp"
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
	// FaultError answers or fails as the row of Code says: see Via.
	FaultError FaultKind = "error"
	// FaultStatus answers with Status, Body and RetryAfter, before taking the
	// message, or after it when TakeFirst is set.
	FaultStatus FaultKind = "status"
	// FaultHTML answers with Status (default 502) and an HTML page, as a load
	// balancer does; with TakeFirst after taking.
	FaultHTML FaultKind = "html"
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
	// FaultNoStatus takes the message, answers as usual, and plays no status.
	FaultNoStatus FaultKind = "no_status"
	// FaultTwice takes the message twice, with two ids, and tells the second: a
	// front that sends again by itself.
	FaultTwice FaultKind = "twice"
	// FaultHeld answers 200 with message_status held_for_quality_assessment.
	FaultHeld FaultKind = "held"
)

// Fault is something that goes wrong with requests that match.
type Fault struct {
	Kind FaultKind

	// What it matches. Empty matches everything, except Route: there empty is
	// "send" and "*" is everything; else read, media, templates, number,
	// history, apps, other.
	Method string
	Route  string
	To     string // recipient of a send: phone number or user id
	Number string // phone number id

	// How often: the next Times requests (default 1), or Every one. With
	// Probability, each matching one with that chance, drawn from Seed, and
	// Times of them at most if it is set.
	Times       int
	Every       bool
	Probability float64
	Seed        uint64

	// Delay comes first, with every kind.
	Delay      time.Duration
	TakeFirst  bool // FaultStatus, FaultHTML, FaultDelay, FaultHold: take the message first
	Status     int  // HTTP status; with FaultError instead of the table's
	Body       string
	RetryAfter string // header, as it is (seconds or a date)

	// FaultError.
	Code    int
	Via     Via    // default: the table's
	Details string // default: the table's
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
		f.Route = routeSend
	}
	f.To = plainTo(f.To)
	if f.Times == 0 && !f.Every && f.Probability == 0 {
		f.Times = 1
	}
	switch f.Kind {
	case FaultDropAfter, FaultWrongJSON, FaultEmpty, FaultHeld:
		f.TakeFirst = true
	case FaultHTML:
		f.Status = cmp.Or(f.Status, 502)
	default:
	}
}

func faultKinds() []FaultKind {
	return []FaultKind{
		FaultError, FaultStatus, FaultHTML, FaultDelay, FaultHold, FaultDropBefore, FaultDropAfter, FaultWrongJSON, FaultEmpty, FaultNoStatus, FaultTwice,
		FaultHeld,
	}
}

func (f *Fault) validate() error {
	isStatus := f.Kind == FaultStatus || f.Kind == FaultHTML || f.Kind == FaultError
	routes := []string{"", "*", routeSend, routeRead, routeMedia, routeTemplates, routeNumber, routeHistory, routeApps, routeOther}
	switch {
	case !slices.Contains(faultKinds(), f.Kind):
		return fmt.Errorf("kind: %q is none of %v", f.Kind, faultKinds())
	case f.Kind == FaultStatus && f.Status == 0, f.Status != 0 && (f.Status < 200 || f.Status > 599):
		return fmt.Errorf("status: must be 200 to 599, is %d", f.Status)
	case !isStatus && f.Status != 0:
		return fmt.Errorf("status: not with kind %q", f.Kind)
	case f.Body != "" && f.Kind != FaultStatus && f.Kind != FaultHTML && f.Kind != FaultWrongJSON:
		return fmt.Errorf("body: not with kind %q", f.Kind)
	case f.RetryAfter != "" && !isStatus:
		return fmt.Errorf("retry_after: not with kind %q", f.Kind)
	case strings.ContainsAny(f.RetryAfter, "\r\n"):
		return errors.New("retry_after: must be one line")
	case f.Kind != FaultError && (f.Code != 0 || f.Via != ViaDefault || f.Details != ""):
		return fmt.Errorf("code, via, details: not with kind %q", f.Kind)
	case !slices.Contains([]Via{ViaDefault, ViaAnswer, ViaWebhook, ViaBoth}, f.Via):
		return fmt.Errorf("via: %q is none of answer, webhook, both", f.Via)
	case f.TakeFirst && (f.Kind == FaultDropBefore || f.Kind == FaultError || f.Kind == FaultNoStatus || f.Kind == FaultTwice):
		return fmt.Errorf("take_first: not with kind %q", f.Kind)
	case f.Delay < 0 || f.Delay > maxFaultDelay:
		return fmt.Errorf("delay: must be 0 to %s", maxFaultDelay)
	case f.Kind == FaultDelay && f.Delay == 0:
		return errors.New("delay: is required with kind \"delay\"")
	case !slices.Contains(routes, f.Route):
		return fmt.Errorf("route: %q is none of %v", f.Route, routes)
	}
	return f.validateTimes()
}

func (f *Fault) validateTimes() error {
	switch {
	case f.Times < 0:
		return errors.New("times: must not be negative")
	case f.Every && (f.Times > 0 || f.Probability != 0):
		return errors.New("every: not together with times or probability")
	case f.Probability < 0 || f.Probability > 1:
		return errors.New("probability: must be 0 to 1")
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
