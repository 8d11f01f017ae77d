package wasender_test

import (
	"context"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"peal/emulator/wasender"
)

const hello = `{"to":"` + phone + `","text":"x"}`

// try sends hello; status 0 stands for a dropped connection.
func (b *bundle) try() int {
	b.Helper()
	a, err := b.call("POST", "/api/send-message", wasender.DefaultAPIKey, hello)
	if err != nil {
		return 0
	}
	return a.status
}

func TestFaultKinds(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		fault  wasender.Fault
		status int // 0: dropped
		body   string
		taken  int
	}{
		"status":        {wasender.Fault{Kind: wasender.FaultStatus, Status: 503}, 503, `{"message":"Service Unavailable","success":false}`, 0},
		"status body":   {wasender.Fault{Kind: wasender.FaultStatus, Status: 500, Body: "<html>"}, 500, "<html>", 0},
		"status after":  {wasender.Fault{Kind: wasender.FaultStatus, Status: 502, TakeFirst: true}, 502, "", 1},
		"no content":    {wasender.Fault{Kind: wasender.FaultStatus, Status: 204}, 204, "", 0},
		"drop before":   {wasender.Fault{Kind: wasender.FaultDropBefore}, 0, "", 0},
		"drop after":    {wasender.Fault{Kind: wasender.FaultDropAfter}, 0, "", 1},
		"wrong JSON":    {wasender.Fault{Kind: wasender.FaultWrongJSON}, 200, `{"success":true,"data":{"msgId":`, 1},
		"wrong body":    {wasender.Fault{Kind: wasender.FaultWrongJSON, Body: "[]"}, 200, "[]", 1},
		"empty":         {wasender.Fault{Kind: wasender.FaultEmpty}, 200, "", 1},
		"delay":         {wasender.Fault{Kind: wasender.FaultDelay, Delay: time.Millisecond}, 200, "", 1},
		"delay after":   {wasender.Fault{Kind: wasender.FaultDelay, Delay: time.Millisecond, TakeFirst: true}, 200, "", 1},
		"delayed error": {wasender.Fault{Kind: wasender.FaultStatus, Status: 500, Delay: time.Millisecond}, 500, "", 0},
		"logged out":    {wasender.Fault{Kind: wasender.FaultLoggedOut}, 400, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, wasender.Options{Script: script(wasender.Shape{}, 2)})
			id := b.fault(tc.fault)
			a, err := b.call("POST", "/api/send-message", wasender.DefaultAPIKey, hello)
			if (err != nil) != (tc.status == 0) || a.status != tc.status {
				t.Fatalf("status %d, error %v", a.status, err)
			}
			if tc.body != "" && a.body != tc.body {
				t.Errorf("body %q", a.body)
			}
			if tc.fault.Kind == wasender.FaultEmpty && a.body != "" {
				t.Errorf("body %q, want none", a.body)
			}
			b.idle()
			c := b.emu.Counts()
			lost := tc.taken == 1 && tc.fault.Kind != wasender.FaultDelay
			if c.Accepted != int64(tc.taken) || c.Arrived != 1 || c.ByStatus[tc.status] != 1 || c.AnswerLost == 1 != lost {
				t.Errorf("counts %+v", c)
			}
			if m, ok := b.emu.Message(100000); ok && (m.AnswerLost != lost || m.Status != wasender.StatusSent) {
				t.Errorf("message %+v", m)
			}
			if tc.taken == 0 && c.Faulted+c.NotConnected != 1 {
				t.Errorf("counts %+v", c)
			}
			if f := b.emu.Faults(); len(f) != 1 || f[0].ID != id || f[0].Hits != 1 || !f[0].Done {
				t.Errorf("faults %+v", f)
			}
			if tc.fault.Kind != wasender.FaultLoggedOut && b.try() != 200 {
				t.Error("the fault acts more than once")
			}
		})
	}
}

func TestFaultLoggedOutPostsTheState(t *testing.T) {
	t.Parallel()
	b := setup(t, wasender.Options{})
	b.fault(wasender.Fault{Kind: wasender.FaultLoggedOut})
	b.send(hello, 400)
	b.send(hello, 400) // and stays so
	b.idle()
	if h := b.recv.hooks(); len(h) != 1 || at(h[0].event, "data", "status") != "logged_out" {
		t.Errorf("hooks %v", h)
	}
}

func TestFaultRetryAfter(t *testing.T) {
	t.Parallel()
	b := setup(t, wasender.Options{})
	b.fault(wasender.Fault{Kind: wasender.FaultStatus, Status: 429, RetryAfter: "7", Body: `{"message":"slow down","retry_after":7}`})
	a := b.send(hello, 429)
	if a.header.Get("Retry-After") != "7" || a.header.Get("X-RateLimit-Limit") == "" || a.json["retry_after"] != float64(7) {
		t.Errorf("%v %s", a.header, a.body)
	}
}

func TestFaultTimesAndMatching(t *testing.T) {
	t.Parallel()
	b := setup(t, wasender.Options{Sessions: []wasender.Session{{}, {}}})
	b.fault(wasender.Fault{Kind: wasender.FaultStatus, Status: 503, Times: 2, To: phone})
	b.send(`{"to":"+4900000001","text":"x"}`, 200)
	b.session("GET", "/status", "", 200) // Path is /send-message unless told
	b.send(hello, 503)
	b.send(hello, 503)
	b.send(hello, 200)

	b.fault(wasender.Fault{Kind: wasender.FaultStatus, Status: 500, Session: 2, Every: true})
	b.send(hello, 200)
	for range 3 {
		b.do("POST", "/api/send-message", "wasender-key-2", hello, 500)
	}
	b.emu.ClearFaults()
	b.do("POST", "/api/send-message", "wasender-key-2", hello, 200)

	b.fault(wasender.Fault{Kind: wasender.FaultStatus, Status: 500, Path: "/status"})
	b.session("GET", "/status", "", 500)
	b.fault(wasender.Fault{Kind: wasender.FaultStatus, Status: 500, Path: "/messages/*", Method: "PUT"})
	b.session("GET", "/messages/100000/info", "", 200)
	b.session("PUT", "/messages/100000", `{"text":"y"}`, 500)
	id := b.fault(wasender.Fault{Kind: wasender.FaultStatus, Status: 418, Path: "*", Every: true})
	b.pat("GET", "/whatsapp-sessions", "", 418)
	b.send(hello, 418)
	if err := b.emu.RemoveFault(id); err != nil {
		t.Fatal(err)
	}
	b.send(hello, 200)
	if b.emu.RemoveFault(id) == nil {
		t.Error("removed twice")
	}
}

func TestFaultProbability(t *testing.T) {
	t.Parallel()
	const sends = 400
	run := func(seed uint64) (pattern string) {
		b := setup(t, wasender.Options{})
		b.fault(wasender.Fault{Kind: wasender.FaultStatus, Status: 503, Probability: 0.25, Seed: seed})
		for range sends {
			if b.try() == 503 {
				pattern += "x"
			} else {
				pattern += "."
			}
		}
		return pattern
	}
	one := run(1)
	if one != run(1) || one == run(2) {
		t.Error("the chance does not come from the seed")
	}
	if n := float64(strings.Count(one, "x")); math.Abs(n-sends/4) > 40 {
		t.Errorf("%v of %d faults", n, sends)
	}
}

func TestFaultHold(t *testing.T) {
	t.Parallel()
	for _, takeFirst := range []bool{false, true} {
		b := setup(t, wasender.Options{})
		id := b.fault(wasender.Fault{Kind: wasender.FaultHold, TakeFirst: takeFirst})
		got := make(chan int, 1)
		go func() { got <- b.try() }()
		b.eventually("the request is held", func() bool { return b.emu.Faults()[0].Hits == 1 })
		if takeFirst {
			b.eventually("the message is taken", func() bool { return b.emu.Counts().Accepted == 1 })
		} else if b.emu.Counts().Accepted != 0 {
			t.Error("taken while held")
		}
		select {
		case status := <-got:
			t.Errorf("answered %d while held", status)
		default:
		}
		if err := b.emu.RemoveFault(id); err != nil {
			t.Fatal(err)
		}
		if status := <-got; status != 200 {
			t.Errorf("status %d after release", status)
		}
	}
}

// A caller with a timeout gives up while the answer is delayed: the message is
// taken, its answer lost.
func TestFaultDelayBeyondTheCallersPatience(t *testing.T) {
	t.Parallel()
	b := setup(t, wasender.Options{})
	b.fault(wasender.Fault{Kind: wasender.FaultDelay, Delay: time.Minute, TakeFirst: true})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, b.srv.URL+"/api/send-message", strings.NewReader(hello))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+wasender.DefaultAPIKey)
	req.Header.Set("Content-Type", "application/json")
	failed := make(chan error, 1)
	go func() {
		resp, err := b.srv.Client().Do(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		failed <- err
	}()
	b.eventually("the message is taken", func() bool { return b.emu.Counts().Accepted == 1 })
	cancel()
	if <-failed == nil {
		t.Error("the call has an answer")
	}
	b.eventually("the answer is counted as lost", func() bool { return b.emu.Counts().AnswerLost == 1 })
}

func TestFaultValidation(t *testing.T) {
	t.Parallel()
	b := setup(t, wasender.Options{})
	for want, f := range map[string]wasender.Fault{
		"kind":         {Kind: "explode"},
		"status: must": {Kind: wasender.FaultStatus},
		"status: not":  {Kind: wasender.FaultEmpty, Status: 200},
		"body":         {Kind: wasender.FaultEmpty, Body: "x"},
		"retry_after":  {Kind: wasender.FaultDropAfter, RetryAfter: "1"},
		"one line":     {Kind: wasender.FaultStatus, Status: 429, RetryAfter: "1\r\nX: y"},
		"take_first":   {Kind: wasender.FaultDropBefore, TakeFirst: true},
		"delay: must":  {Kind: wasender.FaultDelay, Delay: -1},
		"required":     {Kind: wasender.FaultDelay},
		"times":        {Kind: wasender.FaultEmpty, Times: -1},
		"every":        {Kind: wasender.FaultEmpty, Times: 1, Every: true},
		"probability":  {Kind: wasender.FaultEmpty, Probability: 1.5},
		"path":         {Kind: wasender.FaultEmpty, Path: "send-message"},
	} {
		if _, err := b.emu.AddFault(f); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	for range 1000 {
		b.fault(wasender.Fault{Kind: wasender.FaultEmpty, To: "nobody"})
	}
	if _, err := b.emu.AddFault(wasender.Fault{Kind: wasender.FaultEmpty}); err == nil {
		t.Error("no bound on faults")
	}
}
