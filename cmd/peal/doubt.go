package main

import (
	"context"
	"log/slog"
	"strconv"

	"peal/internal/app"
	"peal/internal/config"
)

// DoubtCmd is `peal doubt`.
type DoubtCmd struct {
	ConfigFile      configPath `name:"config" env:"PEAL_CONFIG" placeholder:"FILE" help:"File with lines such as PEAL_DATA=/var/lib/peal; flags and the environment win over it."`
	Data            string     `name:"data" env:"PEAL_DATA" default:"peal-data" placeholder:"DIR" help:"Folder of the database, where no database's URL is given."`
	DatabaseURLFile string     `name:"database-url-file" env:"PEAL_DATABASE_URL_FILE" placeholder:"FILE" help:"File that holds the URL of a PostgreSQL database. PEAL_DATABASE_URL has it in the environment."`
	RestoredTo      when       `name:"restored-to" placeholder:"TIME" help:"Only what was accepted before then, or so long ago: 2026-01-31T15:04:05Z, 2h. For a database that was served since it was restored."`
	DryRun          bool       `name:"dry-run" help:"Only say what would be done."`
	Force           bool       `name:"force" help:"Do it though a node serves the database, or seems to."`
	JSON            bool       `name:"json" help:"Print JSON, for scripts."`
}

// Help says when to use it, and gives examples.
func (DoubtCmd) Help() string {
	return "For records that have gone back in time by other means than peal restore: PostgreSQL restored to an earlier moment, or a data " +
		"folder from a snapshot of its disk. Run it before any server starts on them. What was queued at that moment may have been sent " +
		"since: it becomes uncertain, and is not sent again until it is known what became of it, or somebody has decided (peal log list " +
		"--status uncertain). Deliveries of a later time than now go on, so do those of integrations with on_unknown resend.\n\n" +
		"Examples:\n\n" +
		"  peal doubt --dry-run\n" +
		"  peal doubt --database-url-file database.url"
}

// Run sets in doubt.
func (c *DoubtCmd) Run(ctx context.Context, t *term, file *configFile) error {
	cfg := config.Config{Data: c.Data, DatabaseURLFile: c.DatabaseURLFile}
	err := cfg.LoadDatabaseURL(file.lookup)
	if err == nil {
		err = cfg.ValidateDatabaseURL()
	}
	if err != nil {
		return usagef("the configuration is wrong:\n%w", err)
	}
	r, err := app.Doubt(ctx, app.DoubtConfig{
		Records: cfg, RestoredTo: c.RestoredTo.ago(t.now()), DryRun: c.DryRun, Force: c.Force,
		Log: slog.New(slog.NewTextHandler(t.err, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		if r.InDoubt > 0 {
			t.notef("%d deliveries are uncertain now; run it again for the rest\n", r.InDoubt)
		}
		return err
	}
	if c.JSON {
		return t.json(r)
	}
	if c.DryRun {
		t.notef("nothing was changed\n")
	} else if r.InDoubt > 0 {
		t.notef("see peal log list --status uncertain\n")
	}
	return t.facts("uncertain", strconv.FormatInt(r.InDoubt, 10), "sent again", strconv.FormatInt(r.Harmless, 10))
}
