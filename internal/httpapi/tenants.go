package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/pipeline/accept"
)

func (s *Server) tenants() {
	const tag = "Tenants (operator)"
	create := op("create-tenant", http.MethodPost, "/v1/tenants", tag, "Make a tenant")
	create.DefaultStatus = http.StatusCreated
	huma.Register(s.api, create, s.createTenant)
	huma.Register(s.api, op("list-tenants", http.MethodGet, "/v1/tenants", tag, "List the tenants"), s.listTenants)
	huma.Register(s.api, op("get-tenant", http.MethodGet, "/v1/tenants/{id}", tag, "Look at a tenant"), s.getTenant)
	huma.Register(s.api, op("update-tenant", http.MethodPatch, "/v1/tenants/{id}", tag, "Rename, limit, disable or enable a tenant"), s.updateTenant)
}

type (
	createTenantInput struct {
		Body api.TenantRequest
	}
	updateTenantInput struct {
		ID   string `path:"id" maxLength:"64"`
		Body api.TenantPatch
	}
	tenantOutput  struct{ Body api.Tenant }
	tenantsOutput struct{ Body api.TenantList }
)

func tenantOf(t *peal.Tenant) api.Tenant {
	return api.Tenant{ID: t.ID, Name: t.Name, Disabled: t.Disabled, Limits: limitsOf(t.Limits), CreatedAt: t.CreatedAt.UTC()}
}

func (s *Server) createTenant(ctx context.Context, in *createTenantInput) (*tenantOutput, error) {
	if err := s.operator(ctx); err != nil {
		return nil, err
	}
	t := peal.Tenant{ID: in.Body.ID, Name: in.Body.Name, CreatedAt: s.cfg.Now().UTC().Truncate(time.Microsecond)}
	if t.ID == "" {
		t.ID = peal.NewID()
	}
	if err := s.cfg.Tenants.CreateTenant(ctx, t); err != nil {
		return nil, s.fail(ctx, err)
	}
	return &tenantOutput{tenantOf(&t)}, nil
}

func (s *Server) listTenants(ctx context.Context, _ *struct{}) (*tenantsOutput, error) {
	if err := s.operator(ctx); err != nil {
		return nil, err
	}
	all, err := s.cfg.Tenants.Tenants(ctx)
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	out := &tenantsOutput{api.TenantList{Tenants: make([]api.Tenant, len(all))}}
	for i := range all {
		out.Body.Tenants[i] = tenantOf(&all[i])
	}
	return out, nil
}

func (s *Server) getTenant(ctx context.Context, in *idInput) (*tenantOutput, error) {
	if err := s.operator(ctx); err != nil {
		return nil, err
	}
	return s.oneTenant(ctx, in.ID)
}

func (s *Server) oneTenant(ctx context.Context, id string) (*tenantOutput, error) {
	t, err := s.cfg.Tenants.Tenant(ctx, id)
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	return &tenantOutput{tenantOf(&t)}, nil
}

func (s *Server) updateTenant(ctx context.Context, in *updateTenantInput) (*tenantOutput, error) {
	if err := s.operator(ctx); err != nil {
		return nil, err
	}
	if l := in.Body.Limits; l != nil {
		if err := s.cfg.Tenants.SetLimits(ctx, in.ID, peal.TenantLimits{Rate: l.Rate, Queued: l.Queued}); err != nil {
			return nil, s.fail(ctx, err)
		}
		s.cfg.Quotas.Forget(in.ID)
	}
	if err := s.cfg.Tenants.UpdateTenant(ctx, in.ID, in.Body.Name, in.Body.Disabled); err != nil {
		return nil, s.fail(ctx, err)
	}
	s.auth.forget()
	return s.oneTenant(ctx, in.ID)
}

func (s *Server) keys() {
	const tag = "API keys"
	create := op("create-key", http.MethodPost, "/v1/keys", tag, "Make an API key; it is shown once")
	create.DefaultStatus = http.StatusCreated
	huma.Register(s.api, create, s.createKey)
	huma.Register(s.api, op("list-keys", http.MethodGet, "/v1/keys", tag, "List the tenant's keys"), s.listKeys)
	revoke := op("revoke-key", http.MethodDelete, "/v1/keys/{id}", tag, "Make a key worthless")
	revoke.DefaultStatus = http.StatusNoContent
	huma.Register(s.api, revoke, s.revokeKey)
}

type (
	createKeyInput struct {
		Body api.KeyRequest
	}
	keyOutput  struct{ Body api.Key }
	keysOutput struct{ Body api.KeyList }
)

func keyOf(k *peal.Key) api.Key {
	return api.Key{
		ID: k.ID, Name: k.Name, Scopes: k.Scopes, CreatedAt: k.CreatedAt.UTC(), ExpiresAt: optional(k.ExpiresAt), RevokedAt: optional(k.RevokedAt),
	}
}

func (s *Server) createKey(ctx context.Context, in *createKeyInput) (*keyOutput, error) {
	tenantID, err := s.tenant(ctx, api.ScopeAdmin)
	if err != nil {
		return nil, err
	}
	now, expires := s.cfg.Now().UTC().Truncate(time.Microsecond), deref(in.Body.ExpiresAt)
	if in.Body.ExpiresAt != nil && (!expires.After(now) || !accept.CanTell(expires)) {
		return nil, s.fail(ctx, newProblem(api.CodeInvalidRequest, "", api.FieldError{
			Path: "expires_at", Code: "out_of_range", Message: "give a time after now and before the year 9999, or none for a key without end",
		}))
	}
	k, token, err := newKey(tenantID, in.Body.Name, in.Body.Scopes, now, expires)
	if err == nil {
		err = s.cfg.Keys.CreateKey(ctx, k)
	}
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	out := &keyOutput{keyOf(&k)}
	out.Body.Secret = token
	return out, nil
}

func (s *Server) listKeys(ctx context.Context, _ *struct{}) (*keysOutput, error) {
	tenantID, err := s.tenant(ctx, api.ScopeAdmin)
	if err != nil {
		return nil, err
	}
	all, err := s.cfg.Keys.Keys(ctx, tenantID)
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	out := &keysOutput{api.KeyList{Keys: make([]api.Key, len(all))}}
	for i := range all {
		out.Body.Keys[i] = keyOf(&all[i])
	}
	return out, nil
}

func (s *Server) revokeKey(ctx context.Context, in *idInput) (*struct{}, error) {
	tenantID, err := s.tenant(ctx, api.ScopeAdmin)
	if err != nil {
		return nil, err
	}
	if err := s.cfg.Keys.RevokeKey(ctx, tenantID, in.ID); err != nil {
		return nil, s.fail(ctx, err)
	}
	s.auth.forget()
	return nil, nil
}
