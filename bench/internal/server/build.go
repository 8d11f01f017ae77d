// Package server builds Peal, runs `peal serve` as a process of its own, and sets it up over its HTTP API.
package server

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
)

// Build compiles the peal command of the module in repo into dir and returns the binary's path.
func Build(ctx context.Context, repo, dir string) (string, error) {
	bin, err := filepath.Abs(filepath.Join(dir, "peal"))
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-o", bin, "./cmd/peal")
	cmd.Dir = repo
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building peal in %s: %w\n%s", repo, err, out)
	}
	return bin, nil
}
