package arch

import (
	"fmt"
	"go/ast"
	"go/token"
	"slices"
	"strings"
)

// rows are the floors of the house, the lowest first. A package sees those below its own. An exact name goes before a
// pattern.
func rows() [][]string {
	return [][]string{
		{
			"api", "internal/peal", "internal/config", "web", "emulator/*", "internal/vault", "internal/netguard", "internal/store/pgtest", "internal/stream/natstest",
			"internal/metrics", "internal/arch", "internal/clock", "internal/backup", "internal/bell", "internal/qrcode",
		},
		{"client", "internal/pipeline", "internal/provider", "internal/usertoken"},
		{"internal/pipeline/*", "internal/integration", "internal/catalogue", "internal/outbound", "internal/explain", "internal/lease", "internal/provider/wire"},
		{"internal/store", "internal/stream", "internal/provider/*", "internal/httpapi"},
		{"internal/provider/all", "internal/store/storetest", "internal/store/sqlitetest", "internal/stream/natstest", "internal/provider/providertest"},
		{"internal/app"},
		{"cmd/*", "test/*"},
	}
}

// suites is the highest row that tests below the app may look up to: the suites that they run are there.
const suites = 4

// planned are folders that the design names and that are yet to come; with their row once they are here.
func planned() map[string]int { return map[string]int{"e2ee": 0, "internal/chat/*": 2} }

// wall is how many lines a file may have at most.
const wall = 600

// rule is one law of the house; it gives a line for each breach.
type rule struct {
	name  string
	check func(*house) []string
}

func rules() []rule {
	return []rule{
		{"there are packages to check", checkFound},
		{"the table names every package, and no package that is not there", checkTable},
		{"imports point down", checkImports},
		{"tests look up to the suites at most", checkTestImports},
		{"some packages keep to the standard library", checkStandard},
		{"client imports api and e2ee only", checkClient},
		{"nothing inside imports e2ee", checkE2EE},
		{"emulators and providers share nothing", checkApart},
		{"production code does not import testing", checkTesting},
		{"one description per package", checkDocs},
		{"no file over the wall", checkLength},
		{"no grab bags", checkNames},
		{"no init", checkInit},
		{"tests do not sleep", checkSleep},
	}
}

func checkFound(h *house) []string {
	if len(h.own) == 0 {
		return []string{"no package was found: the test looks in the wrong place"}
	}
	return nil
}

// rowOf gives the row of a folder; -1 when the table has none.
func rowOf(dir string) int {
	for _, exact := range []bool{true, false} {
		for row, patterns := range rows() {
			for _, p := range patterns {
				if (exact && p == dir) || (!exact && matches(p, dir)) {
					return row
				}
			}
		}
	}
	for p, row := range planned() {
		if matches(p, dir) {
			return row
		}
	}
	return -1
}

func checkTable(h *house) (bad []string) {
	for _, dir := range h.folders() {
		if rowOf(dir) < 0 {
			bad = append(bad, dir+": the table of rows does not name it; give it a row")
		}
	}
	there := func(pattern string) bool {
		return slices.ContainsFunc(h.folders(), func(dir string) bool { return matches(pattern, dir) })
	}
	for _, row := range rows() {
		for _, p := range row {
			if !there(p) {
				bad = append(bad, p+": the table names it and there is no such package")
			}
		}
	}
	for p := range planned() {
		if there(p) {
			bad = append(bad, p+": it is here now; move it from planned to the table of rows")
		}
	}
	return bad
}

func checkImports(h *house) (bad []string) {
	for dir, files := range h.own {
		row := rowOf(dir)
		for _, f := range files {
			for _, to := range f.ownImports() {
				if !f.test && row >= 0 && rowOf(to) >= row {
					bad = append(bad, fmt.Sprintf("%s (row %d) imports %s (row %d)", f.path, row, to, rowOf(to)))
				}
			}
		}
	}
	return bad
}

func checkTestImports(h *house) (bad []string) {
	for dir, files := range h.own {
		row := rowOf(dir)
		for _, f := range files {
			for _, to := range f.ownImports() {
				if f.test && row >= 0 && row <= suites && rowOf(to) > suites {
					bad = append(bad, fmt.Sprintf("%s imports %s: what needs the whole app is a test of test/*", f.path, to))
				}
			}
		}
	}
	return bad
}

// strangers are imports that packages of the standard library only may have all the same. net/http's server of HTTP/2
// sends no GOAWAY with data and does not change its settings later, which APNs does; the frames are the Go team's own.
func strangers() map[string][]string {
	return map[string][]string{"emulator/apns": {"golang.org/x/net/http2", "golang.org/x/net/http2/hpack"}}
}

func checkStandard(h *house) (bad []string) {
	for dir, files := range h.own {
		if dir != "api" && !within(dir, "emulator") && dir != "web" {
			continue
		}
		for _, f := range files {
			for _, p := range f.imports() {
				self := f.test && p == module+"/"+dir
				if (foreign(p) && !f.test && !slices.Contains(strangers()[dir], p)) || (strings.HasPrefix(p, module+"/") && !self) {
					bad = append(bad, fmt.Sprintf("%s imports %s; %s keeps to the standard library", f.path, p, dir))
				}
			}
		}
	}
	return bad
}

func checkClient(h *house) (bad []string) {
	for _, f := range h.own["client"] {
		for _, p := range f.imports() {
			own := strings.HasPrefix(p, module+"/") && p != module+"/api" && p != module+"/e2ee"
			if !f.test && (own || foreign(p)) {
				bad = append(bad, f.path+" imports "+p)
			}
		}
	}
	return bad
}

func checkE2EE(h *house) (bad []string) {
	for _, f := range h.files {
		for _, p := range f.imports() {
			if within(f.dir, "internal") && within(p, module+"/e2ee") {
				bad = append(bad, f.path+" imports "+p+": the server must not be able to read messages")
			}
		}
	}
	return bad
}

func checkApart(h *house) (bad []string) {
	for dir, files := range h.own {
		for _, f := range files {
			for _, to := range f.ownImports() {
				if !f.test && within(dir, "internal/provider") && within(to, "emulator") {
					bad = append(bad, f.path+" imports "+to+": a provider is written from the vendor's documents, not from our emulator")
				}
				if within(dir, "emulator") && within(to, "internal") {
					bad = append(bad, f.path+" imports "+to+": an emulator is written from the vendor's documents")
				}
			}
		}
	}
	return bad
}

func checkTesting(h *house) (bad []string) {
	for _, f := range h.files {
		if f.test || strings.HasSuffix(f.dir, "test") {
			continue
		}
		for _, p := range f.imports() {
			if p == "testing" || strings.HasPrefix(p, "testing/") {
				bad = append(bad, f.path+" imports "+p)
			}
		}
	}
	return bad
}

func checkDocs(h *house) (bad []string) {
	docs := map[string][]string{}
	for _, f := range h.files {
		if _, known := docs[f.dir]; !known {
			docs[f.dir] = nil
		}
		if f.ast.Doc != nil && f.ast.Doc.Text() != "" {
			docs[f.dir] = append(docs[f.dir], f.path)
		}
	}
	for dir, in := range docs {
		if len(in) != 1 {
			bad = append(bad, fmt.Sprintf("%s: a package is described in exactly one file, this one in %v", dir, in))
		}
	}
	return bad
}

func checkLength(h *house) (bad []string) {
	for _, f := range h.files {
		if f.lines > wall {
			bad = append(bad, fmt.Sprintf("%s has %d lines; the wall is %d: cut it at a noun", f.path, f.lines, wall))
		}
	}
	return bad
}

func checkNames(h *house) (bad []string) {
	for _, f := range h.files {
		switch name := strings.TrimSuffix(f.ast.Name.Name, "_test"); name {
		case "util", "utils", "common", "helper", "helpers", "misc", "shared", "tools", "base":
			bad = append(bad, fmt.Sprintf("%s: a package named %s says nothing; name it by what it does", f.path, name))
		}
	}
	return bad
}

func checkInit(h *house) (bad []string) {
	for _, f := range h.files {
		if f.test {
			continue
		}
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				bad = append(bad, fmt.Sprintf("%s: func init works behind everybody's back; call it", h.at(fn)))
			}
		}
	}
	return bad
}

// checkSleep finds time.Sleep, and <-time.After standing alone, which is the same. Where testing/synctest is at work
// time is not real, and both are allowed.
func checkSleep(h *house) (bad []string) {
	for _, f := range h.files {
		clock := f.name("time")
		if (!f.test && !strings.HasSuffix(f.dir, "test")) || clock == "" || f.name("testing/synctest") != "" {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CommClause: // a time limit in a select is no sleep, as long as there is something to wait for
				for _, s := range n.Body {
					ast.Inspect(s, func(n ast.Node) bool { return h.sleeps(n, clock, &bad) })
				}
				return false
			default:
				return h.sleeps(n, clock, &bad)
			}
		})
	}
	return bad
}

func (h *house) sleeps(n ast.Node, clock string, bad *[]string) bool {
	switch n := n.(type) {
	case *ast.SelectorExpr:
		if x, ok := n.X.(*ast.Ident); ok && x.Name == clock && n.Sel.Name == "Sleep" {
			*bad = append(*bad, h.at(n)+": wait for what is to happen, not for time to pass")
		}
	case *ast.ExprStmt:
		u, ok := n.X.(*ast.UnaryExpr)
		if !ok || u.Op != token.ARROW {
			return true
		}
		if c, ok := u.X.(*ast.CallExpr); ok {
			if s, ok := c.Fun.(*ast.SelectorExpr); ok && s.Sel.Name == "After" {
				if x, ok := s.X.(*ast.Ident); ok && x.Name == clock {
					*bad = append(*bad, h.at(n)+": this is a sleep; wait for what is to happen")
				}
			}
		}
	}
	return true
}

// at names the place of a node.
func (h *house) at(n ast.Node) string {
	p := h.fset.Position(n.Pos())
	return fmt.Sprintf("%s:%d", p.Filename, p.Line)
}
