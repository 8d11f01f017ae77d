package chaos

import (
	"context"
	"sync"
	"time"

	"peal/internal/peal"
)

const (
	watched    = 300                   // notifications at a time
	watchEvery = 10 * time.Millisecond // one of them is looked at
	watchLooks = 60                    // then another takes its place
)

// ticks looks at notifications through the API all the time, on any node, as their senders would: a tick that somebody
// has seen must not be taken back.
type ticks struct {
	w    *world
	l    *load
	done sync.WaitGroup

	looks int
}

type seen struct {
	status peal.Status
	looks  int
}

func (k *ticks) start(ctx context.Context) {
	k.done.Go(func() {
		tick := time.NewTicker(watchEvery)
		defer tick.Stop()
		known := map[string]*seen{}
		var queue []string
		for {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
			if len(queue) == 0 {
				for _, id := range k.l.some(watched - len(known)) {
					known[id] = &seen{}
				}
				for id := range known {
					queue = append(queue, id)
				}
				continue
			}
			id := queue[0]
			queue = queue[1:]
			if k.look(ctx, id, known[id]) {
				delete(known, id)
			}
		}
	})
}

// look looks at one; true when that was enough.
func (k *ticks) look(ctx context.Context, id string, s *seen) bool {
	node := k.w.order()[0]
	n, err := node.api.Notification(ctx, id)
	if err != nil {
		return false // the node is away, or the records are
	}
	k.looks++
	status := peal.Status(n.Status)
	if s.status.Rank() >= peal.Sent.Rank() && status.Rank() < s.status.Rank() {
		k.w.broken("notification %s was %s, and then %s (%s says)", id, s.status, status, node.name)
	}
	s.status = status
	s.looks++
	return status == peal.Read || s.looks > watchLooks
}
