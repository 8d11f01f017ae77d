package fcm

import (
	"context"
	"net/http"
	"sync"
	"time"

	"peal/internal/peal"
	"peal/internal/provider/wire"
)

const (
	tokenTimeout = 10 * time.Second // of a call to the token endpoint
	refreshPart  = 0.75             // of a token's life, after which the next is asked for
	failureBase  = time.Second      // how long the endpoint is left alone after a failure, doubled for each in a row
	failureCap   = 30 * time.Second
)

// token is an access token.
type token struct {
	header  http.Header // of the calls that carry it, shared by them
	refresh time.Time   // when the next one is asked for
	expires time.Time
}

// tokens are a service account's access tokens: one at a time, and at most one call for the next. It is safe for
// concurrent use.
type tokens struct {
	fetch func(ctx context.Context) (*token, *peal.Outcome)
	now   func() time.Time

	mu       sync.Mutex
	current  *token
	flight   *flight
	failed   *peal.Outcome // what the last call came to, when it was no token
	failures int           // in a row
	again    time.Time     // no call before
	closed   bool
	calls    sync.WaitGroup
}

// flight is a call to the token endpoint that is out.
type flight struct {
	cancel context.CancelFunc
	done   chan struct{} // closed when the call is over, and what follows is set
	token  *token
	failed *peal.Outcome
}

// get gives a token that is good, or what is to be said of a send that has none. It waits for the endpoint only when
// there is no good token.
func (k *tokens) get(ctx context.Context) (*token, *peal.Outcome) {
	k.mu.Lock()
	now := k.now()
	good := k.current != nil && now.Before(k.current.expires)
	if good && now.Before(k.current.refresh) {
		defer k.mu.Unlock()
		return k.current, nil
	}
	f := k.ask(now)
	t, failed := k.current, k.failed
	wait := k.again.Sub(now)
	k.mu.Unlock()
	switch {
	case good:
		return t, nil
	case f == nil && failed == nil:
		return nil, &peal.Outcome{Class: peal.ClassTemporary, Code: wire.CodeCancel, Reason: "the client is closed"}
	case f == nil:
		out := *failed
		if out.Class == peal.ClassTemporary || out.Class == peal.ClassThrottled {
			out.RetryAfter = max(out.RetryAfter, wait)
		}
		return nil, &out
	}
	select {
	case <-f.done:
		return f.token, f.failed
	case <-ctx.Done():
		out := wire.Fault(ctx, ctx.Err(), false)
		return nil, &out
	}
}

// ask has a token fetched, unless that was tried and failed right now. It gives the call that is out, if any.
func (k *tokens) ask(now time.Time) *flight {
	if k.flight != nil || k.closed || now.Before(k.again) {
		return k.flight
	}
	ctx, cancel := context.WithTimeout(context.Background(), tokenTimeout) // it is for all who send, not for who asked first
	f := &flight{cancel: cancel, done: make(chan struct{})}
	k.flight = f
	k.calls.Go(func() {
		defer cancel()
		t, failed := k.fetch(ctx)
		k.land(f, t, failed)
	})
	return f
}

func (k *tokens) land(f *flight, t *token, failed *peal.Outcome) {
	k.mu.Lock()
	defer k.mu.Unlock()
	f.token, f.failed = t, failed
	k.flight, k.failed = nil, failed
	if failed == nil {
		k.current, k.failures, k.again = t, 0, time.Time{}
	} else {
		wait := failureBase << min(k.failures, 5)
		k.failures++
		k.again = k.now().Add(max(min(wait, failureCap), failed.RetryAfter))
	}
	close(f.done)
}

// drop lets go of a token that was refused, unless there is another by now.
func (k *tokens) drop(t *token) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.current == t {
		k.current = nil
	}
}

// close ends the call that is out, and waits for it.
func (k *tokens) close() {
	k.mu.Lock()
	k.closed = true
	if k.flight != nil {
		k.flight.cancel()
	}
	k.mu.Unlock()
	k.calls.Wait()
}
