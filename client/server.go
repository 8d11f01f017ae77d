package client

import (
	"context"
	"encoding/json"
	"net/http"
)

// Healthy returns nil when the server's process answers.
func (c *Client) Healthy(ctx context.Context) error {
	_, _, err := c.raw(ctx, call{method: http.MethodGet, path: "/healthz"}, nil)
	return err
}

// Ready returns nil when the server takes work: nothing that it needs is down, and it is not stopping.
func (c *Client) Ready(ctx context.Context) error {
	_, _, err := c.raw(ctx, call{method: http.MethodGet, path: "/readyz"}, nil)
	return err
}

// OpenAPI gets the OpenAPI document of the server's API.
func (c *Client) OpenAPI(ctx context.Context) (json.RawMessage, error) {
	_, doc, err := c.raw(ctx, call{method: http.MethodGet, path: "/openapi.json"}, nil)
	return doc, err
}

// Metrics gets the server's metrics in Prometheus's text format; it needs the operator key unless the server
// has them open.
func (c *Client) Metrics(ctx context.Context) ([]byte, error) {
	_, text, err := c.raw(ctx, call{method: http.MethodGet, path: "/metrics"}, nil)
	return text, err
}
