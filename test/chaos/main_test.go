package chaos

import (
	"fmt"
	"io"
	"os"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
)

// natsConfig names the configuration of the NATS server that this program is to be, in place of a test.
const natsConfig = "PEAL_CHAOS_NATS"

func TestMain(m *testing.M) {
	if file := os.Getenv(natsConfig); file != "" {
		if err := serveNATS(file); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// serveNATS is a NATS server until whoever started it is gone.
func serveNATS(file string) error {
	o, err := server.ProcessConfigFile(file)
	if err != nil {
		return fmt.Errorf("configure: %w", err)
	}
	o.NoSigs = true
	ns, err := server.NewServer(o)
	if err != nil {
		return fmt.Errorf("make a server: %w", err)
	}
	ns.ConfigureLogger()
	ns.Start()
	_, _ = io.Copy(io.Discard, os.Stdin) // a pipe that nobody writes to
	ns.Shutdown()
	ns.WaitForShutdown()
	return nil
}
