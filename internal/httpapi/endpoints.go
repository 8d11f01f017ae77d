package httpapi

import (
	"context"
	"encoding/base64"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"peal/api"
	"peal/internal/outbound"
	"peal/internal/peal"
)

func (s *Server) endpoints() {
	const tag, one = "Endpoints", "/v1/endpoints/{id}"
	create := op("create-endpoint", http.MethodPost, "/v1/endpoints", tag, "Have a URL of yours told what happens; its secret is shown once")
	create.DefaultStatus = http.StatusCreated
	create.Description = "Outbound webhooks, by the scheme of Standard Webhooks (https://www.standardwebhooks.com): docs/webhooks.md. " +
		"It is told what happens from now on."
	huma.Register(s.api, create, s.createEndpoint)
	huma.Register(s.api, op("list-endpoints", http.MethodGet, "/v1/endpoints", tag, "List the tenant's endpoints"), s.listEndpoints)
	huma.Register(s.api, op("get-endpoint", http.MethodGet, one, tag, "Look at one, by id or name"), s.getEndpoint)
	huma.Register(s.api, op("update-endpoint", http.MethodPatch, one, tag, "Change name, URL, types or timeout; disable or enable it"), s.updateEndpoint)
	remove := op("delete-endpoint", http.MethodDelete, one, tag, "Forget it, with what waits for it")
	remove.DefaultStatus = http.StatusNoContent
	huma.Register(s.api, remove, s.deleteEndpoint)
	huma.Register(s.api, op("rotate-endpoint", http.MethodPost, one+"/rotate", tag, "Give it another secret, shown once; the old one signs too for a while"), s.rotateEndpoint)
	huma.Register(s.api, op("test-endpoint", http.MethodPost, one+"/test", tag, "Tell it endpoint.test at once, and see what comes of it"), s.testEndpoint)
	replay := op("replay-endpoint", http.MethodPost, one+"/replay", tag, "Tell it again what happened: one event, or what happened since a time, or what ran out of tries")
	replay.DefaultStatus = http.StatusAccepted
	huma.Register(s.api, replay, s.replayEndpoint)
	huma.Register(s.api, op("list-endpoint-attempts", http.MethodGet, one+"/attempts", tag, "Its calls, newest first; they are kept 30 days"), s.listAttempts)
	huma.Register(s.api, op("enable-endpoint", http.MethodPost, one+"/enable", tag, "Tell it again, from where it was or from now on"), s.enableEndpoint)
}

type (
	createEndpointInput struct {
		Body api.EndpointRequest
	}
	updateEndpointInput struct {
		ID   string `path:"id" maxLength:"128"`
		Body api.EndpointPatch
	}
	rotateInput struct {
		ID   string            `path:"id" maxLength:"128"`
		Body api.RotateRequest `required:"false"`
	}
	enableInput struct {
		ID   string            `path:"id" maxLength:"128"`
		Body api.EnableRequest `required:"false"`
	}
	replayInput struct {
		ID   string `path:"id" maxLength:"128"`
		Body api.EndpointReplayRequest
	}
	attemptsInput struct {
		Page

		ID      string `path:"id" maxLength:"128"`
		EventID string `query:"event_id" maxLength:"128" doc:"Only those of this event"`
		Failed  bool   `query:"failed" doc:"Only failures"`
	}
	endpointOutput  struct{ Body api.Endpoint }
	endpointsOutput struct{ Body api.EndpointList }
	attemptOutput   struct{ Body api.EndpointAttempt }
	attemptsOutput  struct{ Body api.EndpointAttemptPage }
	replayOutput    struct{ Body api.EndpointReplayResult }
)

func (s *Server) endpoint(ctx context.Context, e peal.Endpoint, secret string, err error) (*endpointOutput, error) {
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	out := &endpointOutput{s.endpointOf(&e)}
	out.Body.Secret = secret
	return out, nil
}

func (s *Server) endpointOf(e *peal.Endpoint) api.Endpoint {
	out := api.Endpoint{
		ID: e.ID, Name: e.Name, URL: e.URL, Types: e.Types, Timeout: e.Timeout.String(), Secrets: s.cfg.Endpoints.Signing(e),
		State: outbound.State(e), FailingFrom: optional(e.FailingAt), LastOKAt: optional(e.OKAt), LastFailAt: optional(e.FailedAt),
		LastError: e.LastError, ToldUntil: optional(e.CursorAt), Waiting: e.Waiting, Failed: e.Failed,
		CreatedAt: e.CreatedAt.UTC(), UpdatedAt: e.UpdatedAt.UTC(),
	}
	if d := e.Disabled; d != nil {
		out.Disabled = &api.EndpointDisabled{Code: string(d.Code), Reason: d.Reason, Since: d.At.UTC()}
	}
	if r := e.Replay; r != nil {
		out.Replaying = optional(r.Since)
	}
	return out
}

func (s *Server) createEndpoint(ctx context.Context, in *createEndpointInput) (*endpointOutput, error) {
	tenantID, err := s.tenant(ctx, api.ScopeAdmin)
	if err != nil {
		return nil, err
	}
	e, secret, err := s.cfg.Endpoints.Create(ctx, tenantID, &in.Body)
	return s.endpoint(ctx, e, secret, err)
}

func (s *Server) listEndpoints(ctx context.Context, _ *struct{}) (*endpointsOutput, error) {
	tenantID, err := s.tenant(ctx, api.ScopeRead)
	if err != nil {
		return nil, err
	}
	all, err := s.cfg.Endpoints.OfTenant(ctx, tenantID)
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	out := &endpointsOutput{api.EndpointList{Endpoints: make([]api.Endpoint, len(all))}}
	for i := range all {
		out.Body.Endpoints[i] = s.endpointOf(&all[i])
	}
	return out, nil
}

func (s *Server) getEndpoint(ctx context.Context, in *idInput) (*endpointOutput, error) {
	tenantID, err := s.tenant(ctx, api.ScopeRead)
	if err != nil {
		return nil, err
	}
	e, err := s.cfg.Endpoints.Find(ctx, tenantID, in.ID)
	return s.endpoint(ctx, e, "", err)
}

func (s *Server) updateEndpoint(ctx context.Context, in *updateEndpointInput) (*endpointOutput, error) {
	tenantID, err := s.tenant(ctx, api.ScopeAdmin)
	if err != nil {
		return nil, err
	}
	e, err := s.cfg.Endpoints.Update(ctx, tenantID, in.ID, &in.Body)
	return s.endpoint(ctx, e, "", err)
}

func (s *Server) deleteEndpoint(ctx context.Context, in *idInput) (*struct{}, error) {
	tenantID, err := s.tenant(ctx, api.ScopeAdmin)
	if err == nil {
		if err = s.cfg.Endpoints.Delete(ctx, tenantID, in.ID); err != nil {
			err = s.fail(ctx, err)
		}
	}
	return nil, err
}

func (s *Server) rotateEndpoint(ctx context.Context, in *rotateInput) (*endpointOutput, error) {
	tenantID, err := s.tenant(ctx, api.ScopeAdmin)
	if err != nil {
		return nil, err
	}
	e, secret, err := s.cfg.Endpoints.Rotate(ctx, tenantID, in.ID, &in.Body)
	return s.endpoint(ctx, e, secret, err)
}

func (s *Server) enableEndpoint(ctx context.Context, in *enableInput) (*endpointOutput, error) {
	tenantID, err := s.tenant(ctx, api.ScopeAdmin)
	if err != nil {
		return nil, err
	}
	e, err := s.cfg.Endpoints.Enable(ctx, tenantID, in.ID, in.Body.From == "now")
	return s.endpoint(ctx, e, "", err)
}

// maxTests is how many endpoints are called at once because somebody wants to see what comes of it: each call may take 30 s.
const maxTests = 32

func (s *Server) testEndpoint(ctx context.Context, in *idInput) (*attemptOutput, error) {
	tenantID, err := s.tenant(ctx, api.ScopeAdmin)
	if err != nil {
		return nil, err
	}
	if err := s.tests.enter(tenantID, 1); err != nil {
		return nil, s.fail(ctx, err)
	}
	defer s.tests.leave(tenantID, 1)
	a, err := s.cfg.Endpoints.Test(ctx, tenantID, in.ID)
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	return &attemptOutput{attemptOf(&a)}, nil
}

func (s *Server) replayEndpoint(ctx context.Context, in *replayInput) (*replayOutput, error) {
	tenantID, err := s.tenant(ctx, api.ScopeAdmin)
	if err != nil {
		return nil, err
	}
	n, err := s.cfg.Endpoints.Replay(ctx, tenantID, in.ID, &in.Body)
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	return &replayOutput{api.EndpointReplayResult{Queued: n}}, nil
}

func (s *Server) listAttempts(ctx context.Context, in *attemptsInput) (*attemptsOutput, error) {
	tenantID, err := s.tenant(ctx, api.ScopeRead)
	if err != nil {
		return nil, err
	}
	f := peal.AttemptFilter{NoticeID: in.EventID, Failed: in.Failed, Limit: in.Limit + 1}
	if in.Cursor != "" {
		id, err := base64.RawURLEncoding.DecodeString(in.Cursor)
		if err == nil {
			_, err = uuid.ParseBytes(id)
		}
		if err != nil {
			return nil, s.fail(ctx, wrongField("cursor", "invalid", "give the next_cursor of an earlier page, or none"))
		}
		f.Before = string(id)
	}
	all, err := s.cfg.Endpoints.Attempts(ctx, tenantID, in.ID, f)
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	out := &attemptsOutput{}
	if len(all) > in.Limit {
		all = all[:in.Limit]
		out.Body.NextCursor = base64.RawURLEncoding.EncodeToString([]byte(all[len(all)-1].ID))
	}
	out.Body.Attempts = make([]api.EndpointAttempt, len(all))
	for i := range all {
		out.Body.Attempts[i] = attemptOf(&all[i])
	}
	return out, nil
}

func attemptOf(a *peal.EndpointAttempt) api.EndpointAttempt {
	return api.EndpointAttempt{
		ID: a.ID, EventID: a.NoticeID, Type: a.Type, Try: a.Try, At: a.At.UTC(), TookMS: float64(a.Took.Microseconds()) / 1000,
		OK: a.OK, Status: a.Status, Code: a.Code, Error: a.Error, NextTryAt: optional(a.NextAt),
	}
}
