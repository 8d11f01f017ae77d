package app

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"peal/api"
	"peal/client"
	"peal/emulator/wasender"
	"peal/emulator/whatsappcloud"
	"peal/internal/usertoken"
)

// The demonstration's names and numbers.
const (
	demoTenant   = "demo"
	demoUser     = "raju"
	demoPhone    = "+919812345678"
	demoText     = "Hello Raju, your order is on its way."
	demoPatience = 30 * time.Second
)

// demo shows notifications' lives.
type demo struct {
	url       string
	secrets   *devSecrets
	emulators *emulators
	client    *client.Client // with the tenant's key

	mu  sync.Mutex // of out
	out io.Writer
}

func (d *demo) say(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, _ = fmt.Fprintf(d.out, format, args...) // a terminal that is gone is nobody's error
}

// prepare makes the demo tenant, its keys, its integrations, its user and their devices through the API, as an operator, a
// backend and apps would; what an earlier run has made is found again.
func (d *demo) prepare(ctx context.Context) error {
	op, err := client.New(d.url, d.secrets.OperatorKey, client.WithTenant(demoTenant))
	if err != nil {
		return fmt.Errorf("make client: %w", err)
	}
	if _, err := op.Tenant(ctx, demoTenant); err != nil {
		if _, err := op.CreateTenant(ctx, api.TenantRequest{ID: demoTenant, Name: "Demo"}); err != nil {
			return fmt.Errorf("make the demo tenant: %w", err)
		}
	}
	if err := d.keys(ctx, op); err != nil {
		return err
	}
	if d.client, err = client.New(d.url, d.secrets.APIKey); err != nil {
		return fmt.Errorf("make client: %w", err)
	}
	d.emulators.wall.connect(d.report)
	web, err := d.integrations(ctx, op)
	if err != nil {
		return fmt.Errorf("make the demo integrations: %w", err)
	}
	if _, err := d.client.User(ctx, demoUser); err != nil {
		if _, err := d.client.PutUser(ctx, demoUser, api.UserRequest{Phone: demoPhone, Locale: "en-IN", TimeZone: "Asia/Kolkata"}); err != nil {
			return fmt.Errorf("make the demo user: %w", err)
		}
	}
	if err := d.register(ctx, web); err != nil {
		return fmt.Errorf("register the demo devices: %w", err)
	}
	return nil
}

// keys makes the key of the tenant's backend, and the one that signs its users' tokens.
func (d *demo) keys(ctx context.Context, op *client.Client) error {
	if d.secrets.APIKey == "" {
		k, err := op.CreateKey(ctx, api.KeyRequest{Name: "demo", Scopes: []string{api.ScopeSend, api.ScopeRead, api.ScopeAdmin}})
		if err != nil {
			return fmt.Errorf("make the demo key: %w", err)
		}
		d.secrets.APIKey = k.Secret
	}
	if d.secrets.UserKeyID == "" {
		k, err := op.CreateUserKey(ctx, api.UserKeyRequest{Name: "demo", Algorithm: usertoken.HS256})
		if err != nil {
			return fmt.Errorf("make the demo's user key: %w", err)
		}
		d.secrets.UserKeyID, d.secrets.UserKey = k.ID, k.Secret
	}
	return d.secrets.write()
}

// app is a user's app: it speaks with a token of theirs.
func (d *demo) app(user string) (*client.Client, error) {
	return client.NewUser(d.url, func(context.Context) (string, error) {
		return usertoken.Sign(d.secrets.UserKeyID, d.secrets.UserKey, user, time.Now(), time.Hour)
	})
}

// integrations makes those that are missing, and leads all of them to the emulators. It returns the one of browsers.
func (d *demo) integrations(ctx context.Context, op *client.Client) (web *api.Integration, err error) {
	e, s := d.emulators, d.secrets
	whatsapp, err := d.integration(ctx, op, api.IntegrationRequest{
		Name: "whatsapp", Kind: "wasender", Settings: api.Settings{BaseURL: e.url + "/api"},
		Credentials: map[string]string{"api_key": s.WasenderKey, "webhook_secret": s.WebhookSecret},
	})
	if err != nil {
		return nil, err
	}
	if _, err := e.wasender.UpdateSession(1, func(s *wasender.Session) { s.WebhookURL = whatsapp.WebhookURL }); err != nil {
		return nil, fmt.Errorf("tell the emulator the webhook URL: %w", err)
	}
	if err := d.cloud(ctx, op); err != nil {
		return nil, err
	}
	if _, err := d.integration(ctx, op, api.IntegrationRequest{
		Name: "android", Kind: "fcm", Settings: api.Settings{BaseURL: e.url + "/fcm"},
		Credentials: map[string]string{"service_account": s.ServiceAccount},
	}); err != nil {
		return nil, err
	}
	if _, err := d.integration(ctx, op, api.IntegrationRequest{
		Name: "ios", Kind: "apns", Settings: api.Settings{BaseURL: e.apnsURL, CA: string(e.apns.CA())},
		Credentials: map[string]string{"team_id": demoTeam, "key_id": demoKeyID, "key": s.APNsKey},
	}); err != nil {
		return nil, err
	}
	return d.integration(ctx, op, api.IntegrationRequest{
		Name: "web", Kind: "webpush", Credentials: map[string]string{"subject": "mailto:demo@shop.example"}, // its key Peal makes
	})
}

// cloud makes the integration of the emulated Meta, and has Meta take its webhook's address, as one does by hand there.
func (d *demo) cloud(ctx context.Context, op *client.Client) error {
	e, s := d.emulators, d.secrets
	in, err := d.integration(ctx, op, api.IntegrationRequest{
		Name: "cloud", Kind: "whatsapp_cloud",
		Settings:    api.Settings{BaseURL: e.url + "/cloud", WhatsAppCloud: &api.WhatsAppCloud{PhoneNumberID: demoNumber, WABAID: whatsappcloud.DefaultAccount}},
		Credentials: map[string]string{"access_token": s.CloudToken, "app_secret": s.CloudSecret},
	})
	if err != nil {
		return err
	}
	err = e.cloud.UpdateAccount("", func(a *whatsappcloud.Account) { a.WebhookURL, a.VerifyToken = in.WebhookURL, in.VerifyToken })
	if err != nil {
		return fmt.Errorf("tell the emulator the webhook URL: %w", err)
	}
	return e.cloud.Verify(ctx, "")
}

// integration makes one, or changes the one of that name where the emulators have moved, or it stands still.
func (d *demo) integration(ctx context.Context, op *client.Client, want api.IntegrationRequest) (*api.Integration, error) {
	in, err := op.Integration(ctx, want.Name)
	if err != nil {
		return op.CreateIntegration(ctx, want)
	}
	if in.Settings.BaseURL == want.Settings.BaseURL && in.Settings.CA == want.Settings.CA && in.Paused == nil {
		return in, nil
	}
	return op.UpdateIntegration(ctx, in.ID, api.IntegrationPatch{Settings: &want.Settings, Credentials: want.Credentials})
}
