package apns

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Push is a request for a push as it came, and how it was answered.
type Push struct {
	At         time.Time       `json:"at"`
	Connection int64           `json:"connection"`
	Token      string          `json:"token"`
	Topic      string          `json:"topic"`
	PushType   string          `json:"push_type"`
	Priority   string          `json:"priority,omitempty"`
	Expiration string          `json:"expiration,omitempty"`
	CollapseID string          `json:"collapse_id,omitempty"`
	ID         string          `json:"id"`
	Status     int             `json:"status"` // 0: no answer (reset, dropped, GOAWAY)
	Reason     string          `json:"reason,omitempty"`
	Payload    json.RawMessage `json:"payload,omitempty"` // when it is JSON
}

// Counts are totals since the start or the last reset.
type Counts struct {
	Requests    int64            `json:"requests"` // whole ones
	Accepted    int64            `json:"accepted"` // answered 200
	Refused     int64            `json:"refused"`  // answered otherwise
	Unanswered  int64            `json:"unanswered"`
	Shown       int64            `json:"shown"` // by devices
	ByStatus    map[int]int64    `json:"by_status"`
	ByReason    map[string]int64 `json:"by_reason"`
	Connections int64            `json:"connections"` // ever opened
	Open        int              `json:"open"`
	Devices     int              `json:"devices"`
}

type ledger struct {
	mu     sync.Mutex
	counts Counts
	pushes []Push // ring
	next   int
}

func newCounts() Counts { return Counts{ByStatus: map[int]int64{}, ByReason: map[string]int64{}} }

// count notes how a request ended.
func (s *Server) count(c *conn, r *request, rep reply) {
	c.note(rep.status)
	l := &s.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	n := &l.counts
	n.Requests++
	switch rep.status {
	case 0:
		n.Unanswered++
	case 200:
		n.Accepted++
	default:
		n.Refused++
	}
	n.ByStatus[rep.status]++
	if rep.reason != "" {
		n.ByReason[rep.reason]++
	}
	if s.opt.KeepPushes < 0 {
		return
	}
	p := Push{
		At: s.opt.Clock(), Connection: c.id, Token: r.token(), Topic: r.topic, PushType: r.kind, Priority: r.priority,
		Expiration: r.expiration, CollapseID: r.collapse, ID: rep.id, Status: rep.status, Reason: rep.reason, Payload: r.body,
	}
	if len(l.pushes) < s.opt.KeepPushes {
		l.pushes = append(l.pushes, p)
		return
	}
	l.pushes[l.next] = p
	l.next = (l.next + 1) % len(l.pushes)
}

// Counts returns all counters.
func (s *Server) Counts() Counts {
	s.ledger.mu.Lock()
	n := s.ledger.counts
	n.ByStatus, n.ByReason = maps.Clone(n.ByStatus), maps.Clone(n.ByReason)
	s.ledger.mu.Unlock()
	s.devices.mu.Lock()
	n.Devices = len(s.devices.byToken)
	for _, d := range s.devices.byToken {
		n.Shown += d.Shows
	}
	s.devices.mu.Unlock()
	s.mu.Lock()
	n.Connections, n.Open = s.lastConn, len(s.conns)
	s.mu.Unlock()
	return n
}

// Query selects pushes; zero fields select all.
type Query struct {
	Token    string
	Status   int
	Reason   string
	Contains string // in the payload
	Limit    int
}

// Pushes lists the last requests (Options.KeepPushes at most), the newest first.
func (s *Server) Pushes(q Query) []Push {
	l := &s.ledger
	l.mu.Lock()
	all := slices.Concat(l.pushes[l.next:], l.pushes[:l.next])
	l.mu.Unlock()
	slices.Reverse(all)
	list := []Push{}
	for _, p := range all {
		if q.Limit > 0 && len(list) == q.Limit {
			break
		}
		if q.Token != "" && !strings.EqualFold(p.Token, q.Token) || q.Status != 0 && p.Status != q.Status ||
			q.Reason != "" && p.Reason != q.Reason || q.Contains != "" && !strings.Contains(string(p.Payload), q.Contains) {
			continue
		}
		if !json.Valid(p.Payload) {
			p.Payload = nil
		}
		list = append(list, p)
	}
	return list
}
