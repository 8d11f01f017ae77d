package httpapi

import (
	"cmp"
	"context"
	"net/http"
	"net/url"

	"github.com/danielgtaylor/huma/v2"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/provider"
)

// publicKey is what a kind of provider calls the key that browsers subscribe with.
const publicKey = "vapid_public_key"

// byUsers says of an operation that a user token may ask for it, too.
func byUsers(o huma.Operation) huma.Operation {
	o.Security = []map[string][]string{{"user": {}}, {"key": {}}}
	return o
}

func (s *Server) devices() {
	const tag, one = "Devices", "/v1/users/{id}/devices/{installation_id}"
	put := byUsers(op("put-device", http.MethodPut, one, tag, "State the full truth about an installation of an app, or a browser"))
	put.Description = "201 when it is new, else 200. Its user is made if there is no such user. It is active from now on, whatever it was; another " +
		"installation with the same address is no more. A user has at most 20 devices: the stalest gives way."
	huma.Register(s.api, put, s.putDevice)
	huma.Register(s.api, byUsers(op("list-devices", http.MethodGet, "/v1/users/{id}/devices", tag, "List a user's devices")), s.listDevices)
	remove := byUsers(op("delete-device", http.MethodDelete, one, tag, "Forget a device, such as when its user logs out"))
	remove.DefaultStatus = http.StatusNoContent
	huma.Register(s.api, remove, s.deleteDevice)
	huma.Register(s.api, byUsers(op("get-client-config", http.MethodGet, "/v1/client", tag, "Tell an app what it has to know")), s.clientConfig)
}

type (
	putDeviceInput struct {
		ID             string `path:"id" maxLength:"128"`
		InstallationID string `path:"installation_id" maxLength:"128"`
		Body           api.DeviceRequest
	}
	deviceInput struct {
		ID             string `path:"id" maxLength:"128"`
		InstallationID string `path:"installation_id" maxLength:"128"`
	}
	deviceOutput struct {
		Status int
		Body   api.Device
	}
	devicesOutput      struct{ Body api.DeviceList }
	clientConfigOutput struct{ Body api.ClientConfig }
)

// forUser is the tenant of a request about a user's devices. A user token is for its own user's.
func (s *Server) forUser(ctx context.Context, id, scope string) (tenantID string, err error) {
	tenantID, userID, err := s.client(ctx, scope)
	if err == nil && userID != "" && userID != id {
		return "", s.fail(ctx, newProblem(api.CodeForbidden, "the user token is for the devices of its own user, who is its sub"))
	}
	return tenantID, err
}

func (s *Server) putDevice(ctx context.Context, in *putDeviceInput) (*deviceOutput, error) {
	tenantID, err := s.forUser(ctx, in.ID, api.ScopeDevices)
	if err != nil {
		return nil, err
	}
	d, f := deviceIn(tenantID, in.ID, in.InstallationID, &in.Body, s.pushKind(peal.DeviceKind(in.Body.Kind)))
	if f != nil {
		return nil, s.fail(ctx, newProblem(api.CodeInvalidRequest, "", f...))
	}
	put, err := s.cfg.Devices.PutDevice(ctx, d)
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	out := &deviceOutput{Status: http.StatusOK, Body: deviceOf(&put)}
	if put.CreatedAt.Equal(put.RegisteredAt) {
		out.Status = http.StatusCreated
	}
	return out, nil
}

func (s *Server) listDevices(ctx context.Context, in *idInput) (*devicesOutput, error) {
	tenantID, err := s.forUser(ctx, in.ID, api.ScopeRead)
	if err != nil {
		return nil, err
	}
	all, err := s.cfg.Devices.UserDevices(ctx, tenantID, in.ID)
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	out := &devicesOutput{api.DeviceList{Devices: make([]api.Device, len(all))}}
	for i := range all {
		out.Body.Devices[i] = deviceOf(&all[i])
	}
	return out, nil
}

func (s *Server) deleteDevice(ctx context.Context, in *deviceInput) (*struct{}, error) {
	tenantID, err := s.forUser(ctx, in.ID, api.ScopeDevices)
	if err == nil {
		if err = s.cfg.Devices.DeleteDevice(ctx, tenantID, in.ID, in.InstallationID); err != nil {
			err = s.fail(ctx, err)
		}
	}
	return nil, err
}

// clientConfig tells the public keys of the tenant's integrations: what browsers subscribe with.
func (s *Server) clientConfig(ctx context.Context, _ *struct{}) (*clientConfigOutput, error) {
	tenantID, userID, err := s.client(ctx, api.ScopeDevices)
	if err != nil {
		return nil, err
	}
	out := &clientConfigOutput{api.ClientConfig{UserID: userID, WebPush: []api.WebPushConfig{}}}
	for _, in := range s.cfg.Integrations.OfTenant(tenantID) {
		kind, ok := s.cfg.Integrations.Kind(in.Kind)
		if !ok || !serves(kind, peal.DeviceWebPush) {
			continue
		}
		if p, ok := kind.(provider.Publisher); ok {
			if key := p.Public(in)[publicKey]; key != "" {
				out.Body.WebPush = append(out.Body.WebPush, api.WebPushConfig{IntegrationID: in.ID, Apps: in.Apps, PublicKey: key})
			}
		}
	}
	return out, nil
}

func deviceOf(d *peal.Device) api.Device {
	return api.Device{
		ID: d.ID, UserID: d.UserID, Kind: string(d.Kind), AddressHint: hint(d), Environment: d.Environment, AppID: d.AppID,
		Platform: cmp.Or(d.Platform, "other"), Locale: d.Locale, TimeZone: d.TimeZone, AppVersion: d.AppVersion,
		Permission: string(d.Permission), State: string(d.State), RetiredReason: d.RetiredReason, RetiredAt: optional(d.RetiredAt),
		CreatedAt: d.CreatedAt.UTC(), RegisteredAt: d.RegisteredAt.UTC(), LastSeenAt: d.LastSeenAt.UTC(), LastOKAt: optional(d.LastOKAt),
	}
}

// hintSize is how much of a token may be shown.
const hintSize = 6

// hint tells as much of an address as is needed to know it again.
func hint(d *peal.Device) string {
	if d.Subscription() {
		if u, err := url.Parse(d.Address); err == nil {
			return u.Host
		}
	}
	if len(d.Address) <= 2*hintSize {
		return "…"
	}
	return "…" + d.Address[len(d.Address)-hintSize:]
}
