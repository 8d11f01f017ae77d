package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/pipeline"
)

// Uncertain are deliveries of which nobody knows whether they went out.
type Uncertain interface {
	UncertainCounts(ctx context.Context, tenantID string, f peal.UncertainFilter) (matched, expired int64, err error)
	ResolveAll(ctx context.Context, tenantID string, f peal.UncertainFilter, v peal.Verdict, limit int) (done int64, jobs []pipeline.Job, err error)
}

func (s *Server) uncertain() {
	huma.Register(s.api, op("resolve-deliveries", http.MethodPost, "/v1/deliveries/resolve", "Deliveries", "Say what became of many deliveries whose outcome is uncertain, by filter or all"), s.resolveAll)
}

type (
	resolveAllInput struct {
		Body api.ResolveAllRequest
	}
	resolveAllOutput struct{ Body api.ResolveResult }
)

// resolveAll settles the uncertain deliveries that a filter chooses, a chunk at a time.
func (s *Server) resolveAll(ctx context.Context, in *resolveAllInput) (*resolveAllOutput, error) {
	tenantID, err := s.tenant(ctx, api.ScopeAdmin)
	if err != nil {
		return nil, err
	}
	req := &in.Body
	f, err := s.uncertainFilter(ctx, tenantID, &req.Filter)
	if err != nil {
		return nil, err
	}
	// What is sent again by this call, and becomes uncertain again at once, is for another: or it would go round and round.
	if now := s.cfg.Now(); f.Until.IsZero() || f.Until.After(now) {
		f.Until = now
	}
	pace, err := s.pace(ctx, req.Rate)
	if err != nil {
		return nil, err
	}
	matched, expired, err := s.cfg.Uncertain.UncertainCounts(ctx, tenantID, f)
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	v := peal.Verdict{As: resolution(req.As), Note: req.Note, Pace: pace}
	if v.As != peal.Queued {
		expired = 0
	}
	res := api.ResolveResult{DryRun: req.DryRun, Matched: matched, Expired: expired, Remaining: matched - expired}
	if !req.DryRun {
		res.Done, err = inChunks(req.Limit, func(most int) (int64, error) {
			done, jobs, err := s.cfg.Uncertain.ResolveAll(ctx, tenantID, f, v, most)
			v.Pace.Start += time.Duration(len(jobs)) * v.Pace.Spacing // the next chunk falls due after this one
			s.cfg.Jobs.Publish(jobs)
			return done, err
		})
		if err != nil {
			return nil, s.fail(ctx, err)
		}
		res.Remaining = max(0, res.Remaining-res.Done)
	}
	return &resolveAllOutput{res}, nil
}

// resolution is a person's word as a status.
func resolution(as string) peal.Status {
	if as == "resend" {
		return peal.Queued
	}
	return peal.Status(as)
}

// uncertainFilter checks and translates a filter. An empty one is refused: "all" has to be said.
func (s *Server) uncertainFilter(ctx context.Context, tenantID string, f *api.UncertainFilter) (peal.UncertainFilter, error) {
	out := peal.UncertainFilter{
		IDs: lower(f.IDs), ErrorCode: f.ErrorCode, IntegrationID: s.integrationID(tenantID, f.IntegrationID),
		Since: deref(f.Since), Until: deref(f.Until),
	}
	none := len(f.IDs) == 0 && f.ErrorCode == "" && f.IntegrationID == "" && f.Since == nil && f.Until == nil
	return out, s.chooses(ctx, none, f.All, "uncertain delivery")
}
