package catalogue

import (
	"context"
	"time"

	"peal/api"
	"peal/internal/peal"
)

// writeTime bounds what is written of an answer to a call.
const writeTime = 10 * time.Second

// Heard brings in what a provider told by webhook of one of its templates. It concerns every integration of the tenant that
// has the same catalogue.
func (c *Catalogue) Heard(ctx context.Context, in *peal.Integration, st *peal.TemplateState) error {
	name := c.name(in)
	if name == "" {
		return nil
	}
	for _, other := range c.cfg.Integrations.OfTenant(in.TenantID) {
		if other.Kind != in.Kind || c.name(other) != name {
			continue
		}
		if st.Name != "" {
			change, err := c.cfg.Records.HearTemplate(ctx, other.ID, st)
			if err != nil {
				return err
			}
			c.changedOne(ctx, change)
		}
		c.ask(other.ID)
	}
	return nil
}

// changedOne tells of a template that is another now, if it is.
func (c *Catalogue) changedOne(ctx context.Context, change *peal.TemplateChange) {
	if change == nil {
		return
	}
	c.look(ctx)
	c.cfg.Tell()
	c.told(ctx, []peal.TemplateChange{*change})
}

// told tells of templates that are others now; loudly of those whose messages wait from now on.
func (c *Catalogue) told(ctx context.Context, all []peal.TemplateChange) {
	for i := range all {
		t := &all[i].Now
		now := t.Stands()
		attrs := []any{"integration_id", t.IntegrationID, "template", t.Name, "language", t.Language, "was", all[i].Old, "is", now, "reason", t.Why()}
		switch {
		case now.Stops() && !all[i].Old.Stops() && all[i].Old != "":
			c.cfg.Log.Error("template cannot be sent; its deliveries wait", attrs...)
		case now != all[i].Old:
			c.cfg.Log.Info("template changed", attrs...)
		}
	}
	if len(all) > 0 {
		c.notice(ctx, all)
	}
}

// Answered notes what a call was answered of its message's template. It tells whether the message is to wait for it, and as
// what: without a catalogue nobody would ever say that it can go.
func (c *Catalogue) Answered(in *peal.Integration, t *api.Template, w *peal.TemplateWord) (code, reason string) {
	if c.name(in) == "" {
		return "", ""
	}
	if code, reason = c.Held(in.ID, t.Name, t.Language); code != "" && w.Status.Stops() {
		return code, reason // calls that were in the air together found out the same thing
	}
	ctx, cancel := context.WithTimeout(context.Background(), writeTime)
	defer cancel()
	change, err := c.cfg.Records.WordOnTemplate(ctx, in, peal.TemplateKey{Name: t.Name, Language: t.Language}, w)
	if err != nil {
		c.cfg.Log.Warn("state of a template not recorded; the next call finds it out again", "integration_id", in.ID, "template", t.Name, "error", err)
	}
	if w.Status == peal.TemplateBroken && change != nil {
		change = nil // it goes as before
		c.cfg.Tell()
		c.cfg.Log.Error("a message did not fit its template", "integration_id", in.ID, "template", t.Name, "language", t.Language, "code", w.Code, "reason", w.Reason)
	}
	c.changedOne(ctx, change)
	c.ask(in.ID)
	if !w.Status.Stops() {
		return "", ""
	}
	e := &entry{status: w.Status, why: w.Reason}
	return e.status.Code(), reasonOf(t.Name, t.Language, e)
}

// Parked is told of a delivery that waits for its template from now on, when that is on disk: it may be held no longer.
func (c *Catalogue) Parked(integrationID, name, language string) {
	if code, _ := c.Held(integrationID, name, language); code == "" {
		c.wake(integrationID)
	}
}
