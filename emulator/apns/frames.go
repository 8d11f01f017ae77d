package apns

import (
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const refusedStream = uint32(http2.ErrCodeRefusedStream)

// frame takes one frame. An error ends the connection.
func (c *conn) frame(f http2.Frame) error {
	switch f := f.(type) {
	case *http2.MetaHeadersFrame:
		return c.headers(f)
	case *http2.DataFrame:
		return c.data(f)
	case *http2.SettingsFrame:
		return c.settings(f)
	case *http2.WindowUpdateFrame:
		return c.windowUpdate(f)
	case *http2.PingFrame:
		if !f.IsAck() {
			c.mu.Lock()
			c.info.Pings++
			_ = c.framer.WritePing(true, f.Data) // into memory
			c.mu.Unlock()
		}
	case *http2.RSTStreamFrame:
		c.mu.Lock()
		defer c.mu.Unlock()
		if f.StreamID > c.lastID {
			return http2.ConnectionError(http2.ErrCodeProtocol)
		}
		if c.streams[f.StreamID] != nil {
			c.info.Cancelled++
			delete(c.streams, f.StreamID)
		}
	case *http2.PriorityFrame:
		c.mu.Lock()
		c.info.Priority++ // Apple asks not to send them
		c.mu.Unlock()
	case *http2.PushPromiseFrame:
		return http2.ConnectionError(http2.ErrCodeProtocol)
	}
	return nil
}

// headers opens a stream, or ends one with trailers.
func (c *conn) headers(f *http2.MetaHeadersFrame) error {
	c.mu.Lock()
	id := f.StreamID
	if st := c.streams[id]; st != nil && !st.whole && f.StreamEnded() {
		c.mu.Unlock()
		c.whole(st)
		return nil
	}
	switch {
	case id%2 == 0 || id <= c.lastID:
		c.mu.Unlock()
		return http2.ConnectionError(http2.ErrCodeProtocol)
	case c.leaving && id > c.leaveAt:
		// Not processed, and the client knows.
		c.lastID = id
		c.mu.Unlock()
		return nil
	}
	c.lastID = id
	if uint32(len(c.streams)) >= c.allowed {
		c.info.Refused++
		c.resetLocked(id, refusedStream)
		c.mu.Unlock()
		return nil
	}
	st := &stream{id: id, window: c.initial}
	for _, field := range f.Fields {
		st.req.set(field.Name, field.Value)
	}
	c.streams[id] = st
	c.info.MaxInFlight = max(c.info.MaxInFlight, len(c.streams))
	c.mu.Unlock()
	switch {
	case f.Truncated:
		c.reset(st, uint32(http2.ErrCodeProtocol))
	case f.StreamEnded():
		c.whole(st)
	}
	return nil
}

// data takes a part of a body, and tells the client that it may send more.
func (c *conn) data(f *http2.DataFrame) error {
	c.mu.Lock()
	if f.StreamID > c.lastID {
		c.mu.Unlock()
		return http2.ConnectionError(http2.ErrCodeProtocol)
	}
	if c.unread += f.Length; c.unread > window {
		c.mu.Unlock()
		return http2.ConnectionError(http2.ErrCodeFlowControl)
	}
	if c.unread >= window/4 {
		_ = c.framer.WriteWindowUpdate(0, c.unread) // into memory
		c.unread = 0
	}
	st := c.streams[f.StreamID]
	c.mu.Unlock()
	if st == nil || st.whole {
		return nil // answered or reset; the client may not know yet
	}
	st.req.body = append(st.req.body, f.Data()...)
	if len(st.req.body) > maxBody {
		// Answered before its end: a stream's window is never raised.
		st.req.tooLarge, st.req.body = true, nil
		c.whole(st)
		return nil
	}
	if f.StreamEnded() {
		c.whole(st)
	}
	return nil
}

func (c *conn) whole(st *stream) {
	st.whole = true
	c.serve(st)
}

func (c *conn) settings(f *http2.SettingsFrame) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.IsAck() {
		return nil
	}
	err := f.ForeachSetting(func(set http2.Setting) error {
		if err := set.Valid(); err != nil {
			return err
		}
		switch set.ID {
		case http2.SettingInitialWindowSize:
			grown := int64(set.Val) - c.initial
			c.initial = int64(set.Val)
			for _, st := range c.streams {
				st.window += grown
			}
			c.flow()
		case http2.SettingMaxFrameSize:
			c.maxFrame = int(set.Val)
		case http2.SettingHeaderTableSize:
			c.enc.SetMaxDynamicTableSizeLimit(set.Val)
		default: // nothing that an answer depends on
		}
		return nil
	})
	if err != nil {
		return err
	}
	return c.framer.WriteSettingsAck()
}

func (c *conn) windowUpdate(f *http2.WindowUpdateFrame) error {
	const most = 1<<31 - 1
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.StreamID == 0 {
		c.window += int64(f.Increment)
		if c.window > most {
			return http2.ConnectionError(http2.ErrCodeFlowControl)
		}
	} else if st := c.streams[f.StreamID]; st != nil {
		st.window += int64(f.Increment)
		if st.window > most {
			c.resetLocked(st.id, uint32(http2.ErrCodeFlowControl))
		}
	}
	c.flow()
	return nil
}

// setStreams changes the number of concurrent streams. The caller holds mu.
func (c *conn) setStreams(n uint32) {
	c.allowed = n
	_ = c.framer.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: n}) // into memory
}

func (c *conn) reset(st *stream, code uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.streams[st.id] == st {
		c.resetLocked(st.id, code)
	}
	c.signal()
}

// resetLocked resets a stream. The caller holds mu.
func (c *conn) resetLocked(id, code uint32) {
	delete(c.streams, id)
	c.info.Resets++
	_ = c.framer.WriteRSTStream(id, http2.ErrCode(code)) // into memory
}

// goAway tells the client that streams above last are not processed. The
// connection is closed once those below are answered.
func (c *conn) goAway(last, code uint32, debug []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leaving {
		return
	}
	last = max(last, c.begun)
	c.leaving, c.leaveAt = true, last
	c.info.GoAway++
	for id := range c.streams {
		if id > last {
			delete(c.streams, id)
		}
	}
	_ = c.framer.WriteGoAway(last, http2.ErrCode(code), debug) // into memory
	c.signal()
}

// header writes one header of an answer into the block. The caller holds mu.
func (c *conn) header(name, value string, changing bool) {
	// What differs each time has no place in the table that both sides keep.
	_ = c.enc.WriteField(hpack.HeaderField{Name: name, Value: value, Sensitive: changing}) // into memory
}
