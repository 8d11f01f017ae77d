package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"peal/api"
)

const (
	workers  = 48
	perBatch = 20
	batches  = 0.6 // of the open notifications, those that come in batches
)

// load sends so many notifications over so long, and keeps account of what it was promised. Each has a recipient of its
// own, and a key with which it is repeated until there is an answer that settles it.
type load struct {
	w    *world
	jobs chan []api.NotificationRequest
	done chan struct{} // closed when everything is answered

	answered atomic.Int64
	repeated atomic.Int64

	mu       sync.Mutex
	accepted map[string]string // notification id: recipient
	replayed int
}

func newLoad(w *world, n int, over time.Duration, rng *rand.Rand) *load {
	l := &load{w: w, jobs: make(chan []api.NotificationRequest, n), done: make(chan struct{}), accepted: make(map[string]string, n)}
	few := min(int(allowed*limitedShare*over.Seconds()), n/2)
	go l.compose(n, few, over, rng)
	return l
}

// limitedShare is how much of what the limit lets through in the time is asked for: takeovers take time, too.
const limitedShare = 0.6

// run sends until everything is answered, or ctx ends.
func (l *load) run(ctx context.Context) {
	defer close(l.done)
	var working sync.WaitGroup
	for range workers {
		working.Go(func() {
			for reqs := range l.jobs {
				l.settle(ctx, reqs)
			}
		})
	}
	working.Wait()
}

// compose makes the requests at their times, evenly spread.
func (l *load) compose(n, few int, over time.Duration, rng *rand.Rand) {
	defer close(l.jobs)
	began := time.Now()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	made, madeLimited := 0, 0
	for made < n {
		due := min(n, int(float64(n)*time.Since(began).Seconds()/over.Seconds()))
		for made < due {
			if madeLimited*n < made*few || n-made <= few-madeLimited {
				l.jobs <- []api.NotificationRequest{request(limited, made, rng)}
				made++
				madeLimited++
				continue
			}
			size := 1
			if rng.Float64() < batches/perBatch*2 {
				size = min(perBatch, n-made-(few-madeLimited))
			}
			var reqs []api.NotificationRequest
			for range max(1, size) {
				reqs = append(reqs, request(open, made, rng))
				made++
			}
			l.jobs <- reqs
		}
		<-tick.C
	}
}

func request(integration string, n int, rng *rand.Rand) api.NotificationRequest {
	text := fmt.Sprintf("chaos-%07d", n)
	return api.NotificationRequest{
		Recipient: api.Recipient{Phone: fmt.Sprintf("+9170%08d", n)}, Integration: integration, Content: api.Content{Text: &text},
		Priority: []string{"critical", "normal", "normal", "bulk"}[rng.IntN(4)], IdempotencyKey: "key-" + text,
	}
}

// settle sends requests until each has its answer, one try after the other, each to another node.
func (l *load) settle(ctx context.Context, reqs []api.NotificationRequest) {
	pause := time.NewTicker(100 * time.Millisecond)
	defer pause.Stop()
	for try := 0; ctx.Err() == nil; try++ {
		order := l.w.order()
		if reqs = l.send(ctx, order[0], reqs); len(reqs) == 0 {
			return
		}
		l.repeated.Add(1)
		select {
		case <-pause.C:
		case <-ctx.Done():
		}
	}
}

// send tries once, and gives back what is still to be answered.
func (l *load) send(ctx context.Context, n *node, reqs []api.NotificationRequest) []api.NotificationRequest {
	if len(reqs) == 1 {
		sent, err := n.api.Send(ctx, reqs[0])
		if err != nil {
			l.lost(ctx, n, err)
			return reqs
		}
		l.note(&reqs[0], &sent.Accepted, sent.Replayed)
		return nil
	}
	res, err := n.api.SendBatch(ctx, reqs)
	if err != nil {
		l.lost(ctx, n, err)
		return reqs
	}
	var open []api.NotificationRequest
	for i, r := range res.Results {
		switch {
		case r.Notification != nil:
			l.note(&reqs[i], r.Notification, r.Replayed)
		case r.Error != nil && r.Error.Status == http.StatusServiceUnavailable:
			open = append(open, reqs[i])
		default:
			l.w.broken("%s answered an item of a batch, to %s, with %d: %v", n.name, reqs[i].Recipient.Phone, r.Status, r.Error)
		}
	}
	return open
}

// lost looks at why there is no answer: only a connection may be at fault, or a server that says so.
func (l *load) lost(ctx context.Context, n *node, err error) {
	var p *api.Problem
	if !errors.As(err, &p) {
		if ctx.Err() == nil {
			n.avoid()
		}
		return
	}
	if p.Status != http.StatusServiceUnavailable {
		l.w.broken("%s answered a request with %v", n.name, err)
	}
}

// note keeps what was promised.
func (l *load) note(req *api.NotificationRequest, a *api.Accepted, replayed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	to := req.Recipient.Phone
	if old, ok := l.accepted[a.ID]; ok {
		l.w.broken("notification %s was the answer to both %s and %s", a.ID, old, to)
	}
	l.accepted[a.ID] = to
	l.answered.Add(1)
	if replayed {
		l.replayed++
	}
}

// some gives up to most ids of what was accepted, at random.
func (l *load) some(most int) (ids []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id := range l.accepted { // in no order
		if ids = append(ids, id); len(ids) == most {
			break
		}
	}
	return ids
}

// finish waits until everything is answered.
func (l *load) finish(t *testing.T, within time.Duration) {
	t.Helper()
	late := time.NewTimer(within)
	defer late.Stop()
	select {
	case <-l.done:
	case <-late.C:
		t.Fatalf("%s after the last fault only %d of %d notifications were answered", within, l.answered.Load(), *count)
	}
}
