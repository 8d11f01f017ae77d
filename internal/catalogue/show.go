package catalogue

import (
	"cmp"
	"context"
	"slices"

	"peal/internal/peal"
)

// Summary is what is known of an integration's catalogue, from memory.
type Summary struct {
	peal.Catalogue

	Missing   string // what is to be done for it to be read at all
	Checked   bool   // messages are checked by it
	Templates int
}

// Summary tells what is known; false of an integration whose provider keeps no catalogue.
func (c *Catalogue) Summary(in *peal.Integration) (s Summary, ok bool) {
	name, missing := c.nameOf(in)
	if name == "" && missing == "" {
		return s, false
	}
	s.Missing = missing
	if b := c.book(in.ID); b != nil && name != "" {
		s.Catalogue, s.Checked = b.Catalogue, c.cfg.Now().Sub(b.SyncedAt) <= staleAfter
		for _, e := range b.entries {
			if e.status != peal.TemplateDeleted {
				s.Templates++
			}
		}
	}
	return s, true
}

// Held is a template for which deliveries wait.
type Held struct {
	peal.TemplateKey

	Status  peal.TemplateStatus
	Reason  string
	Waiting int64
}

// Stopped gives the templates of an integration for which deliveries wait.
func (c *Catalogue) Stopped(ctx context.Context, integrationID string) ([]Held, error) {
	b := c.book(integrationID)
	if b == nil || !b.stops() {
		return nil, nil
	}
	waits, err := c.cfg.Records.TemplateWaits(ctx, integrationID)
	if err != nil {
		return nil, err
	}
	var all []Held
	for key, n := range waits {
		if e := b.entries[key]; e != nil && e.status.Stops() {
			all = append(all, Held{TemplateKey: key, Status: e.status, Reason: e.why, Waiting: n})
		}
	}
	slices.SortFunc(all, func(a, b Held) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Language, b.Language)) })
	return all, nil
}

// Templates lists an integration's templates, with how many deliveries wait for each.
func (c *Catalogue) Templates(ctx context.Context, in *peal.Integration, f peal.TemplateFilter) ([]peal.Template, map[peal.TemplateKey]int64, error) {
	all, err := c.cfg.Records.Templates(ctx, in.ID, f)
	if err != nil {
		return nil, nil, err
	}
	if !slices.ContainsFunc(all, func(t peal.Template) bool { return t.Stands().Stops() }) {
		return all, nil, nil
	}
	waits, err := c.cfg.Records.TemplateWaits(ctx, in.ID)
	return all, waits, err
}

// Force has an integration's catalogue read at once: a person wants it. What answers to calls have said against it no longer
// counts.
func (c *Catalogue) Force(ctx context.Context, in *peal.Integration) error {
	if name, missing := c.nameOf(in); name == "" {
		if missing == "" {
			missing = "its provider keeps no catalogue of templates"
		}
		return peal.Errorf(peal.Conflict, "there is no catalogue to read: %s", missing)
	}
	return c.askFor(ctx, in, true)
}
