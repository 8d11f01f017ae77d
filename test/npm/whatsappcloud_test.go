package npm_test

import (
	"context"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"peal/emulator/whatsappcloud"
)

// TestWhatsAppCloud drives the emulator of Meta's Cloud API with the npm
// package @kapso/whatsapp-cloud-api 0.3.0, and has its webhooks taken by it and
// by whatsapp-api-js 6.3.0.
func TestWhatsAppCloud(t *testing.T) {
	node := requireNode(t, "@kapso/whatsapp-cloud-api")
	requireNode(t, "whatsapp-api-js")
	emu := whatsappcloud.New(whatsappcloud.Options{})
	defer emu.Close()
	srv := httptest.NewServer(emu)
	defer srv.Close()
	// As in TestWasenderapi: so that a changed script gets no cached result.
	if _, err := os.Stat("whatsappcloud.mjs"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, node, "whatsappcloud.mjs", srv.URL)
	cmd.Env = withoutProxy(os.Environ())
	out, err := cmd.CombinedOutput()
	t.Logf("node whatsappcloud.mjs:\n%s", out)
	if err != nil {
		t.Fatalf("the cross-check failed: %v", err)
	}
	// The script ran to its end, and through this emulator.
	if c := emu.Counts(); !strings.Contains(string(out), "checks passed") || c.Accepted < 15 || c.Refused < 50 || c.Webhooks.Posted < 15 {
		t.Errorf("the cross-check did too little: %+v", c)
	}
}
