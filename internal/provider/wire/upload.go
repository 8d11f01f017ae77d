package wire

import (
	"errors"
	"io"
	"net/http"
	"sync/atomic"
)

// errSealed is what the transport gets when it reads a body after the call has been given up.
var errSealed = errors.New("provider: the call was given up")

// States of a body.
const (
	unread int32 = iota // the transport has not asked for a byte of it
	reading
	sealed
)

// Upload is the body of one call. It knows whether the transport has begun to read it, and that decides what a call
// without an answer came to: the message is in the body, so a provider cannot have taken it as long as no byte of the
// body was read, whatever else was written. It is more exact than httptrace, whose hooks fire after bytes have left.
type Upload struct {
	Data []byte
	last atomic.Pointer[body]
}

// Attach makes it the body of a request, which is a copy of the caller's.
func (u *Upload) Attach(req *http.Request) {
	req.Body, _ = u.open()
	req.GetBody = u.open
	req.ContentLength = int64(len(u.Data))
}

// body is one reading of an Upload.
type body struct {
	data  []byte
	state atomic.Int32
	off   int
}

// open begins a reading. The transport asks for a second one (Request.GetBody) only when it knows that nothing of the
// request that carried the first was processed: nothing was written on a connection that turned out to be closed, or an
// HTTP/2 peer refused the stream. So only the last reading counts.
func (u *Upload) open() (io.ReadCloser, error) {
	b := &body{data: u.Data}
	u.last.Store(b)
	return b, nil
}

// Seal ends the call, and tells whether the message may have been written. Once it has said no, the transport gets no
// byte any more, even if a goroutine of it is about to read.
func (u *Upload) Seal() (maybeWritten bool) {
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
