package route

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/provider"
)

// DryRun tells what a notification would become: each delivery with what its provider would be sent, or why it would be
// skipped. Nobody is called, and nothing is written.
func (p *Planner) DryRun(ctx context.Context, n *peal.Notification, req *api.NotificationRequest) (*api.DryRun, error) {
	if req.Recipient.Audience != nil {
		return p.dryAudience(ctx, n, req)
	}
	all, err := p.dryPlan(ctx, n, req)
	if err != nil {
		return nil, err
	}
	return p.show(all)
}

// show tells what deliveries are and what their providers would be sent.
func (p *Planner) show(all []planned) (_ *api.DryRun, err error) {
	out := &api.DryRun{Deliveries: make([]api.DryRunDelivery, len(all))}
	for i := range all {
		d := &all[i]
		out.Deliveries[i] = api.DryRunDelivery{
			IntegrationID: d.IntegrationID, Channel: d.Channel, Recipient: d.Recipient, UserID: d.UserID,
			Status: string(d.Status), Reason: d.ErrorCode,
		}
		if r := d.Rung; r != nil {
			out.Deliveries[i].Rung = &r.Number
			if r.Number > 0 && d.Status == peal.Queued {
				out.Deliveries[i].DueAt = &r.At
			}
		}
		if d.Status != peal.Queued {
			continue
		}
		if out.Deliveries[i].Request, err = p.preview(d); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (p *Planner) dryPlan(ctx context.Context, n *peal.Notification, req *api.NotificationRequest) ([]planned, error) {
	looked, err := p.Look(ctx, n.TenantID, []*api.NotificationRequest{req})
	if err != nil {
		return nil, err
	}
	if req.Ladder != nil {
		return p.planLadder(ctx, n, req, looked)
	}
	w, err := p.way(n.TenantID, req)
	if err != nil {
		return nil, err
	}
	if !w.push {
		all := []planned{{in: w.in}}
		return all, p.planPhone(ctx, n, req, w.in, looked, &all[0].Delivery)
	}
	return p.planPush(n, req, w.in, looked.Devices[n.UserID])
}

// preview asks a client that cannot call what it would send; nil when its provider does not tell.
func (p *Planner) preview(d *planned) (*api.PreviewRequest, error) {
	kind, ok := p.Integrations.Kind(d.in.Kind)
	if !ok {
		return nil, nil
	}
	client, err := kind.Open(d.in, provider.Offline())
	if err != nil {
		return nil, fmt.Errorf("open a client of %s: %w", d.in.Kind, err)
	}
	defer client.Close()
	shows, ok := client.(provider.Previewer)
	if !ok {
		return nil, nil
	}
	m := provider.Message{DeliveryID: d.ID, To: d.Recipient, Device: d.device, Priority: d.Priority, From: d.From(), ExpiresAt: d.ExpiresAt}
	if err := json.Unmarshal(d.Payload, &m.Content); err != nil {
		return nil, fmt.Errorf("read content: %w", err)
	}
	shown, err := shows.Preview(&m)
	if err != nil {
		return nil, fmt.Errorf("preview: %w", err)
	}
	out := &api.PreviewRequest{URL: shown.URL, Header: shown.Header, Body: shown.Body}
	if d.device != nil {
		hide(out, d.device)
	}
	return out, nil
}

// hide takes a device's address out of what is shown: who may send to a user need not know it, and it is all that it
// takes to send past Peal.
func hide(r *api.PreviewRequest, d *peal.Device) {
	r.Header = maps.Clone(r.Header)
	for _, secret := range []string{d.Address, d.P256dh, d.Auth} {
		if secret == "" {
			continue
		}
		hint := hidden(secret)
		r.URL = strings.ReplaceAll(r.URL, secret, hint)
		r.Body = bytes.ReplaceAll(r.Body, []byte(secret), []byte(hint))
		for k, v := range r.Header {
			r.Header[k] = strings.ReplaceAll(v, secret, hint)
		}
	}
}

// hidden is what is left of a secret: the origin of a URL, and its end.
func hidden(secret string) string {
	end := secret[max(0, len(secret)-6):]
	if len(secret) < 32 {
		end = ""
	}
	if scheme, rest, ok := strings.Cut(secret, "://"); ok {
		host, _, _ := strings.Cut(rest, "/")
		return scheme + "://" + host + "/…" + end
	}
	return "…" + end
}
