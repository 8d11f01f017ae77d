package client

import (
	"context"
	"net/http"

	"peal/api"
)

// CreateTenant adds a tenant. It needs the operator key, as do the other methods about tenants.
func (c *Client) CreateTenant(ctx context.Context, req api.TenantRequest) (*api.Tenant, error) {
	return send[api.Tenant](ctx, c, call{method: http.MethodPost, path: "/v1/tenants", body: req})
}

// Tenants lists the tenants.
func (c *Client) Tenants(ctx context.Context) (*api.TenantList, error) {
	return get[api.TenantList](ctx, c, "/v1/tenants", nil)
}

// Tenant looks up one tenant.
func (c *Client) Tenant(ctx context.Context, id string) (*api.Tenant, error) {
	path, err := item("/v1/tenants", id)
	if err != nil {
		return nil, err
	}
	return get[api.Tenant](ctx, c, path, nil)
}

// UpdateTenant renames, disables or enables a tenant; what patch leaves out stays.
func (c *Client) UpdateTenant(ctx context.Context, id string, patch api.TenantPatch) (*api.Tenant, error) {
	path, err := item("/v1/tenants", id)
	if err != nil {
		return nil, err
	}
	return send[api.Tenant](ctx, c, call{method: http.MethodPatch, path: path, body: patch})
}

// CreateKey makes an API key; its Secret is never shown again.
func (c *Client) CreateKey(ctx context.Context, req api.KeyRequest) (*api.Key, error) {
	return send[api.Key](ctx, c, call{method: http.MethodPost, path: "/v1/keys", body: req})
}

// Keys lists the tenant's API keys, without their secrets.
func (c *Client) Keys(ctx context.Context) (*api.KeyList, error) {
	return get[api.KeyList](ctx, c, "/v1/keys", nil)
}

// RevokeKey makes an API key useless, at once and for good.
func (c *Client) RevokeKey(ctx context.Context, id string) error {
	path, err := item("/v1/keys", id)
	if err != nil {
		return err
	}
	return c.drop(ctx, path)
}
