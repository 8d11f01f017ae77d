package main

import (
	"runtime"
	"runtime/debug"

	"peal/internal/app"
)

// VersionCmd is `peal version`.
type VersionCmd struct {
	JSON bool `name:"json" help:"Print JSON, for scripts."`
}

// Help gives an example.
func (VersionCmd) Help() string { return "Example:\n\n  peal version --json" }

// Run prints the version.
func (c *VersionCmd) Run(t *term) error {
	revision, changed := revision()
	if c.JSON {
		return t.json(map[string]any{
			"version": version(), "revision": revision, "modified": changed, "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH,
		})
	}
	if changed {
		revision += " with changes"
	}
	return t.facts("peal", version(), "revision", revision, "go", runtime.Version(), "platform", runtime.GOOS+"/"+runtime.GOARCH)
}

// version is what this binary calls itself.
func version() string { return app.Version }

// revision is the commit that the binary was built from, and whether there were changes beside it.
func revision() (commit string, changed bool) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "", false
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			commit = s.Value
		case "vcs.modified":
			changed = s.Value == "true"
		}
	}
	return commit, changed
}
