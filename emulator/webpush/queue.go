package webpush

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"
)

// State is what became of a message.
type State string

// States of a message.
const (
	StateShown     State = "shown"     // the browser took it
	StateWaiting   State = "waiting"   // the browser is away
	StateReplaced  State = "replaced"  // by a later one of its Topic
	StateExpired   State = "expired"   // its TTL ran out before the browser came back
	StateLost      State = "lost"      // TTL 0 while away, too many waiting, or the subscription is gone
	StateCancelled State = "cancelled" // deleted by the application
	StateBroken    State = "broken"    // could not be decrypted; the browser drops it
	StateUnread    State = "unread"    // not decrypted: Options.DecryptOneIn
)

// Message is a push that was taken.
type Message struct {
	ID       string    `json:"id"`
	Endpoint string    `json:"endpoint"`
	At       time.Time `json:"at"`
	TTL      int64     `json:"ttl"` // seconds, as granted
	Urgency  string    `json:"urgency"`
	Topic    string    `json:"topic,omitempty"`
	State    State     `json:"state"`
	// BodyBytes came, of which TextBytes are text and Padding zeros (-1: not decrypted).
	BodyBytes int    `json:"body_bytes"`
	TextBytes int    `json:"text_bytes"`
	Padding   int    `json:"padding"`
	Text      string `json:"text,omitempty"`
	Problem   string `json:"problem,omitempty"` // why it is broken
	// AnswerLost: taken, but the sender did not hear of it.
	AnswerLost bool `json:"answer_lost,omitempty"`
	// Shown once the browser has it.
	Shown *Shown `json:"shown,omitempty"`
}

// waiting is a message for a browser that is away.
type waiting struct {
	message *Message
	shown   Shown
	until   time.Time
}

// take records a message and gives what the browser shows of it now.
func (s *Server) take(p *push, plain plaintext, broken string) (*Message, []Shown) {
	s.taken.Add(1)
	m := &Message{
		ID: randomText(9), Endpoint: p.sub.sub.Endpoint, At: p.now, TTL: int64(p.ttl / time.Second), Urgency: p.urgency, Topic: p.topic,
		BodyBytes: len(p.body), TextBytes: len(plain.text), Padding: plain.padding, Text: string(plain.text), Problem: broken,
	}
	shown := Shown{
		Phone: m.Endpoint, Platform: p.sub.platform, At: p.now, MessageID: m.ID, CollapseKey: p.topic, Urgency: p.urgency,
	}
	unread := plain.padding < 0
	if broken == "" && !unread {
		shown.read(plain.text)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log.add(m)
	s.count(p.sub, func(c *Counts) {
		c.BodyBytes += int64(m.BodyBytes)
		c.TextBytes += int64(m.TextBytes)
		c.PaddingBytes += int64(max(m.Padding, 0))
	})
	switch {
	case broken != "":
		m.State, m.Padding = StateBroken, -1
		s.count(p.sub, func(c *Counts) { c.Broken++ })
	case unread:
		m.State = StateUnread
	case !p.sub.offline:
		return m, []Shown{s.deliver(p.sub, m, shown)}
	case p.ttl == 0:
		s.lose(p.sub, &waiting{message: m}, StateLost)
	default:
		s.wait(p.sub, &waiting{message: m, shown: shown, until: p.now.Add(p.ttl)})
	}
	return m, nil
}

// deliver is the browser taking a message; the caller holds mu.
func (s *Server) deliver(x *subscription, m *Message, shown Shown) Shown {
	m.State, m.Shown = StateShown, &shown
	s.count(x, func(c *Counts) { c.Shown++ })
	return shown
}

// wait keeps a message for a browser that is away; the caller holds mu.
func (s *Server) wait(x *subscription, w *waiting) {
	w.message.State = StateWaiting
	if topic := w.message.Topic; topic != "" {
		x.waiting = slices.DeleteFunc(x.waiting, func(old *waiting) bool {
			if old.message.Topic != topic {
				return false
			}
			s.lose(x, old, StateReplaced)
			return true
		})
	}
	if len(x.waiting) >= s.opt.MaxWaiting {
		s.lose(x, x.waiting[0], StateLost)
		x.waiting = slices.Delete(x.waiting, 0, 1)
	}
	x.waiting = append(x.waiting, w)
}

// lose ends a message that was not shown; the caller holds mu.
func (s *Server) lose(x *subscription, w *waiting, state State) {
	w.message.State = state
	s.count(x, func(c *Counts) {
		switch state {
		case StateReplaced:
			c.Replaced++
		case StateExpired:
			c.Expired++
		default:
			c.Lost++
		}
	})
}

// takeWaiting is a browser that comes back; the caller holds mu.
func (s *Server) takeWaiting(x *subscription) []Shown {
	now := s.opt.Clock()
	var taken []Shown
	for _, w := range x.waiting {
		if !now.Before(w.until) {
			s.lose(x, w, StateExpired)
			continue
		}
		w.shown.At = now
		taken = append(taken, s.deliver(x, w.message, w.shown))
	}
	x.waiting = nil
	return taken
}

func (s *Server) show(taken ...Shown) {
	if s.opt.Show == nil {
		return
	}
	for _, shown := range taken {
		s.opt.Show(shown)
	}
}

// cancel serves the message resource: DELETE takes back what still waits (RFC
// 8030, section 7.2).
func (s *Server) cancel(method, id string) reply {
	if method != http.MethodDelete {
		return refuse(http.StatusMethodNotAllowed, errnoEndpoint, "a message can only be deleted").with("Allow", "DELETE")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.log.get(id)
	if m == nil || m.State != StateWaiting {
		return refuse(http.StatusNotFound, errnoEndpoint, "no such message waits")
	}
	x, err := s.find(m.Endpoint)
	if err != nil {
		return refuse(http.StatusNotFound, errnoEndpoint, "no such message waits")
	}
	x.waiting = slices.DeleteFunc(x.waiting, func(w *waiting) bool { return w.message == m })
	m.State = StateCancelled
	return reply{status: http.StatusNoContent}
}

// log keeps the newest messages; the server's mu guards it.
type log struct {
	ring []*Message
	next int
	byID map[string]*Message
}

func newLog(keep int) log { return log{ring: make([]*Message, keep), byID: map[string]*Message{}} }

func (l *log) add(m *Message) {
	if old := l.ring[l.next]; old != nil {
		delete(l.byID, old.ID)
	}
	l.ring[l.next], l.byID[m.ID] = m, m
	l.next = (l.next + 1) % len(l.ring)
}

func (l *log) get(id string) *Message { return l.byID[id] }

// Query picks messages; empty fields match all.
type Query struct {
	Endpoint string
	Contains string // in the text
	Limit    int    // 0: all that are kept
}

// Messages gives those kept that match, newest first.
func (s *Server) Messages(q Query) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := []Message{}
	for i := range s.log.ring {
		m := s.log.ring[(s.log.next-1-i+2*len(s.log.ring))%len(s.log.ring)]
		if m == nil || (q.Limit > 0 && len(found) == q.Limit) {
			break
		}
		if (q.Endpoint == "" || q.Endpoint == m.Endpoint) && strings.Contains(m.Text, q.Contains) {
			found = append(found, *m)
		}
	}
	return found
}

// Message gives one that is kept.
func (s *Server) Message(id string) (Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := s.log.get(id); m != nil {
		return *m, nil
	}
	return Message{}, missing(errors.New("message: not found, or no longer kept"))
}
