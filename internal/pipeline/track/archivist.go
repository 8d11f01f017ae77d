package track

import (
	"context"
	"log/slog"
	"time"

	"peal/internal/metrics"
	"peal/internal/pipeline"
)

// Shelf is where webhooks are kept.
type Shelf interface {
	Archive(ctx context.Context) (pipeline.Archive, error)
	Remember(ctx context.Context) error
	Trim(ctx context.Context, before time.Time, most uint64) (gone uint64, err error)
}

// Archivist keeps the archive of webhooks within its bounds, and has the broker remember how far they are folded in. Several
// at once do no harm.
type Archivist struct {
	Shelf     Shelf
	Retention time.Duration // 0: webhooks go as soon as they are folded in
	MaxBytes  uint64        // 0: as many as there are
	Room      func() uint64 // bytes that are free on the disk where they are; nil: that is somebody else's care
	Metrics   *metrics.Metrics
	Log       *slog.Logger
	Now       func() time.Time

	full bool // the last time more had to go than was old
}

const (
	rememberEvery = 10 * time.Second
	trimEvery     = time.Minute
)

// Run keeps the archive until ctx ends.
func (a *Archivist) Run(ctx context.Context) error {
	remember, trim := time.NewTicker(rememberEvery), time.NewTicker(trimEvery)
	defer remember.Stop()
	defer trim.Stop()
	a.Trim(ctx)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-remember.C:
			if err := a.Shelf.Remember(ctx); err != nil && ctx.Err() == nil {
				a.Log.Debug("the broker was not told how far webhooks are folded in", "error", err)
			}
		case <-trim.C:
			a.Trim(ctx)
		}
	}
}

// Trim lets go of what is too old or too much. What fails is tried again the next time.
func (a *Archivist) Trim(ctx context.Context) {
	if err := a.trim(ctx); err != nil && ctx.Err() == nil {
		a.Log.Warn("old webhooks could not be let go; that is tried again", "error", err)
	}
}

func (a *Archivist) trim(ctx context.Context) error {
	before := a.Now().Add(-a.Retention)
	old, err := a.Shelf.Trim(ctx, before, 0)
	if err != nil {
		return err
	}
	is, err := a.Shelf.Archive(ctx)
	if err != nil {
		return err
	}
	most := a.MaxBytes
	if a.Room != nil { // never more than half of what there is for it
		if half := is.Bytes/2 + a.Room()/2; most == 0 || half < most {
			most = max(half, 1)
		}
	}
	var many uint64
	if most > 0 && is.Bytes > most {
		if many, err = a.Shelf.Trim(ctx, before, most); err != nil {
			return err
		}
		if is, err = a.Shelf.Archive(ctx); err != nil {
			return err
		}
	}
	a.Metrics.Archive.Set(float64(is.Bytes))
	if full := many > 0; full && !a.full {
		a.Log.Warn("the archive of webhooks is full: the oldest leave before their time", "webhooks", many, "bytes", most)
		a.full = true
	} else if old > 0 && !full {
		a.full = false
	}
	if old+many > 0 {
		a.Log.Info("old webhooks were let go", "webhooks", old+many)
	}
	return nil
}
