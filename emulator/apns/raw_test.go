package apns_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"strings"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// raw is a client that sees frames.
type raw struct {
	*bundled

	conn    *tls.Conn
	fr      *http2.Framer
	enc     *hpack.Encoder
	block   bytes.Buffer
	streams uint32
	status  map[uint32]string // or the code of a reset
	ended   map[uint32]bool
	body    bytes.Buffer
	goAway  *http2.GoAwayFrame
}

func (b *bundled) raw(settings ...http2.Setting) *raw {
	b.Helper()
	conn, err := tls.Dial("tcp", strings.TrimPrefix(b.url, "https://"), b.emu.ClientTLS())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	f := &raw{bundled: b, conn: conn, fr: http2.NewFramer(conn, conn), status: map[uint32]string{}, ended: map[uint32]bool{}}
	f.fr.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	f.enc = hpack.NewEncoder(&f.block)
	_, _ = io.WriteString(conn, http2.ClientPreface)
	_ = f.fr.WriteSettings(settings...)
	_ = f.fr.WriteWindowUpdate(0, 1<<20)
	for f.streams == 0 {
		f.frame()
	}
	return f
}

func (f *raw) send(id uint32, body string) {
	f.Helper()
	f.block.Reset()
	for _, h := range [][2]string{
		{":method", "POST"}, {":scheme", "https"}, {":authority", "localhost"}, {":path", "/3/device/" + token},
		{"authorization", "bearer " + f.jwt}, {"apns-topic", bundle}, {"apns-push-type", "alert"},
	} {
		_ = f.enc.WriteField(hpack.HeaderField{Name: h[0], Value: h[1]})
	}
	err := f.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: f.block.Bytes(), EndHeaders: true})
	if err == nil {
		err = f.fr.WriteData(id, true, []byte(body))
	}
	if err != nil {
		f.Fatal(err)
	}
}

// frame takes one frame; false at the end of the connection.
func (f *raw) frame() bool {
	f.Helper()
	got, err := f.fr.ReadFrame()
	if err != nil {
		if !errors.Is(err, io.EOF) {
			f.Errorf("the connection ended badly: %v", err)
		}
		return false
	}
	switch got := got.(type) {
	case *http2.SettingsFrame:
		if n, ok := got.Value(http2.SettingMaxConcurrentStreams); ok {
			f.streams = n
		}
		if !got.IsAck() {
			_ = f.fr.WriteSettingsAck()
		}
	case *http2.MetaHeadersFrame:
		f.status[got.StreamID] = got.PseudoValue("status")
		f.ended[got.StreamID] = got.StreamEnded()
	case *http2.DataFrame:
		f.body.Write(got.Data())
		f.ended[got.StreamID] = got.StreamEnded()
		if len(got.Data()) > 0 {
			f.status[0] = "data"
		}
	case *http2.RSTStreamFrame:
		f.status[got.StreamID] = got.ErrCode.String()
		f.ended[got.StreamID] = true
	case *http2.GoAwayFrame:
		kept := *got
		f.goAway = &kept
	}
	return true
}

// answer waits for the status of a stream, and for what comes at once of a body.
func (f *raw) answer(id uint32) string {
	f.Helper()
	for f.status[id] == "" || !f.ended[id] && f.body.Len() == 0 {
		if !f.frame() {
			f.Fatal("no answer")
		}
	}
	return f.status[id]
}

func (f *raw) toEnd(id uint32) {
	f.Helper()
	for !f.ended[id] {
		if !f.frame() {
			f.Fatal("no end")
		}
	}
}

// untilClosed reads to the end: what GOAWAY said, and which streams were answered.
func (f *raw) untilClosed() (*http2.GoAwayFrame, []uint32) {
	f.Helper()
	before := len(f.status)
	for f.frame() {
	}
	var answered []uint32
	for id := range f.status {
		if id > 0 && (before == 0 || id > 1) {
			answered = append(answered, id)
		}
	}
	return f.goAway, answered
}

// blast sends n pushes in batches, each when the one before is answered.
func (f *raw) blast(n int, body string) {
	f.Helper()
	const most = 50 // within the connection's window
	id := uint32(3)
	for n > 0 {
		var batch bytes.Buffer
		f.fr = http2.NewFramer(&batch, f.conn)
		f.fr.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
		first := id
		for ; n > 0 && id < first+2*most; id += 2 {
			f.send(id, body)
			n--
		}
		if _, err := f.conn.Write(batch.Bytes()); err != nil {
			f.Fatal(err)
		}
		for answered := uint32(0); answered < (id-first)/2; {
			got, err := f.fr.ReadFrame()
			if err != nil {
				f.Fatal(err)
			}
			if _, ok := got.(*http2.MetaHeadersFrame); ok {
				answered++
			}
		}
	}
}
