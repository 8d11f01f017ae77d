package services

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"

	"peal/bench/internal/proc"
)

// NATS is a running nats-server with JetStream.
type NATS struct {
	*proc.Process
	URL string
}

// BuildNATS compiles the nats-server that go.mod of the bench, in source, names into dir.
func BuildNATS(ctx context.Context, source, dir string) (string, error) {
	bin, err := filepath.Abs(filepath.Join(dir, "nats-server"))
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-o", bin, "github.com/nats-io/nats-server/v2")
	cmd.Dir = source
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building nats-server: %w\n%s", err, out)
	}
	return bin, nil
}

// StartNATS serves from a folder of dir.
func StartNATS(ctx context.Context, bin, dir string) (*NATS, error) {
	data, err := filepath.Abs(filepath.Join(dir, "nats"))
	if err != nil {
		return nil, err
	}
	addr, err := proc.FreeAddr()
	if err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	// As docs/operating.md has it: a webhook may be larger than NATS takes by default.
	config := filepath.Join(dir, "nats.conf")
	if err := os.WriteFile(config, []byte("max_payload: 5MB\n"), 0o600); err != nil {
		return nil, err
	}
	n := &NATS{URL: "nats://" + addr}
	n.Process, err = proc.Start(ctx, proc.Config{
		Name: "nats", Dir: dir, Args: []string{bin, "-c", config, "-a", host, "-p", port, "-js", "-sd", data},
		Ready: func(ctx context.Context) error {
			c, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
			if err != nil {
				return err
			}
			return c.Close()
		},
	})
	return n, err
}
