package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"

	"peal/emulator/apns"
	"peal/emulator/fcm"
	"peal/emulator/webpush"
)

// EmulateFCMCmd is `peal emulate fcm`.
type EmulateFCMCmd struct {
	Listen         string `name:"listen" default:"127.0.0.1:7326" placeholder:"ADDR" help:"Address to serve on; keep it on this machine: the control routes are open."`
	Project        string `name:"project" default:"demo" placeholder:"ID" help:"Project of the service account."`
	ServiceAccount string `name:"service-account" placeholder:"FILE" help:"Where its service account is written, for the integration; one that is there is used again."`
	AnyDevice      bool   `name:"any-device" help:"Take every well-formed token for an Android phone, instead of those only that were registered."`
}

// Help gives an example.
func (EmulateFCMCmd) Help() string {
	return "Example:\n\n  peal emulate fcm --service-account service-account.json\n" +
		"  peal integration create app --kind fcm --base-url http://127.0.0.1:7326 --credential service_account=@service-account.json\n\n" +
		"Devices, faults and what the phones show are at its control routes, /_emulator/."
}

// Run serves until ctx ends.
func (c *EmulateFCMCmd) Run(ctx context.Context, t *term) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	base := "http://" + listener.Addr().String()
	emulator := fcm.New(fcm.Options{URL: base, AnyDevice: c.AnyDevice})
	defer emulator.Close()
	if err := c.account(emulator); err != nil {
		return errors.Join(fmt.Errorf("--service-account: %w", err), listener.Close())
	}
	t.notef("fcm emulator: base_url %s, control routes %s/_emulator/; Ctrl-C stops it\n", base, base)
	return serveHTTP(ctx, listener, emulator)
}

func (c *EmulateFCMCmd) account(emulator *fcm.Server) error {
	if c.ServiceAccount == "" {
		return nil
	}
	old, err := os.ReadFile(c.ServiceAccount)
	if errors.Is(err, os.ErrNotExist) {
		made, err := emulator.NewServiceAccount(c.Project)
		if err != nil {
			return err
		}
		return os.WriteFile(c.ServiceAccount, made, 0o600)
	}
	if err != nil {
		return err
	}
	var file struct {
		TokenURI string `json:"token_uri"`
	}
	if err := json.Unmarshal(old, &file); err != nil {
		return fmt.Errorf("%s is no service account: %w", c.ServiceAccount, err)
	}
	if want := emulator.URL() + "/token"; file.TokenURI != want {
		return fmt.Errorf("the token_uri of %s is %s, and here it is %s; listen there, or delete the file", c.ServiceAccount, file.TokenURI, want)
	}
	return emulator.AddServiceAccount(old)
}

// EmulateAPNsCmd is `peal emulate apns`.
type EmulateAPNsCmd struct {
	Listen      string `name:"listen" default:"127.0.0.1:7327" placeholder:"ADDR" help:"Address to serve HTTP/2 over TLS on."`
	Control     string `name:"control" default:"127.0.0.1:7326" placeholder:"ADDR" help:"Address of the control routes, over HTTP; keep it on this machine: they are open."`
	Environment string `name:"environment" enum:"production,sandbox" default:"production" placeholder:"NAME" help:"Apple's environment that it stands for: production or sandbox."`
	Team        string `name:"team" default:"TEAM000001" placeholder:"ID" help:"Team of the key: 10 characters."`
	KeyID       string `name:"key-id" default:"KEY0000001" placeholder:"ID" help:"Id of the key: 10 characters."`
	Key         string `name:"key" placeholder:"FILE" help:"Where the key (.p8) is written, for the integration; one that is there is used again."`
	CA          string `name:"ca" placeholder:"FILE" help:"Where the certificate to trust is written, for settings.ca; made anew at each start."`
	AnyDevice   bool   `name:"any-device" help:"Take every well-formed token for a phone with the app, instead of those only that were registered."`
}

// Help gives an example.
func (EmulateAPNsCmd) Help() string {
	return "Example:\n\n  peal emulate apns --key AuthKey.p8 --ca apns-ca.pem\n" +
		"  peal integration create ios --kind apns --base-url https://127.0.0.1:7327 --ca apns-ca.pem --credential key=@AuthKey.p8 " +
		"--credential team_id=env:TEAM --credential key_id=env:KEY_ID\n\n" +
		"Devices, faults, what happens to connections and what the phones show are at its control routes, /_emulator/."
}

// Run serves until ctx ends.
func (c *EmulateAPNsCmd) Run(ctx context.Context, t *term) error {
	emulator := apns.New(apns.Options{Environment: apns.Environment(c.Environment), AcceptUnknown: c.AnyDevice})
	defer emulator.Close()
	if err := c.key(emulator); err != nil {
		return err
	}
	if c.CA != "" {
		if err := os.WriteFile(c.CA, emulator.CA(), 0o600); err != nil {
			return fmt.Errorf("--ca: %w", err)
		}
	}
	addr, err := emulator.Start(c.Listen)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	control, err := new(net.ListenConfig).Listen(ctx, "tcp", c.Control)
	if err != nil {
		return fmt.Errorf("--control: %w", err)
	}
	t.notef("apns emulator: base_url https://%s, control routes http://%s/_emulator/; Ctrl-C stops it\n", addr, control.Addr())
	return serveHTTP(ctx, control, emulator.Control())
}

func (c *EmulateAPNsCmd) key(emulator *apns.Server) error {
	k := apns.Key{Team: c.Team, ID: c.KeyID}
	if len(k.Team) != 10 || len(k.ID) != 10 {
		return usagef("--team, --key-id: give ids of 10 characters, as Apple's are")
	}
	if c.Key == "" {
		return nil
	}
	old, err := os.ReadFile(c.Key)
	switch {
	case err == nil:
		k.PEM = old
		err = emulator.AddKey(k)
	case errors.Is(err, os.ErrNotExist):
		err = os.WriteFile(c.Key, emulator.NewKey(k.Team, k.ID), 0o600)
	}
	if err != nil {
		return fmt.Errorf("--key: %w", err)
	}
	return nil
}

// EmulateWebPushCmd is `peal emulate webpush`.
type EmulateWebPushCmd struct {
	Listen string `name:"listen" default:"127.0.0.1:7326" placeholder:"ADDR" help:"Address to serve on; keep it on this machine: the control routes are open."`
}

// Help gives an example.
func (EmulateWebPushCmd) Help() string {
	return "Example:\n\n  peal emulate webpush\n" +
		"  curl http://127.0.0.1:7326/_emulator/subscriptions -d '{\"vapid_public_key\": \"…\"}'\n\n" +
		"The answer has the subscriptions to register as devices; the key is the integration's. Faults and what the browsers " +
		"show are at its control routes, /_emulator/."
}

// Run serves until ctx ends.
func (c *EmulateWebPushCmd) Run(ctx context.Context, t *term) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	base := "http://" + listener.Addr().String()
	emulator := webpush.New(webpush.Options{Origin: base})
	defer emulator.Close()
	t.notef("webpush emulator: endpoints at %s/push/, control routes %s/_emulator/; Ctrl-C stops it\n", base, base)
	return serveHTTP(ctx, listener, emulator)
}
