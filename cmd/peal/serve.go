package main

import (
	"context"
	"os"
	"runtime/debug"

	"peal/internal/app"
)

// ServeCmd is `peal serve`.
type ServeCmd struct {
	ConfigFile configPath  `name:"config" env:"PEAL_CONFIG" placeholder:"FILE" help:"File with lines such as PEAL_LISTEN=127.0.0.1:7325; flags and the environment win over it."`
	Check      bool        `name:"check" help:"Check the configuration and stop."`
	Config     configFlags `embed:""`
}

// gcPercent lets the heap grow to three times what is live before it is collected. Peal's heap is small, its garbage
// is a lot: collecting it half as often is worth more than the memory. GOGC overrides it.
const gcPercent = 200

// Help gives an example.
func (ServeCmd) Help() string {
	return "The two keys come from files or from the environment, PEAL_MASTER_KEY and PEAL_OPERATOR_KEY. " +
		"Make them once and keep them: without its master key a database's credentials cannot be read.\n\n" +
		"Example:\n\n" +
		"  openssl rand -base64 32 > master.key\n" +
		"  openssl rand -hex 24 > operator.key\n" +
		"  peal serve --master-key-file master.key --operator-key-file operator.key"
}

// Run serves until ctx ends.
func (c *ServeCmd) Run(ctx context.Context, t *term, file *configFile) error {
	cfg, err := file.complete(c.Config)
	if err != nil {
		return err
	}
	if c.Check {
		return t.printf("the configuration is fine\n")
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	return app.Serve(ctx, cfg, os.Stderr)
}
