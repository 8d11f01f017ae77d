package webpush

import "maps"

// Counts are of pushes since the start or the last reset.
type Counts struct {
	Arrived      int64 `json:"arrived"`      // every request, whatever the answer
	Accepted     int64 `json:"accepted"`     // messages taken
	Unknown      int64 `json:"unknown"`      // 404: no such endpoint
	Gone         int64 `json:"gone"`         // 404, 410: a subscription that is no more
	Unauthorized int64 `json:"unauthorized"` // 401, 403 of VAPID
	Invalid      int64 `json:"invalid"`      // 400, 405, 413
	Faulted      int64 `json:"faulted"`      // answered or dropped by a fault before being taken
	AnswerLost   int64 `json:"answer_lost"`  // taken, but the answer was dropped or replaced

	Shown    int64 `json:"shown"`
	Broken   int64 `json:"broken"` // taken and could not be decrypted
	Replaced int64 `json:"replaced"`
	Expired  int64 `json:"expired"`
	Lost     int64 `json:"lost"`

	BodyBytes    int64 `json:"body_bytes"`
	TextBytes    int64 `json:"text_bytes"`
	PaddingBytes int64 `json:"padding_bytes"`
}

// Totals are the counts of all endpoints.
type Totals struct {
	Counts

	ByStatus      map[int]int64 `json:"by_status"`  // 0: connection dropped
	Signatures    int64         `json:"signatures"` // VAPID headers verified: each once, however often it came
	Subscriptions int           `json:"subscriptions"`
}

// outcome is how a push ended.
type outcome int

const (
	outcomeInvalid outcome = iota
	outcomeAccepted
	outcomeUnknown
	outcomeGone
	outcomeUnauthorized
	outcomeFaulted
)

// count changes the totals and the counts of the subscription, which may be
// nil; the caller holds mu.
func (s *Server) count(x *subscription, change func(*Counts)) {
	change(&s.counts)
	if x != nil {
		change(&x.counts)
	}
}

func (s *Server) countAnswer(x *subscription, rep reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	status := rep.status
	if rep.drop {
		status = 0
	}
	s.byStatus[status]++
	s.count(x, func(c *Counts) {
		c.Arrived++
		switch rep.outcome {
		case outcomeAccepted:
			c.Accepted++
		case outcomeUnknown:
			c.Unknown++
		case outcomeGone:
			c.Gone++
		case outcomeUnauthorized:
			c.Unauthorized++
		case outcomeFaulted:
			c.Faulted++
		case outcomeInvalid:
			c.Invalid++
		}
	})
}

// Counts gives the totals.
func (s *Server) Counts() Totals {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Totals{
		Counts: s.counts, ByStatus: maps.Clone(s.byStatus),
		Signatures: s.tokens.count(), Subscriptions: len(s.subs),
	}
}

// CountsOf gives those of one endpoint.
func (s *Server) CountsOf(endpoint string) (Counts, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, err := s.find(endpoint)
	if err != nil {
		return Counts{}, err
	}
	return x.counts, nil
}
