// Package clock is the time that Peal goes by: it runs with the machine's steady clock, and follows the wall clock
// without its jumps.
//
// A wall clock is set by people and by NTP; when it jumps by an hour, what is queued should not expire, retries should not
// all fall due, and a limit should not be forgotten. So a reading is the last reading and the steady time since, and what
// the wall clock is off from that is worked off:
//
//   - a wall clock that is ahead by Step (1 s) at most is followed at once;
//   - one that is further ahead, or behind, is approached slowly: Peal's clock runs faster or slower than the steady one
//     by Slew (5 %), until it is there;
//   - it never goes back, and after any jump it runs at 95 to 105 % of the steady clock's speed.
//
// An hour is made up for in twenty hours, or by a restart, which begins with the wall clock's time. A wall clock that
// differs from what it was to be by more than Jump (2 s) is logged, once per jump, and Off tells the difference.
//
// A steady clock that stands still while the machine sleeps looks like a jump of the wall clock, and is treated as one.
package clock

import (
	"log/slog"
	"sync"
	"time"
)

const (
	// Step is how far ahead the wall clock may be to be followed at once.
	Step = time.Second
	// Jump is the difference that is logged.
	Jump = 2 * time.Second
	// slew is the part of the steady time by which a difference is worked off: one in twenty, 5 %.
	slew = 20
)

// Config of a Clock.
type Config struct {
	// Read reads the wall clock and the steady one, which counts from any moment, in one go; default: the machine's.
	Read func() (wall time.Time, steady time.Duration)
	Log  *slog.Logger // default: none
}

// Clock tells the time. Create it with New.
type Clock struct {
	read func() (wall time.Time, steady time.Duration)
	log  *slog.Logger

	mu   sync.Mutex
	now  time.Time     // the last reading
	last time.Duration // the steady time of it
	off  time.Duration // how far ahead of it the wall clock was
}

// New makes a Clock that shows the wall clock's time.
func New(cfg Config) *Clock {
	c := &Clock{read: cfg.Read, log: cfg.Log}
	if c.read == nil {
		start := time.Now()
		c.read = func() (time.Time, time.Duration) {
			t := time.Now()
			return t.Round(0), t.Sub(start) // without the monotonic reading, and by it
		}
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	c.now, c.last = c.read()
	return c
}

// Now tells the time. It never goes back.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.follow()
	return c.now
}

// Off tells how far the wall clock is ahead of this one; it is negative when the wall clock is behind.
func (c *Clock) Off() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.follow()
	return c.off
}

func (c *Clock) follow() {
	wall, steady := c.read()
	passed := max(0, steady-c.last)
	c.last = max(c.last, steady)
	c.now = c.now.Add(passed)
	off := wall.Sub(c.now)
	if jumped := off - c.off; jumped > Jump || jumped < -Jump {
		c.log.Error("the wall clock has jumped; Peal's own runs on steadily, and approaches it by 3 s a minute: check the machine's clock and its NTP",
			"by", jumped.Round(time.Millisecond).String(), "ahead", off.Round(time.Millisecond).String())
	}
	switch most := passed / slew; {
	case off > Step:
		c.now = c.now.Add(min(most, off))
	case off > 0:
		c.now = wall
	default:
		c.now = c.now.Add(max(-most, off))
	}
	c.off = wall.Sub(c.now)
}
