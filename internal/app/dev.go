package app

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"peal/api"
	"peal/client"
	"peal/emulator/wasender"
	"peal/internal/config"
)

// DevConfig is what `peal dev` can be told.
type DevConfig struct {
	Data     string // folder of everything it keeps
	Listen   string // of the API
	Emulator string // address of the WasenderApi emulator
}

// The demonstration's names and numbers.
const (
	demoTenant      = "demo"
	demoIntegration = "whatsapp"
	demoPhone       = "+919812345678"
	demoText        = "Hello Raju, your order is on its way."
	demoPatience    = 30 * time.Second
)

// devSecrets are made at the first run and kept beside the data.
type devSecrets struct {
	MasterKey     string `json:"master_key"`
	OperatorKey   string `json:"operator_key"`
	APIKey        string `json:"api_key,omitempty"`
	WasenderKey   string `json:"wasender_key"`
	WebhookSecret string `json:"webhook_secret"`
}

// Dev runs everything in one process with an emulated provider, sends one notification, shows its ticks, and stays up
// until ctx ends.
func Dev(ctx context.Context, cfg DevConfig, out io.Writer) (err error) {
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	secrets, err := readSecrets(cfg.Data)
	if err != nil {
		return err
	}
	logPath := filepath.Join(cfg.Data, "peal.log")
	logFile, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	defer func() { err = errors.Join(err, logFile.Close()) }()
	log, flush := newLogger(logFile, "info", "json")
	defer flush()

	emu, stopEmulator, err := startEmulator(ctx, cfg.Emulator, secrets)
	if err != nil {
		return err
	}
	defer stopEmulator()
	serve := config.Default()
	serve.Listen, serve.Data = cfg.Listen, cfg.Data
	serve.MasterKey, serve.OperatorKey = config.Secret(secrets.MasterKey), config.Secret(secrets.OperatorKey)
	serve.MetricsOpen, serve.AllowPrivateNetworks = true, []string{"127.0.0.0/8", "::1/128"}
	peal, err := Start(ctx, serve, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, peal.Stop(5*time.Second)) }()
	d := &demo{out: out, url: "http://" + peal.Addr(), emulatorURL: "http://" + emu.addr, secrets: secrets, emulator: emu.server}
	d.say("Peal %s, everything in one process. Data: %s (kept between runs)\n", Version, absolute(cfg.Data))
	if err := d.prepare(ctx, cfg.Data); err != nil {
		return err
	}
	if err := d.show(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	d.invite(logPath)
	select {
	case <-ctx.Done():
		d.say("\nStopping.\n")
	case <-peal.Failed():
	}
	return nil
}

// emulator is the running stand-in of the provider.
type emulator struct {
	server *wasender.Server
	addr   string
}

func startEmulator(ctx context.Context, addr string, s *devSecrets) (*emulator, func(), error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, nil, fmt.Errorf("listen on %s for the emulator: %w; free the port, or choose another with --emulator", addr, err)
	}
	// Slower than the default, so that one can watch the ticks.
	script := wasender.Script{Steps: []wasender.Step{
		{Status: 2, Delay: 300 * time.Millisecond}, {Status: 3, Delay: 900 * time.Millisecond}, {Status: 4, Delay: 1800 * time.Millisecond},
	}}
	emu := wasender.New(wasender.Options{
		Sessions: []wasender.Session{{
			ID: 1, Name: "demo", APIKey: s.WasenderKey, WebhookSecret: s.WebhookSecret, Plan: wasender.PlanUnlimited, LogMessages: true,
		}},
		Script: &script,
	})
	srv := &http.Server{Handler: emu, ReadHeaderTimeout: 5 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Serve(l) // ends when it is closed
	}()
	return &emulator{emu, l.Addr().String()}, func() {
		emu.Close()
		_ = srv.Close()
		<-done
	}, nil
}

func readSecrets(dir string) (*devSecrets, error) {
	s := &devSecrets{}
	b, err := os.ReadFile(filepath.Join(dir, "dev.json"))
	switch {
	case err == nil:
		if err := json.Unmarshal(b, s); err != nil {
			return nil, fmt.Errorf("%s is damaged; delete the folder to start anew", filepath.Join(dir, "dev.json"))
		}
		return s, nil
	case !errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("read dev.json: %w", err)
	}
	key := make([]byte, 32)
	rand.Read(key) //nolint:errcheck // never fails since Go 1.24: it stops the program instead
	s.MasterKey = base64.StdEncoding.EncodeToString(key)
	s.OperatorKey, s.WasenderKey, s.WebhookSecret = "operator-"+randomHex(16), "wasender-"+randomHex(8), "secret-"+randomHex(16)
	return s, s.write(dir)
}

func randomHex(n int) string {
	b := make([]byte, n)
	rand.Read(b) //nolint:errcheck // never fails since Go 1.24: it stops the program instead
	return hex.EncodeToString(b)
}

func (s *devSecrets) write(dir string) error {
	b, err := json.MarshalIndent(s, "", "  ")
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "dev.json"), b, 0o600)
	}
	if err != nil {
		return fmt.Errorf("write dev.json: %w", err)
	}
	return nil
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

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
