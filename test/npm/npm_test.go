package npm_test

import (
	"context"
	"errors"
	"io/fs"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"peal/emulator/wasender"
)

// TestWasenderapi drives the WasenderApi emulator with the npm package
// wasenderapi 0.4.0: sends, refusals, the wait of a 429, and webhooks.
func TestWasenderapi(t *testing.T) {
	node := requireNode(t, "wasenderapi")
	emu := wasender.New(wasender.Options{})
	defer emu.Close()
	srv := httptest.NewServer(emu)
	defer srv.Close()

	// Node reads the script, but go test only notices what the test itself
	// looks at: without this a changed script would get a cached result.
	if _, err := os.Stat("crosscheck.mjs"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, node, "crosscheck.mjs", srv.URL)
	cmd.Env = withoutProxy(os.Environ())
	out, err := cmd.CombinedOutput()
	t.Logf("node crosscheck.mjs:\n%s", out)
	if err != nil {
		t.Fatalf("the cross-check failed: %v", err)
	}
	// The script ran to its end, and through this emulator.
	if c := emu.Counts(); !strings.Contains(string(out), "checks passed") || c.Accepted < 10 || c.Webhooks.Posted < 5 {
		t.Errorf("the cross-check did too little: %+v", c)
	}
}

// requireNode returns the path of node. Without node or the package the test is
// skipped, except in CI, where it must run.
func requireNode(t *testing.T, pkg string) string {
	t.Helper()
	node, err := exec.LookPath("node")
	if err == nil {
		_, err = os.Stat(filepath.Join("node_modules", filepath.FromSlash(pkg), "package.json"))
	}
	switch {
	case err == nil:
		return node
	case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, exec.ErrNotFound):
		t.Fatal(err)
	case os.Getenv("CI") == "true":
		t.Fatalf("the npm cross-check must run in CI: install Node 20 and run \"npm ci\" in test/npm (%v)", err)
	}
	t.Skipf("SKIPPED: the npm cross-check with %s. To run it: install Node 20, then \"npm ci\" in test/npm (%v)", pkg, err)
	return ""
}

// withoutProxy keeps node from sending loopback requests to a proxy.
func withoutProxy(env []string) []string {
	var kept []string
	for _, pair := range env {
		name, _, _ := strings.Cut(strings.ToLower(pair), "=")
		if name != "http_proxy" && name != "https_proxy" && name != "all_proxy" {
			kept = append(kept, pair)
		}
	}
	return kept
}
