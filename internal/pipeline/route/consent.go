package route

import (
	"context"
	"fmt"
	"slices"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/pipeline"
)

// People say what they want to be told.
type People interface {
	// Consents gives what those people said of a channel, by the identity that was asked for; nil when nobody of the tenant's has
	// said anything.
	Consents(ctx context.Context, tenantID, channel string, ids []string) (map[string][]peal.Consent, error)
}

// askPeople looks up together what the recipients of requests want. Those that are named as users are looked up one by one,
// when their number is known.
func (p *Planner) askPeople(ctx context.Context, tenantID string, reqs []*api.NotificationRequest, looked *pipeline.Looked) error {
	if p.People == nil {
		return nil
	}
	var ids []string
	for _, req := range reqs {
		if id := req.Recipient.Phone + req.Recipient.WhatsAppUserID; id != "" {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	said, err := p.People.Consents(ctx, tenantID, peal.ChannelWhatsApp, ids)
	if err != nil {
		return fmt.Errorf("find out what people want: %w", err)
	}
	if looked.Silent = said == nil; looked.Silent {
		return nil
	}
	looked.Said = make(map[string][]peal.Consent, len(ids))
	for _, id := range ids { // also of those who said nothing: they are not asked again
		looked.Said[id] = said[id]
	}
	return nil
}

// unwanted skips a delivery that its recipient does not want.
func (p *Planner) unwanted(ctx context.Context, in *peal.Integration, d *peal.Delivery, category string, looked *pipeline.Looked) error {
	if p.People == nil || d.Status != peal.Queued {
		return nil
	}
	words, asked := looked.Said[d.Recipient]
	if !asked && !looked.Silent {
		said, err := p.People.Consents(ctx, d.TenantID, in.Channel, []string{d.Recipient})
		if err != nil {
			return fmt.Errorf("find out what people want: %w", err)
		}
		words = said[d.Recipient]
	}
	if code, reason := in.Unwanted(words, category); code != "" {
		skip(d, code, reason)
	}
	return nil
}

// categories are those of a content and of its fallback: as the request says, or as the account's catalogue says of their
// templates.
func (p *Planner) categories(in *peal.Integration, req *api.NotificationRequest) (category, fallback string) {
	of := func(t *api.Template) string {
		if req.Category != "" || t == nil || p.Templates == nil {
			return req.Category
		}
		return peal.CategoryNamed(p.Templates.Category(in.ID, t.Name, t.Language))
	}
	return of(req.Content.Template), of(req.Content.FallbackTemplate)
}
