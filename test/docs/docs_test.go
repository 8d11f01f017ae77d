package docs

import (
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"peal/api"
	"peal/internal/config"
	"peal/internal/metrics"
	"peal/internal/peal"
)

const root = "../.."

// pages gives every page of the project with its text, by its path from the root.
func pages(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != root && (d.Name() == "node_modules" || d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".")) {
			return filepath.SkipDir
		}
		if filepath.Ext(path) != ".md" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		all[filepath.ToSlash(rel)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 10 {
		t.Fatalf("only %d pages were found: the test looks in the wrong place", len(all))
	}
	return all
}

func page(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// prose is a page without its blocks of code, in which links and names are examples.
func prose(text string) string {
	var kept []string
	code := false
	for line := range strings.Lines(text) {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			code = !code
			continue
		}
		if !code {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

func TestLinks(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	all, found := pages(t), 0
	for name, text := range all {
		for _, m := range link.FindAllStringSubmatch(prose(text), -1) {
			found++
			u, err := url.Parse(m[1])
			if err != nil {
				t.Errorf("%s: the link %q is none: %v", name, m[1], err)
				continue
			}
			if u.IsAbs() {
				continue // of other sites nothing is claimed
			}
			target := name
			if u.Path != "" {
				target = filepath.ToSlash(filepath.Join(filepath.Dir(name), u.Path))
			}
			if _, err := os.Stat(filepath.Join(root, target)); err != nil {
				t.Errorf("%s: the link %q leads nowhere", name, m[1])
				continue
			}
			if u.Fragment != "" && !slices.Contains(anchors(all[target]), u.Fragment) {
				t.Errorf("%s: the link %q names a heading that %s does not have", name, m[1], target)
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d links were found: the test has gone blind", found)
	}
}

// anchors are the names that headings can be linked by.
func anchors(text string) []string {
	var all []string
	drop := regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	for line := range strings.Lines(prose(text)) {
		if title, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && strings.HasPrefix(line, "#") {
			all = append(all, strings.ReplaceAll(drop.ReplaceAllString(strings.ToLower(strings.TrimSpace(title)), ""), " ", "-"))
		}
	}
	return all
}

// TestFolders checks the map in the README both ways: what it names is there, and what is there it names.
func TestFolders(t *testing.T) {
	t.Parallel()
	row := regexp.MustCompile("(?m)^\\| `([a-z/]+)/` \\|")
	named := map[string]bool{}
	for _, m := range row.FindAllStringSubmatch(page(t, "README.md"), -1) {
		named[m[1]] = true
		if st, err := os.Stat(filepath.Join(root, m[1])); err != nil || !st.IsDir() {
			t.Errorf("the README names the folder %s, and there is none", m[1])
		}
	}
	for _, above := range []string{".", "internal"} {
		entries, err := os.ReadDir(filepath.Join(root, above))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			dir := filepath.ToSlash(filepath.Join(above, e.Name()))
			known := slices.ContainsFunc(slices.Collect(maps.Keys(named)), func(n string) bool { return n == dir || strings.HasPrefix(n, dir+"/") })
			if e.IsDir() && !known && len(sources(t, dir)) > 0 {
				t.Errorf("there is a folder %s, and the README does not name it", dir)
			}
		}
	}
}

// sources are the files of a folder that make it part of the project.
func sources(t *testing.T, dir string) (files []string) {
	t.Helper()
	if strings.HasPrefix(dir, ".") {
		return nil
	}
	err := filepath.WalkDir(filepath.Join(root, dir), func(path string, _ fs.DirEntry, err error) error {
		if ext := filepath.Ext(path); ext == ".go" || ext == ".md" {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestPaths checks that the folders and files that pages name in `code` are there.
func TestPaths(t *testing.T) {
	t.Parallel()
	path := regexp.MustCompile("`((?:internal|cmd|emulator|client|bench|test|docs|web|api)/[a-z0-9_./-]*)`")
	for name, text := range pages(t) {
		for _, m := range path.FindAllStringSubmatch(prose(text), -1) {
			_, fromRoot := os.Stat(filepath.Join(root, m[1]))
			_, fromPage := os.Stat(filepath.Join(root, filepath.Dir(name), m[1]))
			if fromRoot != nil && fromPage != nil {
				t.Errorf("%s names %s, and there is no such thing", name, m[1])
			}
		}
	}
}

// TestErrorCodes checks that the table of docs/api.md is what api.Codes says, no more and no less.
func TestErrorCodes(t *testing.T) {
	t.Parallel()
	var want, got []string
	for _, c := range api.Codes() {
		want = append(want, fmt.Sprintf("| `%s` | %d | %s. %s |", c.Code, c.Status, c.Title, c.Advice))
	}
	row := regexp.MustCompile("^\\| `[a-z_]+` \\| [0-9]{3} \\|")
	for line := range strings.Lines(page(t, "docs/api.md")) {
		if row.MatchString(line) {
			got = append(got, strings.TrimSpace(line))
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the error codes of docs/api.md are not those of api.Codes (-code +page):\n%s", diff)
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	text := page(t, "docs/config.md")
	for _, f := range config.Fields() {
		if !strings.Contains(text, "| `"+f.Env+"` |") {
			t.Errorf("docs/config.md does not tell of %s", f.Env)
		}
	}
}

// TestMetrics checks the table of docs/operating.md both ways.
func TestMetrics(t *testing.T) {
	t.Parallel()
	metric := regexp.MustCompile(`peal_[a-z_]+`)
	exist := map[string]bool{}
	descs := make(chan *prometheus.Desc)
	go func() {
		metrics.New().Registry.Describe(descs)
		close(descs)
	}()
	for d := range descs {
		if m := regexp.MustCompile(`fqName: "(peal_[a-z_]+)"`).FindStringSubmatch(d.String()); m != nil {
			exist[m[1]] = true
		}
	}
	if len(exist) < 10 {
		t.Fatalf("only %d metrics were found: the test has gone blind", len(exist))
	}
	told := map[string]bool{}
	for _, name := range metric.FindAllString(page(t, "docs/operating.md"), -1) {
		told[name] = true
		if !exist[name] {
			t.Errorf("docs/operating.md tells of %s, and there is no such metric", name)
		}
	}
	for name := range exist {
		if !told[name] {
			t.Errorf("docs/operating.md does not tell of the metric %s", name)
		}
	}
}

func TestStates(t *testing.T) {
	t.Parallel()
	text := page(t, "docs/states.md")
	words := []string{peal.FlagReceiptAfterEnd}
	for _, s := range peal.Statuses() {
		words = append(words, string(s))
	}
	for _, p := range []peal.PauseCode{
		peal.PauseThrottled, peal.PauseCredentials, peal.PauseSession, peal.PausePayment, peal.PauseBlocked, peal.PauseManual,
	} {
		words = append(words, string(p))
	}
	for _, p := range []peal.OnUnknown{peal.Reconcile, peal.Hold, peal.Resend} {
		words = append(words, string(p))
	}
	for _, w := range words {
		if !strings.Contains(text, "`"+w+"`") {
			t.Errorf("docs/states.md does not tell of %s", w)
		}
	}
	for _, c := range []peal.Class{
		peal.ClassAccepted, peal.ClassTemporary, peal.ClassThrottled, peal.ClassGone, peal.ClassPermanent,
		peal.ClassIntegration, peal.ClassUnknown,
	} {
		if !strings.Contains(text, "\n| "+string(c)+" |") {
			t.Errorf("the table of classes in docs/states.md has no row for %s", c)
		}
	}
}

// TestDecisions checks that they are numbered without a gap and that the index names each.
func TestDecisions(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(root, "docs/decisions/[0-9]*.md"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no decisions were found: %v", err)
	}
	index := page(t, "docs/decisions/README.md")
	for i, f := range files {
		name := filepath.Base(f)
		if number := fmt.Sprintf("%04d", i+1); !strings.HasPrefix(name, number+"-") {
			t.Errorf("%s should have the number %s", name, number)
		}
		if !strings.Contains(index, "("+name+")") {
			t.Errorf("docs/decisions/README.md does not name %s", name)
		}
		if title, _, _ := strings.Cut(page(t, "docs/decisions/"+name), "\n"); !strings.HasPrefix(title, "# "+name[:4]+" ") {
			t.Errorf("%s should begin with # %s and its title", name, name[:4])
		}
	}
}
