package fcm

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"peal/internal/peal"
)

// issuer is a token endpoint of which every call takes as long, and fails on demand.
type issuer struct {
	mu    sync.Mutex
	calls int
	takes time.Duration
	fails *peal.Outcome
	out   int // calls at once
	most  int
}

func (i *issuer) fetch(ctx context.Context) (*token, *peal.Outcome) {
	i.mu.Lock()
	i.calls++
	i.out++
	i.most = max(i.most, i.out)
	n, takes, fails := i.calls, i.takes, i.fails
	i.mu.Unlock()
	defer func() {
		i.mu.Lock()
		i.out--
		i.mu.Unlock()
	}()
	select {
	case <-time.After(takes):
	case <-ctx.Done():
		return nil, tokenFault(ctx, ctx.Err())
	}
	if fails != nil {
		return nil, fails
	}
	now := time.Now()
	return &token{header: http.Header{"N": {strconv.Itoa(n)}}, refresh: now.Add(45 * time.Minute), expires: now.Add(time.Hour)}, nil
}

func (i *issuer) set(takes time.Duration, fails *peal.Outcome) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.takes, i.fails = takes, fails
}

// numbers has as many senders ask at once, and gives the number of the token that each got, 0 for none.
func numbers(k *tokens, senders int) map[string]int {
	var (
		mu  sync.Mutex
		wg  sync.WaitGroup
		got = map[string]int{}
	)
	for range senders {
		wg.Go(func() {
			t, failed := k.get(context.Background())
			mu.Lock()
			defer mu.Unlock()
			if failed != nil {
				got[failed.Code]++
			} else {
				got[t.header.Get("N")]++
			}
		})
	}
	wg.Wait()
	return got
}

func TestOneCallForManySenders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{takes: time.Second}
		k := &tokens{fetch: i.fetch, now: time.Now}
		defer k.close()
		if got := numbers(k, 100); got["1"] != 100 || i.calls != 1 {
			t.Errorf("got %v by %d calls", got, i.calls)
		}
	})
}

func TestRefreshBesideTheSends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{}
		k := &tokens{fetch: i.fetch, now: time.Now}
		defer k.close()
		numbers(k, 1)
		time.Sleep(44 * time.Minute)
		if numbers(k, 100); i.calls != 1 {
			t.Error("asked for the next one too early")
		}
		time.Sleep(time.Minute)
		i.set(9*time.Second, nil) // a slow endpoint
		began := time.Now()
		if got := numbers(k, 100); got["1"] != 100 || time.Since(began) > 0 {
			t.Errorf("got %v after %v, want the old one at once", got, time.Since(began))
		}
		time.Sleep(9 * time.Second)
		synctest.Wait()
		if got := numbers(k, 100); got["2"] != 100 || i.calls != 2 || i.most != 1 {
			t.Errorf("got %v by %d calls, %d at once", got, i.calls, i.most)
		}
	})
}

func TestOldTokenUntilItExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{}
		k := &tokens{fetch: i.fetch, now: time.Now}
		defer k.close()
		numbers(k, 1)
		i.set(0, &peal.Outcome{Class: peal.ClassTemporary, Code: "away"})
		time.Sleep(45 * time.Minute)
		synctest.Wait()
		for range 30 {
			if got := numbers(k, 10); got["1"] != 10 {
				t.Fatalf("got %v while the old one is good", got)
			}
			time.Sleep(time.Second)
			synctest.Wait()
		}
		if i.calls < 4 || i.calls > 8 {
			t.Errorf("%d calls in half a minute: want them farther and farther apart", i.calls)
		}
		time.Sleep(15 * time.Minute)
		if got := numbers(k, 10); got["away"] != 10 {
			t.Errorf("got %v after its end", got)
		}
		calls := i.calls
		_, failed := k.get(context.Background())
		if failed == nil || failed.RetryAfter <= 0 || i.calls != calls {
			t.Errorf("got %+v by another call: a failure that is fresh is told again", failed)
		}
		i.set(0, nil)
		time.Sleep(30 * time.Second)
		if got := numbers(k, 10); len(got) != 1 || got["away"] > 0 {
			t.Errorf("got %v when the endpoint is back", got)
		}
	})
}

func TestEndpointThatDoesNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{takes: time.Hour}
		k := &tokens{fetch: i.fetch, now: time.Now}
		defer k.close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if _, failed := k.get(ctx); failed == nil || failed.Class != peal.ClassTemporary || time.Since(began) != time.Second {
			t.Errorf("got %+v after %v: a send waits as long as it has time", failed, time.Since(began))
		}
		if _, failed := k.get(t.Context()); failed == nil || failed.Code != "timeout" || time.Since(began) != tokenTimeout {
			t.Errorf("got %+v after %v: the call has a time limit of its own", failed, time.Since(began))
		}
	})
}

func TestDroppedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{}
		k := &tokens{fetch: i.fetch, now: time.Now}
		defer k.close()
		old, _ := k.get(t.Context())
		for range 100 { // all were refused with the same one, and say so at different times
			k.drop(old)
			if now, failed := k.get(t.Context()); failed != nil || now == old {
				t.Fatalf("got %v, %v", now, failed)
			}
		}
		if i.calls != 2 {
			t.Errorf("%d calls, want 2", i.calls)
		}
	})
}

func TestCloseEndsTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{takes: time.Hour}
		k := &tokens{fetch: i.fetch, now: time.Now}
		ended := make(chan *peal.Outcome)
		go func() {
			_, failed := k.get(context.Background())
			ended <- failed
		}()
		synctest.Wait()
		k.close()
		if failed := <-ended; failed == nil || failed.Class != peal.ClassTemporary {
			t.Errorf("got %+v", failed)
		}
		if _, failed := k.get(t.Context()); failed == nil || failed.Class != peal.ClassTemporary {
			t.Errorf("closed, and got %+v", failed)
		}
		k.close()
	})
}

func TestClosedBeforeTheFirst(t *testing.T) {
	t.Parallel()
	k := &tokens{fetch: func(context.Context) (*token, *peal.Outcome) { panic(errors.New("called")) }, now: time.Now}
	k.close()
	if _, failed := k.get(t.Context()); failed == nil || failed.Class != peal.ClassTemporary {
		t.Errorf("got %+v", failed)
	}
}
