package chaos

import (
	"os"
	"os/exec"
	"testing"
)

// verifyAudit: Peal's own account of what it has accepted agrees.
func verifyAudit(t *testing.T, w *world) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), w.bin, "audit", "--url", "http://"+w.nodes[0].addr)
	cmd.Env = append(os.Environ(), "PEAL_API_KEY="+w.operator)
	if out, err := cmd.CombinedOutput(); err != nil {
		w.broken("peal audit: %v\n%s", err, out)
	}
}
