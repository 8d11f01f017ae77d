package apns

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// The server's half of HTTP/2, as seen from APNs: what a peer may send at once
// without being told that it was read, per stream and connection; the size of a
// frame and of the headers.
const (
	window     = 65535
	frameSize  = 16384
	headerList = 8000
	maxBody    = 16 << 10 // more is cut off: above every limit of payloads
	maxUnsent  = 4 << 20  // of answers that the client does not read
	handshake  = 10 * time.Second
	farewell   = 2 * time.Second // for the client to read what came last
)

// conn is a connection. Its reader serves the requests, its writer sends what
// they and others have put into out.
type conn struct {
	srv  *Server
	id   int64
	tls  *tls.Conn
	read *bufio.Reader
	done chan struct{} // closed when the connection is over
	wake chan struct{} // there is something in out

	waits sync.WaitGroup // goroutines of requests that wait

	mu       sync.Mutex
	framer   *http2.Framer // reads without mu, writes into out
	out      bytes.Buffer
	enc      *hpack.Encoder
	encoded  bytes.Buffer
	streams  map[uint32]*stream
	blocked  []*stream // with a body that the client's windows hold back
	allowed  uint32    // concurrent streams
	lastID   uint32    // highest stream that the client has opened
	begun    uint32    // highest stream that was processed
	window   int64     // what may be sent over the connection
	initial  int64     // and over a new stream
	maxFrame int
	unread   uint32 // bytes taken and not told yet
	login    login
	trusted  bool // a valid provider token came
	leaving  bool // GOAWAY was sent
	leaveAt  uint32
	over     bool
	info     ConnInfo
}

// stream is a request under way, until its answer has gone out.
type stream struct {
	id      uint32
	req     request
	whole   bool  // the request is
	window  int64 // what may be sent
	pending []byte
}

func (s *Server) newConn(nc net.Conn) *conn {
	c := &conn{
		srv: s, tls: tls.Server(nc, s.identity.config()),
		done: make(chan struct{}), wake: make(chan struct{}, 1),
		streams: map[uint32]*stream{}, window: window, initial: window, maxFrame: frameSize, allowed: s.opt.Limits.FirstStreams,
	}
	c.read = bufio.NewReaderSize(c.tls, 64<<10)
	c.framer = http2.NewFramer(&c.out, c.read)
	c.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	c.framer.MaxHeaderListSize = headerList
	c.framer.SetMaxReadFrameSize(frameSize)
	c.framer.SetReuseFrames()
	c.enc = hpack.NewEncoder(&c.encoded)
	return c
}

// run serves the connection until it is over.
func (c *conn) run() {
	err := c.greet()
	if err == nil {
		err = c.talk()
	}
	c.drop()
	c.waits.Wait()
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
		c.srv.opt.Logger.Debug("connection ended", "connection", c.id, "error", err)
	}
}

// talk runs reader and writer, and lets the client read what was sent last.
func (c *conn) talk() error {
	written := make(chan struct{})
	go func() {
		defer close(written)
		c.writer()
	}()
	err := c.reader()
	c.mu.Lock()
	if ce := (http2.ConnectionError(0)); errors.As(err, &ce) && !c.over && !c.leaving {
		_ = c.framer.WriteGoAway(c.lastID, http2.ErrCode(ce), nil) // into memory
		c.info.GoAway++
	}
	c.leaving = true
	clear(c.streams)
	c.mu.Unlock()
	c.signal()
	late := time.NewTimer(farewell)
	defer late.Stop()
	select {
	case <-written:
		// What the client still sends is read: with it unread, the system would
		// break the connection before the client has read what we sent last.
		_ = c.tls.SetReadDeadline(time.Now().Add(farewell))
		_, _ = io.Copy(io.Discard, c.tls)
	case <-late.C:
		c.drop()
		<-written
	}
	return err
}

// greet does the handshake, reads the client's preface and sends our settings.
func (c *conn) greet() error {
	ctx, cancel := context.WithTimeout(context.Background(), handshake)
	defer cancel()
	if err := c.tls.HandshakeContext(ctx); err != nil {
		return err
	}
	if proto := c.tls.ConnectionState().NegotiatedProtocol; proto != "h2" {
		return errors.New("the client does not speak h2")
	}
	if err := c.tls.SetReadDeadline(time.Now().Add(handshake)); err != nil {
		return err
	}
	preface := make([]byte, len(http2.ClientPreface))
	if _, err := io.ReadFull(c.read, preface); err != nil {
		return err
	}
	if string(preface) != http2.ClientPreface {
		return errors.New("the client's preface is not that of HTTP/2")
	}
	if err := c.tls.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.framer.WriteSettings( // into memory
		http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: c.allowed},
		http2.Setting{ID: http2.SettingInitialWindowSize, Val: window},
		http2.Setting{ID: http2.SettingMaxFrameSize, Val: frameSize},
		http2.Setting{ID: http2.SettingMaxHeaderListSize, Val: headerList},
	)
	c.signal()
	return nil
}

// reader reads frames until the connection is over. What requests are answered
// is sent when there is nothing left to read at once, so that many answers go
// in one write.
func (c *conn) reader() error {
	for {
		if c.read.Buffered() == 0 {
			c.signal()
		}
		f, err := c.framer.ReadFrame()
		if se := (http2.StreamError{}); errors.As(err, &se) {
			c.mu.Lock()
			c.lastID = max(c.lastID, se.StreamID)
			c.resetLocked(se.StreamID, uint32(se.Code))
			c.mu.Unlock()
			continue
		}
		if errors.Is(err, http2.ErrFrameTooLarge) {
			return http2.ConnectionError(http2.ErrCodeFrameSize)
		}
		if err != nil {
			return err
		}
		if err := c.frame(f); err != nil {
			return err
		}
	}
}

// writer sends what is in out, until the connection is over.
func (c *conn) writer() {
	var spare bytes.Buffer
	for {
		select {
		case <-c.wake:
		case <-c.done:
			return
		}
		c.mu.Lock()
		c.out, spare = spare, c.out
		parting := c.leaving && len(c.streams) == 0
		c.mu.Unlock()
		if spare.Len() > 0 {
			if _, err := c.tls.Write(spare.Bytes()); err != nil {
				c.drop()
				return
			}
			spare.Reset()
		}
		if parting {
			// The client reads to the end what we sent, then it goes itself.
			_ = c.tls.SetReadDeadline(time.Now().Add(farewell)) // broken already: the reader knows
			_ = c.tls.CloseWrite()
			return
		}
	}
}

// signal lets the writer look.
func (c *conn) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// drop breaks the connection at once, without a farewell.
func (c *conn) drop() {
	c.mu.Lock()
	first := !c.over
	c.over = true
	c.mu.Unlock()
	if !first {
		return
	}
	close(c.done)
	if tcp, ok := c.tls.NetConn().(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // gone already
	}
	_ = c.tls.NetConn().Close() // likewise
}
