package callbacks

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"peal/bench/internal/http1"
)

// poster posts webhooks by a fixed schedule. How long one took counts from when it was due until its 200: one that is not
// answered so is posted again, as a provider does.
type poster struct {
	addr, path  string
	connections int
	rate        float64
	halfway     func()

	refusals atomic.Int64
}

// comeAgain is how long after a refusal a webhook is posted again.
const comeAgain = 200 * time.Millisecond

type due struct {
	n  int
	at time.Time
}

func (p *poster) refused() int { return int(p.refusals.Load()) }

// post posts all, calls halfway when half of them are under way, and returns how long each took, in nanoseconds.
func (p *poster) post(ctx context.Context, bodies [][]byte, half int) (took []int64, err error) {
	requests := make([][]byte, len(bodies))
	for i, b := range bodies {
		requests[i] = request(p.path, b)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	took = make([]int64, len(bodies))
	line := make(chan due, len(bodies)) // the schedule waits for nobody
	var posting sync.WaitGroup
	for range p.connections {
		posting.Go(func() {
			if err := p.connection(ctx, requests, line, took); err != nil {
				cancel(err)
			}
		})
	}
	p.pace(ctx, len(bodies), half, line)
	close(line)
	posting.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return took, nil
}

// pace puts one after the other in line when it is due. It sleeps in the kernel, for timers are only good to a millisecond.
func (p *poster) pace(ctx context.Context, n, half int, line chan<- due) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	start := time.Now().Add(time.Millisecond)
	for i := range n {
		at := start.Add(time.Duration(float64(i) / p.rate * 1e9))
		for left := time.Until(at); left > 0; left = time.Until(at) {
			ts := syscall.NsecToTimespec(int64(left))
			_ = syscall.Nanosleep(&ts, nil) // cut short by a signal, it is repeated
		}
		if ctx.Err() != nil {
			return
		}
		if i == half && p.halfway != nil {
			p.halfway()
		}
		line <- due{i, at}
	}
}

// connection posts what is due, one after the other.
func (p *poster) connection(ctx context.Context, requests [][]byte, line <-chan due, took []int64) error {
	var d net.Dialer
	var c net.Conn
	var br *bufio.Reader
	defer func() {
		if c != nil {
			_ = c.Close()
		}
	}()
	var resp http1.Response
	for next := range line {
		for {
			if c == nil {
				var err error
				if c, err = d.DialContext(ctx, "tcp", p.addr); err != nil {
					return err
				}
				br = bufio.NewReader(c)
			}
			_, err := c.Write(requests[next.n])
			if err == nil {
				err = resp.Read(br)
			}
			if err == nil && resp.Status == http.StatusOK {
				break
			}
			p.refusals.Add(1)
			if err != nil || resp.Close {
				_ = c.Close()
				c = nil
			}
			if err == nil && resp.Status/100 == 4 {
				return errors.New("a webhook is refused: " + string(resp.Body))
			}
			select {
			case <-time.After(comeAgain):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		took[next.n] = int64(time.Since(next.at))
		if resp.Close {
			_ = c.Close()
			c = nil
		}
	}
	return nil
}
