package send

import (
	"context"
	"runtime/debug"
	"time"

	"github.com/go-json-experiment/json"

	"peal/internal/peal"
	"peal/internal/pipeline"
	"peal/internal/provider"
)

// call makes the attempt. It holds one place of s.free and one reserved use of the limit.
func (s *shift) call(d *peal.Delivery, look looked, job pipeline.Message, w waits) {
	a := s.attempt(d, &look, w)
	s.results <- done{a, job, look.device, look.template}
	s.release(1)
}

// attempt tries to send, and says what becomes of the delivery. A panic of Peal's own code sets it aside after a few
// tries; after a call it leaves the outcome unknown.
func (s *shift) attempt(d *peal.Delivery, look *looked, w waits) (a peal.Attempt) {
	at, used := s.cfg.Now(), false
	defer func() {
		p := recover()
		if !used {
			s.limit.giveBack(1)
		}
		if p != nil {
			s.log.Error("sending panicked", "delivery_id", d.ID, "attempt", d.Attempts, "called", used, "panic", peal.PanicText(p), "stack", string(debug.Stack()))
			a = s.afterPanic(d, used, at)
		}
	}()
	m := provider.Message{DeliveryID: d.ID, To: d.Recipient, Priority: d.Priority, From: d.From(), ExpiresAt: d.ExpiresAt}
	var said pipeline.Said
	if err := json.Unmarshal(d.Payload, &said); err != nil {
		return s.decide(d, peal.Outcome{Class: peal.ClassPermanent, Code: "bad_payload", Reason: "its content cannot be read"}, at)
	}
	m.Content = said.Content
	s.calls <- struct{}{}
	defer func() { <-s.calls }()
	w.place += s.cfg.Now().Sub(at)
	if !s.mayCall(d) {
		return s.decide(d, peal.Outcome{Class: peal.ClassNone}, at)
	}
	if s.push || s.people {
		before := look.at
		if err := s.lookAgain(d, look); err != nil {
			a = s.decide(d, peal.Outcome{Class: peal.ClassNone}, at)
			a.Due = a.At.Add(mendWait)
			return a
		}
		if look.at != before && !s.mayCall(d) { // records that are slow are so for the lease, too
			return s.decide(d, peal.Outcome{Class: peal.ClassNone}, at)
		}
	}
	if a, ended := s.bound(d, &said, &m, look, at); ended {
		return a
	}
	groups := s.groupsOf(&m)
	if code, why, wait := s.tooSoon(&m, groups); wait > 0 {
		a = s.decide(d, peal.Outcome{Class: peal.ClassNone, Code: code, Reason: why}, at)
		a.Due = s.cfg.Now().Add(wait)
		return a
	}
	waited, why := s.waited(d, w, s.cfg.Now())
	began := s.limit.begin()
	used = true
	o := s.send(&m)
	s.limit.end(began)
	if o.Class == peal.ClassAccepted {
		s.quiet.over(groups)
	}
	s.learn(look.device, &o)
	s.answered(m.Content.Template, look, &o)
	again := s.people && s.heardOf(d, &said, &m, &o)
	a = s.decide(d, o, at)
	a.Waited, a.WaitedFor = waited, why
	if again {
		a.Next, a.Due = peal.Queued, a.At
	}
	return a
}

// bound sees to whom a message goes, whether they want it, and whether its template may be sent; ended when it does not go now.
func (s *shift) bound(d *peal.Delivery, said *pipeline.Said, m *provider.Message, look *looked, at time.Time) (a peal.Attempt, ended bool) {
	if s.people {
		if a, ended := s.address(d, said, m, look, at); ended {
			return a, true
		}
	}
	if s.push {
		m.Device = look.device
		if code, why := s.skips(d, look.device); code != "" {
			return skipped(s.decide(d, peal.Outcome{Class: peal.ClassNone, Code: code, Reason: why}, at)), true
		}
	}
	return s.held(d, m, look, at)
}

// tooSoon tells why and how long a message is to wait for its recipient alone; 0: it may go, and counts.
func (s *shift) tooSoon(m *provider.Message, groups []string) (code, why string, wait time.Duration) {
	if wait := s.quiet.wait(groups); wait > 0 {
		return peal.CodeQuiet, "the provider wants no more for this recipient or its like for a while", wait
	}
	return peal.CodeRecipientLimit, "it waits for the recipient's own limit", s.overLimit(m)
}

// overLimit tells how long a message is to wait for its recipient's limits; 0: it may go, and counts.
func (s *shift) overLimit(m *provider.Message) time.Duration {
	if s.budgeter != nil && s.budgeter.Within(m) {
		if wait := s.budget.take(m.To); wait > 0 {
			return wait
		}
	}
	return s.recipients.take(m.To)
}

// send calls the provider once. A panic of its client is an unknown outcome: the request may have been written.
func (s *shift) send(m *provider.Message) (o peal.Outcome) {
	ctx, cancel := context.WithTimeout(context.Background(), s.in.Timeout)
	defer cancel()
	start := time.Now()
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("provider panicked", "delivery_id", m.DeliveryID, "panic", peal.PanicText(p), "stack", string(debug.Stack()))
			o = peal.Outcome{Class: peal.ClassUnknown, Code: "panic", Reason: "the provider's client failed in the middle of the call"}
		}
		o.Took = time.Since(start)
		s.cfg.Metrics.CallTime.WithLabelValues(s.id).Observe(o.Took.Seconds())
	}()
	return s.client.Send(ctx, m)
}
