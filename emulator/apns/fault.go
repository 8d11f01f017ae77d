package apns

import (
	"errors"
	"fmt"
	"math/rand/v2"
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

// Kinds of fault.
const (
	// FaultReason answers with Reason and its status (or Status), a 410 with
	// Timestamp. With Body it answers with Status and that text.
	FaultReason FaultKind = "reason"
	// FaultDelay only waits (Delay).
	FaultDelay FaultKind = "delay"
	// FaultHold waits until the fault is removed.
	FaultHold FaultKind = "hold"
	// FaultGoAway sends GOAWAY, with Reason as debug data (none without it).
	// This request and those after it on the connection are not processed; with
	// TakeFirst this one still is. What was begun before is answered, then the
	// connection is closed.
	FaultGoAway FaultKind = "goaway"
	// FaultReset resets the stream with Code.
	FaultReset FaultKind = "reset"
	// FaultDrop breaks the connection, with all that is under way on it.
	FaultDrop FaultKind = "drop"
)

// Fault is something that goes wrong for some requests. Without TakeFirst the
// push was not taken, with it the device has it.
type Fault struct {
	Kind FaultKind

	// What it matches; empty is everything.
	Token string // device token
	Topic string
	Type  string // apns-push-type

	// How often: the next Times requests (default 1), or Every one. With
	// Probability, each matching one with that chance, drawn from Seed, and
	// Times of them at most if it is set. Skip lets that many pass first.
	Times       int
	Every       bool
	Probability float64
	Seed        uint64
	Skip        int

	Delay      time.Duration // comes first, with every kind
	TakeFirst  bool
	Reason     string
	Status     int       // default: that of the reason
	Timestamp  time.Time // of a 410, and of GOAWAY
	Body       string    // raw answer, instead of a reason
	RetryAfter string    // header, as it is
	// Code of RST_STREAM and GOAWAY. Default: INTERNAL_ERROR (2) and NO_ERROR (0);
	// REFUSED_STREAM is 7.
	Code uint32
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
	skipped int
	release chan struct{} // closed when removed
}

type faults struct {
	live atomic.Int64 // not done: lets a push without faults skip the lock
	mu   sync.Mutex
	next int64
	list []*activeFault
}

func (f *Fault) validate() error {
	kinds := []FaultKind{FaultReason, FaultDelay, FaultHold, FaultGoAway, FaultReset, FaultDrop}
	answers := f.Kind == FaultReason
	switch {
	case !slices.Contains(kinds, f.Kind):
		return fmt.Errorf("kind: %q is none of %v", f.Kind, kinds)
	case f.Status != 0 && (!answers || f.Status < 200 || f.Status > 599):
		return errors.New("status: 200 to 599, and with kind \"reason\" only")
	case f.Body != "" && (!answers || f.Status == 0 || f.Reason != ""):
		return errors.New("body: with kind \"reason\" only, with a status and without a reason")
	case answers && f.Body == "" && f.Reason == "" && f.Status == 0:
		return errors.New("reason: is required with kind \"reason\"")
	case answers && f.Reason != "" && f.Status == 0 && StatusOf(f.Reason) == 0:
		return fmt.Errorf("reason: %q is not in the vendor's table; give it a status", f.Reason)
	case f.Reason != "" && !answers && f.Kind != FaultGoAway:
		return fmt.Errorf("reason: not with kind %q", f.Kind)
	case f.RetryAfter != "" && (!answers || strings.ContainsAny(f.RetryAfter, "\r\n")):
		return errors.New("retry_after: one line, and with kind \"reason\" only")
	case f.Code != 0 && f.Kind != FaultGoAway && f.Kind != FaultReset:
		return fmt.Errorf("code: not with kind %q", f.Kind)
	case f.Delay < 0 || f.Delay > maxFaultDelay:
		return fmt.Errorf("delay: must be 0 to %s", maxFaultDelay)
	case f.Kind == FaultDelay && f.Delay == 0:
		return errors.New("delay: is required with kind \"delay\"")
	case f.Times < 0 || f.Skip < 0:
		return errors.New("times, skip: must not be negative")
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
	f.Token = strings.ToLower(f.Token)
	if f.Times == 0 && !f.Every && f.Probability == 0 {
		f.Times = 1
	}
	if f.Kind == FaultReset && f.Code == 0 {
		f.Code = 2
	}
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

// pick returns the fault that acts on this request, if any.
func (s *Server) pick(r *request) *activeFault {
	fs := &s.faults
	if fs.live.Load() == 0 {
		return nil
	}
	token := strings.ToLower(r.token())
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for _, a := range fs.list {
		if a.Done || a.Token != "" && a.Token != token || a.Topic != "" && a.Topic != r.topic || a.Type != "" && a.Type != r.kind {
			continue
		}
		if a.Probability > 0 && a.rng.Float64() >= a.Probability {
			continue
		}
		if a.skipped < a.Skip {
			a.skipped++
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

// answer is that of a FaultReason.
func (a *activeFault) answer(now time.Time) reply {
	rep := reply{status: a.Status, reason: a.Reason, retryAfter: a.RetryAfter, body: []byte(a.Body)}
	if rep.status == 0 {
		rep.status = StatusOf(a.Reason)
	}
	if rep.status == http.StatusGone {
		if rep.timestamp = a.Timestamp; rep.timestamp.IsZero() {
			rep.timestamp = now
		}
	}
	return rep
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
