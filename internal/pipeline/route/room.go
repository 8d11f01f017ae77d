package route

import (
	"context"
	"fmt"
	"math"
	"time"

	"peal/internal/peal"
)

// allowance is how many deliveries may still be made, as it was counted last.
type allowance struct {
	left  int
	until time.Time // then it is counted again
}

// laneOf is the lane of an integration's queue that an expansion fills.
type laneOf struct {
	integrationID string
	priority      peal.Priority
}

// How long what was counted is reckoned on from: while there is room, and while there is none. What a tenant has in flight
// may be much to count.
const (
	tenantFresh = 5 * time.Second
	tenantFull  = time.Second
	queueFresh  = time.Second
	queueFull   = expandHold
)

// roomFor tells how many deliveries may be made now: as many as the tenant may still have in flight, and none while one of
// the queues is full. A queue that is paused keeps nobody waiting: nobody knows for how long, and the others could be sent.
func (e *Expander) roomFor(ctx context.Context, tenantID string, p peal.Priority, over []*peal.Integration) (int, error) {
	room, ok := e.room[tenantID]
	if !ok || !room.counts() {
		left, err := e.countRoom(ctx, tenantID)
		if err != nil {
			return 0, err
		}
		room = allowed(left, tenantFresh, tenantFull)
		e.room[tenantID] = room
	}
	now := e.cfg.Now()
	for _, in := range over {
		if in.Paused(now) {
			continue
		}
		lane := laneOf{in.ID, p}
		ahead, ok := e.ahead[lane]
		if !ok || !ahead.counts() {
			left, err := e.countAhead(ctx, lane)
			if err != nil {
				return 0, err
			}
			ahead = allowed(left, queueFresh, queueFull)
			e.ahead[lane] = ahead
		}
		if ahead.left <= 0 {
			return 0, nil
		}
	}
	return room.left, nil
}

func allowed(left int, fresh, full time.Duration) allowance {
	a := allowance{left: left, until: time.Now().Add(fresh)}
	if left <= 0 {
		a.left, a.until = 0, time.Now().Add(full)
	}
	return a
}

// counts is false when it is to be counted again: it is old, or used up since.
func (a *allowance) counts() bool { return a.left >= 0 && time.Now().Before(a.until) }

// use uses one up.
func (a *allowance) use() {
	if a.left--; a.left == 0 {
		a.left = -1
	}
}

// countRoom counts what a tenant may still have in flight. An audience takes half of what the tenant may, so that whatever
// else it sends meanwhile is not refused for it.
func (e *Expander) countRoom(ctx context.Context, tenantID string) (int, error) {
	own, err := e.cfg.Usage.TenantLimits(ctx, tenantID)
	if err != nil {
		return 0, fmt.Errorf("read the tenant's limits: %w", err)
	}
	limit := e.cfg.Queued
	if own.Queued != nil {
		limit = *own.Queued
	}
	if limit == 0 {
		return math.MaxInt, nil
	}
	half := max(1, limit/2)
	n, err := e.cfg.Usage.InFlightOf(ctx, tenantID, half)
	if err != nil {
		return 0, fmt.Errorf("count what the tenant has in flight: %w", err)
	}
	return half - n, nil
}

// countAhead counts what a lane may still take. What overtakes it is sent before it, so that counts as well.
func (e *Expander) countAhead(ctx context.Context, lane laneOf) (int, error) {
	standing, err := e.cfg.Queues.Pending(ctx, lane.integrationID)
	if err != nil {
		return 0, fmt.Errorf("count the queue: %w", err)
	}
	left := e.cfg.Ahead
	for _, p := range peal.Priorities() { // the most urgent first
		left -= int(min(standing[p], math.MaxInt32))
		if p == lane.priority {
			break
		}
	}
	return left, nil
}
