package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"peal/api"
	"peal/emulator/apns"
	"peal/emulator/fcm"
	"peal/emulator/phones"
)

// The installations that the demo user has, in the order of the page.
const (
	demoAndroid = "android"
	demoIPhone  = "iphone"
	demoBrowser = "browser"
)

// register switches the user's devices on and has their apps register, as apps do at every start. The phones have the
// tokens of the run before; the browser subscribes anew, which supersedes its old subscription.
func (d *demo) register(ctx context.Context, web *api.Integration) error {
	e, s := d.emulators, d.secrets
	phone, err := e.fcm.Register(fcm.Device{Token: s.FCMToken, Project: demoProject, App: demoApp})
	if err != nil {
		return err
	}
	if s.FCMToken = phone.Token; s.APNsToken == "" {
		s.APNsToken = randomHex(32)
	}
	if err := s.write(); err != nil {
		return err
	}
	if err := e.apns.Register(apns.Device{Token: s.APNsToken, Bundle: demoApp}); err != nil {
		return err
	}
	subscription, err := d.subscribe(ctx, web)
	if err != nil {
		return err
	}
	app, err := d.app(demoUser)
	if err != nil {
		return err
	}
	for _, x := range []struct {
		id, name, platform, address string
		req                         api.DeviceRequest
	}{
		{demoAndroid, "Raju's Android phone", "android", s.FCMToken, api.DeviceRequest{Kind: "fcm_token", Token: s.FCMToken, AppID: demoApp}},
		{demoIPhone, "Raju's iPhone", "ios", s.APNsToken, api.DeviceRequest{Kind: "apns", Token: s.APNsToken, AppID: demoApp}},
		{demoBrowser, "Raju's browser", "web", subscription.Endpoint, api.DeviceRequest{Kind: "webpush", Subscription: subscription, AppID: demoShop}},
	} {
		x.req.Platform, x.req.Locale, x.req.Permission = x.platform, "en-IN", "granted"
		if err := e.wall.add(x.address, phones.Phone{ID: x.id, Name: x.name, Platform: x.platform}); err != nil {
			return err
		}
		if _, err := app.PutDevice(ctx, demoUser, x.id, x.req); err != nil {
			return fmt.Errorf("%s: %w", x.id, err)
		}
	}
	return nil
}

// subscribe is the browser that subscribes with the public key of the integration, as its page does.
func (d *demo) subscribe(ctx context.Context, web *api.Integration) (*api.PushSubscription, error) {
	page, err := d.app(demoUser)
	if err != nil {
		return nil, err
	}
	told, err := page.ClientConfig(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range told.WebPush {
		if c.IntegrationID != web.ID {
			continue
		}
		sub, err := d.emulators.webpush.Subscribe(c.PublicKey)
		if err != nil {
			return nil, err
		}
		return &api.PushSubscription{Endpoint: sub.Endpoint, Keys: api.PushSubscriptionKeys{P256dh: sub.Keys.P256dh, Auth: sub.Keys.Auth}}, nil
	}
	return nil, errors.New("GET /v1/client tells no key for browsers")
}

// report tells Peal what became of deliveries, with a token of each one's user. An app knows who its user is; here the log
// tells, so that phones that somebody has registered by hand can report, too. What a person did is printed.
func (d *demo) report(ctx context.Context, phone string, receipts ...api.ClientReceipt) error {
	var failed []error
	byUser := map[string][]api.ClientReceipt{}
	for _, r := range receipts {
		dl, err := d.client.Delivery(ctx, r.DeliveryID)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		byUser[dl.UserID] = append(byUser[dl.UserID], r)
	}
	for user, list := range byUser {
		failed = append(failed, d.reportAs(ctx, user, phone, list))
	}
	return errors.Join(failed...)
}

func (d *demo) reportAs(ctx context.Context, user, phone string, list []api.ClientReceipt) error {
	app, err := d.app(user)
	if err != nil {
		return err
	}
	answer, err := app.ReportReceipts(ctx, list...)
	if err != nil {
		return err
	}
	for i, r := range answer.Results {
		if r.Error != nil {
			err = errors.Join(err, r.Error)
		} else if phone != "" {
			d.acted(phone, list[i], r.Status)
		}
	}
	return err
}

// acted prints what a person did with a push.
func (d *demo) acted(phone string, r api.ClientReceipt, status string) {
	did := map[string]string{"opened": "it was opened", "dismissed": "it was swiped away", "action": fmt.Sprintf("the button %q was tapped", r.Action)}
	d.say("  %s  ✓✓ %-9s  %s: %s\n", time.Now().Local().Format("15:04:05.000"), status, phone, did[r.Type])
}
