package apns

import (
	"net/http"
	"strings"
	"time"
)

// serve does what a whole request asks for. It is called by the connection's
// reader, in the order in which requests became whole; what has to wait goes to
// a goroutine of its own.
func (c *conn) serve(st *stream) {
	s := c.srv
	f := s.pick(&st.req)
	if f != nil && (f.Delay > 0 || f.Kind == FaultHold) {
		c.waits.Go(func() {
			if !f.TakeFirst {
				c.pause(f)
				c.faulty(st, f)
			} else if rep, ok := s.push(c, st); ok {
				c.pause(f)
				c.fault(st, f, rep)
			}
			c.signal()
		})
		return
	}
	if f != nil {
		c.faulty(st, f)
		return
	}
	if rep, ok := s.push(c, st); ok {
		c.answer(st, rep)
	}
}

// faulty serves a request with a fault whose wait is over.
func (c *conn) faulty(st *stream, f *activeFault) {
	if f.TakeFirst || f.Kind == FaultDelay || f.Kind == FaultHold {
		if rep, ok := c.srv.push(c, st); ok {
			c.fault(st, f, rep)
		}
		return
	}
	c.fault(st, f, reply{id: c.srv.idOf(&st.req)})
}

// fault acts in place of an answer.
func (c *conn) fault(st *stream, f *activeFault, rep reply) {
	switch f.Kind {
	case FaultReason:
		id := rep.id
		rep = f.answer(c.srv.opt.Clock())
		rep.id = id
		c.answer(st, rep)
	case FaultDelay, FaultHold:
		c.answer(st, rep)
	case FaultReset:
		c.srv.count(c, &st.req, reply{id: rep.id})
		c.reset(st, f.Code)
	case FaultDrop:
		c.srv.count(c, &st.req, reply{id: rep.id})
		c.drop()
	case FaultGoAway:
		last := st.id
		if !f.TakeFirst {
			last = max(last, 2) - 2
			c.srv.count(c, &st.req, reply{id: rep.id})
		}
		c.goAway(last, f.Code, goAwayData(f.Reason, f.Timestamp))
		if f.TakeFirst {
			c.answer(st, rep)
		} else {
			c.reset(st, refusedStream) // where a later one had been served: last is higher then
		}
	}
}

// pause waits as the fault says, or until the connection is over.
func (c *conn) pause(f *activeFault) {
	if f.Delay > 0 {
		t := time.NewTimer(f.Delay)
		defer t.Stop()
		select {
		case <-t.C:
		case <-c.done:
		}
	}
	if f.Kind == FaultHold {
		select {
		case <-f.release:
		case <-c.done:
		}
	}
}

// answer writes the answer of a request, after the server's latency.
func (c *conn) answer(st *stream, rep reply) {
	c.srv.count(c, &st.req, rep)
	if wait := time.Duration(c.srv.latency.Load()); wait > 0 {
		time.AfterFunc(wait, func() { c.write(st, rep, true) })
		return
	}
	c.write(st, rep, false)
}

func (s *Server) idOf(r *request) string {
	if isUUID(r.id) {
		return r.id
	}
	return newUUID()
}

// push checks a request, hands it to its device and gives the answer. ok is
// false when the stream is gone: then the push must not be taken any more.
func (s *Server) push(c *conn, st *stream) (rep reply, ok bool) {
	if !c.begin(st) {
		s.count(c, &st.req, reply{})
		return reply{}, false
	}
	rep = s.take(c, &st.req)
	rep.id = s.idOf(&st.req)
	return rep, true
}

// begin marks a stream as processed, so that no GOAWAY says otherwise.
func (c *conn) begin(st *stream) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over || c.streams[st.id] != st {
		return false
	}
	c.begun = max(c.begun, st.id)
	return true
}

func (s *Server) take(c *conn, r *request) reply {
	now := s.opt.Clock()
	if !strings.HasPrefix(r.path, devicePath) || strings.Contains(r.token(), "/") {
		return refuse(badPath)
	}
	if r.method != http.MethodPost {
		return refuse(methodNotAllowed)
	}
	k, reason := c.authenticate(r, now)
	switch {
	case reason != "":
		return refuse(reason)
	case r.twice:
		return refuse(duplicateHeaders)
	case r.id != "" && !isUUID(r.id):
		return refuse(badMessageID)
	}
	p, rep := s.checkPush(r, now)
	if rep.reason != "" {
		return rep
	}
	p.team, p.id = k.Team, r.id
	if p.id == "" {
		r.id = newUUID()
		p.id = r.id
	}
	return s.deliver(p)
}

// authenticate checks the provider token, and lets the connection have its
// streams once the first was right.
func (c *conn) authenticate(r *request, now time.Time) (*key, string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	bundle, _ := splitTopic(r.topic, r.kind) // what is wrong with it is told later
	k, reason := c.srv.authenticate(&c.login, r.authorization, bundle, now)
	if k != nil && !c.trusted {
		c.trusted = true
		c.setStreams(c.srv.opt.Limits.Streams)
	}
	return k, reason
}
