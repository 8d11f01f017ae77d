package outbound

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"peal/api"
	"peal/internal/peal"
)

// fill reads what happened, as far as there is room for it.
func (r *run) fill(ctx context.Context) error {
	if err := r.replay(ctx); err != nil {
		return err
	}
	now := r.cfg.Now()
	if !now.Before(r.checkAt) {
		if err := r.check(ctx); err != nil {
			return err
		}
		r.checkAt = now.Add(checkEvery)
	}
	for r.hasRoom() && (r.more || !now.Before(r.lookAt)) {
		limit := min(pageSize, r.cfg.Window-len(r.window))
		page, next, err := r.cfg.Events.Notices(ctx, r.e.TenantID, r.read, r.types, limit)
		if err != nil {
			return fmt.Errorf("read the event log: %w", err)
		}
		r.read, r.more, r.lookAt = next, len(page) == limit, now.Add(r.cfg.Poll)
		for i := range page {
			r.push(&page[i])
		}
	}
	if !now.Before(r.lookAt) { // there is no room: calls that end make some
		r.lookAt = now.Add(r.cfg.Poll)
	}
	if len(r.window) == 0 && r.read != r.p.Cursor && now.Sub(r.moved) > moveEvery {
		r.dirty = true // nothing was for it, but the cursor is not to fall behind
	}
	return nil
}

// errAnew says that the records know less than this run has read: another server took over from theirs. They know where it was.
var errAnew = errors.New("to be begun anew")

// check sees whether the log has let go of what the endpoint was yet to be told. That is never passed over in silence.
func (r *run) check(ctx context.Context) error {
	on, lost, err := r.cfg.Events.NoticesLost(ctx, r.e.TenantID, r.read)
	if err != nil || !lost {
		return err
	}
	if peal.Before(on, r.read) && r.read != r.began {
		return errAnew
	}
	r.cfg.Metrics.EndpointsLost.Inc()
	r.log.Error("the event log has let go of events that an endpoint was yet to be told: it was behind for too long", "told_until", r.p.CursorAt)
	r.p.Attempts = append(r.p.Attempts, peal.EndpointAttempt{
		ID: peal.NewID(), At: r.cfg.Now(), Code: "lost",
		Error: "the event log has let go of events before the endpoint could be told: those after " + r.p.CursorAt.UTC().Format(time.RFC3339),
	})
	r.read, r.dirty = on, true
	return nil
}

// hasRoom tells whether more is to be read. Of an endpoint that takes nothing only so much that there is something to probe
// it with.
func (r *run) hasRoom() bool {
	if r.broken() && len(r.lines.of) > 0 {
		return false
	}
	return len(r.window) < r.cfg.Window && len(r.rows) < r.cfg.MaxWaiting
}

// push takes an event that was read from the log.
func (r *run) push(n *peal.Notice) {
	e := &entry{EndpointMessage: messageOf(n)}
	r.window = append(r.window, e)
	if r.ahead[n.ID] {
		e.settled, r.dirty = true, true
		return
	}
	if l := r.lines.of[n.Subject]; l != nil && l.waits() { // those before it are to be told first
		r.keep(e)
		r.dirty = true
	}
	r.lines.add(e)
}

func messageOf(n *peal.Notice) peal.EndpointMessage {
	return peal.EndpointMessage{NoticeID: n.ID, Type: n.Type, Subject: n.Subject, Position: n.Position, At: n.At, Data: n.Data}
}

// replay makes messages of what is to be told once more, as far as there is room for them.
func (r *run) replay(ctx context.Context) error {
	for r.p.Replay != nil && len(r.rows) < r.cfg.MaxWaiting && !r.broken() {
		was := *r.p.Replay
		types := r.types
		if len(was.Types) > 0 {
			types = was.Types
		}
		page, next, err := r.cfg.Events.Notices(ctx, r.e.TenantID, was.Cursor, types, pageSize)
		if err != nil {
			return fmt.Errorf("read the event log: %w", err)
		}
		done := !peal.Before(next, was.Until) // a page may be short because it took long: that is not the end
		for i := range page {
			n := &page[i]
			if peal.Before(was.Until, n.Position) {
				break
			}
			if n.At.Before(was.Since) || r.rows[n.ID] {
				continue
			}
			e := &entry{EndpointMessage: messageOf(n)}
			r.keep(e)
			r.lines.add(e)
		}
		was.Cursor, r.dirty = next, true
		if r.p.Replay = &was; done {
			r.p.Replay = nil
		} else if len(page) < pageSize { // what else there is to do has its turn
			return nil
		}
	}
	return nil
}

const (
	pageSize   = 100
	moveEvery  = 10 * time.Second
	checkEvery = time.Minute
)

// disabledNotice tells the tenant's other endpoints, and whoever follows the log, that one is disabled.
func disabledNotice(e *peal.Endpoint, d *peal.EndpointDisabled, failing time.Time) *peal.Notice {
	says := api.EndpointEvent{EndpointID: e.ID, URL: e.URL, Reason: d.Reason}
	if !failing.IsZero() {
		failing = failing.UTC()
		says.FailingSince = &failing
	}
	data, err := json.Marshal(says)
	if err != nil {
		return nil // texts and times always marshal
	}
	return &peal.Notice{TenantID: e.TenantID, Type: peal.NoticeEndpointDisabled, At: d.At, Subject: e.ID, Data: data}
}
