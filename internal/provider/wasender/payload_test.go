package wasender

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"peal/api"
	"peal/internal/provider"
	"peal/internal/provider/wire"
)

var update = flag.Bool("update", false, "write the golden files anew")

// contents are one of each kind, with everything that it can have.
func contents() map[string]api.Content {
	text := "Your order \"7\" is on its way\nTrack it: https://example.com/?a=1&b=<2> ✓ \t\u2028 \\"
	return map[string]api.Content{
		"text":            {Text: &text, Mentions: []string{"+4915112345678", "+14155550100"}, ReplyTo: "100000"},
		"image":           {Image: &api.Media{URL: "https://example.com/a.png?x=1&y=2", Caption: "A picture", ViewOnce: true}},
		"image-plain":     {Image: &api.Media{URL: "https://example.com/a.png"}},
		"video":           {Video: &api.Media{URL: "https://example.com/a.mp4", Caption: "A video", ViewOnce: true}},
		"document":        {Document: &api.Document{URL: "https://example.com/a.pdf", Filename: "bill 7.pdf", Caption: "Your bill"}},
		"audio":           {Audio: &api.Audio{URL: "https://example.com/a.ogg", ViewOnce: true}},
		"sticker":         {Sticker: &api.Sticker{URL: "https://example.com/a.webp"}},
		"contact":         {Contact: &api.Contact{Name: "Ann O'Neill", Phone: "+4915112345678"}},
		"location":        {Location: &api.Location{Latitude: new(37.7749), Longitude: new(-122.4194), Name: "Office", Address: "1 Main St"}},
		"location-origin": {Location: &api.Location{Latitude: new(0.0), Longitude: new(1e-7)}},
		"poll":            {Poll: &api.Poll{Question: "Lunch?", Options: []string{"Yes", "No"}, MultiSelect: true}},
	}
}

func TestPayloadGolden(t *testing.T) {
	t.Parallel()
	for name, content := range contents() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := appendPayload(nil, &provider.Message{To: testPhone, Content: content})
			if fields := (Kind{}).CheckContent(&content); len(fields) > 0 {
				t.Errorf("the content is refused: %v", fields)
			}
			var pretty bytes.Buffer
			if err := json.Indent(&pretty, got, "", "  "); err != nil {
				t.Fatalf("%v in %s", err, got)
			}
			pretty.WriteByte('\n')
			file := filepath.Join("testdata", "payload", name+".json")
			if *update {
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, pretty.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), pretty.String()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "plain", "\"\\\n\t\r\b\f\x00\x1f\x7f", "ü€😀\u2028\u2029", "\xff\xfea\xc3", strings.Repeat("\xf0", 9)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var got string
		raw := wire.AppendString([]byte("["), s)
		if err := json.Unmarshal(raw[1:], &got); err != nil {
			t.Fatalf("%q: %v in %q", s, err, raw)
		}
		want := s
		if !utf8.ValidString(s) {
			b, err := json.Marshal(s) // the library's word on what is no UTF-8
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(b, &want); err != nil {
				t.Fatal(err)
			}
		}
		if got != want {
			t.Fatalf("%q: got %q", s, got)
		}
	})
}
