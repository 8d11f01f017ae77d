package track

import (
	"context"
	"sync"
	"time"

	"peal/internal/peal"
	"peal/internal/provider"
)

// session is what a webhook says of an account's session.
type session struct {
	in    *peal.Integration
	state provider.Health
}

// calm is how long apart pauses are, and their ends, that webhooks of a session bring about which goes up and down. What is not
// paused then finds out by its first send; what is not lifted, when the session is asked.
const calm = time.Minute

// oldWord is how old a word of a session is at most that counts: after that its first send, or asking it, tells better.
const oldWord = 15 * time.Minute

// sessions remembers how it went with integrations' sessions lately.
type sessions struct {
	mu  sync.Mutex
	all map[string]*course
}

// course is how it went with one.
type course struct {
	at             time.Time // of the last word, by the provider's clock
	paused, lifted time.Time
}

// stale tells whether a word is older than one that was heard; else it is the last.
func (s *sessions) stale(id string, at time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.of(id)
	if at.IsZero() {
		return false
	}
	if at.Before(c.at) {
		return true
	}
	c.at = at
	return false
}

func (s *sessions) of(id string) *course {
	if s.all == nil {
		s.all = map[string]*course{}
	}
	if s.all[id] == nil {
		s.all[id] = &course{}
	}
	return s.all[id]
}

// may tells whether it is long enough since the last time, which is now.
func (s *sessions) may(id string, now time.Time, last func(*course) *time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := last(s.of(id))
	if now.Sub(*t) < calm {
		return false
	}
	*t = now
	return true
}

// passing tells states that mostly pass by themselves.
func passing(state string) bool { return state == "connecting" || state == "disconnected" }

// session pauses an integration whose account says that it cannot send, and lifts such a pause when it can again. The
// webhooks of a time when none came may arrive all at once, and in any order: an older word does not count.
func (f *Folder) session(ctx context.Context, s session) {
	in, now, h := f.Integrations.ByID(s.in.ID), f.Now(), &s.state
	if h.At.After(now) {
		h.At = now
	}
	if in == nil || !h.At.IsZero() && now.Sub(h.At) > oldWord || f.sessions.stale(in.ID, h.At) {
		return
	}
	f.Sightings.Session(in.ID, h.State)
	var err error
	switch {
	case !h.OK && (in.Pause == nil || in.Pause.Code == peal.PauseThrottled):
		if passing(h.State) && !f.sessions.may(in.ID, now, func(c *course) *time.Time { return &c.paused }) {
			return
		}
		f.Log.Error("integration paused; its jobs stay queued", "integration_id", in.ID, "code", peal.PauseSession, "reason", h.State)
		err = f.Integrations.Pause(ctx, in.ID, in.Version, &peal.Pause{
			Code: peal.PauseSession, Reason: "the provider says: " + h.State, Since: now,
		})
	case h.OK && in.Pause != nil && in.Pause.Code == peal.PauseSession:
		if !f.sessions.may(in.ID, now, func(c *course) *time.Time { return &c.lifted }) {
			return // it is asked, and lifted then
		}
		f.Log.Info("session is connected again; sending goes on", "integration_id", in.ID)
		err = f.Integrations.Lift(ctx, in)
	}
	if err != nil {
		f.Log.Warn("state of session not recorded", "integration_id", s.in.ID, "error", err)
	}
}
