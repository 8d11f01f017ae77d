package wasender

import (
	"encoding/json"
	"strings"
	"time"
)

// Statuses of a message, as the vendor numbers them.
const (
	StatusError     = 0
	StatusPending   = 1
	StatusSent      = 2
	StatusDelivered = 3
	StatusRead      = 4
	StatusPlayed    = 5
)

// Message is a send that was taken.
type Message struct {
	MsgID      int64           `json:"msg_id"`
	KeyID      string          `json:"key_id"` // WhatsApp's id, which webhooks carry instead of msgId
	SessionID  int64           `json:"session_id"`
	To         string          `json:"to"`
	Kind       string          `json:"kind"` // text, image, video, document, audio, sticker, contact, location, poll
	Text       string          `json:"text"`
	Body       json.RawMessage `json:"body"` // as received; treat as read-only
	TakenAt    time.Time       `json:"taken_at"`
	Status     int             `json:"status"`      // 0 to 5, as far as the script has played
	AnswerLost bool            `json:"answer_lost"` // a fault dropped or replaced the send's answer
	Edited     bool            `json:"edited"`
	Deleted    bool            `json:"deleted"`
	Resends    int             `json:"resends"`
	Logged     bool            `json:"logged"` // the session's log_messages was on
}

// store keeps the last max messages in a ring; msgIds are consecutive, so the
// place follows from the id. Guarded by Server.mu.
type store struct {
	max     int
	ring    []*Message
	first   int64 // id of the first message since the last reset
	next    int64
	byTo    map[string]int // of the kept ones
	evicted int64
}

func newStore(keep int, first int64) store {
	return store{max: keep, first: first, next: first, byTo: map[string]int{}}
}

func (st *store) add(m *Message) {
	m.MsgID = st.next
	m.KeyID = keyID(m.MsgID)
	at := int((st.next - st.first) % int64(st.max))
	st.next++
	st.byTo[m.To]++
	if at == len(st.ring) {
		st.ring = append(st.ring, m)
		return
	}
	old := st.ring[at]
	if st.byTo[old.To]--; st.byTo[old.To] == 0 {
		delete(st.byTo, old.To)
	}
	st.evicted++
	st.ring[at] = m
}

func (st *store) get(id int64) *Message {
	if id < st.first || id >= st.next || id < st.next-int64(len(st.ring)) {
		return nil
	}
	return st.ring[int((id-st.first)%int64(st.max))]
}

// newest calls f from the newest message to the oldest until it returns false.
func (st *store) newest(f func(*Message) bool) {
	for id := st.next - 1; id >= st.next-int64(len(st.ring)); id-- {
		if !f(st.ring[int((id-st.first)%int64(st.max))]) {
			return
		}
	}
}

// keyID makes WhatsApp's id from msgId: no two alike (the mixing is one to
// one), but not to be guessed from it by eye.
func keyID(msgID int64) string {
	x := uint64(msgID)
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	x ^= x >> 31
	const digits = "0123456789ABCDEF"
	id := [20]byte{'3', 'E', 'B', '0'}
	for i := 19; i >= 4; i-- {
		id[i] = digits[x&15]
		x >>= 4
	}
	return string(id[:])
}

// Query chooses kept messages; zero fields choose all.
type Query struct {
	Session  int64
	To       string
	Contains string // in the text
	Limit    int    // 0: all
}

func (q Query) match(m *Message) bool {
	return (q.Session == 0 || q.Session == m.SessionID) &&
		(q.To == "" || q.To == m.To) &&
		(q.Contains == "" || strings.Contains(m.Text, q.Contains))
}

// Messages returns copies of the kept messages that match, newest first.
func (s *Server) Messages(q Query) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []Message{}
	s.store.newest(func(m *Message) bool {
		if q.match(m) {
			list = append(list, *m)
		}
		return q.Limit == 0 || len(list) < q.Limit
	})
	return list
}

// Message returns a copy of the message with this msgId, if it is still kept.
func (s *Server) Message(msgID int64) (Message, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := s.store.get(msgID); m != nil {
		return *m, true
	}
	return Message{}, false
}

// CountByRecipient is how many kept messages went to this recipient. It is
// exact for all messages while Counts().Evicted is 0.
func (s *Server) CountByRecipient(to string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.store.byTo[to]
}

// CountByText is how many kept messages contain this text.
func (s *Server) CountByText(substring string) int {
	return s.count(Query{Contains: substring})
}

// CountBySession is how many messages the session sent, evicted ones too.
func (s *Server) CountBySession(id int64) int64 {
	return s.Counts().Sessions[id].Accepted
}

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

// TextCounts is how often each text was taken, among kept messages: a test that
// sends unique texts finds doubles and missing ones with it.
func (s *Server) TextCounts() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	counts := make(map[string]int, len(s.store.ring))
	for _, m := range s.store.ring {
		counts[m.Text]++
	}
	return counts
}

// advance moves a message's status; only forward, and an error only before
// delivery.
func (s *Server) advance(msgID int64, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.store.get(msgID)
	switch {
	case m == nil:
	case status == StatusError && m.Status <= StatusSent:
		m.Status = StatusError
	case status > m.Status && (m.Status != StatusError || status >= StatusDelivered):
		m.Status = status
	}
}
