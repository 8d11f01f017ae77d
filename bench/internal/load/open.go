package load

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Open sends requests by a fixed schedule of so many messages per second until all are sent. Sent times, and so all
// latencies, count from when a request was due: a server that makes the generator wait is charged for the wait. It
// returns how late each request really went out, in nanoseconds, and ends at the first refusal or broken connection.
func Open(ctx context.Context, cfg Config, rate float64) (late []int64, err error) {
	conns, hangUp, err := dial(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer hangUp()

	l := &openLoop{
		Config: cfg, fail: newFailure(),
		idle: make(chan *openConn, len(conns)), every: float64(cfg.Request.Size()) * 1e9 / rate,
	}
	var wg sync.WaitGroup
	for _, c := range conns {
		oc := &openConn{conn: c}
		l.idle <- oc
		wg.Go(func() { l.receive(oc) })
	}
	late = l.pace(ctx)
	l.drain(ctx)
	err = cmp.Or(l.fail.get(), ctx.Err())
	l.done.Store(true)
	interrupt(conns)
	wg.Wait()
	return late, err
}

type openLoop struct {
	Config
	fail  *failure
	idle  chan *openConn
	every float64     // nanoseconds between two requests
	done  atomic.Bool // all answers are in
}

// openConn is written to by the pacer and read by a goroutine of its own, so that no answer waits for the schedule.
type openConn struct {
	*conn
	first atomic.Int64 // sequence number of the request under way
	busy  atomic.Bool  // the pacer has it, or an answer is owed
}

// giveBack makes the connection idle. Where it is idle already, having broken while it had nothing to do, it is left.
func (l *openLoop) giveBack(c *openConn) {
	if c.busy.Swap(false) {
		l.idle <- c
	}
}

// pace sends request after request when it is due. It holds a thread of its own and sleeps in the kernel: the
// runtime's timers are only good to a millisecond, and milliseconds are what is to be measured.
func (l *openLoop) pace(ctx context.Context) []int64 {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	size, limit := l.Request.Size(), l.limit()
	late := make([]int64, 0, max(limit, 0)/size+1)
	start := l.Tally.Now() + int64(time.Millisecond)
	for first := 0; first < limit; first += size {
		due := start + int64(float64(len(late))*l.every)
		for now := l.Tally.Now(); now < due; now = l.Tally.Now() {
			ts := syscall.NsecToTimespec(due - now)
			_ = syscall.Nanosleep(&ts, nil) // cut short by a signal, it is repeated
		}
		var c *openConn
		select {
		case c = <-l.idle:
		case <-ctx.Done():
			return late
		}
		// In this order: if the receiver has ended since, either it sees that the connection is busy or this sees why.
		c.busy.Store(true)
		if l.fail.get() != nil {
			l.giveBack(c)
			return late
		}
		if err := l.send(c, first, due); err != nil {
			l.fail.set(fmt.Errorf("sending: %w", err))
			l.giveBack(c)
			return late
		}
		late = append(late, l.Tally.Now()-due)
	}
	return late
}

func (l *openLoop) send(c *openConn, first int, due int64) error {
	for i := range l.Request.Size() {
		l.Tally.Sent(first+i, due)
	}
	c.first.Store(int64(first))
	_, err := c.Write(c.req.number(l.Tally, first, due))
	return err
}

// drain waits until every connection is idle.
func (l *openLoop) drain(ctx context.Context) {
	for range l.Connections {
		select {
		case <-l.idle:
		case <-ctx.Done():
			return
		}
	}
}

// receive reads answers and gives the connection back after each. It ends at the first error.
func (l *openLoop) receive(c *openConn) {
	for {
		// The number of the answered request is known once its answer has begun to come.
		_, err := c.br.Peek(1)
		if err == nil {
			err = c.read(l.Tally, int(c.first.Load()))
		}
		if err != nil {
			if !l.done.Load() {
				l.fail.set(err)
				l.giveBack(c)
			}
			return
		}
		l.giveBack(c)
	}
}
