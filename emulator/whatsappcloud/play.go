package whatsappcloud

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"
)

// play posts the statuses of a message. It returns when those are posted that
// come before the answer.
func (s *Server) play(m *Message) {
	s.mu.Lock()
	sc := s.scriptOf(m.To)
	serial := uint64(s.numbers[m.Number].counts.Accepted)
	s.mu.Unlock()
	events, early := s.plan(sc, serial, m.fail)
	s.playEvents(m, events, early)
}

func (s *Server) playEvents(m *Message, events []planned, early int) {
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
			s.playStatus(ctx, m, events[next], next < early)
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

// playStatus advances the message and posts the status unless it is dropped.
func (s *Server) playStatus(ctx context.Context, m *Message, p planned, now bool) {
	s.mu.Lock()
	a, n := s.accounts[m.Account], s.numbers[m.Number]
	if a == nil || n == nil || n.acc != a {
		s.mu.Unlock()
		return
	}
	u := s.user(a.ID, m.To)
	url := a.WebhookURL
	s.mu.Unlock()
	code := 0
	if p.fail != nil {
		code = p.fail.Code
	}
	at := s.advance(m, p.status, code, url)
	if p.drop {
		s.setWebhook(m, at, "FAILED", "")
		s.player.tally(func(c *WebhookCounts) { c.Dropped++ })
		return
	}
	s.mu.Lock()
	ch := change{field: "messages", number: n, kind: "statuses", item: s.statusItem(m, u, p), msg: m, at: at}
	if p.status != StatusFailed && !p.bare {
		ch.contacts = []any{u.contact(m.To == u.Phone, p.status != StatusSent)}
	}
	s.mu.Unlock()
	s.send(ctx, a, ch, now)
}

func (s *Server) setWebhook(m *Message, at int, state, err string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m.History[at].Webhook, m.History[at].Error = state, err
}

// statusItem is one entry of "statuses". The caller holds mu.
func (s *Server) statusItem(m *Message, u *user, p planned) object {
	now := s.opt.Clock()
	o := object{"id": m.ID, "status": p.status, "timestamp": strconv.FormatInt(now.Unix(), 10)}
	byPhone := m.To == u.Phone
	if phone := u.shown(byPhone); phone != "" {
		o["recipient_id"] = phone
	}
	if !p.bare && p.status != StatusFailed || !byPhone {
		o["recipient_user_id"] = u.UserID
	}
	if m.Callback != "" {
		o["biz_opaque_callback_data"] = m.Callback
	}
	if p.fail != nil {
		o["errors"] = []any{p.fail.inStatus()}
		return o
	}
	if p.priced {
		free := m.InWindow && (m.Category == "service" || m.Category == "utility")
		pricing := object{"billable": !free, "pricing_model": "PMP", "category": m.Category, "type": "regular"}
		if free {
			pricing["type"] = "free_customer_service"
		}
		o["pricing"] = pricing
	}
	if s.opt.Conversations && p.status != StatusRead && p.status != StatusPlayed {
		c := object{"id": scramble(uint64(m.TakenAt.UnixNano() / int64(day)))[:32], "origin": object{"type": m.Category}}
		if p.status == StatusSent {
			c["expiration_timestamp"] = strconv.FormatInt(m.TakenAt.Add(day).Unix(), 10)
		}
		o["conversation"] = c
	}
	return o
}

// playRefused posts the failed status of a send that was refused, for an id
// that the caller was never told. Only biz_opaque_callback_data joins the two.
func (s *Server) playRefused(req *request, e *envelope, r *refusal) {
	s.mu.Lock()
	n := req.num
	u := s.user(n.acc.ID, e.key())
	s.serial++
	m := &Message{
		ID: wamid(e.key(), s.serial, true), Number: n.ID, Account: n.acc.ID, To: e.key(), UserID: u.UserID, Kind: e.kind,
		Callback: e.callback, Body: bytes.TrimSpace(req.body), TakenAt: s.opt.Clock(), Status: StatusAccepted,
	}
	sc := s.scriptOf(m.To)
	s.mu.Unlock()
	events, _ := s.plan(sc, 0, r)
	s.playEvents(m, events, 0)
}

// PlayStatus posts one status of a kept message now, beside its script, and
// moves its status. code is of a failed one, 0 for 131026.
func (s *Server) PlayStatus(id, status string, code int) error {
	step := Step{Status: status, Code: code}
	if err := step.validate(); err != nil {
		return err
	}
	s.mu.Lock()
	m := s.store.byID[id]
	s.mu.Unlock()
	if m == nil {
		return fmt.Errorf("message %s: not found", id)
	}
	events, _ := s.plan(&Script{Steps: []Step{step}}, 0, nil)
	s.playEvents(m, events, 0)
	return nil
}
