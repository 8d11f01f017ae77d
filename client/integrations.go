package client

import (
	"context"
	"errors"
	"net/http"

	"peal/api"
)

const integrations = "/v1/integrations"

// CreateIntegration adds a tenant's account at a provider.
func (c *Client) CreateIntegration(ctx context.Context, req api.IntegrationRequest) (*api.Integration, error) {
	return send[api.Integration](ctx, c, call{method: http.MethodPost, path: integrations, body: req})
}

// Integrations lists the tenant's integrations.
func (c *Client) Integrations(ctx context.Context) (*api.IntegrationList, error) {
	return get[api.IntegrationList](ctx, c, integrations, nil)
}

// Integration looks up one integration by id or name.
func (c *Client) Integration(ctx context.Context, idOrName string) (*api.Integration, error) {
	path, err := item(integrations, idOrName)
	if err != nil {
		return nil, err
	}
	return get[api.Integration](ctx, c, path, nil)
}

// UpdateIntegration changes an integration; what patch leaves out stays.
func (c *Client) UpdateIntegration(ctx context.Context, idOrName string, patch api.IntegrationPatch) (*api.Integration, error) {
	path, err := item(integrations, idOrName)
	if err != nil {
		return nil, err
	}
	return send[api.Integration](ctx, c, call{method: http.MethodPatch, path: path, body: patch})
}

// Session asks for the state of an integration's WhatsApp session.
func (c *Client) Session(ctx context.Context, idOrName string) (*api.Session, error) {
	path, err := item("/v1/integrations", idOrName, "session")
	if err != nil {
		return nil, err
	}
	return get[api.Session](ctx, c, path, nil)
}

// ConnectSession has a session connect. Its QR is what a phone is to scan; empty when nothing is. It is a secret.
func (c *Client) ConnectSession(ctx context.Context, idOrName string) (*api.Session, error) {
	path, err := item("/v1/integrations", idOrName, "session", "connect")
	if err != nil {
		return nil, err
	}
	return send[api.Session](ctx, c, call{method: http.MethodPost, path: path})
}

// SessionQR gets what a phone is to scan now. It is a secret.
func (c *Client) SessionQR(ctx context.Context, idOrName string) (*api.Session, error) {
	path, err := item("/v1/integrations", idOrName, "session", "qr")
	if err != nil {
		return nil, err
	}
	return get[api.Session](ctx, c, path, nil)
}

// DeleteIntegration removes an integration.
func (c *Client) DeleteIntegration(ctx context.Context, idOrName string) error {
	path, err := item(integrations, idOrName)
	if err != nil {
		return err
	}
	return c.drop(ctx, path)
}

// TestIntegration sends a real message over the integration: to a phone number, or over push to a device.
func (c *Client) TestIntegration(ctx context.Context, idOrName string, req api.TestRequest) (*api.Accepted, error) {
	path, err := item(integrations, idOrName, "test")
	if err != nil {
		return nil, err
	}
	return send[api.Accepted](ctx, c, call{method: http.MethodPost, path: path, body: req})
}

// ValidateIntegration asks the provider whether it would take a push for a device, and show it to nobody.
func (c *Client) ValidateIntegration(ctx context.Context, idOrName string, req api.TestRequest) (*api.Validation, error) {
	path, err := item(integrations, idOrName, "test")
	if err != nil {
		return nil, err
	}
	req.ValidateOnly = true
	out, err := send[api.TestResult](ctx, c, call{method: http.MethodPost, path: path, body: req})
	if err != nil {
		return nil, err
	}
	if out.Validation == nil {
		return nil, errors.New("client: the server has not validated it")
	}
	return out.Validation, nil
}

// PauseIntegration stops an integration's sending until it is resumed; its deliveries wait.
func (c *Client) PauseIntegration(ctx context.Context, idOrName string) (*api.Integration, error) {
	return c.integrationAction(ctx, idOrName, "pause")
}

// ResumeIntegration lifts a pause, whatever its reason.
func (c *Client) ResumeIntegration(ctx context.Context, idOrName string) (*api.Integration, error) {
	return c.integrationAction(ctx, idOrName, "resume")
}

func (c *Client) integrationAction(ctx context.Context, idOrName, action string) (*api.Integration, error) {
	path, err := item(integrations, idOrName, action)
	if err != nil {
		return nil, err
	}
	return send[api.Integration](ctx, c, call{method: http.MethodPost, path: path})
}
