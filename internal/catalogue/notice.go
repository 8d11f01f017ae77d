package catalogue

import (
	"context"
	"encoding/json"

	"peal/api"
	"peal/internal/peal"
)

// Teller tells tenants' systems what has happened.
type Teller interface {
	Tell(ctx context.Context, notices []peal.Notice) error
}

// notice tells the tenants' systems of templates that are others now. What fails is only logged: the template's state is on
// record, and is what counts.
func (c *Catalogue) notice(ctx context.Context, all []peal.TemplateChange) {
	if c.cfg.Notices == nil {
		return
	}
	notices := make([]peal.Notice, 0, len(all))
	for i := range all {
		t := &all[i].Now
		data, err := json.Marshal(api.TemplateEvent{
			IntegrationID: t.IntegrationID, Name: t.Name, Language: t.Language, Category: t.Category, Status: string(t.Stands()),
			PreviousStatus: string(all[i].Old), Quality: t.Quality, Reason: t.Why(),
		})
		if err != nil {
			c.cfg.Log.Error("notice of a template not written", "integration_id", t.IntegrationID, "template", t.Name, "error", err)
			continue
		}
		notices = append(notices, peal.Notice{
			TenantID: t.TenantID, Type: peal.NoticeTemplateUpdated, At: t.ChangedAt, Subject: t.IntegrationID + "/" + t.Name + "/" + t.Language, Data: data,
		})
	}
	if err := c.cfg.Notices.Tell(ctx, notices); err != nil {
		c.cfg.Log.Warn("notices of templates not written", "notices", len(notices), "error", err)
	}
}
