package track

import (
	"context"
	"time"

	"peal/internal/pipeline"
)

// Held are the webhooks that the records keep, since the broker was away when they came.
type Held interface {
	HeldCallbacks(ctx context.Context, folded bool, after string, limit int) ([]pipeline.Held, error)
	HeldFolded(ctx context.Context, id string) error
	DropHeld(ctx context.Context, ids []string) error
}

// LateComer keeps a webhook that is folded in already; when it returns without error, that is on disk.
type LateComer interface {
	KeepFolded(ctx context.Context, integrationID string, sealed []byte) error
}

const (
	heldBatch = 16 // each may be megabytes
	heldEvery = 2 * time.Second
)

// foldHeld folds what is held, now and again, until ctx ends, and then brings it to where all webhooks are kept. What it has
// not finished is still held.
func (f *Folder) foldHeld(ctx context.Context) {
	tick := time.NewTicker(heldEvery)
	defer tick.Stop()
	for {
		f.eachHeld(ctx, false, func(held []pipeline.Held) bool {
			batch := make([]pipeline.Message, len(held))
			for i := range held {
				batch[i] = heldMessage{&held[i], f}
			}
			f.fold(ctx, batch)
			return true
		})
		if f.Archive != nil {
			f.eachHeld(ctx, true, func(held []pipeline.Held) bool { return f.archiveHeld(ctx, held) })
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// eachHeld goes over what is held, folded in already or not, as long as do says so.
func (f *Folder) eachHeld(ctx context.Context, folded bool, do func(held []pipeline.Held) bool) {
	for after := ""; ctx.Err() == nil; {
		held, err := f.Held.HeldCallbacks(ctx, folded, after, heldBatch)
		if err != nil {
			if ctx.Err() == nil {
				f.Log.Warn("held webhooks not read; they are read again", "error", err)
			}
			return
		}
		if len(held) == 0 || !do(held) {
			return
		}
		after = held[len(held)-1].ID // one that could not be let go waits for the next round
	}
}

// archiveHeld hands webhooks to the broker, as long as that takes them.
func (f *Folder) archiveHeld(ctx context.Context, held []pipeline.Held) bool {
	for _, h := range held {
		if err := f.Archive.KeepFolded(ctx, h.IntegrationID, h.Body); err != nil {
			f.Log.Debug("held webhooks wait for the broker", "error", err)
			return false
		}
		if err := f.Held.DropHeld(ctx, []string{h.ID}); err != nil { // then it is kept twice, as one that came twice
			f.Log.Debug("a held webhook was not let go; it is kept again", "error", err)
		}
	}
	return true
}

// letGo acknowledges those that were folded in before they came here, and gives the others.
func (f *Folder) letGo(batch []pipeline.Message) []pipeline.Message {
	left := batch[:0]
	for _, m := range batch {
		late, ok := m.(interface{ Folded() bool })
		if !ok || !late.Folded() {
			left = append(left, m)
		} else if err := m.Ack(); err != nil {
			f.Log.Debug("webhook not acknowledged; it comes again", "error", err)
		}
	}
	return left
}

// heldMessage is a held webhook as if it came from the stream.
type heldMessage struct {
	held   *pipeline.Held
	folder *Folder
}

var _ pipeline.Message = heldMessage{}

func (m heldMessage) Subject() string { return pipeline.CallbackSubject(m.held.IntegrationID) }
func (m heldMessage) Data() []byte    { return m.held.Body }
func (m heldMessage) Nak() error      { return nil } // it is still held

func (m heldMessage) Ack() error {
	ctx, cancel := context.WithTimeout(context.Background(), foldTime)
	defer cancel()
	if m.folder.Archive == nil {
		return m.folder.Held.DropHeld(ctx, []string{m.held.ID})
	}
	return m.folder.Held.HeldFolded(ctx, m.held.ID)
}
