package outbound_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"peal/api"
	"peal/internal/outbound"
	"peal/internal/peal"
)

func fast(c *outbound.Config) { c.Poll, c.Reload = time.Millisecond, 10*time.Millisecond }

// TestOrderPerSubject has a receiver that fails at random: of each subject the events come in order, one at a time, and
// none is lost or comes again once it was taken.
func TestOrderPerSubject(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *outbound.Config) { fast(c); c.MaxWaiting = 25; c.Window = 16; c.FailLimit = 6 })
	e, _ := b.endpoint("acme", "shop")
	var mu sync.Mutex
	taken, flying := map[string][]string{}, map[string]bool{}
	events, subjects := map[string]string{}, 20
	r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // for a test
	b.respond(func(c *call) (*http.Response, error) {
		mu.Lock()
		defer mu.Unlock()
		subject := events[c.event.ID]
		if flying[subject] {
			t.Errorf("two of %s are told at once", subject)
		}
		flying[subject] = true
		defer delete(flying, subject)
		if r.IntN(3) == 0 {
			return status(500)(c)
		}
		taken[subject] = append(taken[subject], c.event.ID)
		return status(204)(c)
	})
	mu.Lock()
	want := map[string][]string{}
	for range 5 {
		for s := range subjects {
			subject := fmt.Sprint("s", s)
			n := []peal.Notice{{TenantID: "acme", Type: peal.NoticeTemplateUpdated, At: b.clock(), Subject: subject, Data: []byte(`{}`)}}
			b.ok(b.store.Tell(t.Context(), n))
			events[n[0].ID] = subject
			want[subject] = append(want[subject], n[0].ID)
		}
	}
	mu.Unlock()
	end, err := b.store.NoticesEnd(t.Context())
	b.ok(err)
	b.eventually("all is told", func() error {
		b.advance(time.Minute)
		now := b.find(&e)
		if now.Failed > 0 {
			t.Fatalf("%d were given up", now.Failed)
		}
		if peal.Before(now.Cursor, end) || now.Waiting > 0 {
			return fmt.Errorf("%s of %s, %d wait", now.Cursor, end, now.Waiting)
		}
		return nil
	})
	mu.Lock()
	defer mu.Unlock()
	for subject, ids := range want {
		if !slices.Equal(taken[subject], ids) {
			t.Errorf("of %s came %v, want %v", subject, taken[subject], ids)
		}
	}
}

// TestLadder: an event that is never taken is tried at the times that docs/webhooks.md names, and then given up; what stands
// behind it follows. A replay of what failed tells it again.
func TestLadder(t *testing.T) {
	t.Parallel()
	b := setup(t, fast)
	e, _ := b.endpoint("acme", "shop")
	first := ""
	b.respond(func(c *call) (*http.Response, error) {
		if first == "" {
			first = c.event.ID
		}
		if c.event.ID == first {
			return status(500)(c)
		}
		return status(200)(c)
	})
	b.tell("acme", "poor")
	b.reached(1)
	b.tell("acme", "poor")
	start := b.clock()
	waits := []time.Duration{5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 10 * time.Hour}
	for i, w := range waits {
		b.eventually("the failure is written down", func() error {
			all, err := b.service.Attempts(t.Context(), "acme", e.ID, peal.AttemptFilter{Limit: 100})
			if err == nil && (len(all) != i+1 || !all[0].NextAt.Equal(b.clock().Add(w))) {
				err = fmt.Errorf("there are %d: %+v", len(all), all)
			}
			return err
		})
		b.advance(w - time.Second)
		b.advance(time.Second)
		if i < len(waits)-1 {
			b.reached(i + 2)
		} else {
			b.reached(i + 3) // with the one behind it
		}
		start = start.Add(w)
		if got := b.got("")[i+1]; !got.at.Equal(start) || got.event.ID != first {
			t.Fatalf("try %d came at %v, want %v", i+2, got.at, start)
		}
	}
	b.settled(&e)
	if now := b.find(&e); now.Failed != 1 || now.Disabled != nil {
		t.Errorf("it ended as %+v", now)
	}
	all, err := b.service.Attempts(t.Context(), "acme", e.ID, peal.AttemptFilter{NoticeID: first, Failed: true, Limit: 100})
	b.ok(err)
	if len(all) != 8 || all[0].Try != 8 || !all[0].NextAt.IsZero() || all[0].Status != 500 || all[7].Try != 1 {
		t.Errorf("attempts: %+v", all)
	}
	b.respond(status(200))
	n, err := b.service.Replay(t.Context(), "acme", "shop", &api.EndpointReplayRequest{Failed: true})
	if err != nil || n != 1 {
		t.Fatalf("replay: %d, %v", n, err)
	}
	b.reached(len(waits) + 3)
	b.settled(&e)
	if got := b.got("")[len(waits)+2]; got.event.ID != first || b.find(&e).Failed != 0 {
		t.Errorf("the replay told %s", got.event.ID)
	}
}

// TestDisabled: an endpoint that answers nothing but failures is only probed, and disabled after five days; the others are
// told so. Enabled again it gets all that it has missed, in order.
func TestDisabled(t *testing.T) {
	t.Parallel()
	b := setup(t, fast)
	dead, _ := b.endpoint("acme", "dead")
	other, _ := b.endpoint("acme", "other")
	b.respond(func(c *call) (*http.Response, error) {
		if strings.HasPrefix(c.host, "dead") {
			return nil, errNone
		}
		return status(200)(c)
	})
	subjects := make([]string, 560)
	for i := range subjects {
		subjects[i] = fmt.Sprint("s", i/2)
	}
	b.tell("acme", subjects...)
	b.settled(&other)
	b.eventually("it is only probed", func() error {
		if e := b.find(&dead); e.Fails < 20 {
			return fmt.Errorf("%d failures", e.Fails)
		}
		return nil
	})
	b.eventually("it is disabled", func() error {
		d := b.find(&dead).Disabled
		if d == nil || d.Code != peal.EndpointFailing {
			b.advance(2 * time.Hour)
			return fmt.Errorf("%+v", d)
		}
		if after := d.At.Sub(dead.CreatedAt); after < 5*24*time.Hour {
			t.Errorf("it was disabled after %v", after)
		}
		return nil
	})
	if n := len(b.got("dead.example")); n > 400 {
		t.Errorf("it was called %d times", n)
	}
	if e := b.find(&dead); e.Waiting > 600 || e.Failed > 0 {
		t.Errorf("%d wait and %d failed", e.Waiting, e.Failed)
	}
	b.settled(&other)
	calls := b.got("other.example")
	if last := calls[len(calls)-1].event; last.Type != peal.NoticeEndpointDisabled || !strings.Contains(string(last.Data), dead.ID) {
		t.Errorf("the other was told %s %s", last.Type, last.Data)
	}

	before := len(b.got("dead.example"))
	b.respond(status(200))
	if _, err := b.service.Enable(t.Context(), "acme", "dead", false); err != nil {
		t.Fatal(err)
	}
	b.settled(&dead)
	seen := map[string]bool{}
	for _, c := range b.got("dead.example")[before:] {
		seen[c.event.ID] = true
	}
	if len(seen) != len(subjects)+1 {
		t.Errorf("it was told %d events, want %d", len(seen), len(subjects)+1)
	}
}

// TestGone: 410 disables at once. From now on means that what waits is not told.
func TestGone(t *testing.T) {
	t.Parallel()
	b := setup(t, fast)
	e, _ := b.endpoint("acme", "shop")
	b.respond(status(410))
	b.tell("acme", "a")
	b.eventually("it is disabled", func() error {
		if d := b.find(&e).Disabled; d == nil || d.Code != peal.EndpointGone {
			return fmt.Errorf("%+v", d)
		}
		return nil
	})
	b.tell("acme", "b")
	b.respond(status(200))
	if _, err := b.service.Enable(t.Context(), "acme", "shop", true); err != nil {
		t.Fatal(err)
	}
	b.tell("acme", "c")
	b.settled(&e)
	if now, calls := b.find(&e), b.got(""); now.Failed != 1 || len(calls) != 2 {
		t.Errorf("%+v after %d calls", now, len(calls))
	}
}

// TestRetryAfter: an endpoint that asks for a pause has it, for all of its events.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	b := setup(t, fast)
	e, _ := b.endpoint("acme", "shop")
	b.respond(status(429, "Retry-After", "600"))
	b.tell("acme", "a")
	b.reached(1)
	b.respond(status(200))
	b.eventually("it is written down", func() error {
		if b.find(&e).Waiting == 0 {
			return errNone
		}
		return nil
	})
	b.tell("acme", "b")
	b.advance(599 * time.Second)
	b.settledReading(&e)
	if n := len(b.got("")); n != 1 {
		t.Fatalf("%d calls within the pause", n)
	}
	b.advance(time.Second)
	b.reached(3)
	b.settled(&e)
}

// settledReading waits until the worker has looked at the clock: the endpoint is found with the newest event in hand.
func (b *bundle) settledReading(e *peal.Endpoint) {
	b.Helper()
	for range 3 {
		b.stage.Rouse()
		b.find(e)
	}
}

// TestSlowOne: a tenant's endpoint that never answers delays nobody else's.
func TestSlowOne(t *testing.T) {
	t.Parallel()
	b := setup(t, fast)
	slow, _ := b.endpoint("slow", "slow")
	quick, _ := b.endpoint("quick", "quick")
	release := make(chan struct{})
	b.respond(func(c *call) (*http.Response, error) {
		if strings.HasPrefix(c.host, "slow") {
			<-release
		}
		return status(200)(c)
	})
	subjects := make([]string, 100)
	for i := range subjects {
		subjects[i] = fmt.Sprint("s", i)
	}
	b.tell("slow", subjects...)
	b.eventually("all its places are taken", func() error {
		if n := len(b.got("slow.example")); n != 16 {
			return fmt.Errorf("%d calls", n)
		}
		return nil
	})
	b.tell("quick", subjects...)
	b.settled(&quick)
	close(release)
	b.settled(&slow)
}

// TestRestart: a stage that ends with calls in the air begins where it was; only what was in the air is told twice.
func TestRestart(t *testing.T) {
	t.Parallel()
	b := setup(t, fast)
	e, _ := b.endpoint("acme", "shop")
	var mu sync.Mutex
	calls, lost := 0, make(chan struct{}) // of the records' process: it ends the calls that hang
	b.respond(func(c *call) (*http.Response, error) {
		mu.Lock()
		calls++
		hangs := lost
		if calls%50 != 0 {
			hangs = nil
		}
		mu.Unlock()
		if hangs != nil {
			<-hangs
			return nil, errNone
		}
		return status(200)(c)
	})
	subjects := make([]string, 500)
	for i := range subjects {
		subjects[i] = fmt.Sprint("s", i)
	}
	b.tell("acme", subjects...)
	for _, n := range []int{60, 160} {
		b.eventually("calls hang", func() error {
			mu.Lock()
			defer mu.Unlock()
			if calls < n {
				return fmt.Errorf("%d calls", calls)
			}
			return nil
		})
		mu.Lock()
		close(lost)
		mu.Unlock()
		b.stop()
		mu.Lock()
		lost = make(chan struct{})
		mu.Unlock()
		b.start()
	}
	mu.Lock()
	close(lost)
	lost = nil
	mu.Unlock()
	b.eventually("all is told", func() error {
		b.advance(time.Minute)
		if now := b.find(&e); now.Waiting > 0 || len(distinct(b.got(""))) != len(subjects) {
			return fmt.Errorf("%d of %d, %d wait", len(distinct(b.got(""))), len(subjects), now.Waiting)
		}
		return nil
	})
	if n := len(b.got("")); n > len(subjects)+4+32 {
		t.Errorf("%d events took %d calls", len(subjects), n)
	}
}

func distinct(calls []call) map[string]int {
	n := map[string]int{}
	for _, c := range calls {
		n[c.event.ID]++
	}
	return n
}

// TestReplay tells again what happened since a time, of some types, and one event.
func TestReplay(t *testing.T) {
	t.Parallel()
	b := setup(t, fast)
	e, _ := b.endpoint("acme", "shop")
	b.tell("acme", "old")
	b.reached(1)
	b.advance(time.Hour)
	since := b.clock()
	b.tell("acme", "a", "b", "a")
	n := []peal.Notice{{TenantID: "acme", Type: peal.NoticeNumberUpdated, At: b.clock(), Subject: "n", Data: []byte(`{}`)}}
	b.ok(b.store.Tell(t.Context(), n))
	b.reached(5)
	b.settled(&e)
	if _, err := b.service.Replay(t.Context(), "acme", "shop", &api.EndpointReplayRequest{Since: &since, Types: []string{"template.*"}}); err != nil {
		t.Fatal(err)
	}
	b.reached(8)
	b.settled(&e)
	told := distinct(b.got(""))
	if told[b.got("")[0].event.ID] != 1 || told[n[0].ID] != 1 || len(told) != 5 {
		t.Errorf("told: %v", told)
	}
	if _, err := b.service.Replay(t.Context(), "acme", "shop", &api.EndpointReplayRequest{EventID: n[0].ID}); err != nil {
		t.Fatal(err)
	}
	b.reached(9)
	b.settled(&e)
	if last := b.got("")[8]; last.event.ID != n[0].ID {
		t.Errorf("told %s, want %s", last.event.ID, n[0].ID)
	}
	for _, bad := range []api.EndpointReplayRequest{{}, {EventID: "x", Failed: true}, {Since: &since, Types: []string{"nothing"}}} {
		if _, err := b.service.Replay(t.Context(), "acme", "shop", &bad); peal.KindOf(err) != peal.Invalid {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if _, err := b.service.Replay(t.Context(), "acme", "shop", &api.EndpointReplayRequest{EventID: "evt_zzzz"}); peal.KindOf(err) != peal.NotFound {
		t.Error(err)
	}
}

// TestSignatures: the scheme's own library takes what is sent, by the new secret and, until the overlap is over, by the old.
func TestSignatures(t *testing.T) {
	t.Parallel()
	b := setup(t, fast)
	e, old := b.endpoint("acme", "shop")
	b.tell("acme", "a")
	b.settled(&e)
	_, next, err := b.service.Rotate(t.Context(), "acme", "shop", &api.RotateRequest{})
	b.ok(err)
	check := func(c call, secret string, want bool) {
		t.Helper()
		w, err := standardwebhooks.NewWebhook(secret)
		b.ok(err)
		if err := w.Verify(c.body, c.header); (err == nil) != want {
			t.Errorf("verified: %v, want %v", err, want)
		}
	}
	b.eventually("the worker has it", func() error {
		b.tell("acme", "a")
		b.settled(&e)
		calls := b.got("")
		if c := calls[len(calls)-1]; !strings.Contains(c.header.Get("webhook-signature"), " ") {
			return errors.New(c.header.Get("webhook-signature"))
		}
		return nil
	})
	calls := b.got("")
	check(calls[0], old, true)
	check(calls[0], next, false)
	check(calls[len(calls)-1], old, true)
	check(calls[len(calls)-1], next, true)
	if now := b.find(&e); b.service.Signing(&now) != 2 {
		t.Errorf("%d secrets sign", b.service.Signing(&now))
	}
	b.advance(24 * time.Hour)
	b.tell("acme", "a")
	b.settled(&e)
	calls = b.got("")
	last := calls[len(calls)-1]
	if got := strings.Fields(last.header.Get("webhook-signature")); len(got) != 1 {
		t.Errorf("signed with %v", got)
	}
	if last.header.Get("webhook-id") != last.event.ID || last.header.Get("content-type") != "application/json" {
		t.Errorf("%v", last.header)
	}
}

// TestRequests refuses what cannot be called, or says nothing.
func TestRequests(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.endpoint("acme", "shop")
	for field, req := range map[string]api.EndpointRequest{
		"url":     {Name: "a", URL: "http://example.com/"},
		"url ":    {Name: "a", URL: "https://user:pw@example.com/"},
		"url  ":   {Name: "a", URL: "https://10.0.0.1/"},
		"url   ":  {Name: "a", URL: "https://[::1]/"},
		"url    ": {Name: "a", URL: "ftp://example.com/"},
		"types":   {Name: "a", URL: "https://example.com/", Types: []string{"delivery.eaten"}},
		"timeout": {Name: "a", URL: "https://example.com/", Timeout: "31s"},
		"secret":  {Name: "a", URL: "https://example.com/", Secret: "whsec_c2hvcnQ="},
		"name":    {Name: "a/b", URL: "https://example.com/"},
	} {
		_, _, err := b.service.Create(t.Context(), "acme", &req)
		pe, ok := errors.AsType[*peal.Error](err)
		if !ok || pe.Kind != peal.Invalid || pe.Fields[0].Path != strings.TrimSpace(field) {
			t.Errorf("%+v: %v", req, err)
		}
	}
	for i := range 19 {
		b.endpoint("acme", fmt.Sprint("e", i))
	}
	_, _, err := b.service.Create(t.Context(), "acme", &api.EndpointRequest{Name: "more", URL: "https://example.com/"})
	if peal.KindOf(err) != peal.Conflict {
		t.Errorf("the 21st: %v", err)
	}
	_, _, err = b.service.Create(t.Context(), "acme", &api.EndpointRequest{Name: "shop", URL: "https://example.com/"})
	if peal.KindOf(err) != peal.Conflict {
		t.Errorf("a second shop: %v", err)
	}
}

// dying are records that take nothing any more from some moment on, as those of a process that is killed.
type dying struct {
	outbound.Records

	left atomic.Int64
}

func (d *dying) AdvanceEndpoint(ctx context.Context, p *peal.EndpointProgress) (bool, error) {
	if d.left.Add(-1) < 0 {
		return false, errNone
	}
	return d.Records.AdvanceEndpoint(ctx, p)
}

// TestKilled: a process that dies at any moment has had told at most what was in the air, or had just come back, without
// having it written down.
func TestKilled(t *testing.T) {
	t.Parallel()
	d := &dying{}
	b := setup(t, func(c *outbound.Config) {
		fast(c)
		d.Records = c.Records
		c.Records = d
	})
	d.left.Store(1 << 40)
	e, _ := b.endpoint("acme", "shop")
	subjects := make([]string, 300)
	for i := range subjects {
		subjects[i] = fmt.Sprint("s", i%100)
	}
	d.left.Store(5)
	b.tell("acme", subjects...)
	const deaths = 4
	for range deaths {
		b.eventually("it is dead", func() error {
			if left := d.left.Load(); left >= 0 {
				return fmt.Errorf("%d writes are left", left)
			}
			return nil
		})
		b.stop()
		d.left.Store(5)
		b.start()
	}
	d.left.Store(1 << 40)
	b.settled(&e)
	told := distinct(b.got(""))
	if len(told) != len(subjects) {
		t.Errorf("%d of %d were told", len(told), len(subjects))
	}
	if n := len(b.got("")); n > len(subjects)+deaths*2*16 {
		t.Errorf("%d events took %d calls", len(subjects), n)
	}
}

// TestLost: that the log has let go of what an endpoint was yet to be told is never passed over in silence.
func TestLost(t *testing.T) {
	t.Parallel()
	b := setup(t, fast)
	e, _ := b.endpoint("acme", "shop")
	if _, err := b.service.Update(t.Context(), "acme", "shop", &api.EndpointPatch{Disabled: new(true)}); err != nil {
		t.Fatal(err)
	}
	b.tell("acme", "a", "b")
	b.advance(8 * 24 * time.Hour)
	b.tell("acme", "c")
	if n, err := b.store.RetainNotices(t.Context(), b.clock().Add(-time.Hour)); err != nil || n != 2 {
		t.Fatalf("%d events left the log: %v", n, err)
	}
	if _, err := b.service.Enable(t.Context(), "acme", "shop", false); err != nil {
		t.Fatal(err)
	}
	b.settled(&e)
	all, err := b.service.Attempts(t.Context(), "acme", "shop", peal.AttemptFilter{Limit: 10})
	b.ok(err)
	if len(all) != 2 || all[0].OK == all[1].OK || (all[0].Code != "lost" && all[1].Code != "lost") || len(b.got("")) != 1 {
		t.Errorf("attempts: %+v", all)
	}
}
