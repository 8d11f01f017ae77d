package load

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"peal/bench/internal/http1"
	"peal/bench/internal/tally"
)

// Config is what both loops need.
type Config struct {
	Addr        string
	Request     *Request
	Connections int
	Messages    int // how many to send at most; rounded up to whole requests
	Tally       *tally.Tally
}

// limit is the first sequence number that is not sent.
func (c *Config) limit() int {
	return min(c.Messages, c.Tally.Capacity()-c.Request.Size()+1)
}

// conn is a persistent connection with a request of its own.
type conn struct {
	net.Conn
	br   *bufio.Reader
	req  *Request
	resp http1.Response
}

// dial connects before the measurement starts. When ctx ends, blocked reads and writes end too.
func dial(ctx context.Context, cfg Config) (conns []*conn, hangUp func(), err error) {
	var d net.Dialer
	closeAll := func() {
		for _, c := range conns {
			_ = c.Close() // nothing is under way, or the run is being given up
		}
	}
	for range cfg.Connections {
		nc, err := d.DialContext(ctx, "tcp", cfg.Addr)
		if err != nil {
			closeAll()
			return nil, nil, err
		}
		conns = append(conns, &conn{Conn: nc, br: bufio.NewReaderSize(nc, 8<<10), req: cfg.Request.clone()})
	}
	stop := context.AfterFunc(ctx, func() { interrupt(conns) })
	return conns, func() { stop(); closeAll() }, nil
}

// interrupt ends blocked reads and writes, and all later ones.
func interrupt(conns []*conn) {
	for _, c := range conns {
		_ = c.SetDeadline(time.Unix(1, 0)) // fails only on a closed connection
	}
}

// read takes the answer to the messages from first on.
func (c *conn) read(t *tally.Tally, first int) error {
	if err := c.resp.Read(c.br); err != nil {
		return fmt.Errorf("reading an answer: %w", err)
	}
	if err := c.req.record(t, first, &c.resp, t.Now()); err != nil {
		return err
	}
	if c.resp.Close {
		return errors.New("the server closes a persistent connection")
	}
	return nil
}

// failure keeps the first error. After it nothing more is sent, since that would measure nothing, but the requests
// under way still get their answers, so that what was accepted stays known.
type failure struct {
	once sync.Once
	err  error // valid when stop is closed
	stop chan struct{}
}

func newFailure() *failure { return &failure{stop: make(chan struct{})} }

func (f *failure) set(err error) {
	f.once.Do(func() {
		f.err = err
		close(f.stop)
	})
}

// get is nil while all is well.
func (f *failure) get() error {
	select {
	case <-f.stop:
		return f.err
	default:
		return nil
	}
}
