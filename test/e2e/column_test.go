package e2e_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"peal/internal/config"
	"peal/internal/store/pgtest"
	"peal/internal/stream/natstest"
)

// columnVariable says which of the two sizes this process tests. The first, everything embedded, runs the second as
// another process.
const (
	columnVariable = "PEAL_TEST_COLUMN"
	large          = "large" // PostgreSQL and a NATS cluster
)

// cluster is the NATS of the large column: each test has an account of its own there. It is nil in the small one.
var cluster *natstest.Cluster

// size runs the tests of one column.
type size struct{ *testing.M }

func (s size) Run() int {
	if os.Getenv(columnVariable) != large {
		return s.M.Run()
	}
	var err error
	if cluster, err = natstest.Start(4 * atOnce); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer cluster.Stop()
	return s.M.Run()
}

// runColumns runs this process' column and, from the small one, the large one after it.
func runColumns(m *testing.M) {
	goleak.VerifyTestMain(size{m}, goleak.IgnoreAnyFunction(natstest.Clock), goleak.IgnoreAnyFunction(natstest.StateLoop), goleak.Cleanup(func(code int) {
		if os.Getenv(columnVariable) != large && !flagGiven("test.list") && !flagGiven("test.fuzz") {
			code = max(code, runLarge())
		}
		os.Exit(code)
	}))
}

// runLarge runs the same tests over PostgreSQL and a NATS cluster.
func runLarge() int {
	if os.Getenv(pgtest.Variable) == "" {
		fmt.Fprintf(os.Stderr, "\n*** The large size (PostgreSQL and a NATS cluster) was SKIPPED: set %s ***\n\n", pgtest.Variable)
		return 0
	}
	fmt.Fprintln(os.Stdout, "--- the same over PostgreSQL and a NATS cluster")
	// What the first process writes of itself, the second would write over.
	args := slices.DeleteFunc(slices.Clone(os.Args[1:]), func(arg string) bool {
		return slices.ContainsFunc([]string{"testlogfile", "coverprofile", "gocoverdir", "cpuprofile", "memprofile", "blockprofile", "mutexprofile", "trace"},
			func(flag string) bool { return strings.HasPrefix(strings.TrimLeft(arg, "-"), "test."+flag+"=") })
	})
	cmd := exec.Command(os.Args[0], args...) //nolint:noctx // go test ends both
	cmd.Env = append(os.Environ(), columnVariable+"="+large)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	err := cmd.Run()
	var ended *exec.ExitError
	switch {
	case errors.As(err, &ended):
		return max(ended.ExitCode(), 1)
	case err != nil:
		fmt.Fprintln(os.Stderr, "run the large size:", err)
		return 1
	}
	return 0
}

// spread gives a test's Peal a database and a NATS account of its own, in the large column.
func spread(t *testing.T, cfg *config.Config) {
	t.Helper()
	if cluster == nil {
		return
	}
	cfg.DatabaseURL = config.Secret(pgtest.URL(t))
	cfg.NatsURL = config.Secret(strings.Join(cluster.Account(t), ","))
}

// onlySmall skips a test that is about what only the small size has.
func onlySmall(t *testing.T, what string) {
	t.Helper()
	if cluster != nil {
		t.Skipf("only the small size has %s", what)
	}
}

// shortLife is a TTL that is over soon, and still long enough for a first attempt: a cluster opens a new integration's
// queue in its own time.
func shortLife() string {
	if cluster != nil {
		return "5s"
	}
	return "1s"
}
