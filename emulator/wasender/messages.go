package wasender

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// own returns the session's message named in the path.
func (s *Server) own(req *request) (Message, reply, bool) {
	id, ok := req.number(0)
	if ok {
		if m, kept := s.Message(id); kept && m.SessionID == req.sessID && !m.Deleted {
			return m, reply{}, true
		}
	}
	return Message{}, fail(http.StatusNotFound, "Message not found."), false // text chosen
}

// change alters a kept message under the lock.
func (s *Server) change(msgID int64, f func(*Message)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := s.store.get(msgID); m != nil {
		f(m)
	}
}

// messageInfo is the only documented join of msgId to the key id of webhooks.
func (s *Server) messageInfo(req *request) reply {
	m, rep, ok := s.own(req)
	if !ok {
		return rep
	}
	jid := remoteJID(m.To, Shape{})
	return success(http.StatusOK, object{
		"remoteJid":        jid,
		"id":               m.KeyID,
		"msgId":            m.MsgID,
		"key":              messageKey{RemoteJID: jid, ID: m.KeyID, FromMe: true},
		"message":          content(&m),
		"messageTimestamp": strconv.FormatInt(m.TakenAt.Unix(), 10), // a string: so documented
		"status":           m.Status,
	})
}

func (s *Server) editMessage(req *request) reply {
	m, rep, ok := s.own(req)
	if !ok {
		return rep
	}
	var body fields
	if isJSON(req.Request) && json.Unmarshal(req.body, &body) != nil {
		return fail(http.StatusBadRequest, "The request body is not a JSON object.")
	}
	errs := fieldErrors{}
	text := requiredString(errs, "text", body["text"])
	if len(errs) > 0 {
		return invalid(errs)
	}
	s.change(m.MsgID, func(m *Message) { m.Text, m.Edited = text, true })
	return done("Message edited successfully.", object{"msgId": m.MsgID, "jid": m.To, "status": "in_progress"})
}

func (s *Server) deleteMessage(req *request) reply {
	m, rep, ok := s.own(req)
	if !ok {
		return rep
	}
	s.change(m.MsgID, func(m *Message) { m.Deleted = true })
	return done("Message deleted successfully.", object{"msgId": m.MsgID})
}

// resendMessage queues a failed message again: same ids, the script plays
// again. It needs log_messages; the status codes of the refusals are chosen.
func (s *Server) resendMessage(req *request) reply {
	m, rep, ok := s.own(req)
	if !ok {
		return rep
	}
	c, _ := s.Session(m.SessionID)
	switch {
	case !c.LogMessages || !m.Logged:
		return fail(http.StatusUnprocessableEntity, "Message logging is not enabled for this session.")
	case m.Status != StatusError:
		return fail(http.StatusUnprocessableEntity, "Only failed messages can be resent.")
	case c.State != StateConnected:
		return s.notConnected(c.State)
	}
	won := false // two resends at once: one
	s.change(m.MsgID, func(m *Message) {
		if won = m.Status == StatusError; won {
			m.Status = StatusPending
			m.Resends++
		}
	})
	if !won {
		return fail(http.StatusUnprocessableEntity, "Only failed messages can be resent.")
	}
	s.play(m)
	return reply{status: http.StatusOK, body: sendAnswer(&m), msgID: m.MsgID}
}

// status has no envelope.
func (s *Server) status(req *request) reply {
	c, ok := s.Session(req.sessID)
	if !ok {
		return unauthenticated()
	}
	return jsonReply(http.StatusOK, object{"status": string(c.State)})
}

// onWhatsApp has a limit of its own, 60 a minute. The 429's text and the answer
// are chosen.
func (s *Server) onWhatsApp(req *request) reply {
	s.mu.Lock()
	now := s.ns(s.opt.Now())
	wait, ok := req.sess.lookups.take(now)
	view := req.sess.lookups.view(now)
	view.asSeconds = req.sess.ResetInSeconds
	absent := s.absent[req.args[0]] || s.absent["+"+req.args[0]]
	state := req.sess.State
	s.mu.Unlock()
	rep := success(http.StatusOK, object{"exists": !absent})
	switch {
	case !ok:
		rep = tooMany("You can only check 60 numbers every minute.", wait)
	case state != StateConnected:
		rep = s.notConnected(state)
	}
	rep.view = &view
	return rep
}

// authCheck tests a credential; the answer is chosen.
func (s *Server) authCheck(*request) reply {
	return jsonReply(http.StatusOK, object{"success": true, "message": "Authenticated."})
}
