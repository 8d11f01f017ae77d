package apns

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"peal/internal/peal"
	"peal/internal/provider"
	"peal/internal/provider/wire"
)

const (
	callTimeout = 15 * time.Second // where neither the caller nor the integration sets one
	maxTries    = 3                // of a push that was provably not processed, on one connection after another
	maxRefused  = 8                // the same where a server has come to allow fewer streams, as it may on all connections at once
)

// client sends with one key.
type client struct {
	in     *peal.Integration
	base   *url.URL
	roots  *x509.CertPool
	dial   dialFunc
	tokens *keeper
	bursts bursts
	now    func() time.Time

	poolConfig poolConfig

	mu     sync.Mutex
	pools  map[string]*pool // by host: each of Apple's environments has its own
	closed bool
}

var (
	_ provider.Client    = (*client)(nil)
	_ provider.Grouper   = (*client)(nil)
	_ provider.Previewer = (*client)(nil)
)

func newClient(in *peal.Integration, base *url.URL, s *signer, roots *x509.CertPool, env provider.Env) *client {
	return &client{
		in: in, base: base, roots: roots, dial: env.Dial, tokens: newKeeper(s, env.Tokens), now: time.Now,
		pools: map[string]*pool{},
	}
}

// pool gives the connections of an environment. It is made when it is first needed.
func (c *client) pool(environment string) *pool {
	base := forEnvironment(c.base, environment)
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.pools[base.Host]
	if p == nil {
		p = newPool(dialer(base, c.roots, c.dial), c.poolConfig)
		if c.closed {
			p.close()
		}
		c.pools[base.Host] = p
	}
	return p
}

// Close closes all connections.
func (c *client) Close() {
	c.mu.Lock()
	c.closed = true
	pools := slices.Collect(maps.Values(c.pools))
	c.mu.Unlock()
	for _, p := range pools {
		p.close()
	}
	c.tokens.close()
}

// Send makes one push of the message. What Apple has provably not processed is sent again at once, on another
// connection or with another provider token.
func (c *client) Send(ctx context.Context, m *provider.Message) peal.Outcome {
	start := c.now()
	out := c.push(ctx, m)
	out.Took = c.now().Sub(start)
	return out
}

func (c *client) push(ctx context.Context, m *provider.Message) peal.Outcome {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, cmp.Or(c.in.Timeout, callTimeout))
		defer cancel()
	}
	if err := ctx.Err(); err != nil {
		return wire.Fault(ctx, err, false)
	}
	r, err := c.build(m, c.now())
	if err != nil {
		return peal.Outcome{Class: peal.ClassPermanent, Code: "no_device", Reason: "the message has no device with a token and an app id"}
	}
	token, err := c.tokens.get(ctx)
	if err != nil {
		return c.noToken(ctx, err)
	}
	pool := c.pool(r.environment)
	for try := 1; ; try++ {
		out, again := c.try(ctx, pool, r, token)
		if again == nil || try == maxRefused || try >= maxTries && out.Code != codeRefused {
			return c.seen(r, out)
		}
		next, err := again(ctx)
		if err != nil {
			return c.noToken(ctx, err)
		}
		token = next
	}
}

// again gives the token for another try of what was provably not processed. It is nil when there is nothing to try.
type again func(ctx context.Context) (provider.Token, error)

// try makes one call.
func (c *client) try(ctx context.Context, pool *pool, r *request, token provider.Token) (peal.Outcome, again) {
	conn, err := pool.take(ctx)
	if err != nil {
		return noConnection(ctx, err), nil
	}
	up := &wire.Upload{Data: r.body}
	req := (&http.Request{
		Method: http.MethodPost, URL: r.url, Host: r.url.Host, Header: r.header,
		Proto: "HTTP/2.0", ProtoMajor: 2,
	}).WithContext(ctx)
	r.header["Authorization"] = []string{"bearer " + token.Value}
	up.Attach(req)
	req.GetBody = nil // a ClientConn does not try again
	a, err := call(conn.cc, req)
	written := up.Seal()
	same := func(context.Context) (provider.Token, error) { return token, nil }
	if err != nil {
		pool.put(conn, false, ctx.Err() == nil && !ofStream(err))
		out, unprocessed := lost(ctx, err, written)
		if unprocessed && ctx.Err() == nil {
			return out, same
		}
		return out, nil
	}
	v := c.judge(r, a, token)
	pool.put(conn, v.authentic, v.leave)
	switch {
	case v.renew:
		return v.out, func(ctx context.Context) (provider.Token, error) { return c.tokens.renew(ctx, token) }
	case v.retoken:
		return v.out, c.tokens.get
	case v.resend:
		return v.out, same
	}
	return v.out, nil
}

// call makes a call and reads its answer.
func call(cc *http.ClientConn, req *http.Request) (*answer, error) {
	res, err := cc.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }() // read, or given up
	a := &answer{status: res.StatusCode, header: res.Header}
	if res.ProtoMajor != 2 {
		return nil, errNoHTTP2
	}
	if res.ContentLength == 0 {
		return a, nil
	}
	body, err := wire.ReadAll(make([]byte, 0, 256), res.Body, maxAnswer)
	switch {
	case errors.Is(err, wire.ErrTooLong):
	case err != nil:
		return nil, err
	default:
		a.reason, a.dead = parseBody(body)
	}
	return a, nil
}

// seen keeps what became of an app's pushes, and holds back when most of its tokens seem bad.
func (c *client) seen(r *request, out peal.Outcome) peal.Outcome {
	bad := out.Code == badDeviceToken || out.Code == notForTopic
	if !bad && out.Class != peal.ClassAccepted {
		return out
	}
	if c.bursts.add(r.app+" "+r.environment, bad) {
		out.Device = peal.DeviceWord{}
		out.Reason = "most tokens of the app " + r.app + " are refused as " + out.Code + ": the devices are registered with another app id, or their environment is not " + r.environment
		c.pauseApp(&out, r.app, peal.PauseBlocked)
	}
	return out
}

// Groups are the app and the sandbox: what is wrong with one of them is not to stop the others.
func (c *client) Groups(m *provider.Message) []string {
	if m.Device == nil {
		return nil
	}
	groups := []string{groupApp(m.Device.AppID)}
	if m.Device.Environment == peal.Sandbox {
		groups = append(groups, groupSandbox)
	}
	return groups
}

const groupSandbox = "environment:" + peal.Sandbox

func groupApp(app string) string { return "app:" + app }

// Preview shows the request, without the device's token and the provider's.
func (c *client) Preview(m *provider.Message) (provider.Preview, error) {
	r, err := c.build(m, c.now())
	if err != nil {
		return provider.Preview{}, peal.Errorf(peal.Invalid, "the message has no device with a token and an app id")
	}
	header := map[string]string{}
	for name, values := range r.header {
		if name != "Apns-Id" { // each attempt has its own
			header[strings.ToLower(name)] = values[0]
		}
	}
	u := *r.url
	u.Path = strings.TrimSuffix(u.Path, m.Device.Address) + "…"
	return provider.Preview{URL: u.Scheme + "://" + u.Host + u.Path, Header: header, Body: json.RawMessage(r.body)}, nil
}

// Lookup knows nothing: Apple tells nobody what became of a push.
func (c *client) Lookup(context.Context, string) (peal.Evidence, error) {
	return peal.Evidence{}, &provider.Error{Class: peal.ClassPermanent, Code: "no_lookup"}
}

// Probe tells whether there is a provider token and a connection. Whether Apple takes the token, only a push tells.
func (c *client) Probe(ctx context.Context) provider.Health {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	out := peal.Outcome{}
	if _, err := c.tokens.get(ctx); err != nil {
		out = c.noToken(ctx, err)
	} else if err := c.pool(peal.Production).ready(ctx); err != nil {
		out = noConnection(ctx, err)
	}
	if out.Code != "" {
		return provider.Health{State: out.Code, Reason: out.Reason}
	}
	return provider.Health{OK: true, State: "reachable"}
}
