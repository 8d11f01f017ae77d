package fcm

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"time"

	"peal/internal/peal"
	"peal/internal/provider"
	"peal/internal/provider/wire"
)

const (
	callTimeout = 15 * time.Second // where neither the caller nor the integration sets one
	userAgent   = "peal"
	hiddenTail  = 6 // characters of an address that a preview shows
)

// client speaks for one service account to its project.
type client struct {
	transport  http.RoundTripper // used bare: a RoundTripper follows no redirect and repeats no POST that was sent
	own        *http.Transport   // the token endpoint's, when it is the client's own
	lanes      *lanes            // the transport, where FCM is called over TLS
	send       *http.Request     // as messages:send begins; copied for each call
	tokens     *tokens
	timeout    time.Duration
	scrub      scrubber
	mismatches wire.Burst // devices of another project: one has moved, many are a service account of the wrong one
	now        func() time.Time
	buffers    sync.Pool // of *[]byte
}

var (
	_ provider.Client    = (*client)(nil)
	_ provider.Grouper   = (*client)(nil)
	_ provider.Budgeter  = (*client)(nil)
	_ provider.Previewer = (*client)(nil)
	_ provider.Validator = (*client)(nil)
)

func newClient(in *peal.Integration, base *url.URL, a *account, env provider.Env) (*client, error) {
	transport, own, err := wire.Transport(in, env)
	if err != nil {
		return nil, err
	}
	var sends *lanes
	if base.Scheme == "https" {
		open, err := wire.Transports(in, env)
		if err != nil {
			return nil, err
		}
		sends = newLanes(open, cmp.Or(in.Concurrency, 1))
	}
	u := *base
	u.Path += "/v1/projects/" + a.project + "/messages:send"
	c := &client{
		transport: transport, own: own, lanes: sends, timeout: cmp.Or(in.Timeout, callTimeout), now: time.Now,
		scrub: newScrubber(in.Credentials[serviceAccount], a),
		send:  &http.Request{Method: http.MethodPost, URL: &u, Host: u.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1},
	}
	if sends != nil {
		c.transport = sends
	}
	c.buffers.New = func() any { b := make([]byte, 0, 4096); return &b }
	g := &granter{account: a, transport: transport, scrub: c.scrub, now: time.Now}
	c.tokens = &tokens{fetch: g.fetch, now: time.Now}
	return c, nil
}

// Close ends a call for a token, and lets go of connections of the client's own. Those of the shared transport it lets
// go of itself, within seconds.
func (c *client) Close() {
	c.tokens.close()
	if c.own != nil {
		c.own.CloseIdleConnections()
	}
	if c.lanes != nil {
		c.lanes.close()
	}
}

// Send posts the message. When the access token is refused, which says that nothing was looked at, it posts it once more
// with a new one.
func (c *client) Send(ctx context.Context, m *provider.Message) peal.Outcome {
	return c.deliver(ctx, m, false)
}

// Validate has FCM look at the message as if it were to be sent.
func (c *client) Validate(ctx context.Context, m *provider.Message) peal.Outcome {
	return c.deliver(ctx, m, true)
}

func (c *client) deliver(ctx context.Context, m *provider.Message, validate bool) peal.Outcome {
	start := time.Now()
	out := c.attempt(ctx, m, validate)
	out.Took = time.Since(start)
	return out
}

func (c *client) attempt(ctx context.Context, m *provider.Message, validate bool) peal.Outcome {
	if m.Device == nil || m.Device.Address == "" {
		return peal.Outcome{Class: peal.ClassPermanent, Code: codeNoDevice, Reason: "there is no device to send it to"}
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.timeout)
		defer cancel()
	}
	if err := ctx.Err(); err != nil {
		return wire.Fault(ctx, err, false)
	}
	body, err := appendRequest(make([]byte, 0, 1024), sheetOf(m, m.Device.Address, c.now()), validate)
	if err != nil {
		return peal.Outcome{Class: peal.ClassPermanent, Code: codeOverride, Reason: "overrides.fcm cannot be merged into FCM's message"}
	}
	t, failed := c.tokens.get(ctx)
	if failed != nil {
		return *failed
	}
	r, out := c.post(ctx, body, t)
	if r != nil && r.status == http.StatusUnauthorized && r.answer.fcmCode == "" {
		c.tokens.drop(t)
		if t, failed = c.tokens.get(ctx); failed != nil {
			return *failed
		}
		if r, out = c.post(ctx, body, t); r != nil && r.status == http.StatusUnauthorized && r.answer.fcmCode == "" {
			c.tokens.drop(t)
		}
	}
	if r == nil {
		return out
	}
	return c.judge(m, r)
}

// reply is what came back.
type reply struct {
	status int
	header http.Header
	answer *answer
}

// post makes one call. Without an answer there is no reply, but an outcome.
func (c *client) post(ctx context.Context, body []byte, t *token) (*reply, peal.Outcome) {
	up := &wire.Upload{Data: body}
	req := c.send.WithContext(ctx)
	req.Header = t.header
	up.Attach(req)
	res, err := c.transport.RoundTrip(req)
	if err != nil {
		return nil, wire.Fault(ctx, err, up.Seal())
	}
	defer func() { _ = res.Body.Close() }() // read, or given up
	buf := c.buffers.Get().(*[]byte)        //nolint:forcetypeassert // nothing else is put there
	defer c.buffers.Put(buf)
	*buf, err = wire.ReadAll((*buf)[:0], res.Body, maxAnswer)
	up.Seal()
	if s := res.StatusCode; err != nil && !errors.Is(err, wire.ErrTooLong) && s < 500 && s != http.StatusTooManyRequests {
		if s < 300 {
			return nil, wire.Fault(ctx, err, true)
		}
		// It was refused; the status alone does not say why: a device may be gone, or the project's name wrong.
		return nil, peal.Outcome{Class: peal.ClassTemporary, Code: wire.CodeLost, Reason: "FCM answered " + wire.StatusText(s) + ", and the rest of its answer was lost"}
	}
	return &reply{status: res.StatusCode, header: res.Header, answer: parseAnswer(*buf)}, peal.Outcome{}
}

// Probe asks for an access token, unless there is one.
func (c *client) Probe(ctx context.Context) provider.Health {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	if _, failed := c.tokens.get(ctx); failed != nil {
		return provider.Health{State: failed.Code, Reason: failed.Reason}
	}
	return provider.Health{OK: true, State: "authorized"}
}

// Preview shows the call without its token, and of the device's address the end only.
func (c *client) Preview(m *provider.Message) (provider.Preview, error) {
	if m.Device == nil {
		return provider.Preview{}, peal.Errorf(peal.Invalid, "fcm: there is no device")
	}
	body, err := appendRequest(nil, sheetOf(m, hide(m.Device.Address), c.now()), false)
	if err != nil {
		return provider.Preview{}, peal.Errorf(peal.Invalid, "fcm: overrides.fcm cannot be merged into the message")
	}
	return provider.Preview{
		URL: c.send.URL.String(), Header: map[string]string{"Content-Type": "application/json", "Authorization": "Bearer ***"},
		Body: json.RawMessage(body),
	}, nil
}

// hide keeps the end of an address, by which its owner knows it again.
func hide(address string) string {
	if len(address) <= 2*hiddenTail {
		return "…"
	}
	return "…" + address[len(address)-hiddenTail:]
}
