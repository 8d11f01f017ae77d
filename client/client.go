// Package client is the Go SDK of Peal's HTTP API.
//
// A [Client] has one method for every route. Every error of the server is an [api.Problem] by errors.As;
// decide by its Code. Nothing is tried twice unless [WithRetries] asks for it.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"peal/api"
)

const (
	defaultTimeout   = 30 * time.Second
	defaultUserAgent = "peal-go"
	// maxAnswer bounds what is read of an answer: a page of 500 deliveries with the longest contents fits.
	maxAnswer = 32 << 20
	// maxErrorText bounds what is kept of an error that is not Peal's, such as a proxy's page.
	maxErrorText = 300
)

// Client calls one Peal server with one key. It is safe for concurrent use; make it with [New].
type Client struct {
	base      string
	key       func(ctx context.Context) (string, error)
	tenant    string
	userAgent string
	http      *http.Client
	timeout   time.Duration
	retries   int
}

// Option changes how a Client works.
type Option func(*Client)

// WithHTTPClient takes the place of the default HTTP client, which follows no redirects.
func WithHTTPClient(h *http.Client) Option { return func(c *Client) { c.http = h } }

// WithTenant names the tenant that requests with an operator key are for.
func WithTenant(id string) Option { return func(c *Client) { c.tenant = id } }

// WithUserAgent sets the User-Agent header.
func WithUserAgent(s string) Option { return func(c *Client) { c.userAgent = s } }

// WithTimeout bounds every call to the server, its answer included; default 30 s, 0 means no bound but ctx.
// Where a call is tried again, each try has this time.
func WithTimeout(d time.Duration) Option { return func(c *Client) { c.timeout = d } }

// WithRetries lets [Client.Send] and [Client.SendBatch] try up to n more times when the server answers 503, 429 or
// cannot be reached, or does not answer. That is safe because such a call always has an idempotency key: one is
// made up where the request has neither a key nor an event. No other call is ever tried again.
func WithRetries(n int) Option { return func(c *Client) { c.retries = n } }

// New makes a client for the server at baseURL, such as "http://127.0.0.1:7325", that calls it with key.
func New(baseURL, key string, opts ...Option) (*Client, error) {
	return newClient(baseURL, func(context.Context) (string, error) { return key, nil }, opts)
}

// NewUser makes a client that speaks for one user, as an app does: with the tokens that token gives, which come from the
// tenant's backend. It is asked before every call, at once by many: it keeps a token as long as that is good. Such a client may
// keep the user's devices, read the [api.ClientConfig] and report receipts.
func NewUser(baseURL string, token func(ctx context.Context) (string, error), opts ...Option) (*Client, error) {
	return newClient(baseURL, token, opts)
}

func newClient(baseURL string, key func(ctx context.Context) (string, error), opts []Option) (*Client, error) {
	u, err := url.Parse(baseURL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("client: %q is not an http or https URL such as http://127.0.0.1:7325", baseURL)
	}
	if u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, fmt.Errorf("client: %q may have a host and a path, but no user, query or fragment", u.Redacted())
	}
	c := &Client{
		base:      strings.TrimRight(u.String(), "/"),
		key:       key,
		userAgent: defaultUserAgent,
		timeout:   defaultTimeout,
		http: &http.Client{
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	for _, opt := range opts {
		opt(c)
	}
	return c, nil
}

// call is one request to the server: the body is sent as JSON unless nil.
type call struct {
	method, path   string
	query          url.Values
	body           any
	idempotencyKey string
}

// do makes the call once and decodes the answer into out unless nil. It returns the answer's header.
func (c *Client) do(ctx context.Context, call call, out any) (http.Header, error) {
	var body []byte
	if call.body != nil {
		var err error
		if body, err = json.Marshal(call.body); err != nil {
			return nil, fmt.Errorf("%s %s: encode the body: %w", call.method, call.path, err)
		}
	}
	return c.exchange(ctx, call, body, out)
}

// exchange is do with the body encoded already.
func (c *Client) exchange(ctx context.Context, call call, body []byte, out any) (http.Header, error) {
	header, answer, err := c.raw(ctx, call, body)
	if err != nil || out == nil {
		return header, err
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return nil, fmt.Errorf("%s %s: the answer is not what Peal answers; is the URL right? %w", call.method, call.path, err)
	}
	return header, nil
}

// raw makes the call and returns the answer of a success.
func (c *Client) raw(ctx context.Context, call call, body []byte) (http.Header, []byte, error) {
	op := call.method + " " + call.path
	if c.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.timeout)
		defer cancel()
	}
	req, err := c.request(ctx, call, body)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", op, err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, nil, &unansweredError{err: err}
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, nil, &unansweredError{err: fmt.Errorf("%s: read the answer: %w", op, err)}
	}
	if len(answer) > maxAnswer {
		return nil, nil, fmt.Errorf("%s: the answer is larger than %d bytes", op, maxAnswer)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return resp.Header, nil, &answerError{op: op, problem: problem(resp, answer), retryAfter: retryAfter(resp.Header)}
	}
	return resp.Header, answer, nil
}

func (c *Client) request(ctx context.Context, call call, body []byte) (*http.Request, error) {
	target := c.base + call.path
	if len(call.query) > 0 {
		target += "?" + call.query.Encode()
	}
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, call.method, target, reader)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json, "+api.ProblemType)
	req.Header.Set("User-Agent", c.userAgent)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	key, err := c.key(ctx)
	if err != nil {
		return nil, fmt.Errorf("get the key: %w", err)
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	if c.tenant != "" {
		req.Header.Set(api.TenantHeader, c.tenant)
	}
	if call.idempotencyKey != "" {
		req.Header.Set("Idempotency-Key", call.idempotencyKey)
	}
	return req, nil
}

// get, send and drop are the shapes that most routes have.
func get[T any](ctx context.Context, c *Client, path string, query url.Values) (*T, error) {
	return send[T](ctx, c, call{method: http.MethodGet, path: path, query: query})
}

func send[T any](ctx context.Context, c *Client, call call) (*T, error) {
	out := new(T)
	if _, err := c.do(ctx, call, out); err != nil {
		return nil, err
	}
	return out, nil
}

func (c *Client) drop(ctx context.Context, path string) error {
	_, err := c.do(ctx, call{method: http.MethodDelete, path: path}, nil)
	return err
}

// errNoID keeps an empty id from turning "one of them" into "all of them".
var errNoID = errors.New("client: the id is empty")

// item is the path of one thing of a collection, or of an action on it.
func item(collection, id string, action ...string) (string, error) {
	if id == "" || id == "." || id == ".." {
		return "", errNoID
	}
	return strings.Join(append([]string{collection, url.PathEscape(id)}, action...), "/"), nil
}
