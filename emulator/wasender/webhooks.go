package wasender

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// play posts the events of a message. It returns when those are posted that
// come before the answer.
func (s *Server) play(m Message) {
	s.mu.Lock()
	sc := s.scriptOf(m.To)
	s.mu.Unlock()
	events, early := sc.plan(m.MsgID)
	if len(events) == 0 {
		return
	}
	taken := time.Now() // of the script's delays, which run on real time
	answer := make(chan struct{})
	tell := sync.OnceFunc(func() { close(answer) })
	next := 0
	t := &task{due: taken.Add(events[0].after), dropped: tell}
	t.run = func(ctx context.Context) time.Time {
		for until := max(early, next+1); next < until; next++ {
			s.playEvent(ctx, &m, events[next])
		}
		tell()
		if next == len(events) {
			return time.Time{}
		}
		return taken.Add(events[next].after)
	}
	if !s.player.add(t) || early == 0 {
		return
	}
	select {
	case <-answer:
	case <-s.done:
	}
}

// playEvent advances the message and posts the event unless it is dropped.
func (s *Server) playEvent(ctx context.Context, m *Message, p planned) {
	if p.event == eventUpdate {
		s.advance(m.MsgID, p.status)
	}
	if p.drop {
		s.player.tally(func(c *WebhookCounts) { c.Dropped++ })
		return
	}
	c, ok := s.Session(m.SessionID)
	if !ok || !c.wants(p.event) {
		s.player.tally(func(c *WebhookCounts) { c.Filtered++ })
		return
	}
	s.player.deliver(ctx, newDelivery(&c, p.event, messageEvent(m, &c, p, s.opt.Now())))
}

func newDelivery(c *Session, event string, body []byte) *delivery {
	return &delivery{url: c.WebhookURL, secret: c.WebhookSecret, event: event, body: body}
}

// postLater posts an event of a session through the player, if it wants it.
// Events of one session are posted one after the other.
func (s *Server) postLater(c *Session, event string, body []byte) {
	if !c.wants(event) {
		s.player.tally(func(c *WebhookCounts) { c.Filtered++ })
		return
	}
	s.mu.Lock()
	x := s.sessions[c.ID]
	if x == nil {
		s.mu.Unlock()
		return
	}
	x.outbox = append(x.outbox, newDelivery(c, event, body))
	first := len(x.outbox) == 1
	s.mu.Unlock()
	if !first {
		return
	}
	empty := func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		x.outbox = nil
	}
	if !s.player.add(&task{due: time.Now(), dropped: empty, run: func(ctx context.Context) time.Time {
		return s.postOutbox(ctx, x)
	}}) {
		empty()
	}
}

func (s *Server) postOutbox(ctx context.Context, x *session) time.Time {
	s.mu.Lock()
	if len(x.outbox) == 0 {
		s.mu.Unlock()
		return time.Time{}
	}
	d := x.outbox[0]
	s.mu.Unlock()
	s.player.deliver(ctx, d)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(x.outbox) > 0 {
		x.outbox = x.outbox[1:]
	}
	if len(x.outbox) == 0 {
		x.outbox = nil
		return time.Time{}
	}
	return time.Now()
}

func (s *Server) postState(c Session) {
	s.mu.Lock()
	shape := s.script.Shape
	s.mu.Unlock()
	shape.Mixed = false
	s.postLater(&c, eventSession, sessionEvent(&c, shape, s.opt.Now()))
}

// PlayStatus posts one messages.update of a kept message now, beside its
// script, and moves its status.
func (s *Server) PlayStatus(msgID int64, status int, shape Shape) error {
	step := Step{Status: status, Shape: &shape}
	if err := step.validate(); err != nil {
		return err
	}
	m, ok := s.Message(msgID)
	if !ok {
		return fmt.Errorf("message %d: not found", msgID)
	}
	p := planned{event: eventUpdate, status: status, shape: shape}
	s.player.add(&task{due: time.Now(), run: func(ctx context.Context) time.Time {
		s.playEvent(ctx, &m, p)
		return time.Time{}
	}})
	return nil
}

// Inbound is a message from a WhatsApp user to a session.
type Inbound struct {
	Session int64  // 0: the session with the smallest id
	From    string // E.164
	Text    string
	Event   string // messages.received (default), messages-personal.received or messages.upsert
	KeyID   string // default: a new one
	Shape   Shape
}

// PlayInbound posts an inbound message and returns its key id.
func (s *Server) PlayInbound(in Inbound) (string, error) {
	in.Event = cmp.Or(in.Event, eventReceived)
	if !slices.Contains([]string{eventReceived, "messages-personal.received", eventUpsert}, in.Event) {
		return "", fmt.Errorf("event: %q is none of messages.received, messages-personal.received, messages.upsert", in.Event)
	}
	if !validRecipient(in.From) || strings.Contains(in.From, "@") {
		return "", errors.New("from: must be a phone number in E.164 format")
	}
	if err := in.Shape.validate(); err != nil {
		return "", err
	}
	c, err := s.sessionOrFirst(in.Session)
	if err != nil {
		return "", err
	}
	if in.KeyID == "" {
		s.mu.Lock()
		s.inbound++
		in.KeyID = keyID(-s.inbound - s.opt.FirstMsgID) // below zero: no msgId has it
		s.mu.Unlock()
	}
	s.postLater(&c, in.Event, inboundEvent(in, &c, s.opt.Now()))
	return in.KeyID, nil
}

// PostWebhook posts any JSON to the session's URL with its secret, for payloads
// that no shape makes. The session's event filter does not apply.
func (s *Server) PostWebhook(sessionID int64, body []byte) error {
	if !json.Valid(body) {
		return errors.New("body: not JSON")
	}
	c, err := s.sessionOrFirst(sessionID)
	if err != nil {
		return err
	}
	if c.WebhookURL == "" {
		return fmt.Errorf("session %d: has no webhook_url", c.ID)
	}
	c.WebhookEvents, c.WebhookDisabled = nil, false
	s.postLater(&c, "raw", bytes.Clone(body))
	return nil
}

func (s *Server) sessionOrFirst(id int64) (Session, error) {
	if id != 0 {
		if c, ok := s.Session(id); ok {
			return c, nil
		}
		return Session{}, fmt.Errorf("session %d: not found", id)
	}
	if all := s.Sessions(); len(all) > 0 {
		return all[0], nil
	}
	return Session{}, errors.New("session: there is none")
}
