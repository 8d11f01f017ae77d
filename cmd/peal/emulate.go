package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"peal/emulator/wasender"
)

// EmulateCmd is `peal emulate`.
type EmulateCmd struct {
	Wasender      EmulateWasenderCmd      `cmd:"" help:"Stand in for WasenderApi (WhatsApp)."`
	WhatsAppCloud EmulateWhatsAppCloudCmd `cmd:"" name:"whatsapp_cloud" aliases:"whatsapp-cloud" help:"Stand in for Meta's WhatsApp Cloud API, and for gateways to it."`
	FCM           EmulateFCMCmd           `cmd:"" name:"fcm" help:"Stand in for Firebase Cloud Messaging."`
	APNs          EmulateAPNsCmd          `cmd:"" name:"apns" help:"Stand in for Apple's push service."`
	WebPush       EmulateWebPushCmd       `cmd:"" name:"webpush" help:"Stand in for the push services of browsers, and for UnifiedPush."`
}

// Help gives an example.
func (EmulateCmd) Help() string {
	return "Stand-ins for your own tests. Give peal serve --allow-private-networks 127.0.0.1/32, so that it calls them.\n\n" +
		"Example:\n\n  peal emulate fcm --service-account service-account.json"
}

// EmulateWasenderCmd is `peal emulate wasender`. Its keys protect nothing, so they may stand on the command line.
type EmulateWasenderCmd struct {
	Listen        string `name:"listen" default:"127.0.0.1:7326" placeholder:"ADDR" help:"Address to serve on; keep it on this machine: the control routes are open."`
	APIKey        string `name:"api-key" default:"wasender-key-1" placeholder:"KEY" help:"API key of the session."`
	PAT           string `name:"pat" default:"wasender-pat" placeholder:"TOKEN" help:"Personal access token of the account."`
	WebhookURL    string `name:"webhook-url" placeholder:"URL" help:"Where to post webhooks: the webhook URL of the integration. Without it none are posted."`
	WebhookSecret string `name:"webhook-secret" default:"wasender-secret-1" placeholder:"SECRET" help:"Secret that webhooks carry."`
	Plan          string `name:"plan" enum:"trial,paid,unlimited" default:"unlimited" placeholder:"PLAN" help:"Limit of sends: trial (1 a minute), paid (256 a minute) or unlimited."`
}

// Help gives an example.
func (EmulateWasenderCmd) Help() string {
	return "Example:\n\n  peal emulate wasender --webhook-url http://127.0.0.1:7325/hooks/wasender/TOKEN\n\n" +
		"Faults, counts and the webhooks to play are set over its control routes, /_emulator/."
}

// Run serves until ctx ends.
func (c *EmulateWasenderCmd) Run(ctx context.Context, t *term) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	emulator := wasender.New(wasender.Options{PAT: c.PAT, Sessions: []wasender.Session{{
		APIKey: c.APIKey, WebhookURL: c.WebhookURL, WebhookSecret: c.WebhookSecret, Plan: wasender.Plan(c.Plan), LogMessages: true,
	}}})
	defer emulator.Close()
	base := "http://" + listener.Addr().String()
	t.notef("wasender emulator: base_url %s/api, control routes %s/_emulator/; Ctrl-C stops it\n", base, base)
	return serveHTTP(ctx, listener, emulator)
}

const (
	headerTimeout = 10 * time.Second
	stopTimeout   = 5 * time.Second
)

// serveHTTP serves handler until ctx ends, then lets requests in flight finish for a short while.
func serveHTTP(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: headerTimeout}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	if err := server.Shutdown(stop); err != nil {
		_ = server.Close() // what hangs is cut off
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}
