package whatsappcloud

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Order in which the statuses of one message are posted.
type Order string

// Orders. The times stay those of the steps; only which status comes at which
// time changes.
const (
	OrderAsWritten Order = "" // of the steps
	OrderReverse   Order = "reverse"
	OrderShuffle   Order = "shuffle" // by Seed and message
)

// Script says which statuses each message gets. The zero Script plays none.
type Script struct {
	Steps []Step
	Order Order
	// Seed of shuffling and chances: one seed gives the n-th message the same
	// in every run.
	Seed uint64
	// DropChance of each status not being posted; the message's status goes on.
	DropChance float64
	// DuplicateChance of each status being posted twice.
	DuplicateChance float64
	// Bare leaves everything out that a receiver can do without: contacts,
	// pricing, user ids. Older webhooks look like this.
	Bare bool
}

// Step is one status of a script.
type Step struct {
	// Status is sent, delivered, read, played or failed.
	Status string
	// Code of a failed one. Default 131026.
	Code int
	// Delay after the step before, or after the message was taken.
	Delay time.Duration
	// Times it is posted; 0 is once.
	Times int
	// Drop does not post it, but the message's status moves.
	Drop bool
	// BeforeAnswer posts it, and waits for its first try, before the send is
	// answered; Delay and Order do not count.
	BeforeAnswer bool
}

const (
	maxSteps = 100
	maxTimes = 100
	maxDelay = 24 * time.Hour
)

// DefaultScript is sent after 50 ms, delivered 100 ms and read 150 ms later.
func DefaultScript() Script {
	return Script{Steps: []Step{
		{Status: StatusSent, Delay: 50 * time.Millisecond},
		{Status: StatusDelivered, Delay: 100 * time.Millisecond},
		{Status: StatusRead, Delay: 150 * time.Millisecond},
	}}
}

// StatusScript plays these statuses, each delay after the one before.
func StatusScript(delay time.Duration, statuses ...string) Script {
	var sc Script
	for _, status := range statuses {
		sc.Steps = append(sc.Steps, Step{Status: status, Delay: delay})
	}
	return sc
}

func (sc Script) clone() Script {
	sc.Steps = slices.Clone(sc.Steps)
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
	for i, st := range sc.Steps {
		if err := st.validate(); err != nil {
			return fmt.Errorf("steps[%d].%w", i, err)
		}
	}
	return nil
}

func (st *Step) validate() error {
	known := []string{StatusSent, StatusDelivered, StatusRead, StatusPlayed, StatusFailed}
	switch {
	case !slices.Contains(known, st.Status):
		return fmt.Errorf("status: %q is none of %v", st.Status, known)
	case st.Code != 0 && st.Status != StatusFailed:
		return fmt.Errorf("code: not with status %q", st.Status)
	case st.Delay < 0 || st.Delay > maxDelay:
		return fmt.Errorf("delay: must be 0 to %s", maxDelay)
	case st.Times < 0 || st.Times > maxTimes:
		return fmt.Errorf("times: must be 0 to %d", maxTimes)
	}
	return nil
}

// planned is a status of one message with its time.
type planned struct {
	after  time.Duration // from taking
	status string
	fail   *refusal
	drop   bool
	// priced: Meta puts pricing into sent and one of delivered and read.
	priced bool
	bare   bool
}

// plan works the script out for one message. The first early ones come before
// the answer.
func (s *Server) plan(sc *Script, serial uint64, fail *refusal) (events []planned, early int) {
	if fail != nil {
		sc = failing(sc)
	}
	rng := rand.New(rand.NewPCG(sc.Seed, serial))
	var first, rest []planned
	var at time.Duration
	got := false // delivered or read was priced
	for _, st := range sc.Steps {
		if !st.BeforeAnswer {
			at += st.Delay
		}
		p := planned{after: at, status: st.Status, priced: st.Status == StatusSent}
		if st.Status == StatusFailed {
			code := st.Code
			if code == 0 {
				code = 131026
			}
			if p.fail = s.refuse(code, ""); fail != nil {
				p.fail = fail
			}
		}
		if (st.Status == StatusDelivered || st.Status == StatusRead) && !got {
			p.priced, got = true, true
		}
		if p.bare = sc.Bare; p.bare {
			p.priced = false
		}
		times := max(1, st.Times)
		if sc.DuplicateChance > 0 && rng.Float64() < sc.DuplicateChance {
			times++
		}
		for range times {
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

// failing is the script of a message that Meta takes and then fails: one failed
// status where the first step would be, with the script's chances.
func failing(sc *Script) *Script {
	step := Step{Status: StatusFailed}
	if len(sc.Steps) > 0 {
		step.Delay, step.BeforeAnswer = sc.Steps[0].Delay, sc.Steps[0].BeforeAnswer
	}
	out := *sc
	out.Steps = []Step{step}
	return &out
}

// reorder changes which status comes at which of the times.
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
	to = plainTo(to)
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
	return s.scriptOf(plainTo(to)).clone()
}

func (s *Server) scriptOf(to string) *Script {
	if sc := s.scriptFor[to]; sc != nil {
		return sc
	}
	return s.script
}
