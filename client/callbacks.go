package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"time"

	"peal/api"
)

// CallbackQuery chooses kept webhooks: every field that is set must match.
type CallbackQuery struct {
	Integration string
	State       string    // api.CallbackUnreadable, or empty
	Since       time.Time // kept then or later
	Until       time.Time // kept before then
	Limit       int       // of a page, 1 to 500; 0 means 50
	Cursor      string    // where an earlier page ended
}

const callbacks = "/v1/callbacks"

// CallbackPage gets one page of the kept webhooks, in the order that they came.
func (c *Client) CallbackPage(ctx context.Context, q CallbackQuery) (*api.CallbackPage, error) {
	v := url.Values{}
	put(v, "integration", q.Integration)
	put(v, "state", q.State)
	putRange(v, q.Since, q.Until, q.Limit, q.Cursor)
	return get[api.CallbackPage](ctx, c, callbacks, v)
}

// Callbacks walks the kept webhooks from q.Cursor to their end, fetching page after page as they are needed. An error ends
// the walk.
func (c *Client) Callbacks(ctx context.Context, q CallbackQuery) iter.Seq2[api.Callback, error] {
	return func(yield func(api.Callback, error) bool) {
		for {
			p, err := c.CallbackPage(ctx, q)
			if err == nil && p.NextCursor != "" && p.NextCursor == q.Cursor {
				err = errSameCursor
			}
			if err != nil {
				yield(api.Callback{}, err)
				return
			}
			for i := range p.Callbacks {
				if !yield(p.Callbacks[i], nil) {
					return
				}
			}
			if q.Cursor = p.NextCursor; q.Cursor == "" {
				return
			}
		}
	}
}

// Callback gets one kept webhook whole, and what it says.
func (c *Client) Callback(ctx context.Context, id string) (*api.Callback, error) {
	path, err := item(callbacks, id)
	if err != nil {
		return nil, err
	}
	return get[api.Callback](ctx, c, path, nil)
}

// ReplayCallbacks has kept webhooks run through the parser again. It returns at once; Replay tells how far that is.
func (c *Client) ReplayCallbacks(ctx context.Context, req api.ReplayRequest) (*api.Replay, error) {
	return send[api.Replay](ctx, c, call{method: http.MethodPost, path: callbacks + "/replay", body: req})
}

// Replay tells how far a replay is.
func (c *Client) Replay(ctx context.Context, id string) (*api.Replay, error) {
	path, err := item(callbacks+"/replays", id)
	if err != nil {
		return nil, err
	}
	return get[api.Replay](ctx, c, path, nil)
}

// Replays lists the last replays, the newest first.
func (c *Client) Replays(ctx context.Context) (*api.ReplayList, error) {
	return get[api.ReplayList](ctx, c, callbacks+"/replays", nil)
}
