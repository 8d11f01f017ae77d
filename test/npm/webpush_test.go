package npm_test

import (
	"context"
	"encoding/pem"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"peal/emulator/webpush"
)

// TestWebPush sends to the web push emulator with the npm package web-push
// 3.6.7: what it encrypts and signs is taken, what is signed with another key
// is not.
func TestWebPush(t *testing.T) {
	node := requireNode(t, "web-push")
	if _, err := os.Stat(filepath.Join("node_modules", "web-push", "package.json")); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the npm cross-check must run in CI: run \"npm ci\" in test/npm (%v)", err)
		}
		t.Skipf("SKIPPED: the npm cross-check of the web push emulator. To run it: \"npm ci\" in test/npm (%v)", err)
	}
	emu := webpush.New(webpush.Options{})
	defer emu.Close()
	srv := httptest.NewTLSServer(emu) // the package speaks TLS only
	defer srv.Close()
	cert := filepath.Join(t.TempDir(), "cert.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	if err := os.WriteFile(cert, block, 0o600); err != nil {
		t.Fatal(err)
	}
	// As in TestWasenderapi: so that a changed script gets no cached result.
	if _, err := os.Stat("webpush.mjs"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, node, "webpush.mjs", srv.URL)
	cmd.Env = append(withoutProxy(os.Environ()), "NODE_EXTRA_CA_CERTS="+cert)
	out, err := cmd.CombinedOutput()
	t.Logf("node webpush.mjs:\n%s", out)
	if err != nil {
		t.Fatalf("the cross-check failed: %v", err)
	}
	// The script ran to its end, and through this emulator.
	if c := emu.Counts(); !strings.Contains(string(out), "checks passed") || c.Accepted < 5 || c.Shown < 5 || c.Unauthorized < 3 {
		t.Errorf("the cross-check did too little: %+v", c)
	}
}
