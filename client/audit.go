package client

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"slices"

	"peal/api"
)

// maxAuditDifferences is how many differences Audit keeps of all that are counted.
const maxAuditDifferences = 1000

// AuditStep makes one step of an audit, which takes some seconds; it needs the operator key. Go on with NextCursor.
func (c *Client) AuditStep(ctx context.Context, req api.AuditRequest) (*api.AuditReport, error) {
	return send[api.AuditReport](ctx, c, call{method: http.MethodPost, path: "/v1/audit", body: req})
}

// Audit holds what was accepted against what has ended and what is in flight, step by step from req.Cursor to the end, and
// sums the steps up. It needs the operator key.
func (c *Client) Audit(ctx context.Context, req api.AuditRequest) (*api.AuditReport, error) {
	sums := map[string]*api.AuditTenant{}
	whole := &api.AuditReport{Tenants: []api.AuditTenant{}, Differences: []api.AuditDifference{}}
	for {
		step, err := c.AuditStep(ctx, req)
		if err != nil {
			return nil, err
		}
		for i := range step.Tenants {
			addTenant(sums, &step.Tenants[i])
		}
		whole.DifferenceCount += step.DifferenceCount
		room := maxAuditDifferences - len(whole.Differences)
		whole.Differences = append(whole.Differences, step.Differences[:min(room, len(step.Differences))]...)
		if req.Cursor = step.NextCursor; req.Cursor == "" {
			break
		}
	}
	for _, id := range slices.SortedFunc(maps.Keys(sums), cmp.Compare) {
		whole.Tenants = append(whole.Tenants, *sums[id])
	}
	return whole, nil
}

func addTenant(sums map[string]*api.AuditTenant, t *api.AuditTenant) {
	sum := sums[t.Tenant]
	if sum == nil {
		sum = &api.AuditTenant{Tenant: t.Tenant, ByStatus: map[string]int64{}}
		sums[t.Tenant] = sum
	}
	sum.Notifications += t.Notifications
	sum.Deliveries += t.Deliveries
	sum.InFlight += t.InFlight
	sum.Ended += t.Ended
	for status, n := range t.ByStatus {
		sum.ByStatus[status] += n
	}
}
