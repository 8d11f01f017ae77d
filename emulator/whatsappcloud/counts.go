package whatsappcloud

import (
	"maps"
	"slices"
	"time"
)

// NumberCounts are of sends to a number since the start or the last reset.
type NumberCounts struct {
	Arrived      int64 `json:"arrived"`      // every send, whatever the answer
	Accepted     int64 `json:"accepted"`     // messages taken
	Unauthorized int64 `json:"unauthorized"` // token
	Malformed    int64 `json:"malformed"`    // no JSON object, or too large
	Invalid      int64 `json:"invalid"`      // schema
	Throttled    int64 `json:"throttled"`    // 130429
	PairLimited  int64 `json:"pair_limited"` // 131056
	Refused      int64 `json:"refused"`      // any other error at once
	Faulted      int64 `json:"faulted"`      // answered or dropped by a fault before being taken
	AnswerLost   int64 `json:"answer_lost"`  // taken, but the answer was dropped or replaced
	MarkedRead   int64 `json:"marked_read"`
	Inbound      int64 `json:"inbound"` // messages from users
}

func (c *NumberCounts) add(o NumberCounts) {
	c.Arrived += o.Arrived
	c.Accepted += o.Accepted
	c.Unauthorized += o.Unauthorized
	c.Malformed += o.Malformed
	c.Invalid += o.Invalid
	c.Throttled += o.Throttled
	c.PairLimited += o.PairLimited
	c.Refused += o.Refused
	c.Faulted += o.Faulted
	c.AnswerLost += o.AnswerLost
	c.MarkedRead += o.MarkedRead
	c.Inbound += o.Inbound
}

// WebhookCounts tell what the webhook player did.
type WebhookCounts struct {
	Posted      int64 `json:"posted"`       // posts answered with 2xx
	Changes     int64 `json:"changes"`      // statuses, messages and updates in them
	LargestBody int   `json:"largest_body"` // of those, in bytes
	Failed      int64 `json:"failed"`       // tries that were not
	GaveUp      int64 `json:"gave_up"`      // posts whose last try failed
	Dropped     int64 `json:"dropped"`      // statuses, by the script
	Filtered    int64 `json:"filtered"`     // no URL, or not among the account's fields
	Overflowed  int64 `json:"overflowed"`   // messages whose statuses were lost because too many waited
}

// Counts are totals since the start or the last reset.
type Counts struct {
	NumberCounts
	ByStatus map[int]int64           `json:"by_status"` // answers of sends by HTTP status; 0: connection dropped
	ByCode   map[int]int64           `json:"by_code"`   // answers of sends by Meta's code
	Numbers  map[string]NumberCounts `json:"numbers"`   // "": sends to no known number
	Webhooks WebhookCounts           `json:"webhooks"`
	Kept     int                     `json:"kept"`    // messages kept whole
	Evicted  int64                   `json:"evicted"` // taken, but no longer kept
	Users    int                     `json:"users"`
}

// Counts returns all counters.
func (s *Server) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := Counts{
		ByStatus: maps.Clone(s.byStatus), ByCode: map[int]int64{}, Numbers: map[string]NumberCounts{},
		Webhooks: s.player.counts(), Kept: len(s.store.ring), Evicted: s.store.evicted, Users: len(s.users),
	}
	if s.noNumber.Arrived > 0 {
		c.Numbers[""] = s.noNumber
	}
	c.add(s.noNumber)
	for id, n := range s.numbers {
		c.Numbers[id] = n.counts
		c.add(n.counts)
		for code, k := range n.byCode {
			c.ByCode[code] += k
		}
	}
	return c
}

// timeline keeps the last max times, in a ring, in order of arrival.
type timeline struct {
	at   []int64
	head int
	max  int
}

func (t *timeline) add(now int64) {
	if len(t.at) < t.max {
		t.at = append(t.at, now)
		return
	}
	t.at[t.head] = now
	t.head = (t.head + 1) % len(t.at)
}

func (t *timeline) all() []int64 { return slices.Concat(t.at[t.head:], t.at[:t.head]) }

// most is the largest number of times within any half-open window of length d.
func most(at []int64, d time.Duration) int {
	if d <= 0 {
		return 0
	}
	slices.Sort(at) // a synthetic clock may be set back
	best, from := 0, 0
	for i, t := range at {
		for at[from] <= t-int64(d) {
			from++
		}
		best = max(best, i-from+1)
	}
	return best
}

// MaxInWindow is the largest number of messages that a number ("" is the first)
// had taken within any window of length d (half open: two sends exactly d apart
// are not in one), among its last Options.KeepTimes ones.
func (s *Server) MaxInWindow(numberID string, d time.Duration) int {
	return s.maxIn(numberID, d, func(n *number) *timeline { return &n.times })
}

// MaxArrivedInWindow is the same for every send that arrived, refused ones
// included.
func (s *Server) MaxArrivedInWindow(numberID string, d time.Duration) int {
	return s.maxIn(numberID, d, func(n *number) *timeline { return &n.arrived })
}

func (s *Server) maxIn(id string, d time.Duration, of func(*number) *timeline) int {
	s.mu.Lock()
	n, err := s.numberOrFirst(id)
	if err != nil {
		s.mu.Unlock()
		return 0
	}
	at := of(n).all()
	s.mu.Unlock()
	return most(at, d)
}

// MaxPairInWindow is MaxInWindow of a number ("" is the first) and one
// recipient, or of the busiest pair of the number with to "".
func (s *Server) MaxPairInWindow(numberID, to string, d time.Duration) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.numberOrFirst(numberID)
	if err != nil {
		return 0
	}
	if to != "" {
		return most(s.pairOf(n, s.user(n.acc.ID, plainTo(to))).times.all(), d)
	}
	best, prefix := 0, n.ID+"/"
	for key, p := range s.pairs {
		if len(key) > len(prefix) && key[:len(prefix)] == prefix {
			best = max(best, most(p.times.all(), d))
		}
	}
	return best
}
