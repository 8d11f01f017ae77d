package outbound

import (
	"context"
	"log/slog"
	"time"
)

// Housekeeper lets go of what endpoints were told long ago.
type Housekeeper interface {
	RetainEndpoints(ctx context.Context, before, wellBefore time.Time) error
}

// Retainer keeps attempts, and what ran out of tries, from growing without bound.
type Retainer struct {
	Records Housekeeper
	Log     *slog.Logger
	Now     func() time.Time
}

const (
	retainEvery = time.Hour
	retention   = 30 * 24 * time.Hour
	wellFor     = 3 * 24 * time.Hour // of attempts that went well
)

// Run keeps house until ctx ends.
func (r *Retainer) Run(ctx context.Context) error {
	tick := time.NewTicker(retainEvery)
	defer tick.Stop()
	for {
		now := r.Now()
		if err := r.Records.RetainEndpoints(ctx, now.Add(-retention), now.Add(-wellFor)); err != nil && ctx.Err() == nil {
			r.Log.Error("not all attempts of endpoints could be let go that are older than they are kept", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
