package wasender

import (
	"errors"
	"io"
	"sync/atomic"
)

// errSealed is what the transport gets when it reads a body after the call has been given up.
var errSealed = errors.New("wasender: the call was given up")

// States of a body.
const (
	unread int32 = iota // the transport has not asked for a byte of it
	reading
	sealed
)

// upload is the body of one call. It knows whether the transport has begun to read it, and that decides what a call
// without an answer came to: the message is in the body, so a provider cannot have taken it as long as no byte of the
// body was read, whatever else was written. It is more exact than httptrace, whose hooks fire after bytes have left.
type upload struct {
	data []byte
	last atomic.Pointer[body]
}

// body is one reading of an upload.
type body struct {
	data  []byte
	state atomic.Int32
	off   int
}

// open begins a reading. The transport asks for a second one (Request.GetBody) only when it knows that nothing of the
// request that carried the first was processed: nothing was written on a connection that turned out to be closed, or an
// HTTP/2 peer refused the stream. So only the last reading counts.
func (u *upload) open() (io.ReadCloser, error) {
	b := &body{data: u.data}
	u.last.Store(b)
	return b, nil
}

// seal ends the call, and tells whether the message may have been written. Once it has said no, the transport gets no
// byte any more, even if a goroutine of it is about to read.
func (u *upload) seal() (maybeWritten bool) {
	return !u.last.Load().state.CompareAndSwap(unread, sealed)
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if b.state.Load() != reading && !b.state.CompareAndSwap(unread, reading) {
		return 0, errSealed
	}
	n := copy(p, b.data[b.off:])
	b.off += n
	if b.off == len(b.data) {
		return n, io.EOF
	}
	return n, nil
}

// Close implements io.Closer.
func (b *body) Close() error { return nil }
