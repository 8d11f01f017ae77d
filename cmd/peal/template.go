package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"peal/api"
	"peal/client"
)

// TemplateCmd is `peal template`.
type TemplateCmd struct {
	List TemplateListCmd `cmd:"" help:"List the templates of an account's catalogue."`
	Show TemplateShowCmd `cmd:"" help:"Show one in all its languages: what it takes, whether it can be sent, what waits for it."`
	Sync TemplateSyncCmd `cmd:"" help:"Have the catalogue read from the provider now."`

	Conn `embed:"" group:"conn"`
}

const templateExample = "Examples:\n\n  peal template list cloud --status paused\n  peal template show cloud order_paid\n  peal template sync cloud --wait"

// Help gives examples.
func (TemplateCmd) Help() string { return templateExample }

// TemplateListCmd is `peal template list`.
type TemplateListCmd struct {
	Integration string `arg:"" help:"Name or id of the integration."`
	Name        string `name:"name" placeholder:"NAME" help:"Only the template of this name."`
	Status      string `name:"status" placeholder:"STATUS" help:"Only those in this status, such as approved or paused."`
}

// Help gives examples.
func (TemplateListCmd) Help() string { return templateExample }

// Run lists templates, all pages of them.
func (c *TemplateListCmd) Run(ctx context.Context, t *term, parent *TemplateCmd) error {
	cl, err := parent.client()
	if err != nil {
		return err
	}
	all := &api.TemplateList{Templates: []api.CatalogueTemplate{}}
	for cursor := ""; ; {
		page, err := cl.Templates(ctx, c.Integration, client.TemplateQuery{Name: c.Name, Status: c.Status, Limit: 500, Cursor: cursor})
		if err != nil {
			return err
		}
		all.Templates, all.Catalogue = append(all.Templates, page.Templates...), page.Catalogue
		if cursor = page.NextCursor; cursor == "" {
			break
		}
	}
	if parent.JSON {
		return t.json(all)
	}
	rows := make([][]string, len(all.Templates))
	for i := range all.Templates {
		v := &all.Templates[i]
		rows[i] = []string{v.Name, v.Language, v.Category, v.Status, v.Quality, number(int(v.Waiting)), shorten(brokenText(v.Broken))}
	}
	if err := t.table([]string{"NAME", "LANGUAGE", "CATEGORY", "STATUS", "QUALITY", "WAITING", "BROKEN"}, rows); err != nil {
		return err
	}
	t.notef("%s\n", clean(catalogueText(&all.Catalogue)))
	return nil
}

func brokenText(f *api.TemplateFault) string {
	if f == nil {
		return ""
	}
	return f.Code + ": " + f.Reason
}

// catalogueText says how well templates are known.
func catalogueText(c *api.Catalogue) string {
	switch {
	case c.Missing != "":
		return c.Missing
	case c.SyncedAt == nil && c.Error != "":
		return "never read from the provider: " + c.Error
	case c.SyncedAt == nil:
		return "not read from the provider yet"
	case c.Error != "":
		return "as of " + longTime(c.SyncedAt) + "; the last reading failed: " + c.Error
	default:
		return "as of " + longTime(c.SyncedAt)
	}
}

// templatesText says of an integration how well its templates are known, and which of them stop.
func templatesText(c *api.Catalogue) string {
	if c == nil {
		return ""
	}
	s := catalogueText(c)
	if c.SyncedAt != nil {
		s = number(c.Templates) + " " + s
	}
	for _, h := range c.Stopped {
		s += "; " + h.Name + " (" + h.Language + ") is " + h.Status + ", " + number(int(h.Waiting)) + " wait"
	}
	return s
}

// TemplateShowCmd is `peal template show`.
type TemplateShowCmd struct {
	Integration string `arg:"" help:"Name or id of the integration."`
	Name        string `arg:"" help:"Name of the template."`
}

// Help gives examples.
func (TemplateShowCmd) Help() string { return templateExample }

// Run shows a template.
func (c *TemplateShowCmd) Run(ctx context.Context, t *term, parent *TemplateCmd) error {
	cl, err := parent.client()
	if err != nil {
		return err
	}
	list, err := cl.Template(ctx, c.Integration, c.Name)
	if err != nil {
		return err
	}
	if parent.JSON {
		return t.json(list)
	}
	for i := range list.Templates {
		v := &list.Templates[i]
		sends := "messages go"
		if !v.Sendable {
			sends = "messages wait"
		}
		err := t.facts("name", v.Name, "language", v.Language, "status", v.Status+" ("+sends+")", "reason", v.Reason, "waiting", number(int(v.Waiting)),
			"category", v.Category, "quality", v.Quality, "parameters", v.Format, "broken", brokenText(v.Broken),
			"changed", longTime(&v.ChangedAt), "components", string(v.Components))
		if err != nil {
			return err
		}
	}
	return nil
}

// TemplateSyncCmd is `peal template sync`.
type TemplateSyncCmd struct {
	Integration string        `arg:"" help:"Name or id of the integration."`
	Wait        bool          `name:"wait" help:"Wait until it has been read."`
	WaitTimeout time.Duration `name:"wait-timeout" default:"1m" placeholder:"DURATION" help:"Longest wait."`
}

// Help gives examples.
func (TemplateSyncCmd) Help() string { return templateExample }

// Run has a catalogue read.
func (c *TemplateSyncCmd) Run(ctx context.Context, t *term, parent *TemplateCmd) error {
	cl, err := parent.client()
	if err != nil {
		return err
	}
	state, err := cl.SyncTemplates(ctx, c.Integration)
	if err == nil && c.Wait {
		state, err = c.wait(ctx, cl)
	}
	if err != nil {
		return err
	}
	if parent.JSON {
		return t.json(state)
	}
	if state.AskedAt != nil {
		return t.printf("asked for; %s\n", clean(catalogueText(state)))
	}
	return t.printf("%d templates, %s\n", state.Templates, clean(catalogueText(state)))
}

// wait looks until nothing is left to be read.
func (c *TemplateSyncCmd) wait(ctx context.Context, cl *client.Client) (*api.Catalogue, error) {
	ctx, cancel := context.WithTimeout(ctx, c.WaitTimeout)
	defer cancel()
	tick := time.NewTicker(300 * time.Millisecond)
	defer tick.Stop()
	for {
		list, err := cl.Templates(ctx, c.Integration, client.TemplateQuery{Limit: 1})
		switch {
		case err != nil:
			return nil, err
		case list.Catalogue.AskedAt == nil && list.Catalogue.Error != "":
			return nil, errors.New("the provider's catalogue could not be read: " + strings.TrimSpace(list.Catalogue.Error))
		case list.Catalogue.AskedAt == nil:
			return &list.Catalogue, nil
		}
		select {
		case <-ctx.Done():
			return nil, errors.New("it has not been read within " + c.WaitTimeout.String() + "; it will be")
		case <-tick.C:
		}
	}
}
