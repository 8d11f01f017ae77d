package wasender

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// pickFault returns the fault that acts on this request, if any.
func (s *Server) pickFault(req *request, path string) *activeFault {
	fs := &s.faults
	if fs.live.Load() == 0 {
		return nil
	}
	session := s.sessionID(req.key)
	to := ""
	if req.send {
		var body struct {
			To any `json:"to"`
		}
		_ = json.Unmarshal(req.body, &body) // broken JSON has no recipient to match
		to, _ = body.To.(string)
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for _, a := range fs.list {
		if a.Done || !a.matches(req.Method, path, to, session) {
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

func (f *Fault) matches(method, path, to string, session int64) bool {
	if f.Method != "" && !strings.EqualFold(f.Method, method) ||
		f.To != "" && f.To != to ||
		f.Session != 0 && f.Session != session {
		return false
	}
	if prefix, ok := strings.CutSuffix(f.Path, "*"); ok {
		return strings.HasPrefix(path, prefix)
	}
	return path == f.Path
}

func (s *Server) sessionID(key string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x := s.byKey[key]; x != nil {
		return x.ID
	}
	return 0
}

// pause waits as the fault says; false when the request is over.
func (s *Server) pause(req *request, a *activeFault) bool {
	var timer <-chan time.Time
	if a.Delay > 0 {
		t := time.NewTimer(a.Delay)
		defer t.Stop()
		timer = t.C
	}
	if timer != nil {
		select {
		case <-timer:
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
	case FaultStatus:
		return a.answer().as(outcomeFaulted), true
	case FaultDropBefore:
		return dropped(), true
	case FaultLoggedOut:
		if id := s.sessionID(req.key); id != 0 {
			_ = s.SetState(id, StateLoggedOut) // gone in between: answered 401 next
		}
	case FaultDelay, FaultHold, FaultDropAfter, FaultWrongJSON, FaultEmpty:
	}
	return reply{}, false
}

// faultAfter changes the answer of a request that was served. FaultWrongJSON
// and FaultEmpty leave an answer alone that is not a 200.
func (s *Server) faultAfter(req *request, a *activeFault, rep reply) reply {
	if !s.pause(req, a) {
		rep.drop = true
	}
	switch a.Kind {
	case FaultDropAfter:
		rep.drop = true
	case FaultStatus:
		f := a.answer()
		rep.status, rep.body, rep.retryAfter = f.status, f.body, f.retryAfter
	case FaultWrongJSON:
		if rep.status == http.StatusOK {
			rep.body = []byte(a.Body)
			if a.Body == "" {
				rep.body = []byte(`{"success":true,"data":{"msgId":`)
			}
		}
	case FaultEmpty:
		if rep.status == http.StatusOK {
			rep.body = nil
		}
	case FaultDelay, FaultHold, FaultDropBefore, FaultLoggedOut:
	}
	if rep.msgID != 0 && (rep.drop || (a.Kind != FaultDelay && a.Kind != FaultHold)) {
		s.answerLost(rep.msgID)
	}
	return rep
}

func (s *Server) answerLost(msgID int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.store.get(msgID)
	if m == nil {
		return
	}
	m.AnswerLost = true
	if x := s.sessions[m.SessionID]; x != nil {
		x.counts.AnswerLost++
	}
}

// answer is the answer of a FaultStatus.
func (a *activeFault) answer() reply {
	rep := reply{status: a.Status, body: []byte(a.Body)}
	if a.Body == "" {
		rep = fail(a.Status, http.StatusText(a.Status))
	}
	if rep.status == http.StatusNoContent || rep.status == http.StatusNotModified {
		rep.body = nil // HTTP allows none
	}
	rep.retryAfter = a.RetryAfter
	return rep
}
