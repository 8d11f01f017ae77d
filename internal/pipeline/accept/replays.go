package accept

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"peal/internal/peal"
)

// ReplayLog keeps which notifications requests were answered from.
type ReplayLog interface {
	NoteReplays(ctx context.Context, replays []peal.Replay) error
}

// maxReplays is how many notifications are remembered while others are being written; more are left out.
const maxReplays = 4096

// replayTime bounds what writing some takes; after that they are left out.
const replayTime = 5 * time.Second

// Replays has it written that requests were answered from earlier ones, for whoever asks why nothing was sent. That is
// done beside the requests: none waits for it, and none fails with it. Create it with NewReplays, and Run it.
type Replays struct {
	log     *slog.Logger
	records ReplayLog
	wake    chan struct{}

	mu  sync.Mutex
	all map[string]*peal.Replay // by notification
}

// NewReplays makes Replays.
func NewReplays(records ReplayLog, log *slog.Logger) *Replays {
	return &Replays{log: log, records: records, wake: make(chan struct{}, 1), all: map[string]*peal.Replay{}}
}

// note takes in that a request with the key got the answer of an earlier one.
func (r *Replays) note(tenantID, key string, answer []byte, now time.Time) {
	var first struct {
		ID string `json:"id"`
	}
	if r == nil || json.Unmarshal(answer, &first) != nil || first.ID == "" {
		return
	}
	r.mu.Lock()
	one := r.all[first.ID]
	if one == nil && len(r.all) < maxReplays {
		one = &peal.Replay{TenantID: tenantID, NotificationID: first.ID}
		r.all[first.ID] = one
	}
	if one != nil {
		one.Key, one.Last = key, now
		one.Count++
	}
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Run writes what was noted until ctx ends, and then the rest.
func (r *Replays) Run(ctx context.Context) error {
	for {
		select {
		case <-r.wake:
			r.write(ctx)
		case <-ctx.Done():
			r.write(context.WithoutCancel(ctx))
			return nil
		}
	}
}

func (r *Replays) write(ctx context.Context) {
	r.mu.Lock()
	all := make([]peal.Replay, 0, len(r.all))
	for _, one := range r.all {
		all = append(all, *one)
	}
	clear(r.all)
	r.mu.Unlock()
	if len(all) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, replayTime)
	defer cancel()
	if err := r.records.NoteReplays(ctx, all); err != nil {
		r.log.Warn("not written that requests were repeats", "notifications", len(all), "error", err)
	}
}
