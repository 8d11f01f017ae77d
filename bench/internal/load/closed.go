package load

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Closed keeps every connection busy with one request after another until all messages are sent, or, where until is
// above zero, until that long has passed. It ends at the first refusal or broken connection.
func Closed(ctx context.Context, cfg Config, until time.Duration) error {
	conns, hangUp, err := dial(ctx, cfg)
	if err != nil {
		return err
	}
	defer hangUp()

	loop := &closedLoop{Config: cfg, fail: newFailure()}
	if until > 0 {
		loop.deadline = cfg.Tally.Now() + int64(until)
	}
	var wg sync.WaitGroup
	for _, c := range conns {
		wg.Go(func() {
			if err := loop.run(ctx, c); err != nil {
				loop.fail.set(err)
			}
		})
	}
	wg.Wait()
	return loop.fail.get()
}

type closedLoop struct {
	Config
	fail     *failure
	next     atomic.Int64
	deadline int64 // by the tally's clock; 0: none
}

func (l *closedLoop) run(ctx context.Context, c *conn) error {
	size, limit := l.Request.Size(), l.limit()
	for l.fail.get() == nil {
		if err := ctx.Err(); err != nil {
			return err
		}
		now := l.Tally.Now()
		if l.deadline > 0 && now >= l.deadline {
			return nil
		}
		first := int(l.next.Add(int64(size))) - size
		if first >= limit {
			return nil
		}
		for i := range size {
			l.Tally.Sent(first+i, now)
		}
		if _, err := c.Write(c.req.number(l.Tally, first, now)); err != nil {
			return fmt.Errorf("sending: %w", err)
		}
		if err := c.read(l.Tally, first); err != nil {
			return err
		}
	}
	return nil
}
