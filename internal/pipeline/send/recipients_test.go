package send

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"peal/internal/peal"
)

// metaPair is Meta's pair limit: 1 per 6 s to a recipient, 45 at once after a quiet time.
var metaPair = peal.Limit{Rate: 1, Period: 6 * time.Second, Burst: 45}

// setClock is set by hand.
type setClock struct{ at time.Time }

func (c *setClock) now() time.Time { return c.at }

func TestRecipientLimit(t *testing.T) {
	t.Parallel()
	c := &setClock{at: time.Now()}
	r := newRecipients(metaPair, true, c.now)
	for i := range 45 {
		if wait := r.take("a"); wait != 0 {
			t.Fatalf("number %d of the burst waits %v", i+1, wait)
		}
	}
	first, second := r.take("a"), r.take("a")
	if first < 6*time.Second || first > 7*time.Second || second < first+6*time.Second {
		t.Errorf("beyond the burst they are to come back after %v and %v", first, second)
	}
	if wait := r.take("b"); wait != 0 {
		t.Errorf("another recipient waits %v", wait)
	}
	c.at = c.at.Add(first)
	if wait := r.take("a"); wait != 0 {
		t.Errorf("at its time it waits another %v", wait)
	}
}

func TestRecipientsOfAnotherOwner(t *testing.T) {
	t.Parallel()
	c := &setClock{at: time.Now()}
	r := newRecipients(metaPair, false, c.now)
	if wait := r.take("a"); wait < 6*time.Second {
		t.Errorf("the first waits %v, though the owner before may have used up the burst", wait)
	}
	c.at = c.at.Add(46 * 45 * 6 * time.Second / 45 * 45 / 44)
	for i := range 40 {
		if wait := r.take("a"); wait != 0 {
			t.Fatalf("number %d waits %v after a time in which any bucket fills", i+1, wait)
		}
	}
}

// TestRecipientLimitHolds sends at random times, comes back when told, and looks at every pair of sends.
func TestRecipientLimitHolds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		l := peal.Limit{
			Rate: rapid.IntRange(1, 5).Draw(t, "rate"), Period: time.Duration(rapid.IntRange(10, 6000).Draw(t, "ms")) * time.Millisecond,
			Burst: rapid.IntRange(1, 10).Draw(t, "burst"),
		}
		start := time.Now()
		c := &setClock{at: start}
		r := newRecipients(l, rapid.Bool().Draw(t, "fresh"), c.now)
		var sent []time.Time
		for range rapid.IntRange(1, 80).Draw(t, "tries") {
			c.at = c.at.Add(time.Duration(rapid.IntRange(0, int(2*l.Period)).Draw(t, "later")))
			if wait := r.take("a"); wait == 0 {
				sent = append(sent, c.at)
			} else if rapid.Bool().Draw(t, "comes back") {
				c.at = c.at.Add(wait)
				if r.take("a") == 0 {
					sent = append(sent, c.at)
				}
			}
		}
		every := l.Period / time.Duration(l.Rate)
		for i := range sent {
			for j := i; j < len(sent); j++ {
				if n, most := j-i+1, l.Burst+int(sent[j].Sub(sent[i])/every); n > most {
					t.Fatalf("%d sends within %v; a burst of %d and one every %v allow %d", n, sent[j].Sub(sent[i]), l.Burst, every, most)
				}
			}
		}
	})
}

func TestRecipientsAreForgotten(t *testing.T) {
	t.Parallel()
	c := &setClock{at: time.Now()}
	r := newRecipients(peal.Limit{Rate: 1, Period: time.Second, Burst: 1}, true, c.now)
	for i := range 20 * sweepAfter {
		r.take(fmt.Sprint(i))
		c.at = c.at.Add(time.Millisecond)
	}
	if n := len(r.all); n > 3*sweepAfter {
		t.Errorf("%d recipients are remembered; within the second that a bucket takes to fill there are 1,000", n)
	}
}
