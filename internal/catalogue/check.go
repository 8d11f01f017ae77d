package catalogue

import (
	"fmt"
	"strings"
	"time"

	"peal/api"
	"peal/internal/peal"
)

// staleAfter is how old a catalogue may be for anything to be refused by it.
const staleAfter = 24 * time.Hour

// askEvery is how often requests for templates that are not known have the catalogue read at most.
const askEvery = time.Minute

// Check says what is wrong with a message of a template by the integration's catalogue; nil when nothing is, or when the
// catalogue is not known. Paths are relative to the content.
func (c *Catalogue) Check(in *peal.Integration, t *api.Template) []peal.Field {
	b := c.book(in.ID)
	if b == nil || c.cfg.Now().Sub(b.SyncedAt) > staleAfter || c.name(in) == "" {
		return nil
	}
	e := b.entries[peal.TemplateKey{Name: t.Name, Language: t.Language}]
	if e == nil || e.status == peal.TemplateDeleted {
		c.unknown(in.ID)
		return []peal.Field{b.lacks(t)}
	}
	if e.status.Over() {
		why := ""
		if e.why != "" {
			why = ". The provider says: " + e.why
		}
		return []peal.Field{{
			Path: "template", Code: string(e.status),
			Message: fmt.Sprintf("the template is %s at the provider and cannot be sent; use another%s", e.status, why),
		}}
	}
	if e.shape == nil {
		return nil
	}
	return e.shape.Check(t)
}

// lacks says of a template that it is not there.
func (b *book) lacks(t *api.Template) peal.Field {
	if languages := b.names[t.Name]; len(languages) > 0 {
		return peal.Field{
			Path: "template.language", Code: "not_found",
			Message: "the template exists in " + strings.Join(languages, ", ") + " and not in this language; give one of them",
		}
	}
	return peal.Field{
		Path: "template.name", Code: "not_found",
		Message: "the account has no such template, by its catalogue of " + b.SyncedAt.UTC().Format(time.RFC3339) +
			", which is being read again; try again in a minute if the template is new",
	}
}

// unknown has the catalogue read again, unless that was just done.
func (c *Catalogue) unknown(integrationID string) {
	now := c.cfg.Now()
	c.mu.Lock()
	soon := now.Sub(c.asked[integrationID]) < askEvery
	if !soon {
		c.asked[integrationID] = now
	}
	c.mu.Unlock()
	if !soon {
		c.ask(integrationID)
	}
}
