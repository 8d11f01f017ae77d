package accept

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"peal/internal/peal"
)

// ticking is a clock that is set by hand.
type ticking struct {
	mu sync.Mutex
	at time.Time
}

func (c *ticking) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *ticking) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// counted is what a tenant may do and has in flight.
type counted struct {
	mu     sync.Mutex
	limits peal.TenantLimits
	n      int
	looks  int
	err    error
}

func (c *counted) TenantLimits(context.Context, string) (peal.TenantLimits, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.looks++
	return c.limits, c.err
}

func (c *counted) InFlightOf(_ context.Context, _ string, most int) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return min(c.n, most), c.err
}

// running runs quotas until the test ends.
func running(t *testing.T, q interface {
	Run(ctx context.Context) error
}) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := q.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
}

// known marks a tenant as looked at, so that nobody waits for it.
func known(q *Quotas, tenantID string) *Quotas {
	q.fresh.all[tenantID] = &asked{last: time.Now(), once: true, ready: make(chan struct{})}
	return q
}

// TestTheRateHolds: whoever asks when and how often, in no second more are let in than the rate and the bucket, and who
// waits as long as he was told is let in.
func TestTheRateHolds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rate, nodes := rapid.IntRange(1, 50).Draw(t, "rate"), rapid.IntRange(1, 4).Draw(t, "nodes")
		c := &ticking{at: time.Unix(1_800_000_000, 0)}
		q := known(NewQuotas(QuotasConfig{Rate: rate, Nodes: func() int { return nodes }, Now: c.now}), "a")
		perNode := float64(rate) / float64(nodes)
		burst := max(1, perNode)
		var let []time.Time
		for range rapid.IntRange(1, 200).Draw(t, "asks") {
			err := q.take(context.Background(), "a", 1)
			if err == nil {
				let = append(let, c.now())
			} else {
				e, ok := errors.AsType[*peal.Error](err)
				if !ok || e.Kind != peal.RateLimited || e.RetryAfter <= 0 || e.RetryAfter > time.Duration(float64(time.Second)/perNode)+time.Microsecond {
					t.Fatalf("refused with %v", err)
				}
				if rapid.Bool().Draw(t, "waits") {
					c.pass(e.RetryAfter + time.Microsecond)
					if err := q.take(context.Background(), "a", 1); err != nil {
						t.Fatalf("refused after the wait that was asked for: %v", err)
					}
					let = append(let, c.now())
				}
			}
			c.pass(time.Duration(rapid.IntRange(0, 300).Draw(t, "ms")) * time.Millisecond)
		}
		for i := range let {
			n := 0
			for j := i; j < len(let) && let[j].Sub(let[i]) < time.Second; j++ {
				n++
			}
			if float64(n) > burst+perNode+1 {
				t.Fatalf("%d were let in within a second; the rate is %v and the bucket %v", n, perNode, burst)
			}
		}
		if st := q.Standing("a"); st.Rate != rate || st.RateLeft < 0 || float64(st.RateLeft) > burst || st.RateReset > 2*time.Second*time.Duration(nodes) {
			t.Fatalf("it stands at %+v", st)
		}
	})
}

func TestTheQueueHolds(t *testing.T) {
	t.Parallel()
	number := func(n int) *int { return &n }
	use := &counted{limits: peal.TenantLimits{Queued: number(10)}, n: 7}
	q := NewQuotas(QuotasConfig{Usage: use})
	running(t, q)
	take := func(n int) error { return q.take(t.Context(), "a", n) }
	if err := take(2); err != nil {
		t.Fatal(err)
	}
	if err := take(2); peal.KindOf(err) != peal.QuotaExceeded {
		t.Errorf("with 9 of 10 in flight two more are answered %v", err)
	}
	if err := take(0); err != nil {
		t.Errorf("one that waits for nothing is answered %v", err)
	}
	if st := q.Standing("a"); st.Queued != 10 || st.QueuedLeft != 1 || st.Rate != 0 {
		t.Errorf("it stands at %+v", st)
	}
	q.giveBack("a", 1, 2)
	if err := take(3); err != nil {
		t.Errorf("what was given back is not to be had: %v", err)
	}
	if err := take(1); err == nil {
		t.Error("more than ten were let in")
	}
	use.mu.Lock()
	use.limits.Queued = nil // the installation's: none
	use.mu.Unlock()
	q.Forget("a")
	if err := take(1000); err != nil {
		t.Errorf("without a limit: %v", err)
	}
}

// TestRecordsThatAreAwayLimitNobody beyond what the installation says.
func TestRecordsThatAreAwayLimitNobody(t *testing.T) {
	t.Parallel()
	q := NewQuotas(QuotasConfig{Usage: &counted{err: errors.New("away")}, Rate: 5, Queued: 3})
	running(t, q)
	for range 3 {
		if err := q.take(t.Context(), "a", 1); err != nil {
			t.Fatal(err)
		}
	}
	if err := q.take(t.Context(), "a", 1); peal.KindOf(err) != peal.QuotaExceeded {
		t.Errorf("the fourth is answered %v", err)
	}
}

// TestNobodyIsAskedAtEveryRequest: thousands of requests of one tenant are a look or two.
func TestNobodyIsAskedAtEveryRequest(t *testing.T) {
	t.Parallel()
	use := &counted{}
	q := NewQuotas(QuotasConfig{Usage: use, Rate: 1_000_000})
	running(t, q)
	start := time.Now()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 5000 {
				if err := q.take(t.Context(), "a", 1); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	use.mu.Lock()
	defer use.mu.Unlock()
	if most := 2 + int(time.Since(start)/time.Second); use.looks < 1 || use.looks > most {
		t.Errorf("%d looks, want 1 to %d", use.looks, most)
	}
}
