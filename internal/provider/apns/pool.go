package apns

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"
)

// poolConfig are a pool's numbers; the zero value has the defaults.
type poolConfig struct {
	max       int           // connections. Default 4
	growAfter time.Duration // how long all streams are taken before another connection is opened. Default 20 ms
	coldAfter time.Duration // the same while a connection has not had its first answer. Default 2 s
	idleAfter time.Duration // how long a connection is not used before it is closed. Default 10 min
}

func (c poolConfig) withDefaults() poolConfig {
	return poolConfig{
		max:       cmp.Or(c.max, 4),
		growAfter: cmp.Or(c.growAfter, 20*time.Millisecond),
		coldAfter: cmp.Or(c.coldAfter, 2*time.Second),
		idleAfter: cmp.Or(c.idleAfter, 10*time.Minute),
	}
}

// Waits between dials that fail, or whose connections are of no use: opening many is taken for an attack.
const (
	firstPause = 100 * time.Millisecond
	maxPause   = 10 * time.Second
	dialLimit  = 15 * time.Second
)

var (
	errClosed  = errors.New("apns: the client is closed")
	errChurned = errors.New("apns: connections close before they are of use")
)

// pool are the connections of one credential to one host: as few as do.
//
// It counts what is under way on each connection by itself. ClientConn.Reserve would do it too, but when a server lowers
// its limit while slots are reserved, those who hold one wait for each other until their calls are given up.
type pool struct {
	dial func(ctx context.Context) (*http.ClientConn, error)
	cfg  poolConfig

	ctx    context.Context //nolint:containedctx // of the dials, which serve whoever waits
	cancel context.CancelFunc
	kicks  chan struct{} // there is something for run to do
	work   sync.WaitGroup

	mu      sync.Mutex
	conns   []*conn
	waiting []*waiter
	dialing bool
	fails   int       // dials in a row that were of no use
	pause   time.Time // no dial until then
	lastErr error     // why
	closed  bool
}

// conn is a connection of a pool. Its fields belong to the pool's mutex.
type conn struct {
	cc       *http.ClientConn
	underWay int       // calls that have it
	most     int       // streams that the server allows, as last seen
	warm     bool      // a request with a right token was answered, so that there are more streams than one
	leaving  bool      // no new call
	used     time.Time // last
}

// waiter waits for a connection.
type waiter struct {
	since time.Time
	got   chan taken // has room for one
}

type taken struct {
	conn *conn
	err  error
}

func newPool(dial func(context.Context) (*http.ClientConn, error), cfg poolConfig) *pool {
	ctx, cancel := context.WithCancel(context.Background())
	p := &pool{dial: dial, cfg: cfg.withDefaults(), ctx: ctx, cancel: cancel, kicks: make(chan struct{}, 1)}
	p.work.Go(p.run)
	return p
}

// take gives a connection with room for one call, which ends with put. The first call over a new connection goes alone.
func (p *pool) take(ctx context.Context) (*conn, error) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, errClosed
	}
	if len(p.waiting) == 0 { // who waits comes first
		if c := p.pick(); c != nil {
			p.mu.Unlock()
			return c, nil
		}
	}
	w := &waiter{since: time.Now(), got: make(chan taken, 1)}
	p.waiting = append(p.waiting, w)
	p.tend()
	p.mu.Unlock()
	p.kick()
	select {
	case t := <-w.got:
		return t.conn, t.err
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.waiting, w); i >= 0 {
		p.waiting = slices.Delete(p.waiting, i, i+1)
		return nil, ctx.Err()
	}
	if t := <-w.got; t.conn != nil { // it was served in this moment
		p.release(t.conn)
	}
	return nil, ctx.Err()
}

// put gives back what take gave. warm says that a right token was answered over it, leave that no new call is to use it.
func (p *pool) put(c *conn, warm, leave bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if warm {
		c.warm, p.fails = true, 0
	}
	if leave && !c.leaving {
		c.leaving = true
		p.useless(c, errChurned)
	}
	p.release(c)
}

// useless counts a connection that came to nothing. The caller holds mu.
func (p *pool) useless(c *conn, err error) {
	if c != nil && c.warm {
		return
	}
	p.fails++
	p.lastErr = err
	if p.fails >= maxTries { // as many as one push may use up
		p.pause = time.Now().Add(min(firstPause<<min(p.fails-maxTries, 10), maxPause))
	}
}

// release ends a call. The caller holds mu.
func (p *pool) release(c *conn) {
	c.underWay--
	c.used = time.Now()
	if c.leaving && c.underWay == 0 {
		p.drop(c)
	}
	if len(p.waiting) > 0 {
		p.tend()
	}
}

// drop closes a connection that nobody uses. The caller holds mu. Closing may have to write, so it is done aside.
func (p *pool) drop(c *conn) {
	i := slices.Index(p.conns, c)
	if i < 0 {
		return // by close
	}
	p.conns = slices.Delete(p.conns, i, i+1)
	p.work.Go(func() { _ = c.cc.Close() }) // it is given up anyway
}

// pick takes a free place on the connection with the fewest calls; nil when there is none. The caller holds mu.
func (p *pool) pick() *conn {
	var best *conn
	for _, c := range p.conns {
		if (best == nil || c.underWay < best.underWay) && p.free(c) {
			best = c
		}
	}
	if best != nil {
		best.underWay++
	}
	return best
}

// free tells whether a connection takes another call. It finds out which are no more. The caller holds mu.
func (p *pool) free(c *conn) bool {
	switch {
	case c.leaving:
		return false
	case c.cc.Err() != nil:
		p.leave(c)
		return false
	}
	available, streams := c.cc.Available(), c.cc.InFlight()
	switch {
	case available > 0 && !c.warm: // what the server allows is not known yet
		return c.underWay == 0
	case available > 0:
		c.most = available + streams
		return c.underWay < c.most
	}
	// It is full, or it is going away: of GOAWAY a ClientConn says nothing. Then it refuses with few streams under way.
	if most := max(c.most, 1); 2*c.underWay < most && 2*streams < most {
		p.leave(c)
	}
	return false
}

// leave has no new call use the connection. One that is of no use yet counts. The caller holds mu.
func (p *pool) leave(c *conn) {
	c.leaving = true
	p.useless(c, errChurned)
}

// tend serves those who wait, and opens a connection for them if need be. It tells whether to look again soon: that a
// connection has died, or takes more streams than before, is found out by looking. (A ClientConn's state hook would tell,
// but it runs at the end of each call, and inside calls that are made with mu held.) The caller holds mu.
func (p *pool) tend() (again bool) {
	for len(p.waiting) > 0 {
		c := p.pick()
		if c == nil {
			break
		}
		p.waiting[0].got <- taken{conn: c}
		p.waiting = p.waiting[1:]
	}
	for _, c := range slices.Clone(p.conns) {
		if c.leaving && c.underWay == 0 {
			p.drop(c)
		}
	}
	if len(p.waiting) == 0 || p.closed {
		return false
	}
	good, cold := 0, false
	for _, c := range p.conns {
		if !c.leaving {
			good++
			cold = cold || !c.warm
		}
	}
	now, patience := time.Now(), p.cfg.growAfter
	if cold {
		patience = p.cfg.coldAfter
	}
	switch {
	case p.dialing:
	case good == 0 && p.pause.After(now):
		p.fail(p.lastErr)
		return false
	case good == 0, good < p.cfg.max && !p.pause.After(now) && now.Sub(p.waiting[0].since) >= patience:
		p.open()
	}
	return true
}

// fail tells all who wait that there is no connection. The caller holds mu.
func (p *pool) fail(err error) {
	for _, w := range p.waiting {
		w.got <- taken{err: err}
	}
	p.waiting = nil
}

// open dials in the background. The caller holds mu.
func (p *pool) open() {
	p.dialing = true
	p.work.Go(func() {
		ctx, cancel := context.WithTimeout(p.ctx, dialLimit)
		defer cancel()
		cc, err := p.dial(ctx)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.dialing = false
		switch {
		case err == nil && p.closed:
			p.work.Go(func() { _ = cc.Close() })
		case err == nil:
			p.conns = append(p.conns, &conn{cc: cc, used: time.Now()})
			p.tend()
		default:
			p.useless(nil, err)
			if !slices.ContainsFunc(p.conns, func(c *conn) bool { return !c.leaving }) {
				p.fail(err)
			}
			p.kick()
		}
	})
}

// kick has run look at once.
func (p *pool) kick() {
	select {
	case p.kicks <- struct{}{}:
	default:
	}
}

// run looks after those who wait, and closes what is not used.
func (p *pool) run() {
	timer := time.NewTimer(p.cfg.idleAfter)
	defer timer.Stop()
	for {
		select {
		case <-p.ctx.Done():
			return
		case <-p.kicks:
		case <-timer.C:
		}
		p.mu.Lock()
		next := p.sweep(time.Now())
		if p.tend() {
			next = min(next, p.cfg.growAfter)
		}
		p.mu.Unlock()
		timer.Reset(next)
	}
}

// sweep closes connections that were not used for long, and tells when to look again. The caller holds mu.
func (p *pool) sweep(now time.Time) time.Duration {
	next := p.cfg.idleAfter
	for _, c := range slices.Clone(p.conns) {
		left := p.cfg.idleAfter - now.Sub(c.used)
		switch {
		case c.underWay > 0:
		case left <= 0 || c.cc.Err() != nil:
			p.drop(c)
		default:
			next = min(next, left)
		}
	}
	return max(next, time.Millisecond)
}

// ready makes sure that there is a connection.
func (p *pool) ready(ctx context.Context) error {
	c, err := p.take(ctx)
	if err != nil {
		return err
	}
	p.put(c, false, false)
	return nil
}

// close closes all connections and waits until nothing of the pool is left. Calls under way end without an answer.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	p.fail(errClosed)
	for _, c := range slices.Clone(p.conns) {
		c.leaving = true
		p.drop(c)
	}
	p.mu.Unlock()
	p.cancel()
	p.work.Wait()
}
