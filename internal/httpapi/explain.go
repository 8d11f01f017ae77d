package httpapi

import (
	"context"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"peal/api"
	"peal/internal/explain"
	"peal/internal/peal"
)

// Explained is what the records know of how a delivery came to be as it is.
type Explained interface {
	Explained(ctx context.Context, tenantID, id string) (*peal.Explained, error)
}

func (s *Server) explanations() {
	o := op("explain-delivery", http.MethodGet, "/v1/deliveries/{id}/explain", "Deliveries", "Tell why a delivery is as it is: every decision in order, and what happens next")
	huma.Register(s.api, o, s.explainDelivery)
}

type explanationOutput struct{ Body api.Explanation }

func (s *Server) explainDelivery(ctx context.Context, in *idInput) (*explanationOutput, error) {
	tenantID, err := s.tenant(ctx, api.ScopeRead)
	if err != nil {
		return nil, err
	}
	x, err := s.cfg.Explained.Explained(ctx, tenantID, strings.ToLower(in.ID))
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	return &explanationOutput{explain.Explain(explain.Input{
		Explained: *x, Integration: s.cfg.Integrations.Find(tenantID, x.Delivery.IntegrationID),
		Queue: s.cfg.Queues.Estimate(ctx, &x.Delivery), Now: s.cfg.Now(),
	})}, nil
}
