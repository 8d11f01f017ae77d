// Package rivals starts what Peal is compared with: applications over the queues that are usual, each with its servers,
// doing the same work for the same requests. And Peal at its two sizes.
package rivals

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"peal/bench/internal/services"
	"peal/bench/internal/suite"
)

// The systems that ratios are to, and the large size.
const (
	Peal      = "peal"
	PealLarge = "peal-large"
)

//go:embed schema.sql
var schema string

// Tools are what systems are started from; Build makes those that are needed.
type Tools struct {
	Asynq string // the built rivals/asynq
	Bull  string // the folder rivals/bullmq, with its packages
	NATS  string // a built nats-server
}

// A rival is a form of an application over Redis with one of its ways to sync.
type rival struct {
	app  string // of argv
	sync string // of Redis; "none" also for a PostgreSQL that does not wait for the disk
}

func rivals() []rival {
	var all []rival
	for _, app := range []string{"asynq-tutorial", "asynq-tuned", "bullmq-tuned"} {
		for _, sync := range []string{"always", "everysec", "none"} {
			all = append(all, rival{app, sync})
		}
	}
	return all
}

func (r rival) name() string { return r.app + "-" + r.sync }

// Names is all systems, Peal first.
func Names() []string {
	names := []string{Peal, PealLarge}
	for _, r := range rivals() {
		names = append(names, r.name())
	}
	return names
}

// Default is the systems that run unless others are named: of the tutorial's form only what Redis's own guide advises.
func Default() []string {
	return slices.DeleteFunc(Names(), func(n string) bool {
		return n == PealLarge || n == "asynq-tutorial-always" || n == "asynq-tutorial-none"
	})
}

// Launchers makes the named systems startable, in the order of names.
func Launchers(names []string, t *Tools) ([]suite.Launcher, error) {
	var ls []suite.Launcher
	for _, name := range names {
		i := slices.IndexFunc(rivals(), func(r rival) bool { return r.name() == name })
		switch {
		case name == Peal:
			ls = append(ls, suite.Launcher{Name: name, Launch: launchPeal})
		case name == PealLarge:
			ls = append(ls, suite.Launcher{Name: name, Launch: t.launchLarge})
		case i >= 0:
			r := rivals()[i]
			ls = append(ls, suite.Launcher{Name: name, Launch: func(ctx context.Context, l suite.Launch) (*suite.System, error) {
				return t.launchRival(ctx, l, r)
			}})
		default:
			return nil, fmt.Errorf("no system %q; there are %s", name, strings.Join(Names(), ", "))
		}
	}
	return ls, nil
}

// Build makes what the named systems are started from, in dir; the bench's own folder is in source.
func (t *Tools) Build(ctx context.Context, names []string, source, dir string) error {
	uses := func(prefix string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, prefix) })
	}
	var err error
	if uses("asynq") && t.Asynq == "" {
		if t.Asynq, err = filepath.Abs(filepath.Join(dir, "asynq")); err != nil {
			return err
		}
		if err := in(ctx, source, "go", "build", "-o", t.Asynq, "./rivals/asynq"); err != nil {
			return err
		}
	}
	if uses("bullmq") && t.Bull == "" {
		if _, err := exec.LookPath("node"); err != nil {
			return fmt.Errorf("%w: no node is here; install Node 20 or later with npm (Debian: apt-get install nodejs npm)", services.ErrMissing)
		}
		if t.Bull, err = filepath.Abs(filepath.Join(source, "rivals", "bullmq")); err != nil {
			return err
		}
		if stale(t.Bull) {
			// Install scripts only make native variants of what is there in JavaScript, and npm asks before it runs them.
			if err := in(ctx, t.Bull, "npm", "ci", "--no-fund", "--no-audit", "--ignore-scripts"); err != nil {
				return err
			}
		}
	}
	if uses(PealLarge) && t.NATS == "" {
		t.NATS, err = services.BuildNATS(ctx, source, dir)
	}
	return err
}

// stale says whether the packages are older than their list, or not there.
func stale(dir string) bool {
	want, err := os.Stat(filepath.Join(dir, "package-lock.json"))
	if err != nil {
		return true
	}
	have, err := os.Stat(filepath.Join(dir, "node_modules", ".package-lock.json"))
	return err != nil || have.ModTime().Before(want.ModTime())
}

func in(ctx context.Context, dir string, args ...string) error {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}
