package main

import (
	"context"
	"fmt"
	"mime"
	"os"
	"path/filepath"
	"strconv"

	"peal/client"
)

// MediaCmd is `peal media`.
type MediaCmd struct {
	Upload MediaUploadCmd `cmd:"" help:"Upload a file to a provider, to send it by its id."`

	Conn `embed:"" group:"conn"`
}

// Help gives an example.
func (MediaCmd) Help() string { return MediaUploadCmd{}.Help() }

// MediaUploadCmd is `peal media upload`.
type MediaUploadCmd struct {
	File        string `arg:"" help:"The file."`
	Integration string `name:"integration" required:"" placeholder:"NAME" help:"Integration that is to send it, by name or id; of kind whatsapp_cloud."`
	Type        string `name:"type" placeholder:"TYPE" help:"What it is, such as image/png. Default: by the file's name."`
	Fresh       bool   `name:"fresh" help:"Upload it even if the provider should have it."`
}

// Help gives an example.
func (MediaUploadCmd) Help() string {
	return "Example:\n\n  peal media upload --integration cloud menu.pdf\n" +
		"  peal send --to +919812345678 --integration cloud --document id:1032475566778899 --filename menu.pdf\n\n" +
		"The same file is uploaded once, until the provider forgets it."
}

// Run uploads.
func (c *MediaUploadCmd) Run(ctx context.Context, t *term, parent *MediaCmd) error {
	kind := c.Type
	if kind == "" {
		kind, _, _ = mime.ParseMediaType(mime.TypeByExtension(filepath.Ext(c.File)))
	}
	if kind == "" {
		return usagef("--type: the name %s does not tell what it is; give --type, such as image/png", c.File)
	}
	cl, err := parent.client()
	if err != nil {
		return err
	}
	f, err := os.Open(c.File)
	if err != nil {
		return fmt.Errorf("open the file: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read
	m, err := cl.UploadMedia(ctx, c.Integration, client.Upload{Type: kind, Name: filepath.Base(c.File), Data: f, Fresh: c.Fresh})
	if err != nil {
		return err
	}
	if parent.JSON {
		return t.json(m)
	}
	note := ""
	if m.Reused {
		note = "  (uploaded before)"
	}
	return t.facts("media id", m.MediaID+note, "type", m.Type, "size", strconv.FormatInt(m.Size, 10), "expires", longTime(&m.ExpiresAt))
}
