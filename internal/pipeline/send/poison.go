package send

import (
	"context"
	"runtime/debug"
	"time"

	"peal/internal/peal"
	"peal/internal/pipeline"
)

// maxPoison is how often a delivery may make Peal's own code panic before it is set aside for a person.
const maxPoison = 3

// claim claims rows. When that panics each is claimed on its own, so that one does not sink the others; poison are those
// with which it panicked again.
func (s *shift) claim(ids []string) (all pipeline.Claimed, poison []string, err error) {
	all, panicked, err := s.claimTogether(ids)
	if !panicked {
		return all, nil, err
	}
	for _, id := range ids {
		c, panicked, err := s.claimTogether([]string{id})
		switch {
		case panicked:
			poison = append(poison, id)
		case err != nil:
			return all, poison, err
		}
		all.Ready, all.Rest = append(all.Ready, c.Ready...), append(all.Rest, c.Rest...)
	}
	return all, poison, nil
}

func (s *shift) claimTogether(ids []string) (c pipeline.Claimed, panicked bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("claiming panicked", "deliveries", len(ids), "first", ids[0], "panic", peal.PanicText(p), "stack", string(debug.Stack()))
			c, panicked = pipeline.Claimed{}, true
		}
	}()
	// No deadline: a claim that is written after all, with nobody to act on it, would leave its rows in doubt.
	c, err = s.cfg.Records.Claim(context.Background(), s.in, ids, s.intent)
	return c, false, err
}

// suspect deals with a job that made claiming panic: it comes again a few times, then it is set aside.
func (s *shift) suspect(id string, job pipeline.Message) {
	s.mu.Lock()
	s.suspects[id]++
	tries := s.suspects[id]
	if tries >= maxPoison {
		delete(s.suspects, id)
	}
	s.mu.Unlock()
	if tries < maxPoison {
		s.giveBack([]pipeline.Message{job})
		s.end(id)
		return
	}
	d := &peal.Delivery{ID: id, Attempts: maxPoison}
	s.results <- done{attempt: s.afterPanic(d, false, s.cfg.Now()), job: job}
}

// afterPanic is what becomes of a delivery with which Peal's own code has panicked.
func (s *shift) afterPanic(d *peal.Delivery, called bool, at time.Time) peal.Attempt {
	a := peal.Attempt{
		TenantID: s.in.TenantID, DeliveryID: d.ID, IntegrationID: s.in.ID, Number: d.Attempts, Priority: d.Priority, At: at,
		Ladder:  true, // its row may never have been read
		Outcome: peal.Outcome{Class: peal.ClassTemporary, Code: peal.CodePoison, Reason: "Peal's own code fails on this delivery; the log tells how"},
	}
	if called {
		a.Outcome = peal.Outcome{Class: peal.ClassUnknown, Code: "panic", Reason: "Peal's own code failed on the outcome of the call"}
	}
	switch {
	case called && s.in.OnUnknown != peal.Resend:
		a.Next = peal.Uncertain
	case d.Attempts-d.Round < maxPoison:
		a.Next, a.Due = peal.Queued, at.Add(s.in.RetryBase)
	default:
		a.Next, a.Dead = peal.Failed, true
	}
	return a
}
