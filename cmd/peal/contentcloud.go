package main

import (
	"encoding/json"
	"os"
	"strings"

	"peal/api"
)

// CloudContent say what only whatsapp_cloud can send. What they cannot say is for --content.
type CloudContent struct {
	Template string   `name:"template" placeholder:"NAME" help:"An approved template, with --language."`
	Language string   `name:"language" placeholder:"CODE" help:"Of the template, such as en_US."`
	Param    []string `name:"param" sep:"none" placeholder:"TEXT" help:"A variable of the template's body, in order; may be repeated."`
	Button   []string `name:"button" sep:"none" placeholder:"ID=TITLE" help:"A reply button below the --text; may be repeated, up to 3."`
	React    string   `name:"react" placeholder:"ID=EMOJI" help:"An emoji on the message of that id."`
	Content  string   `name:"content" placeholder:"JSON" help:"The whole content, as the API has it; @FILE for a file with it."`
}

// fill makes what one of the flags describes.
func (c *CloudContent) fill(kind, text string, out *api.Content) error {
	switch kind {
	case "--template":
		t := &api.Template{Name: c.Template, Language: c.Language}
		if t.Language == "" {
			return usagef("--template goes with --language, such as en_US")
		}
		for _, p := range c.Param {
			t.Body = append(t.Body, api.TemplateParameter{Text: &p})
		}
		out.Template = t
	case "--react":
		id, emoji, found := cutLast(c.React)
		if !found {
			return usagef("--react is ID=EMOJI, such as 'wamid.HBgL=👍'; without an emoji it is taken off")
		}
		out.Reaction = &api.Reaction{MessageID: id, Emoji: emoji}
	case "--button":
		i := &api.Interactive{Body: text}
		for _, b := range c.Button {
			id, title, found := strings.Cut(b, "=")
			if !found {
				return usagef("--button is ID=TITLE, such as yes=Yes")
			}
			i.Buttons = append(i.Buttons, api.ReplyButton{ID: id, Title: title})
		}
		out.Text, out.Interactive = nil, i
	}
	return nil
}

// cutLast cuts around the last =: ids of messages have some themselves.
func cutLast(s string) (before, after string, found bool) {
	i := strings.LastIndexByte(s, '=')
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

// whole reads a content that is given as it is.
func (c *CloudContent) whole() (*api.Content, error) {
	raw := []byte(c.Content)
	if name, ok := strings.CutPrefix(c.Content, "@"); ok {
		var err error
		if raw, err = os.ReadFile(name); err != nil {
			return nil, usagef("--content: %w", err)
		}
	}
	out := new(api.Content)
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.DisallowUnknownFields()
	if err := d.Decode(out); err != nil {
		return nil, usagef("--content is not a content of the API: %w", err)
	}
	return out, nil
}

// named is a file by its address, or by the id that it was uploaded under.
func named(s string) (url, id string) {
	if id, ok := strings.CutPrefix(s, "id:"); ok {
		return "", id
	}
	return s, ""
}
