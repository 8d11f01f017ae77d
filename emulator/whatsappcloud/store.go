package whatsappcloud

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// Statuses of a message. StatusAccepted is before any webhook.
const (
	StatusAccepted  = "accepted"
	StatusSent      = "sent"
	StatusDelivered = "delivered"
	StatusRead      = "read"
	StatusPlayed    = "played"
	StatusFailed    = "failed"
)

// Message is a send that was taken.
type Message struct {
	ID         string          `json:"id"` // wamid
	Number     string          `json:"number"`
	Account    string          `json:"account"`
	To         string          `json:"to"`      // as sent to: digits, or a user id
	UserID     string          `json:"user_id"` // of the recipient
	Kind       string          `json:"kind"`
	Text       string          `json:"text"` // body, caption or template parameters, for Contains
	Template   string          `json:"template,omitempty"`
	Language   string          `json:"language,omitempty"`
	Category   string          `json:"category"` // of pricing: service, marketing, utility, authentication
	Callback   string          `json:"biz_opaque_callback_data,omitempty"`
	ReplyTo    string          `json:"reply_to,omitempty"`
	Body       json.RawMessage `json:"body"` // as received; treat as read-only
	TakenAt    time.Time       `json:"taken_at"`
	InWindow   bool            `json:"in_window"`
	Status     string          `json:"status"`         // as far as the script has played
	Code       int             `json:"code,omitempty"` // of a failed one
	AnswerLost bool            `json:"answer_lost"`    // a fault dropped or replaced the send's answer
	History    []Occurrence    `json:"history"`

	fail *refusal // comes by webhook instead of the script
}

// Occurrence is a status that a message had.
type Occurrence struct {
	Status  string    `json:"status"`
	At      time.Time `json:"at"`
	Webhook string    `json:"webhook"` // PENDING, DELIVERED, FAILED, RETRYING
	Error   string    `json:"error,omitempty"`
	URL     string    `json:"url,omitempty"`
}

// store keeps the last max messages in a ring. Guarded by Server.mu.
type store struct {
	max     int
	ring    []*Message
	head    int // of the oldest, once the ring is full
	byID    map[string]*Message
	byTo    map[string]int // of the kept ones
	inbound map[string]inboundRef
	order   []string // of inbound, to forget the oldest
	evicted int64
}

// inboundRef is a message from a user, for mark-as-read.
type inboundRef struct {
	number string
	read   bool
	typing bool
}

func newStore(keep int) store {
	return store{max: keep, byID: map[string]*Message{}, byTo: map[string]int{}, inbound: map[string]inboundRef{}}
}

func (st *store) add(m *Message) {
	st.byID[m.ID] = m
	st.byTo[m.To]++
	if len(st.ring) < st.max {
		st.ring = append(st.ring, m)
		return
	}
	old := st.ring[st.head]
	if st.byTo[old.To]--; st.byTo[old.To] == 0 {
		delete(st.byTo, old.To)
	}
	delete(st.byID, old.ID)
	st.evicted++
	st.ring[st.head] = m
	st.head = (st.head + 1) % st.max
}

func (st *store) addInbound(id, number string) {
	if len(st.order) >= st.max {
		delete(st.inbound, st.order[0])
		st.order = st.order[1:]
	}
	st.order = append(st.order, id)
	st.inbound[id] = inboundRef{number: number}
}

// newest calls f from the newest message to the oldest until it returns false.
func (st *store) newest(f func(*Message) bool) {
	for _, half := range [][]*Message{st.ring[:st.head], st.ring[st.head:]} {
		for _, m := range slices.Backward(half) {
			if !f(m) {
				return
			}
		}
	}
}

// wamid makes an id of Meta's shape: the user and 9 random bytes as hex.
func wamid(user string, serial uint64, out bool) string {
	direction := byte(0x12)
	if out {
		direction = 0x11
	}
	raw := []byte{0x1c, 0x18, byte(len(user))}
	raw = append(raw, user...)
	raw = append(raw, 0x15, 0x02, 0x00, direction, 0x18, 0x12)
	raw = append(raw, scramble(serial)[:18]...)
	return "wamid." + base64.StdEncoding.EncodeToString(append(raw, 0))
}

// Query chooses kept messages; zero fields choose all.
type Query struct {
	Number   string
	To       string
	Contains string // in the text
	Limit    int    // 0: all
}

func (q Query) match(m *Message) bool {
	return (q.Number == "" || q.Number == m.Number) &&
		(q.To == "" || plainTo(q.To) == m.To || q.To == m.UserID) &&
		(q.Contains == "" || strings.Contains(m.Text, q.Contains))
}

// plainTo is a recipient as messages keep it.
func plainTo(to string) string {
	if isUserID(to) {
		return to
	}
	return plainPhone(to)
}

func (m *Message) copy() Message {
	c := *m
	c.History = append([]Occurrence(nil), m.History...)
	return c
}

// Messages returns copies of the kept messages that match, newest first.
func (s *Server) Messages(q Query) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []Message{}
	s.store.newest(func(m *Message) bool {
		if q.match(m) {
			list = append(list, m.copy())
		}
		return q.Limit == 0 || len(list) < q.Limit
	})
	return list
}

// Message returns a copy of the message with this id, if it is still kept.
func (s *Server) Message(id string) (Message, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := s.store.byID[id]; m != nil {
		return m.copy(), true
	}
	return Message{}, false
}

// CountByRecipient is how many kept messages went to this recipient. It is
// exact for all messages while Counts().Evicted is 0.
func (s *Server) CountByRecipient(to string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.store.byTo[plainTo(to)]
}

// CountByText is how many kept messages contain this text.
func (s *Server) CountByText(substring string) int { return s.count(Query{Contains: substring}) }

func (s *Server) count(q Query) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	s.store.newest(func(m *Message) bool {
		if q.match(m) {
			n++
		}
		return true
	})
	return n
}

// CallbackCounts is how often each biz_opaque_callback_data was taken, among
// kept messages: a test that sends unique ones finds doubles and missing ones.
func (s *Server) CallbackCounts() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	counts := make(map[string]int, len(s.store.ring))
	for _, m := range s.store.ring {
		counts[m.Callback]++
	}
	return counts
}

// advance moves a message's status, only forward and an error only before
// delivery, and notes the occurrence. It returns the occurrence's place.
func (s *Server) advance(m *Message, status string, code int, url string) int {
	rank := map[string]int{StatusAccepted: 0, StatusSent: 1, StatusDelivered: 2, StatusRead: 3, StatusPlayed: 4}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case status == StatusFailed && rank[m.Status] <= rank[StatusSent]:
		m.Status, m.Code = StatusFailed, code
	case status != StatusFailed && rank[status] > rank[m.Status] && (m.Status != StatusFailed || rank[status] >= rank[StatusDelivered]):
		m.Status = status
	}
	m.History = append(m.History, Occurrence{Status: status, At: s.opt.Clock(), Webhook: "PENDING", URL: url})
	return len(m.History) - 1
}
