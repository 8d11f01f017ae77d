package main

import (
	"context"
	"fmt"
	"os"
	"strconv"

	"peal/internal/app"
	"peal/internal/config"
	"peal/internal/vault"
)

// RestoreCmd is `peal restore`.
type RestoreCmd struct {
	From          string `name:"from" required:"" placeholder:"FILE" help:"The backup."`
	Data          string `name:"data" env:"PEAL_DATA" default:"peal-data" placeholder:"DIR" help:"Data folder to make of it; it must hold nothing of a Peal."`
	Resend        bool   `name:"resend" help:"Send what was queued, even if it may have been sent after the backup was made."`
	MasterKeyFile string `name:"master-key-file" env:"PEAL_MASTER_KEY_FILE" placeholder:"FILE" help:"File that holds the master key (or set PEAL_MASTER_KEY): then it is checked that it fits."`
	JSON          bool   `name:"json" help:"Print JSON, for scripts."`
}

// Help says what becomes of the queue and gives an example.
func (RestoreCmd) Help() string {
	return "Deliveries that were queued when the backup was made may have been sent since: they become uncertain, and are not sent again " +
		"until somebody has decided (peal log list --status uncertain). Those of a later time than now go on, so do those of " +
		"integrations with on_unknown resend, and all of a backup that was made with --move. --resend sends them all.\n\n" +
		"Example:\n\n" +
		"  peal restore --from peal-2027-01-31.backup --data peal-data --master-key-file master.key"
}

// Run restores a backup.
func (c *RestoreCmd) Run(ctx context.Context, t *term) error {
	keyID, err := c.keyID()
	if err != nil {
		return err
	}
	f, err := os.Open(c.From)
	if err != nil {
		return usagef("--from: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read
	r, err := app.Restore(ctx, app.RestoreConfig{From: f, Data: c.Data, KeyID: keyID, Resend: c.Resend})
	if err != nil {
		return err
	}
	if c.JSON {
		return t.json(r)
	}
	switch {
	case r.KeyChecked:
		t.notef("the master key fits\n")
	case len(r.Keys) > 0:
		t.notef("serve it with the master key that it was made with: without that its credentials cannot be read\n")
	}
	if r.Doubted > 0 {
		t.notef("%d deliveries may have been sent after the backup was made: they are uncertain now; see peal log list --status uncertain\n", r.Doubted)
	}
	count := func(n int64) string { return strconv.FormatInt(n, 10) }
	return t.facts("data", c.Data, "made", longTime(&r.CreatedAt), "tenants", count(r.Tenants), "integrations", count(r.Integrations),
		"notifications", count(r.Notifications), "deliveries", count(r.Deliveries), "queued", count(r.Queued-r.Doubted),
		"uncertain", count(r.Uncertain+r.Doubted), "webhooks to fold", count(r.Webhooks), "newest", longTime(&r.Newest))
}

// keyID names the master key; empty when there is none at hand.
func (c *RestoreCmd) keyID() (string, error) {
	cfg := config.Config{MasterKeyFile: c.MasterKeyFile}
	if err := cfg.LoadSecrets(os.LookupEnv); err != nil {
		return "", usage(err)
	}
	if cfg.MasterKey == "" {
		return "", nil
	}
	key, err := config.ParseMasterKey(cfg.MasterKey)
	if err != nil {
		return "", usagef("PEAL_MASTER_KEY (or --master-key-file): %w", err)
	}
	v, err := vault.New(key[:])
	if err != nil {
		return "", fmt.Errorf("the master key: %w", err)
	}
	return v.KeyID(), nil
}
