package wasender

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Order in which the events of one message are posted.
type Order string

// Orders. The times stay those of the steps; only which event comes at which
// time changes.
const (
	OrderAsWritten Order = "" // of the steps
	OrderReverse   Order = "reverse"
	OrderShuffle   Order = "shuffle" // by Seed and msgId
)

// Script says which webhooks each message gets. The zero Script plays none.
type Script struct {
	Steps []Step
	Order Order
	// Seed of shuffling, chances and ShapeMixed. One seed gives each msgId the
	// same events in every run.
	Seed uint64
	// DropChance of each event not being posted; the message's status goes on.
	DropChance float64
	// DuplicateChance of each event being posted twice.
	DuplicateChance float64
	// Shape of every event whose step has none.
	Shape Shape
	// MessageSent posts "message.sent" first, at once.
	MessageSent bool
}

// Step is one event of a script.
type Step struct {
	// Event is messages.update (default), message.sent, messages.upsert or
	// message-receipt.update.
	Event string
	// Status 0 to 5, see the Status constants.
	Status int
	// Delay after the step before, or after the message was taken.
	Delay time.Duration
	// Times the event is posted; 0 is once.
	Times int
	// Drop does not post it, but the message's status moves.
	Drop bool
	// BeforeAnswer posts it, and waits for its first try, before the send is
	// answered; Delay and Order do not count.
	BeforeAnswer bool
	// Shape instead of the script's.
	Shape *Shape
}

const (
	maxSteps = 100
	maxTimes = 100
	maxDelay = 24 * time.Hour
)

// DefaultScript is SENT after 50 ms, DELIVERED 100 ms and READ 150 ms later.
func DefaultScript() Script {
	return Script{Steps: []Step{
		{Status: StatusSent, Delay: 50 * time.Millisecond},
		{Status: StatusDelivered, Delay: 100 * time.Millisecond},
		{Status: StatusRead, Delay: 150 * time.Millisecond},
	}}
}

// StatusScript plays these statuses, each delay after the one before.
func StatusScript(delay time.Duration, statuses ...int) Script {
	var sc Script
	for _, status := range statuses {
		sc.Steps = append(sc.Steps, Step{Status: status, Delay: delay})
	}
	return sc
}

func (sc Script) clone() Script {
	sc.Steps = slices.Clone(sc.Steps)
	for i, st := range sc.Steps {
		if st.Shape != nil {
			shape := *st.Shape
			sc.Steps[i].Shape = &shape
		}
	}
	return sc
}

func (sc *Script) validate() error {
	switch {
	case !slices.Contains([]Order{OrderAsWritten, OrderReverse, OrderShuffle}, sc.Order):
		return fmt.Errorf("order: %q is none of \"\", reverse, shuffle", sc.Order)
	case sc.DropChance < 0 || sc.DropChance > 1:
		return fmt.Errorf("drop_chance: must be 0 to 1, is %v", sc.DropChance)
	case sc.DuplicateChance < 0 || sc.DuplicateChance > 1:
		return fmt.Errorf("duplicate_chance: must be 0 to 1, is %v", sc.DuplicateChance)
	case len(sc.Steps) > maxSteps:
		return fmt.Errorf("steps: at most %d", maxSteps)
	}
	if err := sc.Shape.validate(); err != nil {
		return err
	}
	for i, st := range sc.Steps {
		if err := st.validate(); err != nil {
			return fmt.Errorf("steps[%d].%w", i, err)
		}
	}
	return nil
}

func (st *Step) validate() error {
	switch {
	case !slices.Contains([]string{"", eventUpdate, eventSent, eventUpsert, eventReceipt}, st.Event):
		return fmt.Errorf("event: %q cannot be played for a message", st.Event)
	case st.Status < StatusError || st.Status > StatusPlayed:
		return fmt.Errorf("status: must be 0 to 5, is %d", st.Status)
	case st.Delay < 0 || st.Delay > maxDelay:
		return fmt.Errorf("delay: must be 0 to %s", maxDelay)
	case st.Times < 0 || st.Times > maxTimes:
		return fmt.Errorf("times: must be 0 to %d", maxTimes)
	}
	if st.Shape != nil {
		return st.Shape.validate()
	}
	return nil
}

// planned is an event of one message with its time.
type planned struct {
	after  time.Duration // from taking
	event  string
	status int
	drop   bool
	shape  Shape
}

// plan works the script out for one message. The first early ones come before
// the answer.
func (sc *Script) plan(msgID int64) (events []planned, early int) {
	rng := rand.New(rand.NewPCG(sc.Seed, uint64(msgID)))
	var first, rest []planned
	if sc.MessageSent {
		rest = append(rest, planned{event: eventSent, status: StatusPending, shape: sc.Shape.pick(rng)})
	}
	var at time.Duration
	for _, st := range sc.Steps {
		shape := sc.Shape
		if st.Shape != nil {
			shape = *st.Shape
		}
		if !st.BeforeAnswer {
			at += st.Delay
		}
		times := max(1, st.Times)
		if sc.DuplicateChance > 0 && rng.Float64() < sc.DuplicateChance {
			times++
		}
		for range times {
			p := planned{after: at, event: cmp.Or(st.Event, eventUpdate), status: st.Status, shape: shape.pick(rng)}
			p.drop = st.Drop || sc.DropChance > 0 && rng.Float64() < sc.DropChance
			if st.BeforeAnswer {
				p.after = 0
				first = append(first, p)
			} else {
				rest = append(rest, p)
			}
		}
	}
	sc.reorder(rest, rng)
	return append(first, rest...), len(first)
}

// reorder changes which event comes at which of the times.
func (sc *Script) reorder(events []planned, rng *rand.Rand) {
	if sc.Order == OrderAsWritten {
		return
	}
	times := make([]time.Duration, len(events))
	for i, p := range events {
		times[i] = p.after
	}
	if sc.Order == OrderReverse {
		slices.Reverse(events)
	} else {
		rng.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
	}
	for i := range events {
		events[i].after = times[i]
	}
}

// SetScript changes the script of messages taken from now on.
func (s *Server) SetScript(sc Script) error { return s.SetScriptFor("", sc) }

// SetScriptFor changes the script of one recipient's messages ("" is everyone's).
func (s *Server) SetScriptFor(to string, sc Script) error {
	if err := sc.validate(); err != nil {
		return fmt.Errorf("script: %w", err)
	}
	sc = sc.clone()
	s.mu.Lock()
	defer s.mu.Unlock()
	if to == "" {
		s.script = &sc
		return nil
	}
	if len(s.scriptFor) >= 10_000 && s.scriptFor[to] == nil {
		return fmt.Errorf("script: more than %d recipients with their own", 10_000)
	}
	s.scriptFor[to] = &sc
	return nil
}

// Script returns the script that a message to this recipient plays.
func (s *Server) Script(to string) Script {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.scriptOf(to).clone()
}

func (s *Server) scriptOf(to string) *Script {
	if sc := s.scriptFor[to]; sc != nil {
		return sc
	}
	if s.absent[to] {
		return &Script{Steps: []Step{{Status: StatusError}}}
	}
	return s.script
}
