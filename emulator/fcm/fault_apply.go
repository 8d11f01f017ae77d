package fcm

import (
	"net/http"
	"strings"
)

// pickFault returns the fault that acts on this request, if any.
func (s *Server) pickFault(req *request) *activeFault {
	fs := &s.faults
	if fs.live.Load() == 0 {
		return nil
	}
	route, to := RouteToken, ""
	if req.send {
		route, to = RouteSend, req.target()
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for _, a := range fs.list {
		if a.Done || a.Route != route || a.Project != "" && a.Project != req.project || a.Address != "" && a.Address != to {
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

// pause waits as the fault says; false when the request is over.
func (s *Server) pause(req *request, a *activeFault) bool {
	if !s.wait(req, a.Delay) {
		return false
	}
	if a.Kind != FaultHold {
		return true
	}
	select {
	case <-a.release:
		return true
	case <-req.Context().Done():
	case <-s.done:
	}
	return false
}

// faultBefore acts before the request is served. ended means that rep is the
// answer; otherwise the request goes on as usual.
func (s *Server) faultBefore(req *request, a *activeFault, who about) (rep reply, ended bool) {
	if a == nil || a.TakeFirst || a.Kind == FaultDropAfter {
		return reply{}, false
	}
	if !s.pause(req, a) || a.Kind == FaultDropBefore {
		return reply{drop: true}, true
	}
	if a.Kind == FaultError {
		return s.fault(&a.Fault, who), true
	}
	return reply{}, false
}

// faultAfter changes the answer of a request that was served.
func (s *Server) faultAfter(req *request, a *activeFault, rep reply, who about) reply {
	if a == nil || !a.TakeFirst && a.Kind != FaultDropAfter {
		return rep
	}
	lost := rep.status == http.StatusOK
	switch {
	case !s.pause(req, a) || a.Kind == FaultDropAfter:
		rep.drop = true
	case a.Kind == FaultError:
		rep = s.fault(&a.Fault, who)
	default:
		lost = false
	}
	if lost && req.send {
		s.tally.lost.Add(1)
	}
	return rep
}

// fault is the answer of a FaultError.
func (s *Server) fault(f *Fault, who about) reply {
	rep := reply{status: f.Status, body: []byte(f.Body), kind: f.ContentType}
	if f.Failure != "" {
		who.message, who.status = f.Message, f.Status
		who.topic = who.address
		rep = s.fail(f.Failure, who)
	}
	if rep.status == http.StatusNoContent || rep.status == http.StatusNotModified {
		rep.body = nil // HTTP allows none
	}
	rep.retryAfter = f.RetryAfter
	return rep
}

// magic answers a send to "magic-<what>": a failure's name, drop_before,
// drop_after, slow or ok, and behind a further - whatever makes the token
// unlike others. Nothing is shown anywhere.
func (s *Server) magic(req *request, p *project, m *message, name string) reply {
	what, _, _ := strings.Cut(name, "-")
	s.tally.stray(m.address)
	switch what {
	case "drop_before":
		return reply{drop: true}
	case "slow":
		if !s.wait(req, s.opt.SlowFor) {
			return reply{drop: true}
		}
		return s.accepted(req, p, m, nil)
	case "ok":
		return s.accepted(req, p, m, nil)
	case "drop_after":
		rep := s.accepted(req, p, m, nil)
		rep.drop = true
		return rep
	}
	if _, ok := s.failures[Failure(what)]; !ok {
		return s.fail(InvalidArgument, about{})
	}
	return s.fail(Failure(what), about{project: p.name, address: m.address, topic: m.address})
}
