// Command lint checks what is in deploy/ as far as that goes without a container engine: that it is what Docker, Compose
// and Kubernetes take, field by field, and that it keeps to what Peal promises there. It is a module of its own, so that
// what it needs never enters Peal's go.mod.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

func main() {
	root := "../.."
	if len(os.Args) > 1 {
		root = os.Args[1]
	}
	found := lint(root)
	for _, f := range found {
		fmt.Fprintln(os.Stderr, f)
	}
	if len(found) > 0 {
		os.Exit(1)
	}
	fmt.Println("Dockerfile, compose.yaml and the Kubernetes manifests are fine")
}

// lint gives a line for each fault under the project's root.
func lint(root string) (found []string) {
	l := &linter{deploy: filepath.Join(root, "deploy")}
	if err := l.readSettings(filepath.Join(root, "docs", "config.md")); err != nil {
		return []string{err.Error()}
	}
	for name, check := range map[string]func(path string) error{
		"Dockerfile": l.dockerfile, "compose/compose.yaml": l.compose, "kubernetes": l.kubernetes,
	} {
		if err := check(filepath.Join(l.deploy, name)); err != nil {
			l.found = append(l.found, fmt.Sprintf("deploy/%s: %v", name, err))
		}
	}
	return l.found
}

type linter struct {
	deploy   string
	settings map[string]bool // every PEAL_* that there is
	found    []string
}

func (l *linter) fault(file, format string, args ...any) {
	l.found = append(l.found, file+": "+fmt.Sprintf(format, args...))
}

func (l *linter) readSettings(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	l.settings = map[string]bool{}
	for _, name := range regexp.MustCompile(`PEAL_[A-Z_]*[A-Z]`).FindAllString(string(text), -1) {
		l.settings[name] = true
	}
	if len(l.settings) < 10 {
		return fmt.Errorf("only %d settings were found: the check looks in the wrong place", len(l.settings))
	}
	return nil
}

// known checks that a variable is a setting of Peal.
func (l *linter) known(file, name string) {
	if strings.HasPrefix(name, "PEAL_") && !l.settings[name] {
		l.fault(file, "%s is no setting of Peal: docs/config.md has them", name)
	}
}

// tagged checks that an image names a version.
func (l *linter) tagged(file, image string) {
	_, last, _ := strings.Cut(image[strings.LastIndexByte(image, '/')+1:], ":")
	if last == "" || last == "latest" {
		l.fault(file, "image %s names no version", image)
	}
}

// drains checks that a node has the time that it may take to stop.
func (l *linter) drains(file string, has time.Duration, delay, timeout string) {
	need := 20 * time.Second // the default of --drain-timeout
	if timeout != "" {
		need = 0
	}
	for _, s := range []string{delay, timeout} {
		if s == "" {
			continue
		}
		d, err := time.ParseDuration(s)
		if err != nil {
			l.fault(file, "%v", err)
		}
		need += d
	}
	if has <= need {
		l.fault(file, "a node is killed after %s, and may take %s to stop", has, need)
	}
}
