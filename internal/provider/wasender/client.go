package wasender

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"sync"
	"time"

	"peal/internal/peal"
	"peal/internal/provider"
	"peal/internal/provider/wire"
)

const (
	maxAnswer   = 64 << 10 // what is read of an answer; none of the documented ones comes near
	maxLogPage  = 4 << 20  // of a page of the message log
	askTimeout  = 5 * time.Second
	callTimeout = 15 * time.Second // where neither the caller nor the integration sets one
)

// client speaks to one session.
type client struct {
	transport http.RoundTripper // used bare: a RoundTripper follows no redirect and repeats no POST that was sent
	base      *url.URL
	send      *http.Request // as POST /send-message begins; copied for each call
	header    http.Header   // of GETs; shared by all calls, which a RoundTripper does not change
	account   http.Header   // of GETs that need the account's token; nil without one
	session   string        // the session's id there
	timeout   time.Duration
	scrub     wire.Scrubber
	buffers   sync.Pool // of *[]byte
}

var (
	_ provider.Client    = (*client)(nil)
	_ provider.Previewer = (*client)(nil)
)

func newClient(in *peal.Integration, base *url.URL, transport http.RoundTripper) *client {
	c := &client{
		transport: transport,
		base:      base,
		timeout:   cmp.Or(in.Timeout, callTimeout),
		scrub:     wire.NewScrubber(secretsOf(in)),
		header: http.Header{
			"Authorization": {"Bearer " + in.Credentials[apiKey]},
			"Accept":        {"application/json"},
			"User-Agent":    {"peal"},
		},
	}
	if token := in.Credentials[accountToken]; token != "" {
		c.account, c.session = c.header.Clone(), in.Credentials[sessionID]
		c.account["Authorization"] = []string{"Bearer " + token}
	}
	c.buffers.New = func() any { b := make([]byte, 0, 4096); return &b }
	c.send = c.request(http.MethodPost, "/send-message")
	c.send.Header = c.header.Clone()
	c.send.Header["Content-Type"] = []string{"application/json"}
	return c
}

// secretsOf are the credentials that must not be seen; a session's id is none, and too short to be looked for.
func secretsOf(in *peal.Integration) map[string]string {
	secrets := maps.Clone(in.Credentials)
	delete(secrets, sessionID)
	return secrets
}

// request is an http.NewRequest that parses nothing.
func (c *client) request(method, path string) *http.Request {
	u := *c.base
	u.Path += path
	return &http.Request{
		Method: method, URL: &u, Host: u.Host, Header: c.header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
}

// Close has nothing to do: idle connections are the shared transport's, and it lets go of them within seconds.
func (c *client) Close() {}

// Send posts the message once. Where the provider refuses it without saying why, it also asks for the session's state.
func (c *client) Send(ctx context.Context, m *provider.Message) peal.Outcome {
	start := time.Now()
	out := c.post(ctx, m)
	out.Took = time.Since(start)
	return out
}

// Preview shows the call that Send would make.
func (c *client) Preview(m *provider.Message) (provider.Preview, error) {
	return provider.Preview{
		URL: c.send.URL.String(), Header: map[string]string{"Content-Type": c.send.Header.Get("Content-Type")},
		Body: appendPayload(make([]byte, 0, sizeHint(m)), m),
	}, nil
}

func (c *client) post(ctx context.Context, m *provider.Message) peal.Outcome {
	ctx, cancel := c.bound(ctx)
	defer cancel()
	if err := ctx.Err(); err != nil {
		return wire.Fault(ctx, err, false)
	}
	up := &wire.Upload{Data: appendPayload(make([]byte, 0, sizeHint(m)), m)}
	req := c.send.WithContext(ctx)
	up.Attach(req)

	var a answer
	r, err := c.call(req, &a)
	maybeWritten := up.Seal()
	if err != nil {
		return wire.Fault(ctx, err, maybeWritten)
	}
	return c.judge(ctx, &r, &a)
}

// bound gives a call an end where the caller has set none.
func (c *client) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, c.timeout)
}

// sizeHint is about as long as the payload will be.
func sizeHint(m *provider.Message) int {
	n := 128
	if m.Content.Text != nil {
		n += len(*m.Content.Text) + len(*m.Content.Text)/16
	} else {
		n += 512
	}
	return n
}

// reply is what came back.
type reply struct {
	status int
	header http.Header
	broken error // the body could not be read to its end, or is not the JSON that was asked for
}

// errNotJSON says that a body is not what the provider answers.
var errNotJSON = errors.New("wasender: the answer is not the JSON object that the provider documents")

// call makes one call and decodes the answer's body, reading it to its end so that the connection is used again. The
// error is that of a call without an answer.
func (c *client) call(req *http.Request, into any) (reply, error) {
	return c.callFor(req, maxAnswer, into)
}

// callFor is call for an answer of another length.
func (c *client) callFor(req *http.Request, most int, into any) (reply, error) {
	res, err := c.transport.RoundTrip(req)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = res.Body.Close() }() // read, or given up
	buf := c.buffers.Get().(*[]byte)        //nolint:forcetypeassert // nothing else is put there
	defer c.buffers.Put(buf)
	r := reply{status: res.StatusCode, header: res.Header}
	*buf, r.broken = wire.ReadAll((*buf)[:0], res.Body, most)
	switch {
	case errors.Is(r.broken, wire.ErrTooLong):
		r.broken = errNotJSON
	case r.broken == nil:
		r.broken = decode(*buf, into)
	}
	if cap(*buf) > maxAnswer {
		*buf = make([]byte, 0, 4096) // a page of the log is rare, and its place not to be kept
	}
	return r, nil
}

// decode reads a JSON object. A field of another type than expected stays empty and is no error.
func decode(b []byte, into any) error {
	if !isObject(b) {
		return errNotJSON
	}
	err := json.Unmarshal(b, into)
	if _, ok := err.(*json.UnmarshalTypeError); ok || err == nil { //nolint:errorlint // json gives it bare
		return nil // what comes after a field of the wrong type was decoded all the same
	}
	return errNotJSON
}
