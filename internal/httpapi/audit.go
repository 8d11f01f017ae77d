package httpapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"peal/api"
	"peal/internal/pipeline/audit"
)

// Auditor holds the records against each other.
type Auditor interface {
	Audit(ctx context.Context, req audit.Request) (*audit.Report, error)
}

func (s *Server) audit() {
	o := op("audit", http.MethodPost, "/v1/audit", "Audit (operator)", "Hold what was accepted against what has ended and what is in flight")
	o.Description = "It reads for some seconds, and puts back the jobs that are missing; call it again with next_cursor until there is none. One audit is made at a time."
	huma.Register(s.api, o, s.makeAudit)
}

type (
	auditInput struct {
		Body api.AuditRequest
	}
	auditOutput struct{ Body api.AuditReport }
)

func (s *Server) makeAudit(ctx context.Context, in *auditInput) (*auditOutput, error) {
	if err := s.operator(ctx); err != nil {
		return nil, err
	}
	r, err := s.cfg.Audit.Audit(ctx, audit.Request{TenantID: in.Body.Tenant, Since: deref(in.Body.Since), Cursor: in.Body.Cursor})
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	return &auditOutput{AuditReport(r)}, nil
}

// AuditReport is a report as the API tells it.
func AuditReport(r *audit.Report) api.AuditReport {
	out := api.AuditReport{
		Tenants: make([]api.AuditTenant, len(r.Tenants)), Differences: make([]api.AuditDifference, len(r.Differences)),
		DifferenceCount: r.Count, NextCursor: r.Cursor,
	}
	for i := range r.Tenants {
		t := &r.Tenants[i]
		of := api.AuditTenant{
			Tenant: t.TenantID, Notifications: t.Notifications, Deliveries: t.Deliveries, InFlight: t.InFlight(),
			Ended: t.DeliveryRows - t.InFlight(), ByStatus: map[string]int64{},
		}
		for status, n := range t.ByStatus {
			of.ByStatus[string(status)] = n
		}
		out.Tenants[i] = of
	}
	for i := range r.Differences {
		d := &r.Differences[i]
		out.Differences[i] = api.AuditDifference{Kind: string(d.Kind), Tenant: d.TenantID, ID: d.ID, Detail: d.Detail}
	}
	return out
}
