package wasender

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

const (
	maxWait = 24 * time.Hour // what the provider asks for beyond that is a mistake of its clock or unit

	// A reset above this is a unix time (of 2001 or later), below it seconds from now. The documentation calls it both.
	// The vendor's n8n node takes values above now+5 for a time, which turns one that has just passed into 50 years.
	firstUnix = 1e9
)

// throttleWait is how long the provider wants us to be quiet after a 429: by the body, else Retry-After, else the reset
// of its rate limit, else 0.
func throttleWait(h http.Header, body json.RawMessage) time.Duration {
	if wait := retryAfter(h, body); wait > 0 {
		return wait
	}
	reset, ok := parseNumber(h.Get("X-RateLimit-Reset"))
	switch {
	case !ok:
		return 0
	case reset >= firstUnix:
		return clampWait(time.Until(unixTime(reset)))
	default:
		return seconds(reset)
	}
}

// retryAfter is the wait that the body or the header Retry-After asks for, else 0.
func retryAfter(h http.Header, body json.RawMessage) time.Duration {
	if f, ok := asNumber(body); ok && f > 0 {
		return seconds(f)
	}
	v := strings.TrimSpace(h.Get("Retry-After"))
	if f, ok := parseNumber(v); ok {
		return seconds(f)
	}
	if t, err := http.ParseTime(v); err == nil {
		return clampWait(time.Until(t))
	}
	return 0
}

func seconds(f float64) time.Duration {
	return clampWait(time.Duration(min(f, maxWait.Seconds()) * float64(time.Second)))
}

func clampWait(d time.Duration) time.Duration { return max(0, min(d, maxWait)) }
