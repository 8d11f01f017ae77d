package route

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/pipeline"
	"peal/internal/provider"
)

// AudienceOf is an audience as the records know it.
func AudienceOf(a *api.Audience) peal.Audience {
	return peal.Audience{AppID: a.AppID, Platform: a.Platform, Locale: a.Locale}
}

// PlanAudience gives what a notification to an audience is to be expanded from. Its content is held against every kind of
// integration that it may go over, for nobody knows yet which devices there are going to be.
func (p *Planner) PlanAudience(n *peal.Notification, req *api.NotificationRequest) (*pipeline.Expansion, error) {
	plan, err := p.planAudience(n.TenantID, req)
	if err != nil {
		return nil, err
	}
	request, err := json.Marshal(plan)
	if err != nil {
		return nil, fmt.Errorf("write request: %w", err)
	}
	return &pipeline.Expansion{
		TenantID: n.TenantID, NotificationID: n.ID, Request: request, Priority: n.Priority, DueAt: n.SendAt, ExpiresAt: n.ExpiresAt,
		CreatedAt: n.CreatedAt,
	}, nil
}

func (p *Planner) planAudience(tenantID string, req *api.NotificationRequest) (*pipeline.ExpansionRequest, error) {
	w, err := p.way(tenantID, req)
	if err != nil {
		return nil, err
	}
	if !w.push {
		return nil, bad("recipient.audience", "unsupported", "only pushes go to an audience; give channel push")
	}
	content, err := pushContent(&req.Content)
	if err != nil {
		return nil, err
	}
	plan := &pipeline.ExpansionRequest{Content: content, Audience: AudienceOf(req.Recipient.Audience)}
	over := p.reaching(tenantID, plan.Audience.AppID)
	if w.in != nil {
		plan.IntegrationID = w.in.ID
		over = slices.DeleteFunc(over, func(in *peal.Integration) bool { return in.ID != w.in.ID })
	}
	if len(over) == 0 {
		return nil, bad("recipient.audience.app_id", "not_found", "no integration of the channel push that is meant serves this app; make one, or add the app to its settings")
	}
	return plan, p.checkPush(over, &req.Content, content)
}

// reaching gives the integrations that devices of an app may go over; of any app when none is named.
func (p *Planner) reaching(tenantID, appID string) (all []*peal.Integration) {
	for _, in := range p.Integrations.OfTenant(tenantID) {
		if isPush(in) && (appID == "" || len(in.Apps) == 0 || slices.Contains(in.Apps, appID)) {
			all = append(all, in)
		}
	}
	return all
}

// previews is how many of an audience's deliveries a dry run shows.
const previews = 10

// dryAudience counts what a notification to an audience would become, and shows the first deliveries.
func (p *Planner) dryAudience(ctx context.Context, n *peal.Notification, req *api.NotificationRequest) (*api.DryRun, error) {
	plan, err := p.planAudience(n.TenantID, req)
	if err != nil {
		return nil, err
	}
	groups, err := p.Devices.CountAudience(ctx, n.TenantID, plan.Audience)
	if err != nil {
		return nil, fmt.Errorf("count the audience: %w", err)
	}
	e := &expanding{Planner: p, n: n, plan: plan}
	sum := &api.DryRunAudience{Skipped: map[string]int64{}}
	for i := range groups {
		g := &groups[i]
		one, meant, err := e.device(&peal.Device{ID: "-", Kind: g.Kind, AppID: g.AppID, Permission: g.Permission})
		switch {
		case err != nil:
			return nil, err
		case !meant:
		case one.Status == peal.Queued:
			sum.Queued += g.Devices
		default:
			sum.Skipped[one.ErrorCode] += g.Devices
		}
	}
	var first []planned
	for after, more := "", true; more && len(first) < previews; {
		var devices []peal.Device
		if devices, after, more, err = p.Devices.AudienceDevices(ctx, n.TenantID, plan.Audience, after, previews); err != nil {
			return nil, fmt.Errorf("read the audience: %w", err)
		}
		some, err := e.devices(devices)
		if err != nil {
			return nil, err
		}
		first = append(first, some...)
	}
	out, err := p.show(first[:min(len(first), previews)])
	if err != nil {
		return nil, err
	}
	out.Audience = sum
	return out, nil
}

// expanding is an expansion as its devices are planned.
type expanding struct {
	*Planner

	n       *peal.Notification
	plan    *pipeline.ExpansionRequest
	payload []byte
}

// devices plans a delivery for each of the devices, as it would be for a user's.
func (e *expanding) devices(devices []peal.Device) ([]planned, error) {
	if e.payload == nil {
		payload, err := json.Marshal(e.plan.Content)
		if err != nil {
			return nil, fmt.Errorf("write content: %w", err)
		}
		e.payload = payload
	}
	all := make([]planned, 0, len(devices))
	for i := range devices {
		one, meant, err := e.device(&devices[i])
		if err != nil {
			return nil, err
		}
		if meant {
			all = append(all, one)
		}
	}
	return all, nil
}

// device plans what goes to one device; false when another integration than the one that is meant reaches it.
func (e *expanding) device(d *peal.Device) (planned, bool, error) {
	in := provider.ForDevice(e.Integrations.OfTenant(e.n.TenantID), e.Integrations.Kind, d)
	if e.plan.IntegrationID != "" && (in == nil || in.ID != e.plan.IntegrationID) {
		return planned{}, false, nil
	}
	one, err := planDevice(e.n, e.payload, d, in)
	return one, true, err
}
