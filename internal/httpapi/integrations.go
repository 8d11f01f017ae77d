package httpapi

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"peal/api"
	"peal/internal/peal"
)

func (s *Server) integrations() {
	const tag = "Integrations"
	create := op("create-integration", http.MethodPost, "/v1/integrations", tag, "Connect an account at a provider")
	create.DefaultStatus = http.StatusCreated
	huma.Register(s.api, create, s.createIntegration)
	huma.Register(s.api, op("list-integrations", http.MethodGet, "/v1/integrations", tag, "List the tenant's integrations"), s.listIntegrations)
	huma.Register(s.api, op("get-integration", http.MethodGet, "/v1/integrations/{id}", tag, "Look at one, by id or name"), s.getIntegration)
	huma.Register(s.api, op("update-integration", http.MethodPatch, "/v1/integrations/{id}", tag, "Change settings, rotate credentials; lifts a pause"), s.updateIntegration)
	remove := op("delete-integration", http.MethodDelete, "/v1/integrations/{id}", tag, "Delete it and cancel what waits in it")
	remove.DefaultStatus = http.StatusNoContent
	huma.Register(s.api, remove, s.deleteIntegration)
	test := op("test-integration", http.MethodPost, "/v1/integrations/{id}/test", tag, "Send a test through the whole pipeline, or have a push provider validate one")
	test.DefaultStatus = http.StatusAccepted
	huma.Register(s.api, test, s.testIntegration)
	huma.Register(s.api, op("pause-integration", http.MethodPost, "/v1/integrations/{id}/pause", tag, "Stop sending; what is accepted waits"), s.pauseIntegration)
	huma.Register(s.api, op("resume-integration", http.MethodPost, "/v1/integrations/{id}/resume", tag, "Go on sending"), s.resumeIntegration)
}

type (
	createIntegrationInput struct {
		Body api.IntegrationRequest
	}
	updateIntegrationInput struct {
		ID   string `path:"id" maxLength:"128"`
		Body api.IntegrationPatch
	}
	testInput struct {
		ID   string `path:"id" maxLength:"128"`
		Body api.TestRequest
	}
	integrationOutput  struct{ Body api.Integration }
	integrationsOutput struct{ Body api.IntegrationList }
	testOutput         struct {
		Status int
		Body   api.TestResult
	}
)

func (s *Server) createIntegration(ctx context.Context, in *createIntegrationInput) (*integrationOutput, error) {
	tenantID, err := s.tenant(ctx, api.ScopeAdmin)
	if err != nil {
		return nil, err
	}
	made, err := s.cfg.Integrations.Create(ctx, tenantID, &in.Body)
	return s.integration(ctx, made, true, err)
}

func (s *Server) listIntegrations(ctx context.Context, _ *struct{}) (*integrationsOutput, error) {
	tenantID, err := s.tenant(ctx, api.ScopeRead)
	if err != nil {
		return nil, err
	}
	admin := s.isAdmin(ctx)
	out := &integrationsOutput{api.IntegrationList{Integrations: []api.Integration{}}}
	for _, i := range s.cfg.Integrations.OfTenant(tenantID) {
		out.Body.Integrations = append(out.Body.Integrations, s.integrationOf(i, admin))
	}
	s.watched(ctx, out.Body.Integrations)
	return out, nil
}

func (s *Server) getIntegration(ctx context.Context, in *idInput) (*integrationOutput, error) {
	tenantID, err := s.tenant(ctx, api.ScopeRead)
	if err != nil {
		return nil, err
	}
	found := s.cfg.Integrations.Find(tenantID, in.ID)
	out, err := s.integration(ctx, found, s.isAdmin(ctx), nil)
	if err != nil {
		return nil, err
	}
	// Without the records it is shown all the same: what is known of it is in memory.
	one := []api.Integration{out.Body}
	s.watched(ctx, one)
	out.Body = one[0]
	out.Body.Uncertain, _, err = s.cfg.Uncertain.UncertainCounts(ctx, tenantID, peal.UncertainFilter{IntegrationID: found.ID})
	if err != nil {
		s.cfg.Log.Warn("uncertain deliveries not counted", "integration_id", found.ID, "error", err)
	}
	s.number(ctx, found, &out.Body)
	s.stoppedOf(ctx, &out.Body)
	return out, nil
}

func (s *Server) updateIntegration(ctx context.Context, in *updateIntegrationInput) (*integrationOutput, error) {
	tenantID, err := s.tenant(ctx, api.ScopeAdmin)
	if err != nil {
		return nil, err
	}
	changed, err := s.cfg.Integrations.Update(ctx, tenantID, in.ID, &in.Body)
	return s.integration(ctx, changed, true, err)
}

func (s *Server) deleteIntegration(ctx context.Context, in *idInput) (*struct{}, error) {
	tenantID, err := s.tenant(ctx, api.ScopeAdmin)
	if err == nil {
		if err = s.cfg.Integrations.Delete(ctx, tenantID, in.ID); err != nil {
			err = s.fail(ctx, err)
		}
	}
	return nil, err
}

func (s *Server) pauseIntegration(ctx context.Context, in *idInput) (*integrationOutput, error) {
	return s.setPause(ctx, in, true)
}

func (s *Server) resumeIntegration(ctx context.Context, in *idInput) (*integrationOutput, error) {
	return s.setPause(ctx, in, false)
}

func (s *Server) setPause(ctx context.Context, in *idInput, pause bool) (*integrationOutput, error) {
	tenantID, err := s.tenant(ctx, api.ScopeAdmin)
	if err != nil {
		return nil, err
	}
	changed, err := s.cfg.Integrations.SetPause(ctx, tenantID, in.ID, pause)
	return s.integration(ctx, changed, true, err)
}

func (s *Server) isAdmin(ctx context.Context) bool {
	_, err := s.tenant(ctx, api.ScopeAdmin)
	return err == nil
}

func (s *Server) integration(ctx context.Context, in *peal.Integration, admin bool, err error) (*integrationOutput, error) {
	if err == nil && in == nil {
		err = peal.Errorf(peal.NotFound, "there is no such integration")
	}
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	return &integrationOutput{s.integrationOf(in, admin)}, nil
}

func (s *Server) integrationOf(in *peal.Integration, admin bool) api.Integration {
	out := api.Integration{
		ID: in.ID, Name: in.Name, Kind: in.Kind, Channel: in.Channel, Credentials: slices.Sorted(maps.Keys(in.Credentials)),
		CreatedAt: in.CreatedAt.UTC(), UpdatedAt: in.UpdatedAt.UTC(), Settings: effective(in),
	}
	out.Warning = s.cfg.Integrations.Warning(in)
	out.Templates = s.catalogueOf(in)
	out.Public = s.cfg.Integrations.Public(in)
	if admin {
		out.WebhookURL = s.cfg.PublicURL() + "/hooks/" + in.Kind + "/" + in.HookToken
		out.VerifyToken = s.cfg.Integrations.VerifyToken(in)
	}
	if in.Paused(s.cfg.Now()) {
		p := in.Pause
		out.Paused = &api.Pause{Code: string(p.Code), Reason: p.Reason, Since: p.Since.UTC(), Until: optional(p.Until)}
	}
	return out
}

// number adds what is known of the number that it sends from.
func (s *Server) number(ctx context.Context, in *peal.Integration, out *api.Integration) {
	n, ok, err := s.cfg.Numbers.Number(ctx, in.ID)
	if err != nil {
		s.cfg.Log.Warn("state of the number not read", "integration_id", in.ID, "error", err)
	}
	if !ok || n.At.IsZero() {
		return
	}
	out.Number = &api.NumberState{
		ID: n.ID, Status: n.Status, Quality: n.Quality, NameStatus: n.NameStatus, Tier: n.Tier, Throughput: n.Throughput, Alert: n.Alert,
		AlertAt: optional(n.AlertAt), At: n.At.UTC(), UsedAt: optional(n.UsedAt),
	}
	if n.Phone != "" {
		out.Number.Number = "+" + n.Phone
	}
	if n.Limit > 0 {
		out.Number.Limit = n.Limit
		if !n.UsedAt.IsZero() {
			out.Number.Used = &n.Used
		}
	}
	if w := s.cfg.Integrations.NumberWarning(in, &n); w != "" && out.Warning == "" {
		out.Warning = w
	}
}

// effective are the settings that hold, defaults included.
func effective(in *peal.Integration) api.Settings {
	limit := func(l peal.Limit) *api.Limit {
		return &api.Limit{Rate: l.Rate, Period: l.Period.String(), Burst: l.Burst}
	}
	return api.Settings{
		BaseURL: in.BaseURL, Limit: limit(in.Limit), LookupLimit: limit(in.LookupLimit),
		RecipientLimit: recipientLimit(in.RecipientLimit), ReceiptTimeout: receiptTimeout(in),
		Concurrency: in.Concurrency, Timeout: in.Timeout.String(), MaxAttempts: in.MaxAttempts,
		RetryBase: in.RetryBase.String(), RetryCap: in.RetryCap.String(), OnUnknown: string(in.OnUnknown),
		Apps: in.Apps, CA: in.CA, WhatsAppCloud: cloudOf(in),
	}
}

// cloudOf are the settings that only kind whatsapp_cloud has, as they were given.
func cloudOf(in *peal.Integration) *api.WhatsAppCloud {
	var s api.Settings
	if json.Unmarshal(in.Settings, &s) != nil { // they were checked when they were written
		return nil
	}
	return s.WhatsAppCloud
}

// receiptTimeout is empty for kinds that have no receipts.
func receiptTimeout(in *peal.Integration) string {
	if in.ReceiptTimeout == 0 && in.Channel == peal.ChannelPush {
		return ""
	}
	return in.ReceiptTimeout.String()
}

func recipientLimit(l peal.Limit) *api.RecipientLimit {
	if l.Rate == 0 {
		return nil
	}
	return &api.RecipientLimit{Rate: l.Rate, Period: l.Period.String(), Burst: l.Burst}
}
