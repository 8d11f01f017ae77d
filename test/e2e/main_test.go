package e2e_test

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"testing"
)

// atOnce is how many tests run at the same time. They mostly wait (for schedules, which fire on whole seconds, and for
// disks), so the default of one per core would be several times slower.
const atOnce = 12 / (1 + slower)

func TestMain(m *testing.M) {
	flag.Parse()
	if !flagGiven("test.parallel") {
		if err := flag.Set("test.parallel", strconv.Itoa(atOnce)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	runColumns(m)
}

func flagGiven(name string) bool {
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == name })
	return given
}
