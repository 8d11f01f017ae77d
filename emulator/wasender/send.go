package wasender

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
)

// fields are a JSON object's members, undecoded: Laravel tells what is wrong
// with each field rather than refusing the whole. A map, because encoding/json
// would accept struct fields in any case, and the vendor does not.
type fields map[string]json.RawMessage

// sendTarget is what faults and counters need of a send.
type sendTarget struct {
	to, kind, text string
}

func isJSON(r *http.Request) bool {
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	kind = strings.ToLower(strings.TrimSpace(kind))
	return kind == "application/json" || strings.HasSuffix(kind, "+json")
}

func (s *Server) sendMessage(req *request) reply {
	var body fields
	// Without a JSON content type Laravel sees an empty form, so that every
	// required field is missing. Broken JSON gets a 400 (chosen).
	if isJSON(req.Request) {
		if err := json.Unmarshal(req.body, &body); err != nil {
			return fail(http.StatusBadRequest, "The request body is not a JSON object.").as(outcomeMalformed)
		}
	}
	target, errs := validateSend(body)
	if len(errs) > 0 {
		return invalid(errs).as(outcomeInvalid)
	}
	m, rep, ok := s.take(req, target)
	if !ok {
		return rep
	}
	s.play(m)
	return rep
}

// take counts the message as taken, or refuses it for state or limit.
func (s *Server) take(req *request, target sendTarget) (Message, reply, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := req.sess
	if x.State != StateConnected {
		return Message{}, s.notConnected(x.State), false
	}
	// The clock is read under the lock: the limiter and MaxInWindow see times
	// in the order in which messages are taken.
	at := s.opt.Now()
	now := s.ns(at)
	if wait, ok := x.sends.take(now); !ok {
		_, text := x.effective()
		return Message{}, tooMany(text, wait), false
	}
	m := &Message{
		SessionID: x.ID,
		To:        target.to,
		Kind:      target.kind,
		Text:      target.text,
		Body:      bytes.TrimSpace(req.body),
		TakenAt:   at,
		Status:    StatusPending,
		Logged:    x.LogMessages,
	}
	s.store.add(m)
	x.counts.Accepted++
	x.times.add(now)
	view := x.sends.view(now)
	view.asSeconds = x.ResetInSeconds
	return *m, reply{status: http.StatusOK, body: sendAnswer(m), view: &view, msgID: m.MsgID}, true
}

// sendAnswer is written by hand: it is on the path of every send.
func sendAnswer(m *Message) []byte {
	b := make([]byte, 0, 96)
	b = append(b, `{"success":true,"data":{"msgId":`...)
	b = strconv.AppendInt(b, m.MsgID, 10)
	b = append(b, `,"jid":"`...)
	b = append(b, m.To...) // validated: no character that JSON escapes
	return append(b, `","status":"in_progress"}}`...)
}

// notConnected refuses a send. The text is chosen; the status is in Options.
func (s *Server) notConnected(state State) reply {
	return fail(s.opt.NotConnectedStatus,
		"Your WhatsApp session is not connected (status: "+string(state)+").").as(outcomeNotConnected)
}
