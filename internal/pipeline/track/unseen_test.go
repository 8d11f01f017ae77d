package track

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"peal/internal/peal"
)

// crowd is so many devices of each kind, last heard of when it began.
type crowd struct {
	mu    sync.Mutex
	seen  time.Time
	left  map[peal.DeviceKind]int64
	fails map[peal.DeviceKind]bool
}

func (c *crowd) RetireUnseen(_ context.Context, kind peal.DeviceKind, before time.Time, limit int) (int64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fails[kind] {
		return 0, errors.New("away")
	}
	if !c.seen.Before(before) {
		return 0, nil
	}
	n := min(c.left[kind], int64(limit))
	c.left[kind] -= n
	return n, nil
}

func TestUnseen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &crowd{
			seen:  time.Now(),
			left:  map[peal.DeviceKind]int64{peal.DeviceFCMToken: 2*unseenStep + 1, peal.DeviceAPNs: 3, peal.DeviceWebPush: unseenStep},
			fails: map[peal.DeviceKind]bool{peal.DeviceFCMFID: true},
		}
		u := &Unseen{
			Records: c, Log: slog.New(slog.DiscardHandler), Now: time.Now,
			After: map[peal.DeviceKind]time.Duration{peal.DeviceFCMToken: 48 * time.Hour, peal.DeviceFCMFID: time.Hour, peal.DeviceWebPush: 72 * time.Hour},
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- u.Run(ctx) }()
		left := func(fcm, apns, web int64) {
			t.Helper()
			synctest.Wait()
			c.mu.Lock()
			defer c.mu.Unlock()
			if c.left[peal.DeviceFCMToken] != fcm || c.left[peal.DeviceAPNs] != apns || c.left[peal.DeviceWebPush] != web {
				t.Errorf("%v are left", c.left)
			}
		}
		left(2*unseenStep+1, 3, unseenStep)
		time.Sleep(48*time.Hour + time.Minute)
		left(2*unseenStep+1, 3, unseenStep) // to the hour
		time.Sleep(time.Hour)
		left(0, 3, unseenStep)
		time.Sleep(24 * time.Hour)
		left(0, 3, 0)
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
