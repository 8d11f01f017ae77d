package apns

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"peal/internal/provider"
)

// Ages of a provider token. Apple takes it for an hour, and wants none anew within 20 minutes of the last.
const (
	minAge     = 20 * time.Minute
	refreshAge = 50 * time.Minute
	maxJitter  = 150 * time.Second // to either side of refreshAge
	maxAge     = 59 * time.Minute  // a minute is left for the way and for clocks
	maxAhead   = 5 * time.Minute   // of a node's clock. What was made later than that was made by a clock that was wrong
	swapLimit  = 10 * time.Second  // of asking for the shared token, when nobody waits for it
	swapPause  = 15 * time.Second  // between tries in the background
)

var (
	errHeld  = errors.New("apns: no provider token may be made yet")
	errStale = errors.New("apns: the shared provider token is too old")
	errSkew  = errors.New("apns: a provider token of the last 20 minutes is called expired")
)

// keeper has the provider token of a key. The nodes share it: whoever finds it old makes the next, and if two do so at
// once, both take the one that came first.
type keeper struct {
	signer *signer
	shared provider.Tokens
	after  time.Duration // the age at which it is made anew
	now    func() time.Time

	mu      sync.Mutex
	current provider.Token
	older   provider.Token // the one before it, while Apple may take it
	held    time.Time      // none is made until then
	next    time.Time      // no try in the background until then
	busy    chan struct{}  // closed when the one who refreshes is done; nil when nobody does
	err     error          // of the last refresh
	closed  bool
	done    sync.WaitGroup // refreshing in the background
}

func newKeeper(s *signer, shared provider.Tokens) *keeper {
	return &keeper{
		signer: s, shared: shared, now: time.Now,
		after: refreshAge - maxJitter + rand.N(2*maxJitter), //nolint:gosec // no secret: it keeps nodes apart
	}
}

// get gives the token to send with. It waits only when there is none that Apple would take; one that is getting old is
// made anew behind the callers' backs.
func (k *keeper) get(ctx context.Context) (provider.Token, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for {
		now := k.now()
		token, age := k.current, now.Sub(k.current.MadeAt)
		if k.held.After(now) && now.Sub(k.older.MadeAt) < maxAge {
			return k.older, nil
		}
		if token.Value != "" && age < maxAge {
			if age >= k.after && k.busy == nil && !k.closed && !now.Before(k.next) {
				k.next = now.Add(swapPause)
				k.start(context.WithoutCancel(ctx), false)
			}
			return token, nil
		}
		if err := k.refresh(ctx); err != nil {
			return provider.Token{}, err
		}
	}
}

// renew is called when Apple calls a token expired. It gives another one, or errSkew when the token was so young that
// only a clock can be wrong.
func (k *keeper) renew(ctx context.Context, expired provider.Token) (provider.Token, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.current.Value == expired.Value {
		if k.now().Sub(expired.MadeAt) < minAge {
			return provider.Token{}, errSkew
		}
		if err := k.force(ctx, expired); err != nil {
			return provider.Token{}, err
		}
	}
	if k.current.Value == expired.Value {
		return provider.Token{}, errSkew
	}
	return k.current, nil
}

// hold is called when Apple has had too many tokens of the team: none is made for as long as it takes, and the one before
// is used while it lasts. It tells whether there is such a one that is not the refused.
func (k *keeper) hold(refused provider.Token) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	if !k.held.After(now) {
		k.held = now.Add(minAge)
	}
	return k.older.Value != "" && k.older.Value != refused.Value && now.Sub(k.older.MadeAt) < maxAge
}

// refresh makes sure that one goroutine refreshes, and waits until it is done. The caller holds mu.
func (k *keeper) refresh(ctx context.Context) error {
	if k.closed {
		return errClosed
	}
	if k.busy == nil {
		k.start(context.WithoutCancel(ctx), false)
	}
	return k.wait(ctx)
}

// force is refresh for a token that is to be replaced whatever its age.
func (k *keeper) force(ctx context.Context, expired provider.Token) error {
	for k.busy != nil { // one that began before may have found the token good
		if err := k.wait(ctx); err != nil {
			return err
		}
		if k.current.Value != expired.Value {
			return nil
		}
	}
	if k.closed {
		return errClosed
	}
	k.start(context.WithoutCancel(ctx), true)
	return k.wait(ctx)
}

// wait waits for the one who refreshes, without mu.
func (k *keeper) wait(ctx context.Context) error {
	busy := k.busy
	if busy == nil {
		return nil
	}
	k.mu.Unlock()
	defer k.mu.Lock()
	select {
	case <-busy:
		k.mu.Lock()
		defer k.mu.Unlock()
		return k.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// start refreshes in the background: whoever waits for it may leave before it is done. The caller holds mu.
func (k *keeper) start(ctx context.Context, force bool) {
	busy, current, held := make(chan struct{}), k.current, k.held
	k.busy = busy
	k.done.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, swapLimit)
		defer cancel()
		token, err := k.fetch(ctx, current, held, force)
		k.mu.Lock()
		defer k.mu.Unlock()
		if err == nil && (token.Value == "" || k.now().Sub(token.MadeAt) >= maxAge) {
			err = errStale
		}
		if err == nil && token.Value != k.current.Value {
			k.older, k.current = k.current, token
		}
		k.err, k.busy = err, nil
		close(busy)
	})
}

// fetch reads the shared token, and puts a new one in its place when it is too old.
func (k *keeper) fetch(ctx context.Context, current provider.Token, held time.Time, force bool) (provider.Token, error) {
	shared, err := k.shared.SwapToken(ctx, k.signer.name, current.MadeAt, provider.Token{})
	if err != nil {
		return provider.Token{}, err
	}
	now := k.now()
	age := now.Sub(shared.MadeAt)
	switch good := shared.Value != "" && age < maxAge && age > -maxAhead; {
	case good && age < k.after && (!force || shared.Value != current.Value):
		return shared, nil
	case held.After(now) && good:
		return shared, nil
	case held.After(now):
		return provider.Token{}, errHeld
	case shared.Value != "" && age >= 0 && age < minAge: // forced, but too early
		return shared, nil
	}
	next := provider.Token{MadeAt: now.Truncate(time.Microsecond)}
	if next.Value, err = k.signer.sign(now); err != nil {
		return provider.Token{}, err
	}
	return k.shared.SwapToken(ctx, k.signer.name, shared.MadeAt, next)
}

// close waits for what is under way; nothing is begun any more.
func (k *keeper) close() {
	k.mu.Lock()
	k.closed = true
	k.mu.Unlock()
	k.done.Wait()
}
