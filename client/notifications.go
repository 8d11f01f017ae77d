package client

import (
	"context"
	"net/http"
	"net/url"
	"slices"

	"peal/api"
)

// Sent is the answer to an accepted notification.
type Sent struct {
	api.Accepted
	// Replayed says that an earlier request with the same idempotency key was answered so.
	Replayed bool `json:"-"`
}

// Send accepts one notification: when it returns, the notification is on disk. req.IdempotencyKey goes into the
// Idempotency-Key header.
func (c *Client) Send(ctx context.Context, req api.NotificationRequest) (*Sent, error) {
	key := c.keyFor(&req)
	req.IdempotencyKey = ""
	sent := &Sent{}
	header, err := c.retry(ctx, call{method: http.MethodPost, path: "/v1/notifications", body: req, idempotencyKey: key}, &sent.Accepted)
	if err != nil {
		return nil, err
	}
	sent.Replayed = header.Get("Idempotent-Replayed") == "true"
	return sent, nil
}

// DryRun tells what a notification would become, and what each provider would be sent. Nothing is sent, nothing is written,
// and no idempotency key is used.
func (c *Client) DryRun(ctx context.Context, req api.NotificationRequest) (*api.DryRun, error) {
	req.IdempotencyKey = ""
	return send[api.DryRun](ctx, c, call{
		method: http.MethodPost, path: "/v1/notifications", query: url.Values{"dry_run": {"true"}}, body: req,
	})
}

// SendBatch accepts 1 to 1,000 notifications, each answered by itself: look at every result. Items that are
// refused with 503 are not tried again.
func (c *Client) SendBatch(ctx context.Context, reqs []api.NotificationRequest) (*api.BatchResponse, error) {
	reqs = slices.Clone(reqs)
	for i := range reqs {
		reqs[i].IdempotencyKey = c.keyFor(&reqs[i])
	}
	out := &api.BatchResponse{}
	body := api.BatchRequest{Notifications: reqs}
	if _, err := c.retry(ctx, call{method: http.MethodPost, path: "/v1/notifications/batch", body: body}, out); err != nil {
		return nil, err
	}
	return out, nil
}

// Notification looks up one notification.
func (c *Client) Notification(ctx context.Context, id string) (*api.Notification, error) {
	path, err := item("/v1/notifications", id)
	if err != nil {
		return nil, err
	}
	return get[api.Notification](ctx, c, path, nil)
}

// CancelNotification cancels a notification that has not been sent.
func (c *Client) CancelNotification(ctx context.Context, id string) (*api.Notification, error) {
	path, err := item("/v1/notifications", id, "cancel")
	if err != nil {
		return nil, err
	}
	return send[api.Notification](ctx, c, call{method: http.MethodPost, path: path})
}
