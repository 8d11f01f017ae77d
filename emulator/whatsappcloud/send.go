package whatsappcloud

import (
	"bytes"
	"net/http"
	"strings"
)

// messages serves POST /{number}/messages.
func (s *Server) messages(req *request) reply {
	if !isJSON(req.Request) {
		return s.refused(s.refuse(codeInvalid, "The Content-Type must be application/json.")).as(outcomeMalformed)
	}
	b, err := parseObject(req.body)
	if err != nil {
		return s.refused(graph(http.StatusBadRequest, codeInvalid, 0, "", "(#100) The request body is "+err.Error()+".")).as(outcomeMalformed)
	}
	if _, ok := b["status"]; ok {
		return s.markRead(req, b)
	}
	e, p := s.checkEnvelope(b)
	if p != nil {
		return s.refused(s.problem(p)).as(outcomeInvalid)
	}
	m, refused := s.take(req, &e)
	if refused != nil {
		rep := s.refused(refused)
		if refused.Via == ViaBoth {
			s.playRefused(req, &e, refused)
		}
		return rep
	}
	if !req.target.silent {
		s.play(m)
	}
	if req.target.twice {
		if again, refused := s.take(req, &e); refused == nil {
			s.play(again)
			m = again
		}
	}
	rep := jsonReply(http.StatusOK, sendAnswer(m, &e, b))
	rep.msgID = m.ID
	return rep
}

// problem makes the error of a body. What is missing or misspelled at the top
// has its text in the message.
func (s *Server) problem(p *problem) *refusal {
	r := s.refuse(p.code, p.details)
	if strings.HasPrefix(p.details, "(#") {
		r.message = p.details
	}
	return r
}

func sendAnswer(m *Message, e *envelope, b map[string]any) object {
	contact := object{"input": m.To}
	if e.to != "" {
		contact["input"], contact["wa_id"] = b["to"], m.To
	} else {
		contact["user_id"] = m.UserID
	}
	return object{
		"messaging_product": "whatsapp",
		"contacts":          []any{contact},
		"messages":          []any{object{"id": m.ID, "message_status": StatusAccepted}},
	}
}

// take checks what depends on state and keeps the message.
func (s *Server) take(req *request, e *envelope) (*Message, *refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	// The clock is read under the lock: limiters and MaxInWindow see times in
	// the order in which messages are taken.
	at := s.opt.Clock()
	now := s.ns(at)
	n := req.num
	u := s.user(n.acc.ID, e.key())
	m := &Message{
		Number: n.ID, Account: n.acc.ID, To: e.key(), UserID: u.UserID, Kind: e.kind, Category: "service",
		Callback: e.callback, ReplyTo: e.replyTo, Body: bytes.TrimSpace(req.body), TakenAt: at, Status: StatusAccepted,
		InWindow: s.windowOpen(n, u, now), History: []Occurrence{},
	}
	var b strings.Builder
	texts(e.content, &b)
	m.Text = strings.TrimSuffix(b.String(), "\n")
	refused := s.limits(n, u, m, e, now)
	if refused == nil {
		refused = req.target.fail
	}
	if refused != nil {
		if refused.Via != ViaWebhook {
			return nil, refused
		}
		m.fail = refused
	}
	s.keep(n, u, m, now)
	return m, nil
}

// keep counts the message as taken. The caller holds mu.
func (s *Server) keep(n *number, u *user, m *Message, now int64) {
	s.serial++
	m.ID = wamid(m.To, s.serial, true)
	s.store.add(m)
	n.counts.Accepted++
	n.times.add(now)
	s.pairOf(n, u).times.add(now)
	if m.fail != nil {
		return
	}
	if !m.InWindow {
		n.acc.initiated(u, now)
	}
	if m.Category == "marketing" {
		u.marketing = append(since(u.marketing, now, day), now)
	}
}

// limits are the checks behind the schema, in the order of the package's doc.
// What is refused for its content uses up no limit. The caller holds mu.
func (s *Server) limits(n *number, u *user, m *Message, e *envelope, now int64) *refusal {
	if code, via, ok := magic(m.To); ok {
		if r := s.refuse(code, ""); r != nil {
			if via != ViaDefault {
				r.Via = via
			}
			return r
		}
	}
	if r := s.state(n, m); r != nil {
		return r
	}
	if !n.sends.take(n.Throughput, now, false) {
		return s.refuse(130429, "")
	}
	p := s.pairOf(n, u)
	before := p.tat
	if !p.take(s.opt.Limits, now) {
		n.sends.giveBack()
		return s.refuse(131056, "")
	}
	r := s.content(n, u, m, e, now)
	if r != nil && r.Via != ViaWebhook {
		n.sends.giveBack()
		p.tat = before
	}
	return r
}

// state is what is wrong with number or account.
func (s *Server) state(n *number, m *Message) *refusal {
	switch {
	case n.Unregistered:
		return s.refuse(133010, "")
	case n.Upgrading:
		return s.refuse(131057, "")
	case n.NameMissing:
		return s.refuse(131037, "")
	case n.acc.Locked:
		return s.refuse(131031, "")
	case n.acc.Unpaid:
		return s.refuse(131042, "")
	case m.To == n.Phone:
		return s.refuse(131021, "")
	}
	return nil
}

// content is what depends on template, media, window and consent.
func (s *Server) content(n *number, u *user, m *Message, e *envelope, now int64) *refusal {
	if n.SpamLimited && !m.InWindow {
		return s.refuse(131048, "")
	}
	if e.kind == "template" {
		if r := s.checkTemplate(n.acc, m, e); r != nil {
			return r
		}
	}
	if r := s.checkMedia(n.acc, e); r != nil {
		return r
	}
	marketing := m.Category == "marketing"
	switch {
	case e.kind != "template" && !m.InWindow:
		return s.refuse(131047, "")
	case u.Absent:
		return s.refuse(131026, "")
	case marketing && u.Stopped:
		return s.refuse(131050, "")
	case marketing && u.Trial:
		return s.refuse(130472, "")
	case marketing && !s.opt.AllowUSMarketing && strings.HasPrefix(u.Phone, "1"):
		return s.refuse(131049, "")
	case marketing && s.opt.Limits.MarketingPerUser > 0 && len(since(u.marketing, now, day)) >= s.opt.Limits.MarketingPerUser:
		return s.refuse(131049, "")
	case !m.InWindow && !n.acc.within(u, now):
		// Meta names no code for the messaging limit of its own; this is the
		// one its pages give for "how many messages can be sent" (chosen).
		return s.refuse(131048, "")
	}
	return nil
}

// markRead marks a user's message as read, and shows that someone types.
func (s *Server) markRead(req *request, b map[string]any) reply {
	rule := obj(fieldsOf{
		"messaging_product": needed(oneOf("whatsapp")), "status": needed(oneOf("read")), "message_id": needed(wamidRule()),
		"typing_indicator": obj(fieldsOf{"type": needed(oneOf("text"))}),
	})
	if p := rule.check("root", b); p != nil {
		return s.refused(s.problem(p)).as(outcomeInvalid)
	}
	id, _ := b["message_id"].(string)
	s.mu.Lock()
	ref, ok := s.store.inbound[id]
	if ok = ok && ref.number == req.num.ID; ok {
		ref.read = true
		ref.typing = ref.typing || b["typing_indicator"] != nil
		s.store.inbound[id] = ref
		req.num.counts.MarkedRead++
	}
	s.mu.Unlock()
	if !ok {
		// Meta's answer for an unknown message is not in our facts: chosen.
		return s.refused(s.refuse(codeInvalid, "Message "+id+" does not exist."))
	}
	return done()
}

// InboundState says whether a user's message was marked as read, and whether
// the typing indicator was shown with it.
func (s *Server) InboundState(id string) (read, typing bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ref := s.store.inbound[id]
	return ref.read, ref.typing
}
