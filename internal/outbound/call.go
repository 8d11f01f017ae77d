package outbound

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"peal/api"
	"peal/internal/netguard"
	"peal/internal/peal"
)

const (
	maxAnswer = 64 << 10 // bytes that are read of an answer; they are thrown away
	maxWait   = 24 * time.Hour
)

// result is what came of a call.
type result struct {
	at     time.Time
	took   time.Duration
	status int
	code   string // empty for a success
	reason string
	wait   time.Duration // that the endpoint asks for
}

func (r *result) ok() bool { return r.code == "" }

// gone tells whether the endpoint wants to be called no more.
func (r *result) gone() bool { return r.status == http.StatusGone }

// body is an event as it is told.
func body(n *peal.Notice) ([]byte, error) {
	b, err := json.Marshal(api.EventMessage{ID: n.ID, Type: n.Type, Timestamp: n.At.UTC(), Data: n.Data})
	if err != nil {
		return nil, fmt.Errorf("write event: %w", err)
	}
	return b, nil
}

// caller makes calls of endpoints.
type caller struct {
	https, http http.RoundTripper
	agent       string
	now         func() time.Time
}

// target is what a call goes to.
type target struct {
	url     string
	timeout time.Duration
	keys    [][]byte
}

// call tells an endpoint an event once. It follows no redirect: one is a failure.
func (c *caller) call(ctx context.Context, to *target, n *peal.Notice) (r result) {
	r.at = c.now()
	started := time.Now()
	defer func() { r.took = time.Since(started) }()
	payload, err := body(n)
	if err != nil {
		r.code, r.reason = "invalid", err.Error()
		return r
	}
	ctx, cancel := context.WithTimeout(ctx, to.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.url, bytes.NewReader(payload))
	if err != nil {
		r.code, r.reason = "invalid", "the URL cannot be called"
		return r
	}
	signatures := make([]string, len(to.keys))
	for i, k := range to.keys {
		signatures[i] = api.SignWebhook(k, n.ID, r.at, payload)
	}
	h := req.Header
	h.Set("Content-Type", "application/json")
	h.Set("User-Agent", c.agent)
	h.Set(api.WebhookIDHeader, n.ID)
	h.Set(api.WebhookTimestampHeader, strconv.FormatInt(r.at.Unix(), 10))
	h.Set(api.WebhookSignatureHeader, strings.Join(signatures, " "))
	transport := c.https
	if req.URL.Scheme == "http" {
		transport = c.http
	}
	client := http.Client{Transport: transport, CheckRedirect: netguard.NoRedirect}
	res, err := client.Do(req)
	if err != nil {
		r.code, r.reason = whatFailed(err)
		return r
	}
	defer res.Body.Close()                                          //nolint:errcheck // only read
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, maxAnswer)) // so that the connection can be used again
	r.status = res.StatusCode
	if r.status < 200 || r.status > 299 {
		r.code, r.reason = "http_"+strconv.Itoa(r.status), strings.TrimSpace(strconv.Itoa(r.status)+" "+http.StatusText(r.status))
		r.wait = retryAfter(res.Header, r.at)
		if r.status >= 300 && r.status <= 399 {
			r.reason += ": redirects are not followed; give the URL that it leads to"
		}
	}
	return r
}

// whatFailed names why there was no answer, in words that tell a tenant nothing of the operator's network.
func whatFailed(err error) (code, reason string) {
	if _, ok := errors.AsType[*netguard.Refused](err); ok {
		return "address_refused", "the host's address is not public; the operator's allow-list does not have it"
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return "dns", "the host's name was not found"
	}
	_, verify := errors.AsType[*tls.CertificateVerificationError](err)
	_, unknown := errors.AsType[x509.UnknownAuthorityError](err)
	_, record := errors.AsType[tls.RecordHeaderError](err)
	_, alert := errors.AsType[tls.AlertError](err)
	if verify || unknown || record || alert || errors.Is(err, http.ErrSchemeMismatch) {
		return "tls", "no secure connection: the certificate is not good, or the host does not speak TLS"
	}
	if t, ok := errors.AsType[net.Error](err); ok && t.Timeout() || errors.Is(err, context.DeadlineExceeded) {
		return "timeout", "no answer in time"
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return "connect", "no connection"
	}
	return "no_answer", "the connection ended without an answer"
}

// retryAfter is the wait that the header of that name asks for, in seconds or as a date; 0 when it asks for none.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if n, err := strconv.Atoi(v); err == nil {
		return time.Duration(min(max(n, 0), int(maxWait/time.Second))) * time.Second
	}
	if t, err := http.ParseTime(v); err == nil {
		return min(max(t.Sub(now), 0), maxWait)
	}
	return 0
}

const maxURL = 2000

// checkURL tells what is wrong with the URL of an endpoint; empty when nothing is. What a name resolves to is looked at
// when it is called.
func checkURL(text string, guard *netguard.Guard) string {
	u, err := url.Parse(text)
	switch {
	case len(text) > maxURL:
		return fmt.Sprintf("it is longer than %d bytes", maxURL)
	case err != nil || u.Host == "" || u.Hostname() == "" || u.Opaque != "":
		return "give an https URL, such as https://example.com/hooks/peal"
	case u.User != nil:
		return "it must not have a user or a password in it: what proves that a call comes from Peal is its signature"
	case u.Fragment != "":
		return "it must not have a fragment"
	case u.Scheme != "https" && u.Scheme != "http":
		return "give an https URL"
	case u.Scheme == "http" && !guard.MayBeInside(u.Hostname()):
		return "give an https URL; http is only for addresses in the operator's allow-list (PEAL_ALLOW_PRIVATE_NETWORKS)"
	case u.Scheme == "https" && !guard.MayReach(u.Hostname()):
		return "the address is not public, and the operator's allow-list (PEAL_ALLOW_PRIVATE_NETWORKS) does not have it"
	}
	return ""
}
