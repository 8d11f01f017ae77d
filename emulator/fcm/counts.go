package fcm

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Counts are totals since the start or the last reset.
type Counts struct {
	Arrived   int64             `json:"arrived"`   // sends, whatever the answer
	Accepted  int64             `json:"accepted"`  // messages taken
	Validated int64             `json:"validated"` // sends that were only to be looked at
	Shown     int64             `json:"shown"`     // messages that reached a phone
	Lost      int64             `json:"lost"`      // taken, but the answer was dropped, replaced or not waited for
	ByStatus  map[int]int64     `json:"by_status"` // answers to sends by HTTP status; 0: connection dropped
	Failures  map[Failure]int64 `json:"failures"`  // error answers to sends
	Tokens    int64             `json:"tokens"`    // requests to the token endpoint
	Refused   int64             `json:"refused"`   // those of them that got no access token
}

// tally counts. What every send goes through is atomic.
type tally struct {
	arrived, accepted, validated, shown, lost, ok atomic.Int64

	mu              sync.Mutex
	byStatus        map[int]int64
	failures        map[Failure]int64
	strays          map[string]int64 // calls to addresses of no device
	tokens, refused int64
}

func (t *tally) reset() {
	for _, n := range []*atomic.Int64{&t.arrived, &t.accepted, &t.validated, &t.shown, &t.lost, &t.ok} {
		n.Store(0)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.byStatus, t.failures, t.strays = map[int]int64{}, map[Failure]int64{}, map[string]int64{}
	t.tokens, t.refused = 0, 0
}

func (t *tally) send(rep reply) {
	if rep.status == 200 && !rep.drop {
		t.ok.Add(1)
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if rep.drop {
		rep.status = 0
	}
	t.byStatus[rep.status]++
	if rep.failure != "" {
		t.failures[rep.failure]++
	}
}

func (t *tally) token(rep reply) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tokens++
	if rep.status != 200 || rep.drop {
		t.refused++
	}
}

func (t *tally) stray(address string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.strays[address]++
}

// Counts returns all counters.
func (s *Server) Counts() Counts {
	t := &s.tally
	t.mu.Lock()
	defer t.mu.Unlock()
	c := Counts{
		Arrived: t.arrived.Load(), Accepted: t.accepted.Load(), Validated: t.validated.Load(), Shown: t.shown.Load(), Lost: t.lost.Load(),
		ByStatus: maps.Clone(t.byStatus), Failures: maps.Clone(t.failures), Tokens: t.tokens, Refused: t.refused,
	}
	if n := t.ok.Load(); n > 0 {
		c.ByStatus[200] += n
	}
	return c
}

// Calls is how many sends named this address, whatever came of them, but for
// those that were refused before their body was read (401, 429 of the project).
func (s *Server) Calls(address string) int64 {
	if x := s.device(address); x != nil {
		x.mu.Lock()
		defer x.mu.Unlock()
		return x.calls
	}
	s.tally.mu.Lock()
	defer s.tally.mu.Unlock()
	return s.tally.strays[address]
}

// Taken is how many messages were taken for this device.
func (s *Server) Taken(address string) int64 {
	x := s.device(address)
	if x == nil {
		return 0
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.took
}

// MaxInWindow is the largest number of messages that a project had taken within
// any window of length d (half open: two sends exactly d apart are not in one),
// among its last Options.KeepTimes ones. It is 0 for an unknown project.
func (s *Server) MaxInWindow(name string, d time.Duration) int {
	return s.maxIn(name, d, func(p *project) *timeline { return &p.accepted })
}

// MaxArrivedInWindow is the same for every send that arrived for the project,
// refused ones included.
func (s *Server) MaxArrivedInWindow(name string, d time.Duration) int {
	return s.maxIn(name, d, func(p *project) *timeline { return &p.arrived })
}

func (s *Server) maxIn(name string, d time.Duration, of func(*project) *timeline) int {
	p := s.projectOf(name)
	if p == nil {
		return 0
	}
	p.mu.Lock()
	t := of(p)
	at := slices.Concat(t.at[t.head:], t.at[:t.head])
	p.mu.Unlock()
	slices.Sort(at) // a synthetic clock may be set back
	return most(at, d)
}

// most is the largest number of times within any half-open window of length d.
func most(at []int64, d time.Duration) int {
	if d <= 0 {
		return 0
	}
	best, from := 0, 0
	for i, t := range at {
		for at[from] <= t-int64(d) {
			from++
		}
		best = max(best, i-from+1)
	}
	return best
}
