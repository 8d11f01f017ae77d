package whatsappcloud

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"time"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/provider"
	"peal/internal/provider/wire"
)

const (
	maxAnswer   = 64 << 10 // what is read of an answer; none of the documented ones comes near
	callTimeout = 15 * time.Second
	authHeader  = "Authorization"
)

// client speaks for one number.
type client struct {
	transport http.RoundTripper // used bare: a RoundTripper follows no redirect and repeats no POST that was sent
	own       *http.Transport   // the same, if nobody shares it
	base      *url.URL
	set       api.WhatsAppCloud
	send      *http.Request // as POST /messages begins; copied for each call
	header    http.Header   // of GETs; shared by all calls, which a RoundTripper does not change
	timeout   time.Duration
	scrub     wire.Scrubber
	buffers   sync.Pool // of *[]byte
}

var (
	_ provider.Client    = (*client)(nil)
	_ provider.Previewer = (*client)(nil)
	_ provider.Grouper   = (*client)(nil)
)

func newClient(in *peal.Integration, base *url.URL, set api.WhatsAppCloud, transport http.RoundTripper, own *http.Transport) *client {
	c := &client{
		transport: transport, own: own, base: base, set: set,
		timeout: cmp.Or(in.Timeout, callTimeout),
		scrub:   wire.NewScrubber(in.Credentials),
		header:  http.Header{"Accept": {"application/json"}, "User-Agent": {"peal"}},
	}
	if name := http.CanonicalHeaderKey(set.AuthHeader); name == "" || name == authHeader {
		c.header.Set(authHeader, "Bearer "+in.Credentials[accessToken])
	} else {
		c.header.Set(name, in.Credentials[accessToken])
	}
	c.buffers.New = func() any { b := make([]byte, 0, 4096); return &b }
	path := set.MessagesPath
	if path == "" {
		path = c.path("/messages")
	}
	c.send = c.request(http.MethodPost, path, nil)
	c.send.Header = c.header.Clone()
	c.send.Header.Set("Content-Type", "application/json")
	return c
}

// path is one of the number's at Meta.
func (c *client) path(edge string) string {
	return "/" + c.set.GraphVersion + "/" + c.set.PhoneNumberID + edge
}

// request is an http.NewRequest that parses nothing.
func (c *client) request(method, path string, query url.Values) *http.Request {
	u := *c.base
	u.Path += path
	u.RawQuery = query.Encode()
	return &http.Request{
		Method: method, URL: &u, Host: u.Host, Header: c.header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
}

// Close lets go of idle connections, unless they are everybody's.
func (c *client) Close() {
	if c.own != nil {
		c.own.CloseIdleConnections()
	}
}

// Send posts the message once.
func (c *client) Send(ctx context.Context, m *provider.Message) peal.Outcome {
	start := time.Now()
	out := c.post(ctx, m)
	out.Took = time.Since(start)
	return out
}

// Preview shows the call that Send would make.
func (c *client) Preview(m *provider.Message) (provider.Preview, error) {
	return provider.Preview{
		URL: c.send.URL.String(), Header: map[string]string{"Content-Type": c.send.Header.Get("Content-Type")}, Body: payload(m),
	}, nil
}

func (c *client) post(ctx context.Context, m *provider.Message) peal.Outcome {
	ctx, cancel := c.bound(ctx)
	defer cancel()
	if err := ctx.Err(); err != nil {
		return wire.Fault(ctx, err, false)
	}
	up := &wire.Upload{Data: payload(m)}
	req := c.send.WithContext(ctx)
	up.Attach(req)

	var a answer
	r, err := c.call(req, &a)
	maybeWritten := up.Seal()
	if err != nil {
		return wire.Fault(ctx, err, maybeWritten)
	}
	return spared(c.judge(ctx, &r, &a), m)
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
	broken error // the body could not be read to its end, or is not the JSON that was asked for
}

// errNotJSON says that a body is not what the provider answers.
var errNotJSON = errors.New("whatsappcloud: the answer is not the JSON object that the provider documents")

// call makes one call and decodes the answer's body, reading it to its end so that the connection is used again. The
// error is that of a call without an answer.
func (c *client) call(req *http.Request, into any) (reply, error) {
	res, err := c.transport.RoundTrip(req)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = res.Body.Close() }() // read, or given up
	buf := c.buffers.Get().(*[]byte)        //nolint:forcetypeassert // nothing else is put there
	defer c.buffers.Put(buf)
	r := reply{status: res.StatusCode, header: res.Header}
	*buf, r.broken = wire.ReadAll((*buf)[:0], res.Body, maxAnswer)
	switch {
	case errors.Is(r.broken, wire.ErrTooLong):
		r.broken = errNotJSON
	case r.broken == nil && !decode(*buf, into):
		r.broken = errNotJSON
	}
	return r, nil
}

// decode reads a JSON object. A field of another type than expected stays empty and is no error.
func decode(b []byte, into any) bool {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t' || b[0] == '\r' || b[0] == '\n') {
		b = b[1:]
	}
	if len(b) == 0 || b[0] != '{' {
		return false
	}
	err := json.Unmarshal(b, into)
	_, odd := err.(*json.UnmarshalTypeError) //nolint:errorlint // json gives it bare
	return err == nil || odd                 // what comes after a field of the wrong type was decoded all the same
}
