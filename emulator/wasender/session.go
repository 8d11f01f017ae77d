package wasender

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// State of a session, as the vendor names them.
type State string

// States of a session.
const (
	StateConnected    State = "connected"
	StateConnecting   State = "connecting"
	StateDisconnected State = "disconnected"
	StateNeedScan     State = "need_scan"
	StateLoggedOut    State = "logged_out"
	StateExpired      State = "expired"
)

func states() []State {
	return []State{StateConnected, StateConnecting, StateDisconnected, StateNeedScan, StateLoggedOut, StateExpired}
}

// Session is a linked device of the account. Zero fields get defaults when it
// is added: the next id, a name, an API key and a webhook secret made from the
// id, PlanUnlimited and StateConnected.
type Session struct {
	ID                int64
	Name              string
	PhoneNumber       string
	APIKey            string
	WebhookURL        string   // "" posts nothing; events still advance the status
	WebhookSecret     string   // sent whole in X-Webhook-Signature
	WebhookDisabled   bool     // the vendor's webhook_enabled, turned round so that zero is on
	WebhookEvents     []string // only these events; empty: every event
	Plan              Plan
	Limit             Limit // ours: overrides plan and account protection; zero: none set
	AccountProtection bool
	LogMessages       bool
	ResetInSeconds    bool // X-RateLimit-Reset in seconds instead of unix time
	State             State
	CreatedAt         time.Time
	UpdatedAt         time.Time
}

// session is a Session with what belongs to it. All of it is guarded by
// Server.mu.
type session struct {
	Session
	sends   window
	lookups window // /on-whatsapp
	times   timeline
	arrived timeline
	counts  SessionCounts
	logs    []sessionLog
	logID   int64
	outbox  []*delivery // session events and inbound messages, in order
}

type sessionLog struct {
	ID        int64     `json:"id"`
	Event     string    `json:"event"`
	Status    State     `json:"status"`
	CreatedAt time.Time `json:"created_at"`
}

const keepSessionLogs = 1000

func (c *Session) fill(now time.Time) {
	c.Name = cmp.Or(c.Name, "session-"+strconv.FormatInt(c.ID, 10))
	c.PhoneNumber = cmp.Or(c.PhoneNumber, fmt.Sprintf("+1555%07d", c.ID))
	c.APIKey = cmp.Or(c.APIKey, "wasender-key-"+strconv.FormatInt(c.ID, 10))
	c.WebhookSecret = cmp.Or(c.WebhookSecret, "wasender-secret-"+strconv.FormatInt(c.ID, 10))
	c.Plan = cmp.Or(c.Plan, PlanUnlimited)
	c.State = cmp.Or(c.State, StateConnected)
	if c.CreatedAt.IsZero() {
		c.CreatedAt = now
	}
	c.UpdatedAt = now
	c.WebhookEvents = slices.Clone(c.WebhookEvents)
}

func (c *Session) validate() error {
	if c.ID < 0 {
		return errors.New("id: must not be negative")
	}
	if !slices.Contains(states(), c.State) {
		return fmt.Errorf("state: %q is none of %v", c.State, states())
	}
	if !slices.Contains([]Plan{PlanTrial, PlanPaid, PlanUnlimited}, c.Plan) {
		return fmt.Errorf("plan: %q is none of trial, paid, unlimited", c.Plan)
	}
	if c.WebhookURL != "" {
		if u, err := url.Parse(c.WebhookURL); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			return errors.New("webhook_url: must be an http or https URL")
		}
	}
	return c.Limit.validate()
}

// wants reports whether the event goes to the session's URL.
func (c *Session) wants(event string) bool {
	if c.WebhookURL == "" || c.WebhookDisabled {
		return false
	}
	return len(c.WebhookEvents) == 0 || slices.Contains(c.WebhookEvents, event)
}

// AddSession adds a session, with defaults for its zero fields, and returns it
// as it is kept. It fails when the id or key is taken or a field is invalid.
func (s *Server) AddSession(c Session) (Session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addSession(c)
}

func (s *Server) addSession(c Session) (Session, error) {
	if c.ID == 0 {
		c.ID = s.nextSession
	}
	c.fill(s.opt.Now())
	if err := c.validate(); err != nil {
		return Session{}, err
	}
	if s.sessions[c.ID] != nil {
		return Session{}, fmt.Errorf("id: session %d exists", c.ID)
	}
	if s.byKey[c.APIKey] != nil {
		return Session{}, errors.New("api_key: in use by another session")
	}
	s.nextSession = max(s.nextSession, c.ID+1)
	x := &session{Session: c}
	x.sends.limit, _ = c.effective()
	x.lookups.limit = Limit{Requests: 60, Period: time.Minute}
	x.times.max, x.arrived.max = s.opt.KeepTimes, s.opt.KeepTimes
	x.log("session.created", c.UpdatedAt)
	s.sessions[c.ID], s.byKey[c.APIKey] = x, x
	return c, nil
}

// UpdateSession changes a session. A new state posts session.status, a new
// limit starts with an empty window. The change is refused as a whole when the
// result is invalid; the id cannot be changed.
func (s *Server) UpdateSession(id int64, change func(*Session)) (Session, error) {
	s.mu.Lock()
	x := s.sessions[id]
	if x == nil {
		s.mu.Unlock()
		return Session{}, fmt.Errorf("session %d: not found", id)
	}
	old, c := x.Session, x.Session
	change(&c)
	c.ID = id
	c.fill(s.opt.Now())
	err := c.validate()
	if err == nil && c.APIKey != old.APIKey && s.byKey[c.APIKey] != nil {
		err = errors.New("api_key: in use by another session")
	}
	if err != nil {
		s.mu.Unlock()
		return Session{}, err
	}
	delete(s.byKey, old.APIKey)
	s.byKey[c.APIKey] = x
	x.Session = c
	if limit, _ := c.effective(); limit != x.sends.limit {
		x.sends = window{limit: limit}
	}
	if old.State != c.State {
		x.log("session.status", c.UpdatedAt)
	}
	s.mu.Unlock()
	if old.State != c.State {
		s.postState(c)
	}
	return c, nil
}

// SetState changes a session's state and posts session.status.
func (s *Server) SetState(id int64, state State) error {
	_, err := s.UpdateSession(id, func(c *Session) { c.State = state })
	return err
}

// RemoveSession deletes a session; its messages stay.
func (s *Server) RemoveSession(id int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.sessions[id]
	if x == nil {
		return fmt.Errorf("session %d: not found", id)
	}
	s.removed.add(x.counts)
	delete(s.byKey, x.APIKey)
	delete(s.sessions, id)
	return nil
}

// Session returns a copy of the session with this id.
func (s *Server) Session(id int64) (Session, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x := s.sessions[id]; x != nil {
		return x.Session, true
	}
	return Session{}, false
}

// Sessions returns copies of all sessions, by id.
func (s *Server) Sessions() []Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Session, 0, len(s.sessions))
	for _, x := range s.sessions {
		list = append(list, x.Session)
	}
	slices.SortFunc(list, func(a, b Session) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

func (x *session) log(event string, at time.Time) {
	x.logID++
	x.logs = append(x.logs, sessionLog{ID: x.logID, Event: event, Status: x.State, CreatedAt: at})
	if len(x.logs) > keepSessionLogs {
		x.logs = slices.Delete(x.logs, 0, len(x.logs)-keepSessionLogs)
	}
}
