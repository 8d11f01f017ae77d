package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestFailuresHaveTests: every test that the page on WhatsApp's failures names is there, and every failure that Peal does
// something about has one.
func TestFailuresHaveTests(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func (\w+)\((?:t \*testing\.T|f \*testing\.F|b \*bundle)\)`)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || (!strings.HasSuffix(path, "_test.go") && !strings.Contains(filepath.ToSlash(path), "/storetest/")) {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range declared.FindAllStringSubmatch(string(text), -1) {
			known[m[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for line := range strings.Lines(page(t, "docs/providers/whatsapp_failures.md")) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) != 5 || strings.Contains(cells[1], "---") || strings.Contains(cells[3], "tests") {
			continue
		}
		rows++
		names := regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(cells[3], -1)
		if len(names) == 0 && !strings.Contains(cells[2], "Cannot be prevented") {
			t.Errorf("no test is named for: %s", cells[1])
		}
		for _, n := range names {
			if !known[n[1]] {
				t.Errorf("there is no test %s", n[1])
			}
		}
	}
	if rows < 10 {
		t.Errorf("only %d rows were found", rows)
	}
}
