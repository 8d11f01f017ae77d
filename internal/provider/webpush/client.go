package webpush

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/provider"
	"peal/internal/provider/wire"
)

const (
	maxAnswer   = 4 << 10 // what is read of an answer
	callTimeout = 10 * time.Second
)

// client is one VAPID identity, at whatever push services its devices have.
type client struct {
	transport http.RoundTripper // used bare: a RoundTripper follows no redirect and repeats no POST that was sent
	own       *http.Transport   // nil when the transport is the shared one
	plain     *http.Transport   // of http endpoints
	origins   *origins
	timeout   time.Duration
	now       func() time.Time
	secrets   []string  // that no reason may repeat
	buffers   sync.Pool // of *[]byte
}

var (
	_ provider.Client    = (*client)(nil)
	_ provider.Grouper   = (*client)(nil)
	_ provider.Previewer = (*client)(nil)
)

func newClient(in *peal.Integration, key *ecdsa.PrivateKey, shared http.RoundTripper, own *http.Transport, dial dialer) *client {
	c := &client{
		transport: shared, own: own, plain: plainTransport(dial),
		timeout: cmp.Or(in.Timeout, callTimeout), now: time.Now,
		secrets: []string{in.Credentials[privateKey], in.Credentials[subject]},
	}
	c.origins = newOrigins(newSigner(key, in.Credentials[subject]), in.Concurrency)
	c.buffers.New = func() any { b := make([]byte, 0, maxAnswer+1); return &b }
	return c
}

// Close lets go of the connections that are its own; the shared transport's end within seconds by themselves.
func (c *client) Close() {
	c.plain.CloseIdleConnections()
	if c.own != nil {
		c.own.CloseIdleConnections()
	}
}

// Lookup knows nothing: push services do not tell what became of a message.
func (c *client) Lookup(context.Context, string) (peal.Evidence, error) {
	return peal.Evidence{}, &provider.Error{Class: peal.ClassPermanent, Code: "unsupported", Err: errors.New("push services have no look-up")}
}

// Probe has nobody to ask: there is no account, and each device has its push service.
func (c *client) Probe(context.Context) provider.Health {
	return provider.Health{OK: true, State: "ready"}
}

// Groups are the origin that the message goes to: a push service slows down or fails as a whole.
func (c *client) Groups(m *provider.Message) []string {
	if m.Device == nil {
		return nil
	}
	u, err := url.Parse(m.Device.Address)
	if err != nil {
		return nil
	}
	return []string{groupOf(originOf(u))}
}

func groupOf(origin string) string { return "origin:" + origin }

// parcel is a message made ready.
type parcel struct {
	device *peal.Device
	url    *url.URL
	origin string
	header http.Header
	text   []byte
	seal   func() ([]byte, error)
}

// pack makes a message ready, all but what needs time: the token and the encryption.
func (c *client) pack(m *provider.Message) (*parcel, *peal.Outcome) {
	d := m.Device
	if d == nil || !d.Subscription() {
		return nil, &peal.Outcome{Class: peal.ClassPermanent, Code: codeDevice, Reason: "the delivery has no subscription to go to"}
	}
	broken := func(err error) *peal.Outcome {
		return &peal.Outcome{Class: peal.ClassPermanent, Code: codeDevice, Reason: "the subscription cannot be used: " + err.Error(), Device: dead}
	}
	u, err := parseEndpoint(d.Kind, d.Address)
	if err != nil {
		return nil, broken(err)
	}
	point, err := parsePoint(d.P256dh)
	if err != nil {
		return nil, broken(err)
	}
	auth, err := parseAuth(d.Auth)
	if err != nil {
		return nil, broken(err)
	}
	p := wire.PushOf(&m.Content)
	if p == nil {
		return nil, &peal.Outcome{Class: peal.ClassPermanent, Code: codeContent, Reason: "the content is none that a device shows"}
	}
	text, err := plaintext(p, m.DeliveryID, d.AppID)
	if err == nil && len(text) > maxPlaintext { // what the app's origin adds was not known at accept; it can do without
		text, err = plaintext(p, m.DeliveryID, "")
	}
	if err != nil {
		return nil, &peal.Outcome{Class: peal.ClassPermanent, Code: codeContent, Reason: "the override cannot be merged"}
	}
	if len(text) > maxPlaintext {
		return nil, &peal.Outcome{Class: peal.ClassPermanent, Code: codeTooLarge, Reason: errTooLong.Error()}
	}
	return &parcel{
		device: d, url: u, origin: originOf(u), text: text, header: headers(p, m, auth, c.now()),
		seal: func() ([]byte, error) { return seal(text, point, auth) },
	}, nil
}

func headers(p *api.Push, m *provider.Message, auth []byte, now time.Time) http.Header {
	return http.Header{
		"TTL":              {ttl(p, m, now)}, // as the RFC writes it
		"Urgency":          {urgency(p, m.Priority)},
		"Topic":            {topic(p, m.DeliveryID, auth)},
		"Content-Encoding": {"aes128gcm"},
		"Content-Type":     {"application/octet-stream"},
		"User-Agent":       {"peal"},
	}
}

// Preview shows the call without its token, and the text before encryption. An endpoint is a secret: who has it can send.
func (c *client) Preview(m *provider.Message) (provider.Preview, error) {
	p, out := c.pack(m)
	if out != nil {
		return provider.Preview{}, &provider.Error{Class: out.Class, Code: out.Code, Err: errors.New(out.Reason)}
	}
	header := make(map[string]string, len(p.header))
	for name, values := range p.header {
		header[name] = strings.Join(values, ", ")
	}
	return provider.Preview{URL: p.origin + "/…", Header: header, Body: json.RawMessage(p.text)}, nil
}

// Send posts the message once.
func (c *client) Send(ctx context.Context, m *provider.Message) peal.Outcome {
	start := time.Now()
	out := c.post(ctx, m)
	out.Took = time.Since(start)
	return out
}

func (c *client) post(ctx context.Context, m *provider.Message) peal.Outcome {
	ctx, cancel := c.bound(ctx)
	defer cancel()
	if err := ctx.Err(); err != nil {
		return wire.Fault(ctx, err, false)
	}
	p, refused := c.pack(m)
	if refused != nil {
		return *refused
	}
	authorization, refused := c.origins.enter(ctx, p.origin)
	if refused != nil {
		return *refused
	}
	body, err := p.seal() // after the entry: it is what costs most, and those that have to wait would do it twice
	if err != nil {
		c.origins.leave(p.origin, untold, 0)
		return peal.Outcome{Class: peal.ClassPermanent, Code: codeContent, Reason: "it could not be encrypted"}
	}
	p.header["Authorization"] = []string{authorization}
	start := time.Now()
	r, err, maybeWritten := c.call(ctx, p, body)
	took := time.Since(start)
	if err != nil {
		out := c.fault(ctx, err, maybeWritten, p.device)
		c.origins.leave(p.origin, fateOf(ctx, &out), took)
		return out
	}
	out := c.judge(&r, p, m)
	fate := answered
	switch {
	case out.Class == peal.ClassAccepted:
		fate = welcome
	case r.status == http.StatusUnauthorized || r.status == http.StatusForbidden:
		fate = unwelcome
	}
	known := c.origins.leave(p.origin, fate, took)
	if fate == unwelcome {
		judgeUnwelcome(&out, known)
	}
	return out
}

// bound gives a call an end where the caller has set none.
func (c *client) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, c.timeout)
}

// reply is what came back.
type reply struct {
	status int
	header http.Header
	body   []byte // as much of it as is of interest
}

// call makes one call. The error is that of a call without an answer.
func (c *client) call(ctx context.Context, p *parcel, data []byte) (r reply, err error, maybeWritten bool) { //nolint:revive // the error goes with the reply
	up := &wire.Upload{Data: data}
	req := (&http.Request{
		Method: http.MethodPost, URL: p.url, Host: p.url.Host, Header: p.header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}).WithContext(ctx)
	up.Attach(req)
	transport := c.transport
	if p.url.Scheme == "http" {
		transport = c.plain
	}
	res, err := transport.RoundTrip(req)
	maybeWritten = up.Seal()
	if err != nil {
		return reply{}, err, maybeWritten
	}
	defer func() { _ = res.Body.Close() }() // read, or given up
	buf := c.buffers.Get().(*[]byte)        //nolint:forcetypeassert // nothing else is put there
	defer c.buffers.Put(buf)
	r = reply{status: res.StatusCode, header: res.Header}
	*buf, err = wire.ReadAll((*buf)[:0], res.Body, maxAnswer)
	if err == nil { // a body that is too long, or breaks off, says nothing; the status has said it all
		r.body = append(r.body, *buf...)
	}
	return r, nil, maybeWritten
}
