package natstest

import (
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
)

// Single starts one server of its own with the configuration, on any port, and gives its URL without a user. It takes
// messages of 8 MiB, unless the configuration says otherwise.
func Single(tb testing.TB, config string) string {
	tb.Helper()
	if !strings.Contains(config, "max_payload") {
		config += "\nmax_payload: 8MB\n"
	}
	o := &server.Options{}
	if err := o.ProcessConfigString("listen: \"127.0.0.1:-1\"\n" + config); err != nil {
		tb.Fatal(err)
	}
	o.NoSigs, o.NoLog = true, true
	ns, err := server.NewServer(o)
	if err != nil {
		tb.Fatal(err)
	}
	ns.Start()
	tb.Cleanup(func() {
		ns.Shutdown()
		ns.WaitForShutdown()
	})
	if !ns.ReadyForConnections(patience) {
		tb.Fatal("the server does not come up")
	}
	return "nats://" + ns.Addr().String()
}
