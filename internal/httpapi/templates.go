package httpapi

import (
	"context"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"peal/api"
	"peal/internal/catalogue"
	"peal/internal/peal"
)

// Templates are what the accounts' catalogues have.
type Templates interface {
	Summary(in *peal.Integration) (catalogue.Summary, bool)
	Stopped(ctx context.Context, integrationID string) ([]catalogue.Held, error)
	Templates(ctx context.Context, in *peal.Integration, f peal.TemplateFilter) ([]peal.Template, map[peal.TemplateKey]int64, error)
	Force(ctx context.Context, in *peal.Integration) error
}

func (s *Server) templates() {
	const tag, all = "Integrations", "/v1/integrations/{id}/templates"
	if s.cfg.Templates == nil {
		return
	}
	list := op("list-templates", http.MethodGet, all, tag, "List the templates of its catalogue")
	list.Description = "As last read from the provider: when it was made or changed, every six hours, and soon after a webhook or an answer " +
		"says that something has changed. A catalogue that was never read checks nothing."
	huma.Register(s.api, list, s.listTemplates)
	huma.Register(s.api, op("get-template", http.MethodGet, all+"/{name}", tag, "Look at a template in all its languages"), s.getTemplate)
	sync := op("sync-templates", http.MethodPost, all+"/sync", tag, "Have its catalogue read from the provider now")
	sync.Description = "It is read by one node, at once unless that would take more of the provider's quota than an hour allows; synced_at tells when that has happened."
	sync.DefaultStatus = http.StatusAccepted
	huma.Register(s.api, sync, s.syncTemplates)
}

type (
	templatesInput struct {
		ID     string `path:"id" maxLength:"128"`
		Name   string `query:"name" maxLength:"512"`
		Status string `query:"status" maxLength:"32" doc:"Such as approved or paused"`
		Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"100"`
		Cursor string `query:"cursor" maxLength:"600" doc:"next_cursor of the page before"`
	}
	templateInput struct {
		ID   string `path:"id" maxLength:"128"`
		Name string `path:"name" maxLength:"512"`
	}
	templatesOutput struct{ Body api.TemplateList }
	catalogueOutput struct{ Body api.Catalogue }
)

// withCatalogue finds an integration that may have one.
func (s *Server) withCatalogue(ctx context.Context, ref, scope string) (*peal.Integration, error) {
	tenantID, err := s.tenant(ctx, scope)
	if err != nil {
		return nil, err
	}
	in := s.cfg.Integrations.Find(tenantID, ref)
	if in == nil {
		return nil, s.fail(ctx, peal.Errorf(peal.NotFound, "there is no such integration"))
	}
	return in, nil
}

func (s *Server) listTemplates(ctx context.Context, in *templatesInput) (*templatesOutput, error) {
	f := peal.TemplateFilter{Name: in.Name, Status: peal.TemplateStatus(strings.ToLower(in.Status)), Limit: in.Limit + 1}
	if in.Cursor != "" {
		name, language, ok := strings.Cut(in.Cursor, "/")
		if !ok {
			return nil, s.fail(ctx, newProblem(api.CodeInvalidRequest, "", api.FieldError{Path: "cursor", Code: "invalid", Message: "give next_cursor as it came"}))
		}
		f.After = [2]string{name, language}
	}
	out, err := s.templatesOf(ctx, in.ID, f)
	if err == nil && len(out.Body.Templates) > in.Limit {
		out.Body.Templates = out.Body.Templates[:in.Limit]
		last := &out.Body.Templates[in.Limit-1]
		out.Body.NextCursor = last.Name + "/" + last.Language
	}
	return out, err
}

func (s *Server) getTemplate(ctx context.Context, in *templateInput) (*templatesOutput, error) {
	out, err := s.templatesOf(ctx, in.ID, peal.TemplateFilter{Name: in.Name})
	if err == nil && len(out.Body.Templates) == 0 {
		return nil, s.fail(ctx, peal.Errorf(peal.NotFound, "there is no such template in the integration's catalogue"))
	}
	return out, err
}

func (s *Server) templatesOf(ctx context.Context, ref string, f peal.TemplateFilter) (*templatesOutput, error) {
	in, err := s.withCatalogue(ctx, ref, api.ScopeRead)
	if err != nil {
		return nil, err
	}
	all, waits, err := s.cfg.Templates.Templates(ctx, in, f)
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	out := &templatesOutput{api.TemplateList{Templates: make([]api.CatalogueTemplate, len(all))}}
	for i := range all {
		out.Body.Templates[i] = templateOf(&all[i], waits)
	}
	if c := s.catalogueOf(in); c != nil {
		out.Body.Catalogue = *c
	} else {
		out.Body.Catalogue.Missing = "an integration of kind " + in.Kind + " has no templates"
	}
	return out, nil
}

func (s *Server) syncTemplates(ctx context.Context, in *idInput) (*catalogueOutput, error) {
	found, err := s.withCatalogue(ctx, in.ID, api.ScopeAdmin)
	if err != nil {
		return nil, err
	}
	if err := s.cfg.Templates.Force(ctx, found); err != nil {
		return nil, s.fail(ctx, err)
	}
	return &catalogueOutput{*s.catalogueOf(found)}, nil
}

func templateOf(t *peal.Template, waits map[peal.TemplateKey]int64) api.CatalogueTemplate {
	out := api.CatalogueTemplate{
		Name: t.Name, Language: t.Language, ProviderID: t.ProviderID, Category: t.Category, Status: string(t.Stands()), Reason: t.Why(),
		Quality: t.Quality, Format: t.Format, Sendable: !t.Stands().Stops(), Components: t.Components, ChangedAt: t.ChangedAt.UTC(),
		Waiting: waits[peal.TemplateKey{Name: t.Name, Language: t.Language}],
	}
	if t.BrokenCode != "" {
		out.Broken = &api.TemplateFault{Code: t.BrokenCode, Reason: t.BrokenReason, At: t.BrokenAt.UTC()}
	}
	return out
}

// catalogueOf is what is known of an integration's catalogue; nil when its provider keeps none.
func (s *Server) catalogueOf(in *peal.Integration) *api.Catalogue {
	if s.cfg.Templates == nil {
		return nil
	}
	c, ok := s.cfg.Templates.Summary(in)
	if !ok {
		return nil
	}
	out := &api.Catalogue{Checked: c.Checked, Missing: c.Missing, Templates: c.Templates, SyncedAt: optional(c.SyncedAt), Error: c.Error}
	if c.AskedAt.After(c.TriedAt) {
		out.AskedAt = optional(c.AskedAt)
	}
	return out
}

// stoppedOf adds the templates for which deliveries wait. Without the records the rest is shown all the same.
func (s *Server) stoppedOf(ctx context.Context, out *api.Integration) {
	if out.Templates == nil {
		return
	}
	held, err := s.cfg.Templates.Stopped(ctx, out.ID)
	if err != nil {
		s.cfg.Log.Warn("deliveries that wait for templates not counted", "integration_id", out.ID, "error", err)
	}
	for _, h := range held {
		out.Templates.Stopped = append(out.Templates.Stopped, api.HeldTemplate{
			Name: h.Name, Language: h.Language, Status: string(h.Status), Reason: h.Reason, Waiting: h.Waiting,
		})
	}
}
