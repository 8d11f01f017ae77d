package main

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"peal/api"
	"peal/client"
)

// IntegrationCmd is `peal integration`.
type IntegrationCmd struct {
	Create  IntegrationCreateCmd  `cmd:"" aliases:"add" help:"Add an account at a provider."`
	List    IntegrationListCmd    `cmd:"" help:"List the accounts."`
	Show    IntegrationShowCmd    `cmd:"" help:"Show one, with the URL for the provider's webhooks."`
	Update  IntegrationUpdateCmd  `cmd:"" help:"Change settings or credentials; lifts a pause."`
	Test    IntegrationTestCmd    `cmd:"" help:"Send a real message over it."`
	Pause   IntegrationPauseCmd   `cmd:"" help:"Stop its sending; deliveries wait."`
	Resume  IntegrationResumeCmd  `cmd:"" help:"Lift its pause, whatever the reason."`
	Session IntegrationSessionCmd `cmd:"" help:"Show the state of its WhatsApp session, and pair it with a phone."`
	Delete  IntegrationDeleteCmd  `cmd:"" help:"Remove it."`

	Conn `embed:"" group:"conn"`
}

const integrationExample = "Examples:\n\n" +
	"  peal integration create main --kind wasender --credential api_key=@wasender.key --credential webhook_secret=env:WASENDER_SECRET --rate 45/1s\n" +
	"  peal integration create cloud --kind whatsapp_cloud --phone-number-id 106540352242922 --credential access_token=@meta.token --credential app_secret=@meta.secret\n" +
	"  peal integration create android --kind fcm --service-account service-account.json\n" +
	"  peal integration create ios --kind apns --key AuthKey.p8 --key-id ABC123DEFG --team-id DEF123GHIJ --app com.example.shop\n" +
	"  peal integration create web --kind webpush --subject mailto:push@example.com"

// Help gives an example.
func (IntegrationCmd) Help() string { return integrationExample }

// IntegrationCreateCmd is `peal integration create`.
type IntegrationCreateCmd struct {
	Name       string   `arg:"" help:"Its name: a-z, 0-9, dots, dashes."`
	Kind       string   `name:"kind" default:"wasender" placeholder:"KIND" help:"The provider: wasender, whatsapp_cloud, fcm, apns or webpush."`
	Credential []string `name:"credential" sep:"none" placeholder:"NAME=SOURCE" help:"A secret: NAME=@FILE, NAME=env:VARIABLE or NAME=- (standard input); may be repeated. wasender: api_key, webhook_secret; personal_access_token and session_id to look for lost messages. whatsapp_cloud: access_token, app_secret; verify_token is made."`

	PushCredentials `embed:"" group:"push"`
	SettingsFlags   `embed:"" group:"settings"`
}

// Help gives an example.
func (IntegrationCreateCmd) Help() string { return integrationExample }

// Run adds an integration.
func (c *IntegrationCreateCmd) Run(ctx context.Context, t *term, parent *IntegrationCmd) error {
	settings, _, err := c.settings()
	if err != nil {
		return err
	}
	secrets, err := credentials(t, c.Credential)
	if err == nil {
		err = c.into(t, secrets)
	}
	if err != nil {
		return err
	}
	return parent.do(t, func(cl *client.Client) (*api.Integration, error) {
		return cl.CreateIntegration(ctx, api.IntegrationRequest{Name: c.Name, Kind: c.Kind, Credentials: secrets, Settings: settings})
	})
}

// IntegrationListCmd is `peal integration list`.
type IntegrationListCmd struct{}

// Help gives an example.
func (IntegrationListCmd) Help() string { return "Example:\n\n  peal integration list" }

// Run lists integrations.
func (c *IntegrationListCmd) Run(ctx context.Context, t *term, parent *IntegrationCmd) error {
	cl, err := parent.client()
	if err != nil {
		return err
	}
	list, err := cl.Integrations(ctx)
	if err != nil {
		return err
	}
	if parent.JSON {
		return t.json(list)
	}
	rows := make([][]string, len(list.Integrations))
	for i, in := range list.Integrations {
		rows[i] = []string{in.ID, in.Name, in.Kind, in.Channel, rateText(in.Settings.Limit), shorten(stateText(&in))}
	}
	return t.table([]string{"ID", "NAME", "KIND", "CHANNEL", "LIMIT", "STATE"}, rows)
}

// IntegrationShowCmd is `peal integration show`.
type IntegrationShowCmd struct {
	Name string `arg:"" help:"Name or id."`
}

// Help gives an example.
func (IntegrationShowCmd) Help() string { return "Example:\n\n  peal integration show main" }

// Run shows an integration.
func (c *IntegrationShowCmd) Run(ctx context.Context, t *term, parent *IntegrationCmd) error {
	return parent.do(t, func(cl *client.Client) (*api.Integration, error) { return cl.Integration(ctx, c.Name) })
}

// IntegrationUpdateCmd is `peal integration update`.
type IntegrationUpdateCmd struct {
	Name       string   `arg:"" help:"Name or id."`
	NewName    string   `name:"name" placeholder:"NAME" help:"A new name."`
	Credential []string `name:"credential" sep:"none" placeholder:"NAME=SOURCE" help:"A secret to rotate: NAME=@FILE, NAME=env:VARIABLE or NAME=- (standard input); may be repeated."`

	PushCredentials `embed:"" group:"push"`
	SettingsFlags   `embed:"" group:"settings"`
}

// Help gives an example.
func (IntegrationUpdateCmd) Help() string {
	return "Example:\n\n  peal integration update main --credential api_key=@new.key --rate 60/1m"
}

// Run changes an integration.
func (c *IntegrationUpdateCmd) Run(ctx context.Context, t *term, parent *IntegrationCmd) error {
	settings, some, err := c.settings()
	if err != nil {
		return err
	}
	patch := api.IntegrationPatch{}
	if some {
		patch.Settings = &settings
	}
	if c.NewName != "" {
		patch.Name = &c.NewName
	}
	some = some || len(c.Credential) > 0 || c.given()
	if patch.Credentials, err = credentials(t, c.Credential); err == nil {
		err = c.into(t, patch.Credentials)
	}
	if err != nil {
		return err
	}
	if !some && c.NewName == "" {
		return usagef("nothing to change: give --name, --credential or a setting")
	}
	return parent.do(t, func(cl *client.Client) (*api.Integration, error) { return cl.UpdateIntegration(ctx, c.Name, patch) })
}

// IntegrationTestCmd is `peal integration test`.
type IntegrationTestCmd struct {
	Name        string        `arg:"" help:"Name or id."`
	To          string        `name:"to" placeholder:"PHONE" xor:"whom" required:"" help:"Phone number in E.164 that gets the message."`
	Device      string        `name:"device" placeholder:"ID" xor:"whom" required:"" help:"Of fcm, apns, webpush: installation id of the device that gets the push."`
	Validate    bool          `name:"validate-only" help:"Of fcm: only ask the provider whether it would take it. Nothing is shown."`
	Text        string        `name:"text" placeholder:"TEXT" help:"What to say; a line that says it is a test, unless given."`
	Wait        bool          `name:"wait" help:"Follow the delivery until it is delivered and print its ticks."`
	WaitTimeout time.Duration `name:"wait-timeout" default:"1m" placeholder:"DURATION" help:"Longest wait."`
}

// Help gives an example.
func (IntegrationTestCmd) Help() string {
	return "Examples:\n\n  peal integration test main --to +919812345678 --wait\n  peal integration test android --device 5f1c --validate-only"
}

// Run sends a test.
func (c *IntegrationTestCmd) Run(ctx context.Context, t *term, parent *IntegrationCmd) error {
	cl, err := parent.client()
	if err != nil {
		return err
	}
	req := api.TestRequest{To: c.To, Device: c.Device, Text: c.Text}
	if c.Validate {
		return c.validate(ctx, t, cl, req, parent.JSON)
	}
	accepted, err := cl.TestIntegration(ctx, c.Name, req)
	if err != nil {
		return err
	}
	wait := waiter{cl: cl, t: t, until: "delivered", timeout: c.WaitTimeout, quiet: parent.JSON}
	return follow(ctx, &wait, accepted, c.Wait, parent.JSON, false)
}

// validate asks the provider, and fails when it would not take it.
func (c *IntegrationTestCmd) validate(ctx context.Context, t *term, cl *client.Client, req api.TestRequest, asJSON bool) error {
	v, err := cl.ValidateIntegration(ctx, c.Name, req)
	if err != nil {
		return err
	}
	if asJSON {
		err = t.json(v)
	} else {
		err = t.facts("class", v.Class, "code", v.Code, "reason", v.Reason)
	}
	if err == nil && v.Class != "accepted" {
		err = errors.New("the provider would not take it")
	}
	return err
}

// IntegrationPauseCmd is `peal integration pause`.
type IntegrationPauseCmd struct {
	Name string `arg:"" help:"Name or id."`
}

// Help gives an example.
func (IntegrationPauseCmd) Help() string { return "Example:\n\n  peal integration pause main" }

// Run pauses an integration.
func (c *IntegrationPauseCmd) Run(ctx context.Context, t *term, parent *IntegrationCmd) error {
	return parent.do(t, func(cl *client.Client) (*api.Integration, error) { return cl.PauseIntegration(ctx, c.Name) })
}

// IntegrationResumeCmd is `peal integration resume`.
type IntegrationResumeCmd struct {
	Name string `arg:"" help:"Name or id."`
}

// Help gives an example.
func (IntegrationResumeCmd) Help() string { return "Example:\n\n  peal integration resume main" }

// Run lifts a pause.
func (c *IntegrationResumeCmd) Run(ctx context.Context, t *term, parent *IntegrationCmd) error {
	return parent.do(t, func(cl *client.Client) (*api.Integration, error) { return cl.ResumeIntegration(ctx, c.Name) })
}

// IntegrationDeleteCmd is `peal integration delete`.
type IntegrationDeleteCmd struct {
	Name string `arg:"" help:"Name or id."`
	Yes  bool   `name:"yes" short:"y" help:"Do not ask."`
}

// Help gives an example.
func (IntegrationDeleteCmd) Help() string { return "Example:\n\n  peal integration delete main --yes" }

// Run removes an integration.
func (c *IntegrationDeleteCmd) Run(ctx context.Context, t *term, parent *IntegrationCmd) error {
	cl, err := parent.client()
	if err != nil {
		return err
	}
	if !c.Yes {
		if err := t.confirm(ctx, "delete the integration "+clean(c.Name)+"?"); err != nil {
			return err
		}
	}
	if err := cl.DeleteIntegration(ctx, c.Name); err != nil {
		return err
	}
	return t.did(parent.JSON, "deleted", c.Name)
}

// do makes one call that answers an integration, and prints it.
func (c *IntegrationCmd) do(t *term, call func(*client.Client) (*api.Integration, error)) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	in, err := call(cl)
	if err != nil {
		return err
	}
	if c.JSON {
		return t.json(in)
	}
	s := in.Settings
	cloud := s.WhatsAppCloud
	if cloud == nil {
		cloud = &api.WhatsAppCloud{}
	}
	n := in.Number
	if n == nil {
		n = &api.NumberState{}
	}
	return t.facts(
		"id", in.ID, "name", in.Name, "kind", in.Kind, "channel", in.Channel, "state", pauseText(in.Paused), "suspect", suspectText(in.Suspect), "session", sessionText(in.Session), "warning", in.Warning,
		"last webhook", longTime(in.LastWebhook), "last receipt", longTime(in.LastReceipt), "webhooks refused", number(int(in.Refused)),
		"templates", templatesText(in.Templates),
		"uncertain", number(int(in.Uncertain)), "credentials", names(in.Credentials), "public key", in.Public["vapid_public_key"], "apps", strings.Join(s.Apps, " "), "webhook url", in.WebhookURL, "verify token", in.VerifyToken,
		"base url", s.BaseURL, "phone number id", cloud.PhoneNumberID, "waba id", cloud.WABAID, "graph version", cloud.GraphVersion,
		"messages path", cloud.MessagesPath, "auth header", cloud.AuthHeader, "limit", rateText(s.Limit),
		"limit of each recipient", recipientText(s.RecipientLimit), "look-up limit", rateText(s.LookupLimit), "receipt timeout", s.ReceiptTimeout,
		"concurrency", number(s.Concurrency), "call timeout", s.Timeout, "max attempts", number(s.MaxAttempts),
		"retry base", s.RetryBase, "retry cap", s.RetryCap, "on unknown", s.OnUnknown, "window", cloud.Window,
		"stop words", strings.Join(s.StopWords, ", "), "start words", strings.Join(s.StartWords, ", "), "requires opt-in", strings.Join(s.RequireOptIn, " "),
		"number", n.Number, "number status", n.Status, "quality", n.Quality, "name status", n.NameStatus, "throughput", paceText(n.Throughput),
		"messaging limit", reachText(n), "alert", n.Alert, "alert at", longTime(n.AlertAt),
		"created", longTime(&in.CreatedAt), "updated", longTime(&in.UpdatedAt),
	)
}

// number is n as text, and nothing for 0.
func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// stateText says whether an integration sends, and what is odd about it.
func stateText(in *api.Integration) string {
	s := pauseText(in.Paused)
	if in.Suspect != nil {
		s += "; suspect: " + in.Suspect.Reason
	}
	return s
}

func suspectText(s *api.Suspect) string {
	if s == nil {
		return ""
	}
	return "since " + longTime(&s.Since) + ": " + s.Reason
}

func sessionText(s *api.SessionState) string {
	if s == nil {
		return ""
	}
	return s.State + " since " + longTime(&s.Since)
}

// pauseText says whether an integration sends.
func pauseText(p *api.Pause) string {
	if p == nil {
		return "sending"
	}
	s := "paused (" + p.Code + ")"
	if p.Until != nil {
		s += " until " + longTime(p.Until)
	}
	if p.Reason != "" {
		s += ": " + p.Reason
	}
	return s
}

// paceText is how fast a number may send.
func paceText(perSecond int) string {
	if perSecond == 0 {
		return ""
	}
	return strconv.Itoa(perSecond) + " a second"
}

// reachText is a number's messaging limit, and how much of it is used.
func reachText(n *api.NumberState) string {
	s := n.Tier
	if n.Used != nil {
		s += ": about " + strconv.FormatInt(*n.Used, 10) + " of " + strconv.FormatInt(n.Limit, 10) + " people in 24 h"
	}
	return s
}
