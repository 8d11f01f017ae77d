package main

import (
	"context"

	"peal/internal/app"
	"peal/internal/config"
)

// MigrateCmd is `peal migrate`.
type MigrateCmd struct {
	ConfigFile      configPath `name:"config" env:"PEAL_CONFIG" placeholder:"FILE" help:"File with lines such as PEAL_DATA=/var/lib/peal; flags and the environment win over it."`
	Data            string     `name:"data" env:"PEAL_DATA" default:"peal-data" placeholder:"DIR" help:"Folder of the database, where no database's URL is given."`
	DatabaseURLFile string     `name:"database-url-file" env:"PEAL_DATABASE_URL_FILE" placeholder:"FILE" help:"File that holds the URL of a PostgreSQL database. PEAL_DATABASE_URL has it in the environment."`
	DryRun          bool       `name:"dry-run" help:"Only say what would be done."`
}

// Help gives an example.
func (MigrateCmd) Help() string {
	return "The server does this by itself when it starts; several that start at once take turns. " +
		"A database of a newer Peal is refused.\n\n" +
		"Example:\n\n" +
		"  peal migrate --dry-run"
}

// Run migrates.
func (c *MigrateCmd) Run(ctx context.Context, t *term, file *configFile) error {
	cfg := config.Config{Data: c.Data, DatabaseURLFile: c.DatabaseURLFile}
	err := cfg.LoadDatabaseURL(file.lookup)
	if err == nil {
		err = cfg.ValidateDatabaseURL()
	}
	if err != nil {
		return usagef("the configuration is wrong:\n%w", err)
	}
	return app.Migrate(ctx, cfg, c.DryRun, t.out)
}
