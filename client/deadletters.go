package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"time"

	"peal/api"
)

// DeadLetterQuery chooses dead letters: every field that is set must match.
type DeadLetterQuery struct {
	Integration string
	ErrorCode   string
	Since       time.Time // dead since then or later
	Until       time.Time // dead before then
	Limit       int       // rows of a page, 1 to 500; 0 means 50
	Cursor      string    // where an earlier page ended
}

func (q DeadLetterQuery) values() url.Values {
	v := url.Values{}
	put(v, "integration", q.Integration)
	put(v, "error_code", q.ErrorCode)
	putRange(v, q.Since, q.Until, q.Limit, q.Cursor)
	return v
}

const deadLetters = "/v1/dead-letters"

// DeadLetterPage gets one page of the dead letters, newest first.
func (c *Client) DeadLetterPage(ctx context.Context, q DeadLetterQuery) (*api.DeliveryPage, error) {
	return get[api.DeliveryPage](ctx, c, deadLetters, q.values())
}

// DeadLetters walks the dead letters from q.Cursor to their end, fetching page after page as they are needed.
// An error ends the walk.
func (c *Client) DeadLetters(ctx context.Context, q DeadLetterQuery) iter.Seq2[api.Delivery, error] {
	return walk(q.Cursor, func(cursor string) (*api.DeliveryPage, error) {
		q := q
		q.Cursor = cursor
		return c.DeadLetterPage(ctx, q)
	})
}

// DeadLetterGroups counts the dead letters by integration and error code.
func (c *Client) DeadLetterGroups(ctx context.Context) (*api.DeadLetterGroups, error) {
	return get[api.DeadLetterGroups](ctx, c, deadLetters+"/groups", nil)
}

// DeadLetter looks up one dead letter with its timeline.
func (c *Client) DeadLetter(ctx context.Context, id string) (*api.Delivery, error) {
	path, err := item(deadLetters, id)
	if err != nil {
		return nil, err
	}
	return get[api.Delivery](ctx, c, path, nil)
}

// RedriveDeadLetter sends one dead letter again; it keeps its id and history.
func (c *Client) RedriveDeadLetter(ctx context.Context, id string) (*api.Delivery, error) {
	return c.deadLetterAction(ctx, id, "redrive")
}

// DiscardDeadLetter lays one dead letter to rest.
func (c *Client) DiscardDeadLetter(ctx context.Context, id string) (*api.Delivery, error) {
	return c.deadLetterAction(ctx, id, "discard")
}

func (c *Client) deadLetterAction(ctx context.Context, id, action string) (*api.Delivery, error) {
	path, err := item(deadLetters, id, action)
	if err != nil {
		return nil, err
	}
	return send[api.Delivery](ctx, c, call{method: http.MethodPost, path: path})
}

// RedriveDeadLetters sends many dead letters again. Call it until Remaining is 0.
func (c *Client) RedriveDeadLetters(ctx context.Context, req api.RedriveRequest) (*api.DeadLetterResult, error) {
	return send[api.DeadLetterResult](ctx, c, call{method: http.MethodPost, path: deadLetters + "/redrive", body: req})
}

// DiscardDeadLetters lays many dead letters to rest. Call it until Remaining is 0.
func (c *Client) DiscardDeadLetters(ctx context.Context, req api.DiscardRequest) (*api.DeadLetterResult, error) {
	return send[api.DeadLetterResult](ctx, c, call{method: http.MethodPost, path: deadLetters + "/discard", body: req})
}
