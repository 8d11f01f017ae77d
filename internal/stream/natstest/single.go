package natstest

import (
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
)

// Single starts one server of its own with the configuration, on any port, and gives its URL without a user. It takes
// messages of 8 MiB, unless the configuration says otherwise.
func Single(t testing.TB, config string) string {
	t.Helper()
	if !strings.Contains(config, "max_payload") {
		config += "\nmax_payload: 8MB\n"
	}
	o := &server.Options{}
	if err := o.ProcessConfigString("listen: \"127.0.0.1:-1\"\n" + config); err != nil {
		t.Fatal(err)
	}
	o.NoSigs, o.NoLog = true, true
	ns, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	ns.Start()
	t.Cleanup(func() {
		ns.Shutdown()
		ns.WaitForShutdown()
	})
	if !ns.ReadyForConnections(patience) {
		t.Fatal("the server does not come up")
	}
	return "nats://" + ns.Addr().String()
}
