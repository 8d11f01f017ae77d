package crash

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"peal/client"
)

// follower reads a tenant's events, however often the server dies.
type follower struct {
	mu    sync.Mutex
	of    map[string][]string // states, by delivery
	ids   map[string]int
	total int
}

func follow(t *testing.T, c *client.Client) *follower {
	t.Helper()
	f := &follower{of: map[string][]string{}, ids: map[string]int{}}
	if _, err := c.EventPage(t.Context(), client.EventQuery{}); err != nil { // from here on there is a log
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() {
		for e, err := range c.Events(ctx, client.EventQuery{After: client.FirstEvent, Types: []string{"delivery.*"}}) {
			if err != nil || e.Reset {
				if ctx.Err() == nil {
					t.Errorf("following ended (%v), or began anew (%v)", err, e.Reset)
				}
				return
			}
			var d struct {
				ID     string `json:"delivery_id"`
				Status string `json:"status"`
			}
			if err := json.Unmarshal(e.Data, &d); err != nil {
				t.Error(err)
			}
			f.mu.Lock()
			f.of[d.ID] = append(f.of[d.ID], d.Status)
			f.ids[e.ID]++
			f.total++
			f.mu.Unlock()
		}
	})
	t.Cleanup(func() { cancel(); done.Wait() })
	return f
}

// whole waits until of every delivery the last that was told is what the log says, and looks whether each was told from its
// beginning, and no event twice.
func (f *follower) whole(t *testing.T, l *load) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), settle)
	defer cancel()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		var behind []string
		rows := 0
		for d, err := range l.peal.Deliveries(t.Context(), client.DeliveryQuery{Limit: 500}) {
			if err != nil {
				t.Fatalf("read the log: %v", err)
			}
			rows++
			f.mu.Lock()
			told := f.of[d.ID]
			f.mu.Unlock()
			if len(told) == 0 || told[0] != "queued" || told[len(told)-1] != d.Status {
				behind = append(behind, d.ID+" is "+d.Status+", told was "+strings.Join(told, " "))
			}
		}
		if len(behind) == 0 {
			f.once(t, rows)
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("of %d of %d deliveries the events do not tell what became of them:\n%s", len(behind), rows, strings.Join(behind[:min(len(behind), 10)], "\n"))
		case <-again.C:
		}
	}
}

func (f *follower) once(t *testing.T, rows int) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, states := range f.of {
		for i := 1; i < len(states); i++ {
			if states[i] == states[i-1] {
				t.Errorf("of %s was told %s", id, strings.Join(states, " "))
			}
		}
	}
	for id, n := range f.ids {
		if n > 1 {
			t.Errorf("event %s was told %d times", id, n)
		}
	}
	t.Logf("%d events of %d deliveries", f.total, rows)
}
