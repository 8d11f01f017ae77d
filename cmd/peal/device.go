package main

import (
	"context"
	"encoding/json"
	"os"

	"peal/api"
)

// DeviceCmd is `peal device`.
type DeviceCmd struct {
	List   DeviceListCmd   `cmd:"" help:"List a user's devices."`
	Put    DevicePutCmd    `cmd:"" help:"Say all there is to know about a device; makes it, and its user, when there is none."`
	Delete DeviceDeleteCmd `cmd:"" help:"Forget a device."`

	Conn `embed:"" group:"conn"`
}

// Help gives an example.
func (DeviceCmd) Help() string { return "Example:\n\n  peal device list raju" }

// DeviceListCmd is `peal device list`.
type DeviceListCmd struct {
	User string `arg:"" help:"Your own id of the user."`
}

// Help gives an example.
func (DeviceListCmd) Help() string { return DeviceCmd{}.Help() }

// Run lists devices.
func (c *DeviceListCmd) Run(ctx context.Context, t *term, parent *DeviceCmd) error {
	cl, err := parent.client()
	if err != nil {
		return err
	}
	list, err := cl.Devices(ctx, c.User)
	if err != nil {
		return err
	}
	if parent.JSON {
		return t.json(list)
	}
	rows := make([][]string, len(list.Devices))
	for i := range list.Devices {
		d := &list.Devices[i]
		rows[i] = []string{d.ID, d.Kind, d.Platform, d.AppID, d.AddressHint, stateOf(d), d.Permission, t.shortTime(d.LastSeenAt)}
	}
	return t.table([]string{"ID", "KIND", "PLATFORM", "APP", "ADDRESS", "STATE", "PERMISSION", "SEEN"}, rows)
}

func stateOf(d *api.Device) string {
	if d.RetiredReason != "" {
		return d.State + " (" + d.RetiredReason + ")"
	}
	return d.State
}

// DevicePutCmd is `peal device put`.
type DevicePutCmd struct {
	User string `arg:"" help:"Your own id of the user."`
	ID   string `arg:"" help:"Id of the installation, which the app makes."`

	Kind         string `name:"kind" required:"" enum:"fcm_token,fcm_fid,apns,webpush,unifiedpush" placeholder:"KIND" help:"How it is reached: fcm_token, fcm_fid, apns, webpush or unifiedpush."`
	Token        string `name:"token" placeholder:"TOKEN" help:"What FCM or APNs calls the device."`
	Subscription string `name:"subscription" placeholder:"FILE" help:"File with the subscription of a browser or a UnifiedPush distributor, as JSON."`
	Environment  string `name:"environment" placeholder:"NAME" help:"Where an APNs token is good: production or sandbox. Default: production."`
	AppID        string `name:"app-id" placeholder:"ID" help:"The app: its bundle id, package name or origin."`
	Platform     string `name:"platform" placeholder:"NAME" help:"android, ios, macos, web, windows, linux or other. Default: by the kind."`
	Locale       string `name:"locale" placeholder:"TAG" help:"Its language, such as en-IN."`
	TimeZone     string `name:"time-zone" placeholder:"ZONE" help:"Its time zone, such as Asia/Kolkata."`
	AppVersion   string `name:"app-version" placeholder:"VERSION" help:"Version of the app."`
	Permission   string `name:"permission" placeholder:"NAME" help:"Whether it may show notifications: granted, denied, provisional or not_determined. Default: granted."`
}

// Help gives an example.
func (DevicePutCmd) Help() string {
	return "Example:\n\n  peal device put raju phone-1 --kind fcm_token --token TOKEN --app-id com.example.shop"
}

// Run writes a device.
func (c *DevicePutCmd) Run(ctx context.Context, t *term, parent *DeviceCmd) error {
	req := api.DeviceRequest{
		Kind: c.Kind, Token: c.Token, Environment: c.Environment, AppID: c.AppID, Platform: c.Platform, Locale: c.Locale,
		TimeZone: c.TimeZone, AppVersion: c.AppVersion, Permission: c.Permission,
	}
	if c.Subscription != "" {
		text, err := os.ReadFile(c.Subscription)
		if err != nil {
			return usagef("--subscription: %w", err)
		}
		if err := json.Unmarshal(text, &req.Subscription); err != nil || req.Subscription == nil {
			return usagef("--subscription %s: it is not the JSON of a subscription, with endpoint and keys", c.Subscription)
		}
	}
	cl, err := parent.client()
	if err != nil {
		return err
	}
	d, err := cl.PutDevice(ctx, c.User, c.ID, req)
	if err != nil {
		return err
	}
	if parent.JSON {
		return t.json(d)
	}
	return t.facts("id", d.ID, "user", d.UserID, "kind", d.Kind, "address", d.AddressHint, "environment", d.Environment, "app", d.AppID,
		"platform", d.Platform, "locale", d.Locale, "time zone", d.TimeZone, "app version", d.AppVersion, "permission", d.Permission,
		"state", stateOf(d), "registered", longTime(&d.RegisteredAt))
}

// DeviceDeleteCmd is `peal device delete`.
type DeviceDeleteCmd struct {
	User string `arg:"" help:"Your own id of the user."`
	ID   string `arg:"" help:"Id of the installation."`
}

// Help gives an example.
func (DeviceDeleteCmd) Help() string { return "Example:\n\n  peal device delete raju phone-1" }

// Run forgets a device.
func (c *DeviceDeleteCmd) Run(ctx context.Context, t *term, parent *DeviceCmd) error {
	cl, err := parent.client()
	if err != nil {
		return err
	}
	if err := cl.DeleteDevice(ctx, c.User, c.ID); err != nil {
		return err
	}
	return t.did(parent.JSON, "deleted", c.ID)
}
