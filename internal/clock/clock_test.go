package clock_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"peal/internal/clock"
)

// machine is a wall clock and a steady one that are set by hand.
type machine struct {
	wall   time.Time
	steady time.Duration
	log    bytes.Buffer
}

func newMachine() *machine { return &machine{wall: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)} }

func (m *machine) clock() *clock.Clock {
	return clock.New(clock.Config{
		Read: func() (time.Time, time.Duration) { return m.wall, m.steady }, Log: slog.New(slog.NewTextHandler(&m.log, nil)),
	})
}

// pass lets time pass on both.
func (m *machine) pass(d time.Duration) {
	m.wall, m.steady = m.wall.Add(d), m.steady+d
}

func (m *machine) jumps() int { return strings.Count(m.log.String(), "has jumped") }

func TestItShowsTheWallClocksTime(t *testing.T) {
	t.Parallel()
	m := newMachine()
	c := m.clock()
	for range 1000 {
		if got := c.Now(); !got.Equal(m.wall) || c.Off() != 0 {
			t.Fatalf("it is %s, %s off; want %s", got, c.Off(), m.wall)
		}
		m.pass(777 * time.Millisecond)
		m.wall = m.wall.Add(300 * time.Microsecond) // a machine whose steady clock is a little slow
	}
	if m.jumps() != 0 {
		t.Errorf("jumps were told of:\n%s", m.log.String())
	}
}

func TestAJumpIsApproachedSlowly(t *testing.T) {
	t.Parallel()
	for name, jump := range map[string]time.Duration{
		"an hour ahead": time.Hour, "an hour back": -time.Hour, "three seconds ahead": 3 * time.Second, "a second back": -time.Second,
	} {
		m := newMachine()
		c := m.clock()
		at := c.Now()
		m.wall = m.wall.Add(jump)
		if got := c.Now(); !got.Equal(at) {
			t.Errorf("%s: it followed by %s at once", name, got.Sub(at))
		}
		m.pass(time.Minute)
		want := time.Minute + max(min(3*time.Second, jump), -3*time.Second)
		if got := c.Now().Sub(at); got < want || got > want+clock.Step {
			t.Errorf("%s: a minute later it is %s on, want %s", name, got, want)
		}
		for range 21 * 60 {
			m.pass(time.Minute)
			c.Now()
		}
		if c.Off() != 0 {
			t.Errorf("%s: 21 hours later it is still %s off", name, c.Off())
		}
		told := 0
		if jump.Abs() > clock.Jump {
			told = 1
		}
		if m.jumps() != told {
			t.Errorf("%s: told of %d times, want %d:\n%s", name, m.jumps(), told, m.log.String())
		}
	}
}

// TestItRunsSteadily lets the wall clock do what it likes.
func TestItRunsSteadily(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := newMachine()
		c := m.clock()
		last := c.Now()
		for range rapid.IntRange(1, 100).Draw(t, "readings") {
			passed := time.Duration(rapid.Int64Range(0, int64(10*time.Minute)).Draw(t, "passed"))
			m.pass(passed)
			jump := time.Duration(0)
			if rapid.IntRange(0, 3).Draw(t, "jumps") == 0 {
				jump = time.Duration(rapid.Int64Range(-int64(48*time.Hour), int64(48*time.Hour)).Draw(t, "jump"))
			}
			m.wall = m.wall.Add(jump)
			before := c.Off()
			now := c.Now()
			ran := now.Sub(last)
			if ran < passed-passed/20 || ran > passed+passed/20+clock.Step {
				t.Fatalf("in %s it ran %s", passed, ran)
			}
			if got := m.wall.Sub(now); got != c.Off() {
				t.Fatalf("it is %s off and says %s", got, c.Off())
			}
			if jump == 0 && c.Off().Abs() > before.Abs() {
				t.Fatalf("it went away from the wall clock: %s, then %s", before, c.Off())
			}
			last = now
		}
		m.pass(21 * c.Off().Abs())
		if off := c.Off(); off != 0 {
			t.Fatalf("it never gets there: %s off", off)
		}
	})
}

func TestManyMayAsk(t *testing.T) {
	t.Parallel()
	c := clock.New(clock.Config{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			last := c.Now()
			for range 10_000 {
				now := c.Now()
				if now.Before(last) {
					t.Errorf("%s came after %s", now, last)
					return
				}
				last = now
			}
		})
	}
	wg.Wait()
	if off := c.Off().Abs(); off > 100*time.Millisecond {
		t.Errorf("it is %s off", off)
	}
}
