package all

import (
	"testing"

	"peal/api"
)

func TestKinds(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, k := range Kinds() {
		name := k.Name()
		if name == "" || names[name] {
			t.Errorf("a kind without a name, or with another's: %q", name)
		}
		names[name] = true
		if found, ok := ByName(name); !ok || found.Name() != name {
			t.Errorf("%s: not found by its name", name)
		}
	}
	if len(names) == 0 {
		t.Error("there is no kind")
	}
	if _, ok := ByName("pigeon"); ok {
		t.Error("a kind that does not exist is found")
	}
}

// TestNewContents: what only the WhatsApp Cloud API has is refused by all others, with a word on what to give.
func TestNewContents(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]api.Content{
		"template":    {Template: &api.Template{Name: "hello", Language: "en"}},
		"interactive": {Interactive: &api.Interactive{Body: "b", Buttons: []api.ReplyButton{{ID: "1", Title: "Yes"}}}},
		"reaction":    {Reaction: &api.Reaction{MessageID: "wamid.HBgLMTY1MDU1NTEyMzQ", Emoji: "x"}},
	} {
		for _, k := range Kinds() {
			fields := k.CheckContent(&c)
			if k.Name() == "whatsapp_cloud" {
				if len(fields) > 0 {
					t.Errorf("%s refuses %s: %+v", k.Name(), name, fields)
				}
			} else if len(fields) != 1 || fields[0].Path != name && fields[0].Path != "" || fields[0].Message == "" {
				t.Errorf("%s, %s: got %+v", k.Name(), name, fields)
			}
		}
	}
}
