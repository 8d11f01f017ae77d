package main

import (
	"context"
	"fmt"
	"net"
	"strings"

	"peal/emulator/whatsappcloud"
)

// EmulateWhatsAppCloudCmd is `peal emulate whatsapp_cloud`. Its secrets protect nothing, so they may stand on the command line.
type EmulateWhatsAppCloudCmd struct {
	Listen        string   `name:"listen" default:"127.0.0.1:7326" placeholder:"ADDR" help:"Address to serve on; keep it on this machine: the control routes are open."`
	PhoneNumberID string   `name:"phone-number-id" default:"106540352242922" placeholder:"ID" help:"Id of the sending number."`
	WABAID        string   `name:"waba-id" default:"102290129340398" placeholder:"ID" help:"Id of the account."`
	Token         string   `name:"token" default:"cloud-token-1" placeholder:"TOKEN" help:"Access token."`
	AppSecret     string   `name:"app-secret" default:"cloud-app-secret-1" placeholder:"SECRET" help:"Secret that webhooks are signed with."`
	VerifyToken   string   `name:"verify-token" default:"cloud-verify-token-1" placeholder:"TOKEN" help:"What it names when it is given the webhook's address: the integration's."`
	WebhookURL    string   `name:"webhook-url" placeholder:"URL" help:"Where to post webhooks: the webhook URL of the integration. Without it none are posted."`
	Template      []string `name:"template" sep:"none" placeholder:"NAME=TEXT" help:"An approved template in English with this body, such as 'paid=Hello {{1}}'; may be repeated."`
	WindowsOpen   bool     `name:"windows-open" help:"Take free text for everybody, as if all had written within the last 24 hours."`
	GatewayKey    string   `name:"gateway-key" placeholder:"KEY" help:"Also serve /messages without version and number, by this key in the header D360-API-KEY, as 360dialog does."`
}

// Help gives an example.
func (EmulateWhatsAppCloudCmd) Help() string {
	return "Example:\n\n  peal emulate whatsapp_cloud --template 'paid=Hello {{1}}'\n" +
		"  peal integration create cloud --kind whatsapp_cloud --base-url http://127.0.0.1:7326 --phone-number-id 106540352242922 " +
		"--credential access_token=env:TOKEN --credential app_secret=env:SECRET\n" +
		"  curl -X PUT http://127.0.0.1:7326/_emulator/accounts/102290129340398 -d '{\"webhook_url\": \"…\", \"verify_token\": \"…\"}'\n\n" +
		"Every error of the API is to be had by its recipient: 999, 1 (by webhook: 2) and the code in six digits. Over Peal, which sends to " +
		"numbers of real countries only, take it as a WhatsApp user id: peal send --to DE.9991131056. Faults, inbound messages, templates and the webhooks to play are set over its control routes, /_emulator/."
}

// Run serves until ctx ends.
func (c *EmulateWhatsAppCloudCmd) Run(ctx context.Context, t *term) error {
	opt := whatsappcloud.Options{WindowsOpen: c.WindowsOpen, Accounts: []whatsappcloud.Account{{
		ID: c.WABAID, Token: c.Token, AppSecret: c.AppSecret, VerifyToken: c.VerifyToken,
		Numbers: []whatsappcloud.Number{{ID: c.PhoneNumberID, APIKey: c.GatewayKey}},
	}}}
	if c.GatewayKey != "" {
		opt.Gateway = &whatsappcloud.Gateway{}
	}
	emulator := whatsappcloud.New(opt)
	defer emulator.Close()
	for _, s := range c.Template {
		name, body, found := strings.Cut(s, "=")
		if !found {
			return usagef("--template is NAME=TEXT, such as 'paid=Hello {{1}}'")
		}
		if err := emulator.PutTemplate("", whatsappcloud.Template{
			Name: name, Language: "en", Components: []whatsappcloud.Component{{Type: "BODY", Text: body}},
		}); err != nil {
			return usagef("--template: %w", err)
		}
	}
	if err := emulator.UpdateAccount("", func(a *whatsappcloud.Account) { a.WebhookURL = c.WebhookURL }); err != nil {
		return usagef("--webhook-url: %w", err)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	base := "http://" + listener.Addr().String()
	t.notef("whatsapp_cloud emulator: base_url %s, control routes %s/_emulator/; Ctrl-C stops it\n", base, base)
	return serveHTTP(ctx, listener, emulator)
}
