package client

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"peal/api"
)

// answerError is an answer that is no success.
type answerError struct {
	op         string
	problem    *api.Problem
	retryAfter time.Duration // 0 when the server did not say
}

func (e *answerError) Error() string { return e.op + ": " + e.problem.Error() }

// Unwrap makes the Problem reachable by errors.As.
func (e *answerError) Unwrap() error { return e.problem }

// unansweredError is a call that brought no whole answer: nobody knows whether the server acted on it.
type unansweredError struct{ err error }

func (e *unansweredError) Error() string { return e.err.Error() }
func (e *unansweredError) Unwrap() error { return e.err }

// RetryAfter is how long the server asked to wait before another try; 0 when err says nothing of it.
func RetryAfter(err error) time.Duration {
	if e, ok := errors.AsType[*answerError](err); ok {
		return e.retryAfter
	}
	return 0
}

// problem reads an error's body. One that is not Peal's, such as a proxy's page, becomes a Problem without a code.
func problem(resp *http.Response, body []byte) *api.Problem {
	p := &api.Problem{}
	mediaType, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	if strings.TrimSpace(mediaType) == api.ProblemType && json.Unmarshal(body, p) == nil {
		p.Status = resp.StatusCode
		return p
	}
	p = &api.Problem{Type: "about:blank", Title: resp.Status, Status: resp.StatusCode, Detail: errorText(body)}
	if to := resp.Header.Get("Location"); to != "" {
		p.Detail = "it redirects to " + to + "; use that address"
	}
	return p
}

// errorText is the beginning of body as one line.
func errorText(body []byte) string {
	if !utf8.Valid(body) {
		return ""
	}
	s := strings.Join(strings.Fields(string(body)), " ")
	if len(s) > maxErrorText {
		s = strings.ToValidUTF8(s[:maxErrorText], "") + "…"
	}
	return s
}

// retryAfter reads Retry-After, in seconds or as a date.
func retryAfter(h http.Header) time.Duration {
	v := h.Get("Retry-After")
	if n, err := strconv.Atoi(v); err == nil && n >= 0 {
		return time.Duration(n) * time.Second
	}
	if t, err := http.ParseTime(v); err == nil {
		return max(0, time.Until(t))
	}
	return 0
}
