package app

import (
	"context"
	"fmt"
	"io"
	"time"

	"peal/api"
	"peal/client"
	"peal/emulator/wasender"
)

// The demonstration's names and numbers.
const (
	demoTenant      = "demo"
	demoIntegration = "whatsapp"
	demoPhone       = "+919812345678"
	demoText        = "Hello Raju, your order is on its way."
	demoPatience    = 30 * time.Second
)

// demo shows a notification's life.
type demo struct {
	out         io.Writer
	url         string
	emulatorURL string
	secrets     *devSecrets
	emulator    *wasender.Server
	client      *client.Client
}

func (d *demo) say(format string, args ...any) {
	_, _ = fmt.Fprintf(d.out, format, args...) // a terminal that is gone is nobody's error
}

// prepare makes the demo tenant, its API key and its integration through the API, as an operator would; what an earlier
// run has made is found again.
func (d *demo) prepare(ctx context.Context, dir string) error {
	op, err := client.New(d.url, d.secrets.OperatorKey, client.WithTenant(demoTenant))
	if err != nil {
		return fmt.Errorf("make client: %w", err)
	}
	if _, err := op.Tenant(ctx, demoTenant); err != nil {
		if _, err := op.CreateTenant(ctx, api.TenantRequest{ID: demoTenant, Name: "Demo"}); err != nil {
			return fmt.Errorf("make the demo tenant: %w", err)
		}
	}
	if d.secrets.APIKey == "" {
		k, err := op.CreateKey(ctx, api.KeyRequest{Name: "demo", Scopes: []string{api.ScopeSend, api.ScopeRead, api.ScopeAdmin}})
		if err != nil {
			return fmt.Errorf("make the demo key: %w", err)
		}
		d.secrets.APIKey = k.Secret
		if err := d.secrets.write(dir); err != nil {
			return err
		}
	}
	in, err := d.integration(ctx, op)
	if err != nil {
		return fmt.Errorf("make the demo integration: %w", err)
	}
	if _, err := d.emulator.UpdateSession(1, func(s *wasender.Session) { s.WebhookURL = in.WebhookURL }); err != nil {
		return fmt.Errorf("tell the emulator the webhook URL: %w", err)
	}
	d.client, err = client.New(d.url, d.secrets.APIKey)
	return err
}

func (d *demo) integration(ctx context.Context, op *client.Client) (*api.Integration, error) {
	credentials := map[string]string{"api_key": d.secrets.WasenderKey, "webhook_secret": d.secrets.WebhookSecret}
	settings := api.Settings{BaseURL: d.emulatorURL + "/api"}
	in, err := op.Integration(ctx, demoIntegration)
	if err != nil {
		return op.CreateIntegration(ctx, api.IntegrationRequest{Name: demoIntegration, Kind: "wasender", Credentials: credentials, Settings: settings})
	}
	if in.Settings.BaseURL == settings.BaseURL && in.Paused == nil {
		return in, nil
	}
	return op.UpdateIntegration(ctx, in.ID, api.IntegrationPatch{Settings: &settings})
}

// show sends the demonstration's notification and prints its ticks as they come.
func (d *demo) show(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, demoPatience)
	defer cancel()
	text := demoText
	sent, err := d.client.Send(ctx, api.NotificationRequest{
		Recipient: api.Recipient{Phone: demoPhone}, Integration: demoIntegration, Content: api.Content{Text: &text},
	})
	if err != nil {
		return fmt.Errorf("send the first notification: %w", err)
	}
	d.say("\nTelling %s: %q\n", demoPhone, demoText)
	shown := map[string]bool{}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		dl, err := d.client.Delivery(ctx, sent.Deliveries[0].ID)
		if err != nil {
			return fmt.Errorf("look at the first notification: %w", err)
		}
		d.ticks(dl, shown)
		if dl.Status == "read" || dl.EndedAt != nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			d.say("  … still %s; see the log\n", dl.Status)
			return nil
		}
	}
}

func (d *demo) ticks(dl *api.Delivery, shown map[string]bool) {
	for _, t := range []struct {
		name, tick, note string
		at               *time.Time
	}{
		{"queued", "·", "on disk", &dl.CreatedAt}, {"sent", "✓", "the provider took it", dl.SentAt},
		{"delivered", "✓✓", "it reached the phone", dl.DeliveredAt}, {"read", "✓✓", "it was opened", dl.ReadAt},
		{dl.Status, "✗", dl.ErrorCode, dl.EndedAt},
	} {
		if t.at == nil || shown[t.name] {
			continue
		}
		shown[t.name] = true
		d.say("  %s  %-2s %-9s  %s\n", t.at.Local().Format("15:04:05.000"), t.tick, t.name, t.note)
	}
}

func (d *demo) invite(logPath string) {
	d.say(`
Now you. Paste this into another terminal:

  curl -X POST %[1]s/v1/notifications \
    -H 'Authorization: Bearer %[2]s' \
    -d '{"recipient": {"phone": "%[3]s"}, "content": {"text": "Hello from curl"}}'

Then look what became of it:

  curl %[1]s/v1/deliveries -H 'Authorization: Bearer %[2]s'

API docs     %[1]s/docs
The phone    %[4]s/_emulator/messages
Metrics      %[1]s/metrics
Log          %[5]s

Ctrl-C stops it.
`, d.url, d.secrets.APIKey, demoPhone, d.emulatorURL, absolute(logPath))
}
