package outbound_test

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"peal/api"
	"peal/internal/outbound"
	"peal/internal/peal"
)

// short are event logs whose pages end early, as those of few types do in a long log.
type short struct{ outbound.Events }

func (s short) Notices(ctx context.Context, tenantID, after string, types []string, limit int) ([]peal.Notice, string, error) {
	return s.Events.Notices(ctx, tenantID, after, types, min(limit, 2))
}

// TestReplayOfShortPages is not at its end with the first of them.
func TestReplayOfShortPages(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *outbound.Config) { fast(c); c.Events = short{c.Events} })
	e, _ := b.endpoint("acme", "shop")
	since := b.clock()
	b.tell("acme", "a", "b", "c", "d", "e", "f", "g")
	told := func(n int) {
		t.Helper()
		b.eventually("all is told", func() error {
			b.advance(time.Second)
			if got := len(b.got("")); got != n {
				return fmt.Errorf("%d of %d", got, n)
			}
			return nil
		})
		b.settled(&e)
	}
	told(7)
	if _, err := b.service.Replay(t.Context(), "acme", "shop", &api.EndpointReplayRequest{Since: &since}); err != nil {
		t.Fatal(err)
	}
	told(14)
}

// rewound are event logs that once have less than was read.
type rewound struct {
	outbound.Events

	now atomic.Bool
}

func (r *rewound) NoticesLost(ctx context.Context, tenantID, after string) (string, bool, error) {
	if r.now.CompareAndSwap(true, false) {
		return "0", true, nil
	}
	return r.Events.NoticesLost(ctx, tenantID, after)
}

// TestRewound: when the records know less than was read, a run begins where they say that it was, and not with all they have.
func TestRewound(t *testing.T) {
	t.Parallel()
	r := &rewound{}
	b := setup(t, func(c *outbound.Config) { fast(c); r.Events, c.Events = c.Events, r })
	e, _ := b.endpoint("acme", "shop")
	b.tell("acme", "a", "b", "c")
	b.reached(3)
	b.settled(&e)
	r.now.Store(true)
	b.eventually("it is seen", func() error {
		b.advance(time.Minute)
		if r.now.Load() {
			return errNone
		}
		return nil
	})
	b.tell("acme", "d")
	b.settled(&e)
	b.reached(4)
	all, err := b.service.Attempts(t.Context(), "acme", e.ID, peal.AttemptFilter{Limit: 10, Failed: true})
	if err != nil || len(all) != 0 {
		t.Errorf("%+v, %v", all, err)
	}
}

// hanging answers nothing.
type hanging struct{ called chan struct{} }

// RoundTrip implements http.RoundTripper.
func (h hanging) RoundTrip(req *http.Request) (*http.Response, error) {
	h.called <- struct{}{}
	<-req.Context().Done()
	return nil, req.Context().Err()
}

// TestHungUp: that this node ends a call is no failure of the endpoint's.
func TestHungUp(t *testing.T) {
	t.Parallel()
	h := hanging{make(chan struct{}, 1)}
	b := setup(t, func(c *outbound.Config) { fast(c); c.HTTPS = h })
	e, _ := b.endpoint("acme", "shop")
	b.tell("acme", "a")
	<-h.called
	b.stop()
	if now := b.find(&e); now.Fails != 0 || !now.FailingAt.IsZero() || now.Waiting != 0 {
		t.Errorf("it counts as a failure: %+v", now)
	}
}
