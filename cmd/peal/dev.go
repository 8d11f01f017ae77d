package main

import (
	"context"

	"peal/internal/app"
)

// DevCmd is `peal dev`.
type DevCmd struct {
	Data     string `name:"data" env:"PEAL_DEV_DATA" default:"peal-data" placeholder:"DIR" help:"Folder for everything it keeps; made when it is not there."`
	Listen   string `name:"listen" env:"PEAL_DEV_LISTEN" default:"127.0.0.1:7325" placeholder:"ADDR" help:"Address to serve the API on."`
	Emulator string `name:"emulator" env:"PEAL_DEV_EMULATOR" default:"127.0.0.1:7326" placeholder:"ADDR" help:"Address of the emulated providers, and of the page of their phones."`
	APNs     string `name:"apns-emulator" env:"PEAL_DEV_APNS_EMULATOR" default:"127.0.0.1:7327" placeholder:"ADDR" help:"Address of the emulated APNs, which has a port of its own."`
}

// Help gives an example.
func (DevCmd) Help() string {
	return "Broker, database, all stages and emulated providers in one process: WhatsApp, FCM, APNs and Web Push, with a demo " +
		"tenant whose user has two phones and a browser. It sends a message and a push, shows their ticks, and stays up. The phones' " +
		"lock screens are a page: /phones at the emulators' address; tapping there reports the open.\n\nExample:\n\n  peal dev"
}

// Run runs the demonstration until ctx ends.
func (c *DevCmd) Run(ctx context.Context, t *term) error {
	return app.Dev(ctx, app.DevConfig{Data: c.Data, Listen: c.Listen, Emulator: c.Emulator, APNs: c.APNs}, t.out)
}
