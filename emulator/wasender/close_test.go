package wasender_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"peal/emulator/wasender"
)

// Not parallel: it looks at the goroutines of the whole process. Parallel
// tests of the package are paused while it runs.
func TestCloseLeavesNoGoroutine(t *testing.T) {
	ours := func() string {
		buf := make([]byte, 1<<20)
		var list []string
		for _, g := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
			if strings.Contains(g, "wasender.(*player)") || strings.Contains(g, "wasender.(*Server)") {
				list = append(list, g)
			}
		}
		return strings.Join(list, "\n\n")
	}
	// The receiver never answers, so that Close finds posts under way, others
	// waiting for their time, and a request held by a fault.
	posted := make(chan struct{}, 100)
	hang := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // or a caller who goes away is not noticed
		posted <- struct{}{}
		<-r.Context().Done()
	}))
	defer hang.Close()
	sc := wasender.Script{Steps: []wasender.Step{{Status: 2}, {Status: 3, Delay: time.Hour}}}
	b := setup(t, wasender.Options{Sessions: []wasender.Session{{WebhookURL: hang.URL}}, Script: &sc})
	for range 3 {
		b.text("x")
		<-posted
	}
	b.fault(wasender.Fault{Kind: wasender.FaultHold})
	held := make(chan int, 1)
	go func() { held <- b.try() }()
	b.eventually("the request is held", func() bool { return b.emu.Faults()[0].Hits == 1 })

	b.emu.Close()
	b.emu.Close()
	if status := <-held; status != 0 {
		t.Errorf("the held request got %d, want a dropped connection", status)
	}
	b.eventually("no goroutine is left", func() bool { return ours() == "" })
	if err := b.emu.Idle(t.Context()); err == nil {
		t.Error("Idle after Close with events left says nothing")
	}
	b.do("POST", "/api/send-message", wasender.DefaultAPIKey, hello, 503)
}

func TestIdleFollowsItsContext(t *testing.T) {
	t.Parallel()
	late := wasender.StatusScript(time.Hour, 2)
	b := setup(t, wasender.Options{Script: &late})
	b.idle() // nothing to do yet
	b.text("x")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.emu.Idle(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Idle: %v", err)
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	b := setup(t, wasender.Options{
		Script:       &wasender.Script{Steps: wasender.StatusScript(0, 2, 3).Steps, Shape: wasender.Shape{Mixed: true}, Order: wasender.OrderShuffle, DuplicateChance: 0.3},
		KeepMessages: 50,
	})
	b.fault(wasender.Fault{Kind: wasender.FaultDropAfter, Probability: 0.1, Seed: 1})
	const workers, each = 8, 40
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				body := fmt.Sprintf(`{"to":"+4915112345%03d","text":"w%d-%d"}`, i, w, i)
				if _, err := b.call("POST", "/api/send-message", wasender.DefaultAPIKey, body); err == nil && i%10 == 0 {
					_, _ = b.call("GET", "/api/status", wasender.DefaultAPIKey, "")
					b.emu.Counts()
					b.emu.MaxInWindow(1, time.Second)
					b.emu.Messages(wasender.Query{Contains: "w1"})
					_, _ = b.emu.UpdateSession(1, func(c *wasender.Session) { c.Name = body })
				}
			}
		})
	}
	wg.Wait()
	b.idle()
	c := b.emu.Counts()
	if c.Accepted != workers*each || c.Arrived != workers*each || c.ByStatus[0] != c.AnswerLost || c.Kept != 50 {
		t.Errorf("counts %+v", c)
	}
}
