package load

import (
	"bufio"
	"context"
	"fmt"
	"net"

	"peal/bench/internal/http1"
)

// Once sends a request that does not change, and gives the status and the body of its answer.
func Once(ctx context.Context, addr string, r *Request) (status int, body []byte, err error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = c.Close() }() // the answer is read, or there is none
	defer context.AfterFunc(ctx, func() { interrupt([]*conn{{Conn: c}}) })()
	if _, err := c.Write(r.raw); err != nil {
		return 0, nil, fmt.Errorf("sending: %w", err)
	}
	var resp http1.Response
	if err := resp.Read(bufio.NewReader(c)); err != nil {
		return 0, nil, fmt.Errorf("reading an answer: %w", err)
	}
	return resp.Status, resp.Body, nil
}
