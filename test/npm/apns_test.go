package npm_test

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"peal/emulator/apns"
)

// TestNodeAPN drives the APNs emulator with the npm package @parse/node-apn
// 8.1.0: pushes, refusals, GOAWAY, a reset and a lost connection.
func TestNodeAPN(t *testing.T) {
	node := requireNode(t, "@parse/node-apn")
	const team, kid, bundle = "TEAM000001", "KEY0000001", "org.example.app"
	emu := apns.New(apns.Options{Devices: []apns.Device{
		{Token: strings.Repeat("ab", 32), Bundle: bundle}, {Token: strings.Repeat("cd", 32), Bundle: bundle},
	}})
	defer emu.Close()
	addr, err := emu.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	control := httptest.NewServer(emu.Control())
	defer control.Close()
	setup, err := json.Marshal(map[string]string{
		"address": addr.String(), "control": control.URL, "ca": string(emu.CA()), "key": string(emu.NewKey(team, kid)),
		"team": team, "kid": kid, "bundle": bundle,
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "setup.json")
	if err := os.WriteFile(file, setup, 0o600); err != nil {
		t.Fatal(err)
	}
	// As for crosscheck.mjs: go test has to notice when the script changes.
	if _, err := os.Stat("apns.mjs"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, node, "apns.mjs", file)
	cmd.Env = withoutProxy(os.Environ())
	out, err := cmd.CombinedOutput()
	t.Logf("node apns.mjs:\n%s", out)
	if err != nil {
		t.Fatalf("the cross-check failed: %v", err)
	}
	// The script ran to its end, and through this emulator.
	if c := emu.Counts(); !strings.Contains(string(out), "checks passed") || c.Accepted < 300 || c.Refused < 5 {
		t.Errorf("the cross-check did too little: %+v", c)
	}
}
