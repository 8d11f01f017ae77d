package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

func TestCloudContent(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "content.json")
	if err := os.WriteFile(file, []byte(`{"sticker":{"media_id":"7"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	flags := func(f func(*ContentFlags)) ContentFlags {
		var c ContentFlags
		f(&c)
		return c
	}
	for want, c := range map[string]ContentFlags{
		`{"template":{"name":"paid","language":"en","body":[{"text":"Ann"},{"text":"a=b"}]}}`: flags(func(c *ContentFlags) { c.Template, c.Language, c.Param = "paid", "en", []string{"Ann", "a=b"} }),
		`{"interactive":{"body":"Coming?","buttons":[{"id":"y","title":"Yes"}]}}`:             flags(func(c *ContentFlags) { c.Text, c.Button = "Coming?", []string{"y=Yes"} }),
		`{"reaction":{"message_id":"wamid.A==","emoji":"x"}}`:                                 flags(func(c *ContentFlags) { c.React = "wamid.A===x" }),
		`{"image":{"media_id":"5","caption":"c"}}`:                                            flags(func(c *ContentFlags) { c.Image, c.Caption = "id:5", "c" }),
		`{"sticker":{"media_id":"7"}}`:                                                        flags(func(c *ContentFlags) { c.Content = "@" + file }),
		"error: --language":                                                                   flags(func(c *ContentFlags) { c.Template = "paid" }),
		"error: --param":                                                                      flags(func(c *ContentFlags) { c.Text, c.Param = "x", []string{"a"} }),
		"error: two":                                                                          flags(func(c *ContentFlags) { c.Text, c.Template = "x", "paid" }),
		"error: no JSON":                                                                      flags(func(c *ContentFlags) { c.Content = `{"other":1}` }),
	} {
		got, err := c.content()
		if want[0] != '{' {
			if err == nil {
				t.Errorf("%s: got %+v", want, got)
			}
			continue
		}
		if b, merr := json.Marshal(got); err != nil || merr != nil || string(b) != want {
			t.Errorf("got %s, %v; want %s", b, err, want)
		}
	}
}
