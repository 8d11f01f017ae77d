package docs

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"peal/api"
)

//go:generate go test . -run TestEventsPage -update

var update = flag.Bool("update", false, "write docs/events.md anew")

// TestEventsPage: docs/events.md is what the types say.
func TestEventsPage(t *testing.T) {
	t.Parallel()
	want := eventsPage(t)
	if *update {
		if err := os.WriteFile(filepath.Join(root, "docs/events.md"), []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(want, page(t, "docs/events.md")); diff != "" {
		t.Errorf("docs/events.md is out of date; run: go generate ./test/docs\n%s", diff)
	}
}

// eventsPage is the text of docs/events.md: what the intro says, and every type with its fields and an example.
func eventsPage(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	intro, err := os.ReadFile("testdata/events.md")
	if err != nil {
		t.Fatal(err)
	}
	b.Write(intro)
	b.WriteString("\n## The types\n| type | |\n|---|---|\n")
	for _, e := range api.EventTypes() {
		fmt.Fprintf(&b, "| [`%s`](#%s) | %s |\n", e.Name, strings.ReplaceAll(e.Name, ".", ""), e.Says)
	}
	told := map[reflect.Type]string{}
	for _, e := range api.EventTypes() {
		fmt.Fprintf(&b, "\n### %s\n%s", e.Name, e.Says)
		of := reflect.TypeOf(e.Example).Elem()
		if first, again := told[of]; again {
			fmt.Fprintf(&b, " Its data has the fields of [`%s`](#%s).\n", first, strings.ReplaceAll(first, ".", ""))
		} else {
			told[of] = e.Name
			b.WriteString("\n\n| field | |\n|---|---|\n")
			for f := range of.Fields() {
				name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
				fmt.Fprintf(&b, "| `%s` | %s |\n", name, f.Tag.Get("doc"))
			}
		}
		data, err := json.Marshal(e.Example)
		if err != nil {
			t.Fatal(err)
		}
		sum, at := sha256.Sum256([]byte(e.Name)), time.Date(2026, 7, 20, 9, 30, 6, 204817000, time.UTC)
		m := api.EventMessage{ID: "evt_" + strconv.FormatInt(int64(binary.BigEndian.Uint16(sum[30:])), 36) + "_" + hex.EncodeToString(sum[:12]), Type: e.Name, Timestamp: at, Data: data}
		text, err := json.MarshalIndent(&m, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "```json\n%s\n```\n", text)
	}
	return b.String()
}
