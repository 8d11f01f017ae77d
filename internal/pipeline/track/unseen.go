package track

import (
	"context"
	"log/slog"
	"time"

	"peal/internal/peal"
)

// UnseenDevices is what Unseen needs of the records.
type UnseenDevices interface {
	RetireUnseen(ctx context.Context, kind peal.DeviceKind, before time.Time, limit int) (n int64, err error)
}

// Unseen retires devices that were not heard of for long: most are of apps that are gone, and to push to them uses up what
// push services allow. Several at once do no harm.
type Unseen struct {
	Records UnseenDevices
	After   map[peal.DeviceKind]time.Duration // 0: never
	Log     *slog.Logger
	Now     func() time.Time
}

const (
	unseenEvery = time.Hour
	unseenStep  = 500 // devices that are retired in one transaction, so that nobody waits long for it
)

// Run retires until ctx ends.
func (u *Unseen) Run(ctx context.Context) error {
	tick := time.NewTicker(unseenEvery)
	defer tick.Stop()
	for {
		u.Sweep(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Sweep does once what Run does again and again. What fails is told in the log, and tried again the next time.
func (u *Unseen) Sweep(ctx context.Context) {
	for _, kind := range peal.DeviceKinds() {
		after := u.After[kind]
		if after == 0 {
			continue
		}
		n, err := u.sweep(ctx, kind, u.Now().Add(-after))
		if err != nil && ctx.Err() == nil {
			u.Log.ErrorContext(ctx, "not all devices could be retired that were not heard of for long", "kind", kind, "error", err)
		}
		if n > 0 {
			u.Log.InfoContext(ctx, "devices that were not heard of for long were retired", "kind", kind, "devices", n)
		}
	}
}

func (u *Unseen) sweep(ctx context.Context, kind peal.DeviceKind, before time.Time) (total int64, err error) {
	for {
		n, err := u.Records.RetireUnseen(ctx, kind, before, unseenStep)
		total += n
		if err != nil || n < unseenStep {
			return total, err
		}
	}
}
