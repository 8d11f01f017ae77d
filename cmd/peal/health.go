package main

import (
	"context"
	"time"

	"peal/client"
)

// HealthCmd is `peal health`.
type HealthCmd struct {
	URL     string        `name:"url" env:"PEAL_URL" default:"http://127.0.0.1:7325" placeholder:"URL" help:"The server."`
	Timeout time.Duration `name:"timeout" default:"5s" placeholder:"DURATION" help:"Longest wait for an answer."`
	Live    bool          `name:"live" help:"Ask only whether the process answers, not whether it takes work."`
}

// Help gives an example.
func (HealthCmd) Help() string {
	return "It is for whoever looks after the server: the exit code is 0 when it takes work, and 1 when it does not. No key is needed.\n\n" +
		"Example:\n\n  peal health"
}

// Run asks the server.
func (c *HealthCmd) Run(ctx context.Context, t *term) error {
	cl, err := client.New(c.URL, "", client.WithTimeout(c.Timeout), client.WithUserAgent("peal-cli/"+version()))
	if err != nil {
		return usagef("--url (PEAL_URL): %w", err)
	}
	if c.Live {
		err = cl.Healthy(ctx)
	} else {
		err = cl.Ready(ctx)
	}
	if err != nil {
		return err
	}
	return t.printf("ok\n")
}
