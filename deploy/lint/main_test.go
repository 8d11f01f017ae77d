package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFaultsAreFound: what is broken on purpose is named. What is not broken is checked by running the command.
func TestFaultsAreFound(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ file, old, new, want string }{
		{"Dockerfile", "USER 65532:65532", "USER root", "USER"},
		{"Dockerfile", "static-debian12:nonroot", "static-debian12", "names no version"},
		{"Dockerfile", "HEALTHCHECK --interval=10s --timeout=6s --start-period=30s CMD", "# ", "HEALTHCHECK"},
		{"Dockerfile", `ENTRYPOINT ["/peal"]`, "ENTRYPOINT /peal", "shell"},
		{"Dockerfile", "EXPOSE", "EXPOSED", "unknown instruction"},
		{"Dockerfile", "PEAL_DATA=", "PEAL_DATUM=", "PEAL_DATUM is no setting"},
		{"compose/compose.yaml", "nats:2.15.2-alpine", "nats:latest", "names no version"},
		{"compose/compose.yaml", "stop_grace_period: 40s", "stop_grace_period: 20s", "is killed after 20s"},
		{"compose/compose.yaml", "restart: unless-stopped", "restarts: always", "restarts"},
		{"compose/compose.yaml", "PEAL_MASTER_KEY_FILE: /run/secrets/master_key", "PEAL_MASTER_KEY: secret", "give it as a file"},
		{"kubernetes/deployment.yaml", "readinessProbe:", "readyProbe:", "readyProbe"},
		{"kubernetes/deployment.yaml", "runAsNonRoot: true", "runAsNonRoot: false", "root"},
		{"kubernetes/deployment.yaml", "terminationGracePeriodSeconds: 45", "terminationGracePeriodSeconds: 30", "is killed after 30s"},
		{"kubernetes/deployment.yaml", "path: /readyz", "path: /ready", "no probe asks /readyz"},
		{"kubernetes/service.yaml", "targetPort: http", "targetPort: web", `the port "web"`},
		{"kubernetes/disruption.yaml", "app.kubernetes.io/name: peal", "app.kubernetes.io/name: other", "PodDisruptionBudget's selector"},
		{"kubernetes/config.yaml", "/secrets/nats_url", "/secrets/nats", "which the secret does not have"},
		{"kubernetes/kustomization.yaml", "  - service.yaml\n", "", "it leaves out service.yaml"},
	} {
		root := t.TempDir()
		for from, to := range map[string]string{"..": "deploy", "../../docs": "docs"} {
			if err := os.CopyFS(filepath.Join(root, to), os.DirFS(from)); err != nil {
				t.Fatal(err)
			}
		}
		path := filepath.Join(root, "deploy", c.file)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		broken := strings.ReplaceAll(string(text), c.old, c.new)
		if broken == string(text) {
			t.Errorf("%s has no %q any more: break something else", c.file, c.old)
		}
		if err := os.WriteFile(path, []byte(broken), 0o600); err != nil {
			t.Fatal(err)
		}
		found := strings.Join(lint(root), "\n")
		if !strings.Contains(found, c.want) {
			t.Errorf("%s with %q: want something about %q, found\n%s", c.file, c.new, c.want, found)
		}
	}
}
