package wasender

import (
	"maps"
	"slices"
	"time"
)

// SessionCounts are of POST /send-message since the start or the last reset.
// Session 0 stands for requests without a known key.
type SessionCounts struct {
	Arrived      int64 `json:"arrived"`       // every request, whatever the answer
	Accepted     int64 `json:"accepted"`      // messages taken
	Unauthorized int64 `json:"unauthorized"`  // 401
	Malformed    int64 `json:"malformed"`     // no JSON object, or too large
	Invalid      int64 `json:"invalid"`       // 422
	NotConnected int64 `json:"not_connected"` // session state
	RateLimited  int64 `json:"rate_limited"`  // 429 of the limit
	Faulted      int64 `json:"faulted"`       // answered or dropped by a fault before being taken
	AnswerLost   int64 `json:"answer_lost"`   // taken, but the answer was dropped or replaced
}

func (c *SessionCounts) add(o SessionCounts) {
	c.Arrived += o.Arrived
	c.Accepted += o.Accepted
	c.Unauthorized += o.Unauthorized
	c.Malformed += o.Malformed
	c.Invalid += o.Invalid
	c.NotConnected += o.NotConnected
	c.RateLimited += o.RateLimited
	c.Faulted += o.Faulted
	c.AnswerLost += o.AnswerLost
}

// WebhookCounts tell what the webhook player did.
type WebhookCounts struct {
	Posted     int64 `json:"posted"`     // answered with 2xx
	Failed     int64 `json:"failed"`     // tries that were not
	GaveUp     int64 `json:"gave_up"`    // events whose last try failed
	Dropped    int64 `json:"dropped"`    // by the script
	Filtered   int64 `json:"filtered"`   // no URL, switched off, or not among the session's events
	Overflowed int64 `json:"overflowed"` // messages whose events were lost because too many waited
}

// Counts are totals since the start or the last reset.
type Counts struct {
	SessionCounts
	ByStatus map[int]int64           `json:"by_status"` // answers of the send route by HTTP status; 0: connection dropped
	Sessions map[int64]SessionCounts `json:"sessions"`
	Webhooks WebhookCounts           `json:"webhooks"`
	Kept     int                     `json:"kept"`    // messages kept whole
	Evicted  int64                   `json:"evicted"` // taken, but no longer kept
}

// Counts returns all counters.
func (s *Server) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := Counts{
		ByStatus: maps.Clone(s.byStatus),
		Sessions: map[int64]SessionCounts{},
		Webhooks: s.player.counts(),
		Kept:     len(s.store.ring),
		Evicted:  s.store.evicted,
	}
	if s.noSession.Arrived > 0 {
		c.Sessions[0] = s.noSession
	}
	c.add(s.noSession)
	c.add(s.removed)
	for id, x := range s.sessions {
		c.Sessions[id] = x.counts
		c.add(x.counts)
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

// MaxInWindow is the largest number of messages the session had taken within
// any window of length d (half open: two sends exactly d apart are not in one),
// among its last Options.KeepTimes ones. It is 0 for an unknown session.
func (s *Server) MaxInWindow(sessionID int64, d time.Duration) int {
	return s.maxIn(sessionID, d, func(x *session) *timeline { return &x.times })
}

// MaxArrivedInWindow is the same for every send request that arrived with the
// session's key, rejected ones included.
func (s *Server) MaxArrivedInWindow(sessionID int64, d time.Duration) int {
	return s.maxIn(sessionID, d, func(x *session) *timeline { return &x.arrived })
}

func (s *Server) maxIn(id int64, d time.Duration, of func(*session) *timeline) int {
	s.mu.Lock()
	x := s.sessions[id]
	if x == nil {
		s.mu.Unlock()
		return 0
	}
	t := of(x)
	at := slices.Concat(t.at[t.head:], t.at[:t.head])
	s.mu.Unlock()
	slices.Sort(at) // a synthetic clock may be set back
	return most(at, d)
}
