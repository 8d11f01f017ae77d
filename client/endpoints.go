package client

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"peal/api"
)

const endpoints = "/v1/endpoints"

// CreateEndpoint has a URL told what happens. The answer alone has the secret.
func (c *Client) CreateEndpoint(ctx context.Context, req api.EndpointRequest) (*api.Endpoint, error) {
	return send[api.Endpoint](ctx, c, call{method: http.MethodPost, path: endpoints, body: req})
}

// Endpoints lists the tenant's endpoints.
func (c *Client) Endpoints(ctx context.Context) (*api.EndpointList, error) {
	return get[api.EndpointList](ctx, c, endpoints, nil)
}

// Endpoint looks up one endpoint by id or name.
func (c *Client) Endpoint(ctx context.Context, idOrName string) (*api.Endpoint, error) {
	path, err := item(endpoints, idOrName)
	if err != nil {
		return nil, err
	}
	return get[api.Endpoint](ctx, c, path, nil)
}

// UpdateEndpoint changes an endpoint; what patch leaves out stays.
func (c *Client) UpdateEndpoint(ctx context.Context, idOrName string, patch api.EndpointPatch) (*api.Endpoint, error) {
	path, err := item(endpoints, idOrName)
	if err != nil {
		return nil, err
	}
	return send[api.Endpoint](ctx, c, call{method: http.MethodPatch, path: path, body: patch})
}

// DeleteEndpoint forgets an endpoint, with what waits for it.
func (c *Client) DeleteEndpoint(ctx context.Context, idOrName string) error {
	path, err := item(endpoints, idOrName)
	if err != nil {
		return err
	}
	return c.drop(ctx, path)
}

// RotateEndpoint gives an endpoint another secret, which the answer alone has; the old one signs too for a while.
func (c *Client) RotateEndpoint(ctx context.Context, idOrName string, req api.RotateRequest) (*api.Endpoint, error) {
	return onEndpoint[api.Endpoint](ctx, c, idOrName, "rotate", req)
}

// EnableEndpoint has a disabled endpoint told again.
func (c *Client) EnableEndpoint(ctx context.Context, idOrName string, req api.EnableRequest) (*api.Endpoint, error) {
	return onEndpoint[api.Endpoint](ctx, c, idOrName, "enable", req)
}

// TestEndpoint tells an endpoint endpoint.test at once, and gives what came of it: that it failed is no error.
func (c *Client) TestEndpoint(ctx context.Context, idOrName string) (*api.EndpointAttempt, error) {
	return onEndpoint[api.EndpointAttempt](ctx, c, idOrName, "test", nil)
}

// ReplayEndpoint has an endpoint told again what happened.
func (c *Client) ReplayEndpoint(ctx context.Context, idOrName string, req api.EndpointReplayRequest) (*api.EndpointReplayResult, error) {
	return onEndpoint[api.EndpointReplayResult](ctx, c, idOrName, "replay", req)
}

func onEndpoint[T any](ctx context.Context, c *Client, idOrName, action string, body any) (*T, error) {
	path, err := item(endpoints, idOrName, action)
	if err != nil {
		return nil, err
	}
	return send[T](ctx, c, call{method: http.MethodPost, path: path, body: body})
}

// AttemptQuery chooses calls of an endpoint; the zero value all.
type AttemptQuery struct {
	EventID string
	Failed  bool // only failures
	Limit   int  // of a page; 0 for the server's default
	Cursor  string
}

// EndpointAttempts gives a page of an endpoint's calls, newest first.
func (c *Client) EndpointAttempts(ctx context.Context, idOrName string, q AttemptQuery) (*api.EndpointAttemptPage, error) {
	path, err := item(endpoints, idOrName, "attempts")
	if err != nil {
		return nil, err
	}
	query := url.Values{}
	put(query, "event_id", q.EventID)
	if q.Failed {
		put(query, "failed", "true")
	}
	putRange(query, time.Time{}, time.Time{}, q.Limit, q.Cursor)
	return get[api.EndpointAttemptPage](ctx, c, path, query)
}
