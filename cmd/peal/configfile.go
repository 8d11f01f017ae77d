package main

import (
	"os"
	"slices"

	"peal/internal/config"

	"github.com/alecthomas/kong"
)

// configFile keeps the file that --config named between the parsing of the flags and the running of the command.
type configFile struct{ values config.File }

// configPath is the flag --config: parsing it reads the file and lets it answer for flags that neither the
// command line nor the environment set.
type configPath string

// BeforeResolve is kong's hook for it. It is called for commands that were not chosen, too.
func (configPath) BeforeResolve(kctx *kong.Context, path *kong.Path, file *configFile) error {
	if node := kctx.Selected(); node == nil || !slices.Contains(node.Flags, path.Flag) {
		return nil
	}
	name, ok := kctx.FlagValue(path.Flag).(configPath)
	if !ok || name == "" {
		return nil
	}
	values, err := config.ReadFile(string(name))
	if err != nil {
		return err
	}
	file.values = values
	kctx.AddResolver(kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		for _, env := range flag.Envs {
			if _, set := os.LookupEnv(env); set {
				return nil, nil // the environment wins
			}
			if v, found := values.Lookup(env); found {
				return v, nil
			}
		}
		return nil, nil
	}))
	return nil
}

// configFlags are the fields of config.Config as flags. The type has none of its methods, for kong would call
// Validate before the secrets are there.
type configFlags config.Config

// complete adds the secrets to the configuration that the flags gave, and checks the whole.
func (f *configFile) complete(flags configFlags) (config.Config, error) {
	cfg := config.Config(flags)
	err := cfg.LoadSecrets(f.lookup)
	if err == nil {
		err = cfg.Validate()
	}
	if err != nil {
		return cfg, usagef("the configuration is wrong:\n%w", err)
	}
	return cfg, nil
}

// lookup finds a setting in the environment, else in the file.
func (f *configFile) lookup(env string) (string, bool) {
	if v, ok := os.LookupEnv(env); ok {
		return v, true
	}
	return f.values.Lookup(env)
}
