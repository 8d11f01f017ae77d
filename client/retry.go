package client

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"time"

	"peal/api"
)

const (
	firstWait = 200 * time.Millisecond
	maxWait   = 10 * time.Second
	// maxRetryAfter is the longest wait that the server may ask for; beyond it the error is the caller's.
	maxRetryAfter = time.Minute
)

// retry is do, tried up to c.retries more times. The same bytes go out each time: another body under the same
// idempotency key would be refused.
func (c *Client) retry(ctx context.Context, call call, out any) (http.Header, error) {
	body, err := json.Marshal(call.body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: encode the body: %w", call.method, call.path, err)
	}
	for try := 0; ; try++ {
		header, err := c.exchange(ctx, call, body, out)
		if err == nil || try >= c.retries || !retryable(err) || ctx.Err() != nil {
			return header, err
		}
		wait := backoff(try)
		if asked := RetryAfter(err); asked > maxRetryAfter {
			return header, err
		} else if asked > wait {
			wait = asked
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return header, err
		case <-timer.C:
		}
	}
}

// retryable says whether another try can help: no answer came, or 503, or the tenant is over a limit (429).
func retryable(err error) bool {
	if _, ok := errors.AsType[*unansweredError](err); ok {
		return true
	}
	p, ok := errors.AsType[*api.Problem](err)
	return ok && (p.Status == http.StatusServiceUnavailable || p.Status == http.StatusTooManyRequests)
}

// backoff is the wait after the try-th try, doubling, with up to a half taken off by chance.
func backoff(try int) time.Duration {
	wait := min(firstWait<<min(try, 10), maxWait)
	n, err := rand.Int(rand.Reader, big.NewInt(int64(wait/2)))
	if err != nil {
		return wait
	}
	return wait - time.Duration(n.Int64())
}

// keyFor is the key of a request that may be tried again: its own, or a new one. A request with an event has
// one derived by the server from the event, which is the better one.
func (c *Client) keyFor(req *api.NotificationRequest) string {
	if req.IdempotencyKey != "" || c.retries == 0 || req.Event != nil {
		return req.IdempotencyKey
	}
	return rand.Text()
}
