package apns_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"peal/emulator/apns"
)

// waitFor waits until something is so.
func waitFor(t testing.TB, so func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("it did not become so in 10 s")
		}
	}
}

// clientConn is one connection, that does not hide what happens to it.
func (b *bundled) clientConn() *http.ClientConn {
	b.Helper()
	tr := &http.Transport{TLSClientConfig: b.emu.ClientTLS(), ForceAttemptHTTP2: true}
	c, err := tr.NewClientConn(b.Context(), "https", strings.TrimPrefix(b.url, "https://"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = c.Close() })
	return c
}

func TestGoAwayTellsWhy(t *testing.T) {
	t.Parallel()
	b := setup(t, apns.Options{})
	f := b.raw()
	f.send(1, hello)
	if got := f.answer(1); got != "200" {
		t.Fatalf("answered %s", got)
	}
	b.fault(apns.Fault{Kind: apns.FaultGoAway, Reason: "Shutdown", Skip: 1})
	f.send(3, hello)
	f.send(5, hello)
	f.send(7, hello)
	goAway, answered := f.untilClosed()
	var body struct{ Reason string }
	if goAway == nil || goAway.LastStreamID != 3 || json.Unmarshal(goAway.DebugData(), &body) != nil || body.Reason != "Shutdown" {
		t.Errorf("GOAWAY %+v %v", goAway, body)
	}
	if len(answered) != 1 || answered[0] != 3 {
		t.Errorf("answered %v", answered)
	}
	if c := b.emu.Counts(); c.Shown != 2 || c.Unanswered != 1 || c.Requests != 3 {
		t.Errorf("counts %+v", c)
	}
}

func TestGoAwayWithoutAReason(t *testing.T) {
	t.Parallel()
	b := setup(t, apns.Options{})
	f := b.raw()
	b.fault(apns.Fault{Kind: apns.FaultGoAway, TakeFirst: true})
	f.send(1, hello)
	goAway, answered := f.untilClosed()
	if goAway == nil || goAway.LastStreamID != 1 || len(goAway.DebugData()) != 0 || len(answered) != 1 {
		t.Errorf("GOAWAY %+v, answered %v", goAway, answered)
	}
}

func TestAClientSurvivesGoAway(t *testing.T) {
	t.Parallel()
	b := setup(t, apns.Options{})
	b.send("200")
	b.emu.GoAway("Shutdown")
	b.send("200")
	b.fault(apns.Fault{Kind: apns.FaultGoAway})
	b.send("200")
	if c := b.emu.Counts(); c.Shown != 3 || c.Connections != 3 {
		t.Errorf("counts %+v", c)
	}
}

func TestResetAndDropAfterThePushWasTaken(t *testing.T) {
	t.Parallel()
	for _, kind := range []apns.FaultKind{apns.FaultReset, apns.FaultDrop} {
		b := setup(t, apns.Options{})
		c := b.clientConn()
		if resp, err := c.RoundTrip(b.request()); err != nil || resp.StatusCode != 200 {
			t.Fatalf("%v %v", resp, err)
		}
		b.fault(apns.Fault{Kind: kind, TakeFirst: true})
		if _, err := c.RoundTrip(b.request()); err == nil {
			t.Errorf("%s: there was an answer", kind)
		}
		b.fault(apns.Fault{Kind: apns.FaultReset, Code: uint32(http2.ErrCodeRefusedStream)})
		waitFor(t, func() bool { n := b.emu.Counts(); return n.Shown == 2 && n.Unanswered == 1 })
		if kind == apns.FaultDrop {
			waitFor(t, func() bool { return c.Err() != nil && b.emu.Counts().Open == 0 })
		} else if _, err := c.RoundTrip(b.request()); err == nil || b.emu.Counts().Shown != 2 {
			t.Errorf("refused: %v", err)
		}
	}
}

func TestOneStreamUntilTheFirstTokenIsRight(t *testing.T) {
	t.Parallel()
	b := setup(t, apns.Options{})
	f := b.raw()
	if n := f.streams; n != 1 {
		t.Fatalf("%d streams at the start", n)
	}
	id := b.fault(apns.Fault{Kind: apns.FaultHold, Every: true})
	f.send(1, hello)
	f.send(3, hello)
	if got := f.answer(3); got != "REFUSED_STREAM" {
		t.Errorf("a second stream: %s", got)
	}
	_ = b.emu.RemoveFault(id)
	if got := f.answer(1); got != "200" || f.streams != 1000 {
		t.Errorf("%s, then %d streams", got, f.streams)
	}
	f.send(5, hello)
	if got := f.answer(5); got != "200" {
		t.Error(got)
	}
	if c := b.emu.Connections()[0]; c.Refused != 1 || c.Requests != 2 || c.ByStatus[200] != 2 {
		t.Errorf("%+v", c)
	}
	b.emu.SetStreams(7)
	f.send(7, hello)
	if got := f.answer(7); got != "200" || f.streams != 7 {
		t.Errorf("%s, %d streams", got, f.streams)
	}
}

// TestManyAtOnce goes far over the windows of the connection in both directions.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, apns.Options{Latency: 5 * time.Millisecond})
	b.send("200")
	var wg sync.WaitGroup
	failed := make(chan error, 8)
	for range 100 {
		wg.Go(func() {
			for i := range 20 {
				changes := []change{saying(sized(4000))}
				want := 200
				if i%2 == 0 {
					want, changes = 400, append(changes, with("apns-priority", "7"))
				}
				if a, err := b.try(b.http, changes...); err != nil || a.status != want {
					select {
					case failed <- errors.Join(err, errors.New(a.body)):
					default:
					}
				}
			}
		})
	}
	wg.Wait()
	select {
	case err := <-failed:
		t.Error(err)
	default:
	}
	if c := b.emu.Counts(); c.Accepted != 1001 || c.Refused != 1000 || c.Connections != 1 {
		t.Errorf("counts %+v", c)
	}
}

func TestABodyWaitsForTheClientsWindow(t *testing.T) {
	t.Parallel()
	b := setup(t, apns.Options{})
	f := b.raw(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 3})
	b.jwt = "wrong"
	f.send(1, hello)
	if got := f.answer(1); got != "403" || f.body.String() != `{"r` {
		t.Fatalf("%s %q", got, f.body.String())
	}
	_ = f.fr.WriteWindowUpdate(1, 1000)
	f.toEnd(1)
	if f.body.String() != `{"reason":"InvalidProviderToken"}` {
		t.Errorf("%q", f.body.String())
	}
}

func TestWhoSpeaksNoHTTP2IsSentAway(t *testing.T) {
	t.Parallel()
	b := setup(t, apns.Options{})
	cfg := b.emu.ClientTLS()
	cfg.NextProtos = []string{"http/1.1"}
	conn, err := tls.Dial("tcp", strings.TrimPrefix(b.url, "https://"), cfg)
	if err == nil {
		defer conn.Close()
		_, err = conn.Read(make([]byte, 1))
	}
	if err == nil {
		t.Error("HTTP/1.1 was spoken")
	}
	b.emu.RefuseConnections(true)
	if _, err := b.try(b.http); err == nil {
		t.Error("a connection was not refused")
	}
	b.emu.RefuseConnections(false)
	b.send("200")
}

func TestABrokenClientIsToldAndSentAway(t *testing.T) {
	t.Parallel()
	b := setup(t, apns.Options{})
	for name, c := range map[string]struct {
		do   func(f *raw)
		code http2.ErrCode
	}{
		"an even stream":      {func(f *raw) { f.send(2, hello) }, http2.ErrCodeProtocol},
		"a stream not opened": {func(f *raw) { _ = f.fr.WriteData(9, true, nil) }, http2.ErrCodeProtocol},
		"a window too large":  {func(f *raw) { _ = f.fr.WriteWindowUpdate(0, 1<<31-1) }, http2.ErrCodeFlowControl},
		"a frame too large":   {func(f *raw) { f.send(1, strings.Repeat("x", 20_000)) }, http2.ErrCodeFrameSize},
		"a header of 10 kB": {func(f *raw) {
			f.bundled = &bundled{TB: t, jwt: strings.Repeat("x", 10_000)}
			f.send(1, hello)
		}, http2.ErrCodeCompression},
		"headers that are no block": {func(f *raw) {
			_ = f.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0xff}, EndHeaders: true})
		}, http2.ErrCodeCompression},
	} {
		f := b.raw()
		c.do(f)
		if goAway, _ := f.untilClosed(); goAway == nil {
			t.Errorf("%s: no GOAWAY", name)
		} else if goAway.ErrCode != c.code {
			t.Errorf("%s: GOAWAY %v, want %v", name, goAway.ErrCode, c.code)
		}
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t, apns.Options{})
	b.send("200")
	b.fault(apns.Fault{Kind: apns.FaultHold})
	got := make(chan error)
	go func() {
		_, err := b.try(b.http)
		got <- err
	}()
	waitFor(t, func() bool { return b.emu.Faults()[0].Hits == 1 })
	b.emu.Close()
	b.emu.Close()
	if err := <-got; err == nil {
		t.Error("a held request was answered")
	}
}
