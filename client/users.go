package client

import (
	"context"
	"net/http"

	"peal/api"
)

// PutUser says all there is to know about a user; it makes the user when there is none.
func (c *Client) PutUser(ctx context.Context, id string, req api.UserRequest) (*api.User, error) {
	path, err := item("/v1/users", id)
	if err != nil {
		return nil, err
	}
	return send[api.User](ctx, c, call{method: http.MethodPut, path: path, body: req})
}

// User looks up one user.
func (c *Client) User(ctx context.Context, id string) (*api.User, error) {
	path, err := item("/v1/users", id)
	if err != nil {
		return nil, err
	}
	return get[api.User](ctx, c, path, nil)
}

// DeleteUser forgets a user and their devices.
func (c *Client) DeleteUser(ctx context.Context, id string) error {
	path, err := item("/v1/users", id)
	if err != nil {
		return err
	}
	return c.drop(ctx, path)
}

// PutDevice says all there is to know about an installation of an app, or a browser: it makes the device when there is none,
// and the user. The installation's id is the app's own.
func (c *Client) PutDevice(ctx context.Context, userID, installationID string, req api.DeviceRequest) (*api.Device, error) {
	path, err := device(userID, installationID)
	if err != nil {
		return nil, err
	}
	return send[api.Device](ctx, c, call{method: http.MethodPut, path: path, body: req})
}

// Devices lists a user's devices.
func (c *Client) Devices(ctx context.Context, userID string) (*api.DeviceList, error) {
	path, err := item("/v1/users", userID, "devices")
	if err != nil {
		return nil, err
	}
	return get[api.DeviceList](ctx, c, path, nil)
}

// DeleteDevice forgets a device, such as when its user logs out.
func (c *Client) DeleteDevice(ctx context.Context, userID, installationID string) error {
	path, err := device(userID, installationID)
	if err != nil {
		return err
	}
	return c.drop(ctx, path)
}

func device(userID, installationID string) (string, error) {
	devices, err := item("/v1/users", userID, "devices")
	if err != nil {
		return "", err
	}
	return item(devices, installationID)
}

// ClientConfig tells what an app has to know, such as the public keys that browsers subscribe with.
func (c *Client) ClientConfig(ctx context.Context) (*api.ClientConfig, error) {
	return get[api.ClientConfig](ctx, c, "/v1/client", nil)
}

// ReportReceipts tells what a client saw of its deliveries, up to 100 at once. Each has its own answer; to report the same
// twice changes nothing.
func (c *Client) ReportReceipts(ctx context.Context, receipts ...api.ClientReceipt) (*api.ReceiptsResponse, error) {
	return send[api.ReceiptsResponse](ctx, c, call{method: http.MethodPost, path: "/v1/receipts", body: api.ReceiptsRequest{Receipts: receipts}})
}

// CreateUserKey makes a key that signs user tokens; the secret of HS256 is never shown again.
func (c *Client) CreateUserKey(ctx context.Context, req api.UserKeyRequest) (*api.UserKey, error) {
	return send[api.UserKey](ctx, c, call{method: http.MethodPost, path: "/v1/user-keys", body: req})
}

// UserKeys lists the tenant's keys that sign user tokens, without their secrets.
func (c *Client) UserKeys(ctx context.Context) (*api.UserKeyList, error) {
	return get[api.UserKeyList](ctx, c, "/v1/user-keys", nil)
}

// RevokeUserKey makes a key useless, and every token that it signed.
func (c *Client) RevokeUserKey(ctx context.Context, id string) error {
	path, err := item("/v1/user-keys", id)
	if err != nil {
		return err
	}
	return c.drop(ctx, path)
}
