package apns

import (
	"maps"
	"slices"
	"time"
)

// keepConns is how many connections that are over are remembered.
const keepConns = 1000

// ConnInfo tells of a connection.
type ConnInfo struct {
	ID          int64         `json:"id"`
	Remote      string        `json:"remote"`
	OpenedAt    time.Time     `json:"opened_at"`
	ClosedAt    time.Time     `json:"closed_at,omitzero"`
	Team        string        `json:"team,omitempty"` // of its provider tokens
	KeyID       string        `json:"key_id,omitempty"`
	Requests    int64         `json:"requests"`
	ByStatus    map[int]int64 `json:"by_status"`
	MaxInFlight int           `json:"max_in_flight"`
	Refused     int64         `json:"refused"`   // streams above the limit
	Resets      int64         `json:"resets"`    // streams that the server reset
	Cancelled   int64         `json:"cancelled"` // streams that the client reset
	Pings       int64         `json:"pings"`     // of the client
	Priority    int64         `json:"priority"`  // PRIORITY frames, which Apple asks not to send
	GoAway      int64         `json:"go_away"`   // sent
}

func (c *conn) note(status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.info.Requests++
	c.info.ByStatus[status]++
}

func (c *conn) stats() ConnInfo {
	c.mu.Lock()
	defer c.mu.Unlock()
	info := c.info
	info.ByStatus = maps.Clone(info.ByStatus)
	info.Team, info.KeyID = c.login.team, c.login.kid
	return info
}

// Connections lists the connections, those of the past (the last 1000) too, by
// age.
func (s *Server) Connections() []ConnInfo {
	s.mu.Lock()
	list := slices.Clone(s.past)
	s.mu.Unlock()
	for _, c := range s.open() {
		list = append(list, c.stats())
	}
	slices.SortFunc(list, func(a, b ConnInfo) int { return int(a.ID - b.ID) })
	return list
}

func (s *Server) open() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.conns))
}

// GoAway sends GOAWAY over all connections, with the reason as debug data
// unless it is empty. What came before is answered; then they are closed.
func (s *Server) GoAway(reason string) {
	for _, c := range s.open() {
		c.mu.Lock()
		last := c.lastID
		c.mu.Unlock()
		c.goAway(last, 0, goAwayData(reason, s.opt.Clock()))
	}
}

// DropConnections breaks all connections, with all that is under way on them.
func (s *Server) DropConnections() {
	for _, c := range s.open() {
		c.drop()
	}
}

// RefuseConnections breaks new connections at once, or no longer.
func (s *Server) RefuseConnections(refuse bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusing = refuse
}

// SetStreams changes the number of concurrent streams of all open connections.
func (s *Server) SetStreams(n uint32) {
	for _, c := range s.open() {
		c.mu.Lock()
		c.setStreams(n)
		c.mu.Unlock()
		c.signal()
	}
}
