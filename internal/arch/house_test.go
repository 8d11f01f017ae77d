package arch

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// module is the name of the main module; imports that begin with it are the house's own.
const module = "peal"

// house is the repository as its Go files tell it.
type house struct {
	fset  *token.FileSet
	files []*source
	own   map[string][]*source // the main module's files by folder
}

// source is one Go file.
type source struct {
	path   string // from the root of the repository
	dir    string
	test   bool
	nested bool // it belongs to another module that lies in the repository
	lines  int
	ast    *ast.File
}

// read parses every Go file below the root. Folders that the go command ignores are left out.
func read(root fs.FS) (*house, error) {
	h := &house{fset: token.NewFileSet(), own: map[string][]*source{}}
	nested := map[string]bool{}
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if base := d.Name(); name != "." && (base[0] == '.' || base[0] == '_' || base == "testdata" || base == "node_modules") {
				return fs.SkipDir
			}
			if _, err := fs.Stat(root, path.Join(name, "go.mod")); name != "." && (err == nil || nested[path.Dir(name)]) {
				nested[name] = true
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		return h.parse(root, name, nested[path.Dir(name)])
	})
	return h, err
}

func (h *house) parse(root fs.FS, name string, nested bool) error {
	raw, err := fs.ReadFile(root, name)
	if err != nil {
		return err
	}
	f, err := parser.ParseFile(h.fset, name, raw, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return fmt.Errorf("parse %s: %w", name, err)
	}
	s := &source{
		path: name, dir: path.Dir(name), test: strings.HasSuffix(name, "_test.go"), nested: nested,
		lines: strings.Count(string(raw), "\n"), ast: f,
	}
	h.files = append(h.files, s)
	if !nested {
		h.own[s.dir] = append(h.own[s.dir], s)
	}
	return nil
}

// folders are those of the main module that hold Go files, sorted.
func (h *house) folders() []string {
	var all []string
	for dir := range h.own {
		all = append(all, dir)
	}
	slices.Sort(all)
	return all
}

// imports are the paths that a file imports.
func (s *source) imports() []string {
	var all []string
	for _, i := range s.ast.Imports {
		if p, err := strconv.Unquote(i.Path.Value); err == nil {
			all = append(all, p)
		}
	}
	return all
}

// ownImports are the folders of the main module that a file imports.
func (s *source) ownImports() []string {
	var all []string
	for _, p := range s.imports() {
		if dir, ok := strings.CutPrefix(p, module+"/"); ok {
			all = append(all, dir)
		}
	}
	return all
}

// name is what the file calls the package that it imports by this path; empty when it does not.
func (s *source) name(importPath string) string {
	for _, i := range s.ast.Imports {
		if p, err := strconv.Unquote(i.Path.Value); err != nil || p != importPath {
			continue
		}
		if i.Name != nil {
			return i.Name.Name
		}
		return path.Base(importPath)
	}
	return ""
}

// foreign tells whether an import is neither of the standard library nor the house's own.
func foreign(importPath string) bool {
	first, _, _ := strings.Cut(importPath, "/")
	return strings.Contains(first, ".")
}

// matches tells whether a folder fits a pattern, whose "*" stands for one name.
func matches(pattern, dir string) bool {
	ok, err := path.Match(pattern, dir)
	return err == nil && ok
}

// within tells whether a folder is the given one or lies in it.
func within(dir, top string) bool { return dir == top || strings.HasPrefix(dir, top+"/") }
