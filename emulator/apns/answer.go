package apns

import (
	"encoding/json"
	"strconv"
	"time"

	"golang.org/x/net/http2"
)

// write sends an answer. One whose stream is gone is lost.
func (c *conn) write(st *stream, rep reply, signal bool) {
	body := rep.body
	if len(body) == 0 && rep.reason != "" {
		body = reasonJSON(rep.reason, rep.timestamp)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over || c.streams[st.id] != st {
		return
	}
	c.encoded.Reset()
	c.header(":status", strconv.Itoa(rep.status), false)
	c.header("apns-id", rep.id, true)
	if c.srv.opt.Environment == Sandbox && rep.status == 200 {
		c.header("apns-unique-id", newUUID(), true)
	}
	if rep.retryAfter != "" {
		c.header("retry-after", rep.retryAfter, true)
	}
	_ = c.framer.WriteHeaders(http2.HeadersFrameParam{ // into memory
		StreamID: st.id, BlockFragment: c.encoded.Bytes(), EndHeaders: true, EndStream: len(body) == 0,
	})
	st.pending = body
	if len(body) == 0 {
		c.sent(st)
	} else if !c.pour(st) {
		c.blocked = append(c.blocked, st)
	}
	if c.out.Len() > maxUnsent {
		go c.drop() // nobody reads
	}
	if signal || c.leaving {
		c.signal()
	}
}

// sent ends a stream that was answered. The caller holds mu.
func (c *conn) sent(st *stream) {
	if st.req.tooLarge {
		// The rest of the request is not wanted (RFC 9113, 8.1).
		_ = c.framer.WriteRSTStream(st.id, http2.ErrCodeNo) // into memory
	}
	delete(c.streams, st.id)
}

// pour sends of a body what the client's windows allow; true when that was all
// of it. The caller holds mu.
func (c *conn) pour(st *stream) bool {
	for len(st.pending) > 0 {
		n := min(int64(len(st.pending)), c.window, st.window, int64(c.maxFrame))
		if n <= 0 {
			return false
		}
		_ = c.framer.WriteData(st.id, n == int64(len(st.pending)), st.pending[:n]) // into memory
		st.pending = st.pending[n:]
		c.window -= n
		st.window -= n
	}
	c.sent(st)
	return true
}

// flow sends what was held back, after a window has grown. The caller holds mu.
func (c *conn) flow() {
	if len(c.blocked) == 0 {
		return
	}
	kept := c.blocked[:0]
	for _, st := range c.blocked {
		if c.streams[st.id] == st && !c.pour(st) {
			kept = append(kept, st)
		}
	}
	clear(c.blocked[len(kept):])
	c.blocked = kept
	c.signal()
}

// reasonJSON is the vendor's body: a reason, and for a device that is gone the
// time in milliseconds.
func reasonJSON(reason string, at time.Time) []byte {
	body := struct {
		Reason    string `json:"reason"`
		Timestamp int64  `json:"timestamp,omitempty"`
	}{Reason: reason}
	if !at.IsZero() {
		body.Timestamp = at.UnixMilli()
	}
	raw, err := json.Marshal(body)
	if err != nil { // texts and numbers: there is none
		return []byte(`{"reason":"InternalServerError"}`)
	}
	return raw
}

// goAwayData is the debug data of a GOAWAY: none without a reason.
func goAwayData(reason string, at time.Time) []byte {
	if reason == "" {
		return nil
	}
	return reasonJSON(reason, at)
}
