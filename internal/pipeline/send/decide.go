package send

import (
	"math/rand/v2"
	"time"

	"peal/internal/peal"
)

const (
	throttleBase = time.Second
	throttleCap  = 5 * time.Minute
	mendWait     = 5 * time.Second // what was in the air when an integration failed comes back this much later, then waits
)

func randomJitter() float64 { return rand.Float64() } //nolint:gosec // it spreads load, it guards nothing

// decide says what becomes of a delivery after an attempt (the table of docs/states.md), and pauses the integration
// when the outcome says so.
func (s *shift) decide(d *peal.Delivery, o peal.Outcome, at time.Time) peal.Attempt {
	now := s.cfg.Now()
	a := peal.Attempt{
		TenantID: s.in.TenantID, DeliveryID: d.ID, IntegrationID: s.in.ID, Number: d.Attempts, Priority: d.Priority,
		Ladder: d.Rung != nil, Outcome: o, At: now,
	}
	if o.Class != peal.ClassThrottled && o.Class != peal.ClassNone {
		s.resetThrottle()
	}
	switch o.Class {
	case peal.ClassNone:
		a.Next, a.Due = peal.Queued, s.backAt(now)
	case peal.ClassAccepted:
		a.Next = peal.Sent
		if len(s.checks) > 0 && o.MessageID != "" {
			a.Check = at.Add(s.checks[0])
		}
	case peal.ClassTemporary:
		s.retry(&a, d, now)
	case peal.ClassThrottled:
		if peal.WaitsForTemplate(o.Code) {
			a.Next, a.Due = peal.Queued, s.parkUntil(d)
			break
		}
		if o.Quiet != "" {
			if o.Quiet != peal.QuietRecipient && o.RetryAfter >= time.Hour {
				s.log.Warn("the provider wants no more of a sort of messages for long; they wait, the others go on", "sort", o.Quiet, "code", o.Code, "reason", o.Reason)
			}
			a.Next, a.Due = peal.Queued, now.Add(s.quiet.begin(quietKey(d, o.Quiet), o.RetryAfter, o.Growth))
			break
		}
		s.limit.ease(now, o.Ease)
		wait := o.RetryAfter
		if wait <= 0 {
			wait = s.throttleWait(now)
		}
		a.Next, a.Due = peal.Queued, now.Add(wait)
		s.pause(&peal.Pause{Code: peal.PauseThrottled, Reason: o.Reason, Since: now, Until: now.Add(wait)})
	case peal.ClassIntegration:
		a.Next, a.Due = peal.Queued, now.Add(mendWait)
		s.pause(&peal.Pause{Code: pauseCode(o.Pause), Reason: o.Reason, Since: now})
	case peal.ClassUnknown:
		s.unknown(&a, d, now)
	case peal.ClassGone, peal.ClassPermanent:
		a.Next = peal.Failed
	default: // a bug in a provider's client: what it did is not known
		s.log.Error("a provider's client gave an outcome that is none", "delivery_id", d.ID, "class", string(o.Class))
		a.Outcome.Class, a.Outcome.Code = peal.ClassUnknown, "nonsense"
		s.unknown(&a, d, now)
	}
	return a
}

// retry gives the delivery another attempt later, or makes it a dead letter when it has had them all.
func (s *shift) retry(a *peal.Attempt, d *peal.Delivery, now time.Time) {
	tries := d.Attempts - d.Round
	most := s.in.MaxAttempts
	if n := a.Outcome.MaxTries; n > 0 {
		most = min(most, n)
	}
	if tries >= most {
		a.Next, a.Dead = peal.Failed, true
		return
	}
	wait := max(Backoff(s.in.RetryBase, s.in.RetryCap, tries, s.cfg.Jitter()), a.Outcome.RetryAfter)
	a.Next, a.Due = peal.Queued, now.Add(wait)
	if !d.ExpiresAt.IsZero() && a.Due.After(d.ExpiresAt) {
		a.Due = d.ExpiresAt // then it ends as expired
	}
}

func (s *shift) unknown(a *peal.Attempt, d *peal.Delivery, now time.Time) {
	if s.in.OnUnknown == peal.Resend {
		s.retry(a, d, now)
		return
	}
	a.Next = peal.Uncertain
	if s.in.OnUnknown == peal.Reconcile && len(s.finds) > 0 {
		a.Check = now.Add(s.finds[0])
	}
}

// interrupted is what becomes of a row that a job finds in state sending: an earlier try ended without a word. It took as
// long as the row has been there; whoever looks for its message need not look further back.
func (s *shift) interrupted(d *peal.Delivery, now time.Time) peal.Attempt {
	return s.decide(d, peal.Outcome{
		Class: peal.ClassUnknown, Code: peal.CodeInterrupted, Took: max(0, now.Sub(d.UpdatedAt)),
		Reason: "Peal was interrupted during the call; whether the provider took the message is not known",
	}, now)
}

// Backoff is the wait before the next attempt after so many: base, then three times as long each, up to most, plus up
// to a tenth of jitter (in [0, 1)) so that those who failed together do not come back together.
func Backoff(base, most time.Duration, tries int, jitter float64) time.Duration {
	return grown(peal.Growth{Base: base, Most: most, Factor: 3}, tries, jitter)
}

// grown is Backoff by a growth of the provider's.
func grown(g peal.Growth, tries int, jitter float64) time.Duration {
	wait := g.Base
	for i := 1; i < tries && wait < g.Most; i++ {
		wait *= time.Duration(g.Factor)
	}
	wait = min(wait, g.Most)
	return wait + time.Duration(jitter*float64(wait)/10)
}

func pauseCode(c peal.PauseCode) peal.PauseCode {
	if c == "" {
		return peal.PauseBlocked
	}
	return c
}

// throttleWait is how long to be quiet after a 429 that does not say. Calls that were in the air together found out the
// same thing, so only the first of them makes the wait longer.
func (l *lane) throttleWait(now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Before(l.quietUntil) {
		return l.quietUntil.Sub(now)
	}
	l.throttled++
	wait := Backoff(throttleBase, throttleCap, l.throttled, l.cfg.Jitter())
	l.quietUntil = now.Add(wait)
	return wait
}

func (l *lane) resetThrottle() {
	l.mu.Lock()
	l.throttled = 0
	l.mu.Unlock()
}
