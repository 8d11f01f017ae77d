package whatsappcloud

import (
	"bytes"
	"net/http"
	"strings"
	"time"
)

// pickFault returns the fault that acts on this request, if any.
func (s *Server) pickFault(req *request) *activeFault {
	fs := &s.faults
	if fs.live.Load() == 0 {
		return nil
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for _, a := range fs.list {
		if a.Done || !a.matches(req) {
			continue
		}
		if a.Probability > 0 && a.rng.Float64() >= a.Probability {
			continue
		}
		a.Hits++
		if a.Times > 0 && a.Hits == a.Times {
			a.Done = true
			fs.live.Add(-1)
		}
		return a
	}
	return nil
}

func (f *Fault) matches(req *request) bool {
	return (f.Method == "" || strings.EqualFold(f.Method, req.Method)) &&
		(f.To == "" || f.To == req.target.to) &&
		(f.Number == "" || f.Number == req.id) &&
		(f.Route == "*" || f.Route == req.route)
}

// pause waits as the fault says; false when the request is over.
func (s *Server) pause(req *request, a *activeFault) bool {
	if a.Delay > 0 {
		t := time.NewTimer(a.Delay)
		defer t.Stop()
		select {
		case <-t.C:
		case <-req.Context().Done():
			return false
		case <-s.done:
			return false
		}
	}
	if a.Kind != FaultHold {
		return true
	}
	select {
	case <-a.release:
		return true
	case <-req.Context().Done():
		return false
	case <-s.done:
		return false
	}
}

func dropped() reply { return reply{drop: true}.as(outcomeFaulted) }

// faultBefore acts before the request is served. ended means that rep is the
// answer; otherwise the request goes on as usual.
func (s *Server) faultBefore(req *request, a *activeFault) (rep reply, ended bool) {
	if !s.pause(req, a) {
		return dropped(), true
	}
	switch a.Kind {
	case FaultStatus, FaultHTML:
		return a.answer().as(outcomeFaulted), true
	case FaultDropBefore:
		return dropped(), true
	case FaultError:
		r := s.refuse(a.Code, a.Details)
		if a.Via != ViaDefault {
			r.Via = a.Via
		}
		if a.Status != 0 {
			r.HTTP = a.Status
		}
		if req.route == routeSend && (r.Via == ViaWebhook || r.Via == ViaBoth) {
			req.target.fail = r
			return reply{}, false
		}
		rep = s.refused(r).as(outcomeFaulted)
		if a.RetryAfter != "" {
			if rep.header == nil {
				rep.header = map[string]string{}
			}
			rep.header["Retry-After"] = a.RetryAfter
		}
		return rep, true
	case FaultNoStatus:
		req.target.silent = true
	case FaultTwice:
		req.target.twice = true
	default:
	}
	return reply{}, false
}

// faultAfter changes the answer of a request that was served. Kinds that spoil
// a good answer leave one alone that is not a 200.
func (s *Server) faultAfter(req *request, a *activeFault, rep reply) reply {
	if !s.pause(req, a) {
		rep.drop = true
	}
	ok := rep.status == http.StatusOK
	switch a.Kind {
	case FaultDropAfter:
		rep.drop = true
	case FaultStatus, FaultHTML:
		f := a.answer()
		f.msgID, f.outcome, f.code = rep.msgID, rep.outcome, rep.code
		rep = f
	case FaultWrongJSON:
		if ok {
			rep.body = []byte(a.Body)
			if a.Body == "" {
				rep.body = []byte(`{"messaging_product":"whatsapp","messages":[{"id":"wamid.`)
			}
		}
	case FaultEmpty:
		if ok {
			rep.body = nil
		}
	case FaultHeld:
		rep.body = bytes.Replace(rep.body, []byte(`"message_status":"accepted"`), []byte(`"message_status":"held_for_quality_assessment"`), 1)
	default:
	}
	if rep.msgID != "" && (rep.drop || a.Kind != FaultDelay && a.Kind != FaultHold && a.Kind != FaultHeld) {
		s.answerLost(rep.msgID)
	}
	return rep
}

func (s *Server) answerLost(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.store.byID[id]
	if m == nil {
		return
	}
	m.AnswerLost = true
	if n := s.numbers[m.Number]; n != nil {
		n.counts.AnswerLost++
	}
}

// answer is the answer of a FaultStatus or FaultHTML.
func (a *activeFault) answer() reply {
	rep := reply{status: a.Status, body: []byte(a.Body)}
	switch {
	case a.Kind == FaultHTML:
		rep.mime = "text/html; charset=utf-8"
		if a.Body == "" {
			rep.body = []byte("<!DOCTYPE html>\n<html><head><title>Facebook | Error</title></head><body>Sorry, something went wrong.</body></html>\n")
		}
	case a.Body == "":
		rep = jsonReply(a.Status, object{"error": object{
			"message": http.StatusText(a.Status), "type": "OAuthException", "code": 2, "fbtrace_id": "AEmulatedFault",
		}})
	}
	if rep.status == http.StatusNoContent || rep.status == http.StatusNotModified {
		rep.body = nil // HTTP allows none
	}
	if a.RetryAfter != "" {
		rep.header = map[string]string{"Retry-After": a.RetryAfter}
	}
	return rep
}
