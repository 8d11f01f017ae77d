package arch

import (
	"maps"
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

func TestTheHouseHolds(t *testing.T) {
	t.Parallel()
	h, err := read(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rules() {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			for _, breach := range r.check(h) {
				t.Error(breach)
			}
		})
	}
}

// sound is a small house in which every rule is kept.
func sound() fstest.MapFS {
	fsys := fstest.MapFS{}
	for _, row := range rows() {
		for _, pattern := range row {
			dir := strings.ReplaceAll(pattern, "*", "one")
			name := dir[strings.LastIndexByte(dir, '/')+1:]
			fsys[dir+"/doc.go"] = &fstest.MapFile{Data: []byte("// Package " + name + " is described.\npackage " + name + "\n")}
		}
	}
	return fsys
}

func TestASoundHousePasses(t *testing.T) {
	t.Parallel()
	h, err := read(sound())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rules() {
		if bad := r.check(h); len(bad) > 0 {
			t.Errorf("%s: %q", r.name, bad)
		}
	}
}

// TestEveryRuleIsFelt breaks one rule at a time: a checker that sees nothing wrong is itself what is wrong.
func TestEveryRuleIsFelt(t *testing.T) {
	t.Parallel()
	long := "package peal\n" + strings.Repeat("// line\n", wall)
	for _, c := range []struct{ rule, file, text, want string }{
		{"the table names every package, and no package that is not there", "internal/attic/a.go", "// Package attic.\npackage attic\n", "internal/attic"},
		{"the table names every package, and no package that is not there", "-internal/vault/doc.go", "", "internal/vault"},
		{"the table names every package, and no package that is not there", "e2ee/e.go", "// Package e2ee.\npackage e2ee\n", "e2ee"},
		{"imports point down", "internal/peal/a.go", "package peal\nimport _ \"peal/internal/store\"\n", "row 3"},
		{"imports point down", "internal/store/a.go", "package store\nimport \"peal/internal/stream\"\nvar _ = stream.X\n", "row 3"},
		{"imports point down", "internal/provider/one/a.go", "package one\nimport . \"peal/internal/provider/all\"\n", "row 4"},
		{"imports point down", "internal/pipeline/one/a.go", "package one\nimport x \"peal/internal/integration\"\nvar _ = x.X\n", "row 2"},
		{"tests look up to the suites at most", "internal/store/a_test.go", "package store\nimport _ \"peal/internal/app\"\n", "internal/app"},
		{"some packages keep to the standard library", "api/a.go", "package api\nimport _ \"github.com/google/uuid\"\n", "uuid"},
		{"some packages keep to the standard library", "emulator/one/a.go", "package one\nimport _ \"peal/api\"\n", "peal/api"},
		{"some packages keep to the standard library", "emulator/one/a_test.go", "package one\nimport _ \"peal/internal/provider\"\n", "provider"},
		{"some packages keep to the standard library", "emulator/apns/a.go", "package apns\nimport _ \"golang.org/x/net/http2\"\nimport _ \"golang.org/x/net/idna\"\n", "idna"},
		{"client imports api and e2ee only", "client/a.go", "package client\nimport _ \"peal/internal/peal\"\n", "internal/peal"},
		{"client imports api and e2ee only", "client/a.go", "package client\nimport _ \"example.org/x\"\n", "example.org"},
		{"nothing inside imports e2ee", "internal/store/a_test.go", "package store\nimport _ \"peal/e2ee/keys\"\n", "e2ee"},
		{"emulators and providers share nothing", "internal/provider/one/a.go", "package one\nimport _ \"peal/emulator/one\"\n", "emulator/one"},
		{"emulators and providers share nothing", "emulator/one/a.go", "package one\nimport _ \"peal/internal/provider/one\"\n", "provider/one"},
		{"production code does not import testing", "internal/peal/a.go", "package peal\nimport _ \"testing\"\n", "testing"},
		{"one description per package", "internal/peal/a.go", "// Package peal again.\npackage peal\n", "internal/peal"},
		{"one description per package", "internal/peal/doc.go", "package peal\n", "internal/peal"},
		{"no file over the wall", "internal/peal/a.go", long, "601 lines"},
		{"no file over the wall", "internal/peal/a_test.go", long, "601 lines"},
		{"no grab bags", "internal/peal/a.go", "package util\n", "util"},
		{"no init", "internal/peal/a.go", "package peal\nfunc init() {}\n", "a.go:2"},
		{"tests do not sleep", "internal/peal/a_test.go", "package peal\nimport \"time\"\nfunc f() { time.Sleep(1) }\n", "a_test.go:3"},
		{"tests do not sleep", "internal/peal/a_test.go", "package peal\nimport z \"time\"\nvar f = z.Sleep\n", "a_test.go:3"},
		{"tests do not sleep", "internal/peal/a_test.go", "package peal\nimport \"time\"\nfunc f() { <-time.After(1) }\n", "a_test.go:3"},
		{"tests do not sleep", "internal/store/storetest/a.go", "package storetest\nimport \"time\"\nfunc f() { time.Sleep(1) }\n", "a.go:3"},
	} {
		fsys := maps.Clone(sound())
		if gone, ok := strings.CutPrefix(c.file, "-"); ok {
			delete(fsys, gone)
		} else {
			fsys[c.file] = &fstest.MapFile{Data: []byte(c.text)}
		}
		h, err := read(fsys)
		if err != nil {
			t.Fatalf("%s: %v", c.file, err)
		}
		if bad := checks(t, c.rule)(h); len(bad) != 1 || !strings.Contains(bad[0], c.want) {
			t.Errorf("%s, broken in %s, was answered %q; want one line with %q", c.rule, c.file, bad, c.want)
		}
	}
}

func checks(t *testing.T, name string) func(*house) []string {
	t.Helper()
	for _, r := range rules() {
		if r.name == name {
			return r.check
		}
	}
	t.Fatalf("there is no rule %q", name)
	return nil
}

func TestATimeLimitIsNoSleep(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"select":   "package peal\nimport \"time\"\nfunc f(c chan int) { select { case <-c: case <-time.After(1): } }\n",
		"synctest": "package peal\nimport (\n\"time\"\n_ \"testing/synctest\"\n)\nfunc f() { time.Sleep(1) }\n",
	} {
		fsys := sound()
		fsys["internal/peal/a_test.go"] = &fstest.MapFile{Data: []byte(text)}
		h, err := read(fsys)
		if err != nil {
			t.Fatal(err)
		}
		if bad := checkSleep(h); len(bad) != 0 {
			t.Errorf("%s: %q", name, bad)
		}
	}
}

func TestAnEmptyHouseFails(t *testing.T) {
	t.Parallel()
	h, err := read(fstest.MapFS{"README.md": &fstest.MapFile{}, "testdata/a.go": &fstest.MapFile{Data: []byte("not Go")}})
	if err != nil {
		t.Fatal(err)
	}
	if len(checkFound(h)) == 0 || len(checkTable(h)) == 0 {
		t.Error("a tree without packages passed")
	}
}

func TestOtherModulesKeepTheirImports(t *testing.T) {
	t.Parallel()
	fsys := sound()
	fsys["bench/go.mod"] = &fstest.MapFile{Data: []byte("module bench\n")}
	fsys["bench/internal/x/x.go"] = &fstest.MapFile{Data: []byte("// Package x.\npackage x\nimport _ \"example.org/rival\"\n")}
	h, err := read(fsys)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rules() {
		if bad := r.check(h); len(bad) > 0 {
			t.Errorf("%s: %q", r.name, bad)
		}
	}
}
