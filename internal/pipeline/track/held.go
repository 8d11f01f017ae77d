package track

import (
	"context"
	"time"

	"peal/internal/pipeline"
)

// Held are the webhooks that the records keep, since the broker was away when they came.
type Held interface {
	HeldCallbacks(ctx context.Context, after string, limit int) ([]pipeline.Held, error)
	DropHeld(ctx context.Context, ids []string) error
}

const (
	heldBatch = 16 // each may be megabytes
	heldEvery = 2 * time.Second
)

// foldHeld folds what is held, now and again, until ctx ends. What it has not finished is still held.
func (f *Folder) foldHeld(ctx context.Context) {
	tick := time.NewTicker(heldEvery)
	defer tick.Stop()
	for {
		for after := ""; ctx.Err() == nil; {
			held, err := f.Held.HeldCallbacks(ctx, after, heldBatch)
			if err != nil {
				if ctx.Err() == nil {
					f.Log.Warn("held webhooks not read; they are read again", "error", err)
				}
				break
			}
			if len(held) == 0 {
				break
			}
			batch := make([]pipeline.Message, len(held))
			for i := range held {
				batch[i] = heldMessage{&held[i], f.Held}
			}
			f.fold(ctx, batch)
			after = held[len(held)-1].ID // one that could not be let go waits for the next round
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// heldMessage is a held webhook as if it came from the stream.
type heldMessage struct {
	held *pipeline.Held
	from Held
}

var _ pipeline.Message = heldMessage{}

func (m heldMessage) Subject() string { return pipeline.CallbackSubject(m.held.IntegrationID) }
func (m heldMessage) Data() []byte    { return m.held.Body }
func (m heldMessage) Nak() error      { return nil } // it is still held

func (m heldMessage) Ack() error {
	ctx, cancel := context.WithTimeout(context.Background(), foldTime)
	defer cancel()
	return m.from.DropHeld(ctx, []string{m.held.ID})
}
