package apns

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	emulator "peal/emulator/apns"
	"peal/internal/peal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestGoAway has Apple close the connection amid pushes: those that it has not processed go over another one.
func TestGoAway(t *testing.T) {
	t.Parallel()
	for _, f := range []emulator.Fault{
		{Skip: 30},
		{Skip: 30, Reason: "Shutdown"},
		{Skip: 30, TakeFirst: true},
		{Skip: 30, Code: 11},
		{}, // the first push of all
		{Reason: "Shutdown"},
		{Code: 2},
	} {
		t.Run(fmt.Sprintf("after %d, %q, code %d, taken %v", f.Skip, f.Reason, f.Code, f.TakeFirst), func(t *testing.T) {
			t.Parallel()
			r := setup(t, emulator.Options{Latency: 20 * time.Millisecond})
			f.Kind = emulator.FaultGoAway
			r.fault(t, f)
			wantAccepted(t, r.sendMany(t, 100), 100)
			if n := len(r.emu.Shown(testToken)); n != 100 {
				t.Errorf("the device was shown %d, want 100", n)
			}
			if _, all := openConns(r.emu); all < 2 || all > 3 {
				t.Errorf("%d connections, want 2 or 3", all)
			}
		})
	}
}

// TestGoAwayIdle has the connection closed while nothing is under way.
func TestGoAwayIdle(t *testing.T) {
	t.Parallel()
	for _, reason := range []string{"", "Shutdown"} {
		r := setup(t, emulator.Options{})
		for range 5 {
			wantAccepted(t, r.sendMany(t, 20), 20)
			r.emu.GoAway(reason)
		}
	}
}

// TestGoAwayUnanswered has the connection go away under a push that Apple has taken.
func TestGoAwayUnanswered(t *testing.T) {
	t.Parallel()
	text := `http2: server sent GOAWAY and closed the connection; LastStreamID=3, ErrCode=NO_ERROR, debug="{\"reason\":\"Shutdown\"}"`
	out, unprocessed := lost(t.Context(), fmt.Errorf("%s", text), true) //nolint:perfsprint // as an error of net/http
	if out.Class != peal.ClassUnknown || unprocessed || !strings.Contains(out.Reason, "(Shutdown)") {
		t.Errorf("got %+v, %v", out, unprocessed)
	}
}

// TestLostAnswers has pushes that Apple may have taken, and such that it surely has not.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault emulator.Fault
		class peal.Class
		code  string
		shown int
		calls int64
	}{
		"reset":               {emulator.Fault{Kind: emulator.FaultReset}, peal.ClassUnknown, "connection_lost", 0, 1},
		"reset after taken":   {emulator.Fault{Kind: emulator.FaultReset, TakeFirst: true}, peal.ClassUnknown, "connection_lost", 1, 1},
		"drop":                {emulator.Fault{Kind: emulator.FaultDrop}, peal.ClassUnknown, "connection_lost", 0, 1},
		"drop after taken":    {emulator.Fault{Kind: emulator.FaultDrop, TakeFirst: true}, peal.ClassUnknown, "connection_lost", 1, 1},
		"refused once":        {emulator.Fault{Kind: emulator.FaultReset, Code: 7}, peal.ClassAccepted, "", 1, 2},
		"refused every time":  {emulator.Fault{Kind: emulator.FaultReset, Code: 7, Every: true}, peal.ClassTemporary, "refused_stream", 0, 8},
		"goaway every time":   {emulator.Fault{Kind: emulator.FaultGoAway, Every: true}, peal.ClassTemporary, "goaway", 0, 3},
		"idle timeout once":   {emulator.Fault{Kind: emulator.FaultReason, Reason: "IdleTimeout"}, peal.ClassAccepted, "", 1, 2},
		"shutdown once":       {emulator.Fault{Kind: emulator.FaultReason, Reason: "Shutdown"}, peal.ClassAccepted, "", 1, 2},
		"unrelated key, once": {emulator.Fault{Kind: emulator.FaultReason, Reason: "UnrelatedKeyIdInToken"}, peal.ClassAccepted, "", 1, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := setup(t, emulator.Options{})
			wantAccepted(t, r.sendMany(t, 1), 1)
			r.fault(t, c.fault)
			out := r.send(t)
			if out.Class != c.class || out.Code != c.code {
				t.Errorf("got %+v, want %s %s", out, c.class, c.code)
			}
			if n := len(r.emu.Shown(testToken)) - 1; n != c.shown {
				t.Errorf("shown %d, want %d", n, c.shown)
			}
			r.emu.ClearFaults()
			if c.calls < maxTries {
				wantAccepted(t, r.sendMany(t, 5), 5)
			}
		})
	}
}

// TestColdStart sends many at once over a connection that has one stream until the first was answered.
func TestColdStart(t *testing.T) {
	t.Parallel()
	r := setup(t, emulator.Options{Latency: 30 * time.Millisecond})
	wantAccepted(t, r.sendMany(t, 500), 500)
	conns := r.emu.Connections()
	if len(conns) != 1 || conns[0].Refused != 0 {
		t.Errorf("got %d connections, the first %+v; want 1 without refused streams", len(conns), conns[0])
	}
}

// TestGrow has more pushes under way than a connection has streams.
func TestGrow(t *testing.T) {
	t.Parallel()
	r := setup(t, emulator.Options{Latency: 50 * time.Millisecond, Limits: emulator.Limits{Streams: 10}})
	wantAccepted(t, r.sendMany(t, 600), 600)
	if _, all := openConns(r.emu); all != 4 {
		t.Errorf("got %d connections, want the 4 that there may be", all)
	}
}

// TestFewerStreams has the server allow fewer streams than are under way, amid pushes.
func TestFewerStreams(t *testing.T) {
	t.Parallel()
	r := setup(t, emulator.Options{Latency: 5 * time.Millisecond})
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			for range 10 {
				if out := r.send(t); out.Class != peal.ClassAccepted {
					t.Errorf("got %+v", out)
				}
			}
		})
	}
	for _, n := range []uint32{5, 100, 1, 1000} {
		before := r.emu.Counts().Accepted
		until(t, "some more were accepted", func() bool { return r.emu.Counts().Accepted >= min(before+100, 1900) })
		r.emu.SetStreams(n)
	}
	wg.Wait()
}

// TestUnreachable has a server that breaks every connection: it is not stormed, and used again when it is well.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	r := setup(t, emulator.Options{})
	r.emu.RefuseConnections(true)
	for range 20 {
		if got := r.sendMany(t, 10); got[peal.ClassTemporary] != 10 {
			t.Fatalf("got %v, want all temporary", got)
		}
	}
	r.emu.RefuseConnections(false)
	until(t, "it is reached again", func() bool { return r.send(t).Class == peal.ClassAccepted })
	wantAccepted(t, r.sendMany(t, 20), 20)
}

// TestHungFirst has the first push over a connection stand still: the others get a second connection.
func TestHungFirst(t *testing.T) {
	t.Parallel()
	r := setup(t, emulator.Options{}, func(c *client) { c.poolConfig.coldAfter = 50 * time.Millisecond })
	r.fault(t, emulator.Fault{Kind: emulator.FaultHold})
	ctx, cancel := context.WithCancel(t.Context())
	held := make(chan peal.Outcome)
	go func() { held <- r.client.Send(ctx, message(testToken)) }()
	until(t, "it arrived", func() bool { f := r.emu.Faults(); return f[0].Hits == 1 })
	wantAccepted(t, r.sendMany(t, 20), 20)
	cancel()
	if out := <-held; out.Class != peal.ClassUnknown {
		t.Errorf("got %+v", out)
	}
}

// TestIdleClose has connections closed that are not used, and opened again.
func TestIdleClose(t *testing.T) {
	t.Parallel()
	r := setup(t, emulator.Options{}, func(c *client) { c.poolConfig.idleAfter = 30 * time.Millisecond })
	for range 3 {
		wantAccepted(t, r.sendMany(t, 10), 10)
		until(t, "the connection is closed", func() bool { open, _ := openConns(r.emu); return open == 0 })
	}
	if _, all := openConns(r.emu); all < 3 {
		t.Errorf("%d connections", all)
	}
}

// TestCloseUnderWay closes the client amid pushes: each of them ends.
func TestCloseUnderWay(t *testing.T) {
	t.Parallel()
	r := setup(t, emulator.Options{})
	wantAccepted(t, r.sendMany(t, 1), 1)
	r.fault(t, emulator.Fault{Kind: emulator.FaultHold, Every: true})
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if out := r.send(t); out.Class != peal.ClassUnknown && out.Class != peal.ClassTemporary {
				t.Errorf("got %+v", out)
			}
		})
	}
	until(t, "some are held", func() bool { return r.emu.Faults()[0].Hits > 10 })
	r.client.Close()
	wg.Wait()
	if out := r.send(t); out.Class != peal.ClassTemporary {
		t.Errorf("after Close: %+v", out)
	}
}

// TestCanceled gives calls up at every moment: no place on a connection is lost.
func TestCanceled(t *testing.T) {
	t.Parallel()
	r := setup(t, emulator.Options{Latency: 2 * time.Millisecond, Limits: emulator.Limits{Streams: 4}})
	var wg sync.WaitGroup
	for i := range 400 {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%40)*time.Millisecond/4)
			defer cancel()
			out := r.client.Send(ctx, message(testToken))
			if c := out.Class; c != peal.ClassAccepted && c != peal.ClassUnknown && c != peal.ClassTemporary {
				t.Errorf("got %+v", out)
			}
		})
	}
	wg.Wait()
	for _, p := range r.client.pools {
		p.mu.Lock()
		for _, c := range p.conns {
			if c.underWay != 0 {
				t.Errorf("%d places are lost", c.underWay)
			}
		}
		p.mu.Unlock()
	}
	wantAccepted(t, r.sendMany(t, 50), 50)
}
