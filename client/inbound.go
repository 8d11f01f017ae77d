package client

import (
	"context"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"time"

	"peal/api"
)

// InboundQuery chooses messages that people wrote: every field that is set must match.
type InboundQuery struct {
	Integration string
	From        string // phone number, or WhatsApp user id
	DeliveryID  string // that they answer
	Type        string
	Since       time.Time // received then or later
	Until       time.Time // received before then
	Limit       int       // rows of a page, 1 to 500; 0 means 50
	Cursor      string    // where an earlier page ended
}

func (q InboundQuery) values() url.Values {
	v := url.Values{}
	put(v, "integration", q.Integration)
	put(v, "from", q.From)
	put(v, "delivery_id", q.DeliveryID)
	put(v, "type", q.Type)
	putRange(v, q.Since, q.Until, q.Limit, q.Cursor)
	return v
}

// InboundPage gets one page of the messages that people wrote, newest first.
func (c *Client) InboundPage(ctx context.Context, q InboundQuery) (*api.InboundPage, error) {
	return get[api.InboundPage](ctx, c, "/v1/inbound", q.values())
}

// Inbound walks the messages that people wrote from q.Cursor to their end, newest first, fetching page after page as they are
// needed. An error ends the walk.
func (c *Client) Inbound(ctx context.Context, q InboundQuery) iter.Seq2[api.InboundMessage, error] {
	return walkPages(q.Cursor, func(cursor string) ([]api.InboundMessage, string, error) {
		q := q
		q.Cursor = cursor
		p, err := c.InboundPage(ctx, q)
		if err != nil {
			return nil, "", err
		}
		return p.Messages, p.NextCursor, nil
	})
}

// walkPages is walk for any kind of rows.
func walkPages[T any](cursor string, page func(cursor string) ([]T, string, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for cursor := cursor; ; {
			rows, next, err := page(cursor)
			if err == nil && next != "" && next == cursor {
				err = errSameCursor
			}
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, row := range rows {
				if !yield(row, nil) {
					return
				}
			}
			if next == "" {
				return
			}
			cursor = next
		}
	}
}

// InboundMessage looks up one message that somebody wrote.
func (c *Client) InboundMessage(ctx context.Context, id string) (*api.InboundMessage, error) {
	path, err := item("/v1/inbound", id)
	if err != nil {
		return nil, err
	}
	return get[api.InboundMessage](ctx, c, path, nil)
}

// InboundMedia writes the file that somebody sent to w, and gives its type. Only ctx bounds it. What was written is worth
// something only when there is no error.
func (c *Client) InboundMedia(ctx context.Context, id string, w io.Writer) (mediaType string, err error) {
	path, err := item("/v1/inbound", id, "media")
	if err != nil {
		return "", err
	}
	op := "GET " + path
	req, err := c.request(ctx, call{method: http.MethodGet, path: path}, nil)
	if err != nil {
		return "", fmt.Errorf("%s: %w", op, err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return "", &unansweredError{err: err}
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	if resp.StatusCode != http.StatusOK {
		answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
		if err != nil {
			return "", &unansweredError{err: fmt.Errorf("%s: read the answer: %w", op, err)}
		}
		return "", &answerError{op: op, problem: problem(resp, answer), retryAfter: retryAfter(resp.Header)}
	}
	if _, err := io.Copy(w, resp.Body); err != nil {
		return "", fmt.Errorf("%s: the file was cut off: %w", op, err)
	}
	return resp.Header.Get("Content-Type"), nil
}
