package track

import (
	"context"
	"log/slog"
	"time"

	"peal/internal/peal"
)

// Housekeeper is what the Retainer needs of the records.
type Housekeeper interface {
	Maintain(ctx context.Context) error
	Retain(ctx context.Context, before time.Time) (peal.Retention, error)
	RetainNotices(ctx context.Context, before time.Time) (int64, error)
}

// Retainer keeps the records from growing without bound: it has room made for the weeks to come, and lets go of what is
// older than the retention. Several at once do no harm.
type Retainer struct {
	Records   Housekeeper
	Retention time.Duration // 0: everything is kept
	Events    time.Duration // how long event logs go back; 0: all is kept
	Log       *slog.Logger
	Now       func() time.Time
}

// retainEvery is how often it looks.
const retainEvery = time.Hour

// Run keeps house until ctx ends.
func (r *Retainer) Run(ctx context.Context) error {
	tick := time.NewTicker(retainEvery)
	defer tick.Stop()
	for {
		r.Retain(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Retain does once what Run does again and again. What fails is told in the log, and tried again the next time.
func (r *Retainer) Retain(ctx context.Context) {
	if err := r.Records.Maintain(ctx); err != nil && ctx.Err() == nil {
		r.Log.ErrorContext(ctx, "no room could be made for the weeks to come", "error", err)
	}
	if r.Events != 0 {
		gone, err := r.Records.RetainNotices(ctx, r.Now().Add(-r.Events))
		if err != nil && ctx.Err() == nil {
			r.Log.ErrorContext(ctx, "not all events could be let go that are older than their retention", "error", err)
		}
		if gone > 0 {
			r.Log.InfoContext(ctx, "events older than their retention were let go", "events", gone)
		}
	}
	if r.Retention == 0 {
		return
	}
	gone, err := r.Records.Retain(ctx, r.Now().Add(-r.Retention))
	if err != nil && ctx.Err() == nil {
		r.Log.ErrorContext(ctx, "not all records could be let go that are older than the retention", "error", err)
	}
	if gone.Deliveries > 0 || len(gone.Partitions) > 0 {
		r.Log.InfoContext(ctx, "records older than the retention were let go", "deliveries", gone.Deliveries, "partitions", gone.Partitions)
	}
	for _, h := range gone.Kept {
		r.Log.WarnContext(ctx, "records older than the retention stay, for somebody waits for them",
			"partition", h.Name, "in_flight", h.InFlight, "dead_letters", h.DeadLetters)
	}
}
