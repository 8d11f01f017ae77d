package fcm

import (
	"io"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"
)

const (
	// laneCalls is how many calls share a connection. Servers allow 100 streams or more, and Go takes 100 for granted until
	// it knows better.
	laneCalls = 90
	// laneCold is how long after its last call a lane's connection may be on its way out. The transport closes idle ones.
	laneCold = 2 * time.Second
)

// lanes are connections, each with a transport of its own that is never given more calls than go over one HTTP/2
// connection. A transport alone, when it is given more, dials for every call that finds no room: hundreds of connections
// at the beginning of a burst. The first call over a lane goes ahead, the others wait until there is a connection.
type lanes struct {
	open func() *http.Transport
	most int // lanes

	mu  sync.Mutex
	all []*lane
}

var _ http.RoundTripper = (*lanes)(nil)

// lane is one connection. Its fields belong to the mutex of lanes.
type lane struct {
	transport *http.Transport
	calls     int       // under way
	last      time.Time // when it became quiet
	warm      bool      // there is a connection
	opening   *opening  // the call that goes ahead
}

// opening is a call that goes ahead.
type opening struct {
	once sync.Once
	over chan struct{} // closed when there is a connection, or will be none
	err  error         // why there is none, for those who wait
}

func newLanes(open func() *http.Transport, concurrency int) *lanes {
	return &lanes{open: open, most: max(1, (concurrency+laneCalls-1)/laneCalls) + 1}
}

// RoundTrip makes a call over one of the lanes.
func (l *lanes) RoundTrip(req *http.Request) (*http.Response, error) {
	ln := l.enter()
	res, err := l.over(ln, req)
	if err != nil {
		l.leave(ln)
		return nil, err
	}
	res.Body = &laneBody{ReadCloser: res.Body, leave: func() { l.leave(ln) }}
	return res, nil
}

// enter takes a place: in the first lane with room, so that the last ones can fall idle.
func (l *lanes) enter() *lane {
	l.mu.Lock()
	defer l.mu.Unlock()
	var best *lane
	for _, ln := range l.all {
		if ln.calls < laneCalls {
			best = ln
			break
		}
		if best == nil || ln.calls < best.calls {
			best = ln
		}
	}
	if best == nil || best.calls >= laneCalls && len(l.all) < l.most {
		best = &lane{transport: l.open()}
		l.all = append(l.all, best)
	}
	if best.calls == 0 && time.Since(best.last) > laneCold {
		best.warm = false
	}
	best.calls++
	return best
}

func (l *lanes) leave(ln *lane) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ln.calls--
	ln.last = time.Now()
}

// over makes the call, ahead of others or after the one that is ahead.
func (l *lanes) over(ln *lane, req *http.Request) (*http.Response, error) {
	for {
		l.mu.Lock()
		if ln.warm {
			l.mu.Unlock()
			return ln.transport.RoundTrip(req)
		}
		o := ln.opening
		if o == nil {
			o = &opening{over: make(chan struct{})}
			ln.opening = o
			l.mu.Unlock()
			return l.ahead(ln, o, req)
		}
		l.mu.Unlock()
		select {
		case <-o.over:
			if o.err != nil {
				return nil, o.err
			}
		case <-req.Context().Done():
			return nil, req.Context().Err()
		}
	}
}

// ahead makes the call that opens a connection.
func (l *lanes) ahead(ln *lane, o *opening, req *http.Request) (*http.Response, error) {
	end := func(warm bool, err error) {
		o.once.Do(func() {
			l.mu.Lock()
			ln.warm, ln.opening, o.err = warm, nil, err
			l.mu.Unlock()
			close(o.over)
		})
	}
	// A written request says that the connection can be found by others.
	trace := &httptrace.ClientTrace{WroteRequest: func(i httptrace.WroteRequestInfo) {
		if i.Err == nil {
			end(true, nil)
		}
	}}
	res, err := ln.transport.RoundTrip(req.WithContext(httptrace.WithClientTrace(req.Context(), trace)))
	switch {
	case err == nil:
		end(true, nil)
	case req.Context().Err() != nil: // given up by its caller, which says nothing to the others: one of them goes ahead
		end(false, nil)
	default:
		end(false, err)
	}
	return res, err
}

// close lets go of all connections.
func (l *lanes) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, ln := range l.all {
		ln.transport.CloseIdleConnections()
	}
}

// laneBody is an answer's body, whose end is the end of the call.
type laneBody struct {
	io.ReadCloser
	once  sync.Once
	leave func()
}

// Close ends the call.
func (b *laneBody) Close() error {
	err := b.ReadCloser.Close()
	b.once.Do(b.leave)
	return err
}
