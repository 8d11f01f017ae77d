// Package route is the second stage: it decides who is reached, over which integration, and what it takes.
//
// For a direct recipient that is a function, which accept calls before anything is written. What needs a look-up (a
// user's phone number; later devices, preferences, templates) comes through the interfaces declared here.
package route

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/provider"
)

// Integrations are the tenants' accounts.
type Integrations interface {
	Find(tenantID, idOrName string) *peal.Integration
	OfTenant(tenantID string) []*peal.Integration
	Kind(name string) (provider.Kind, bool)
}

// Users knows how to reach the tenants' users.
type Users interface {
	// UserPhone gives a user's number; empty when none is known.
	UserPhone(ctx context.Context, tenantID, userID string) (string, error)
}

// Planner plans notifications.
type Planner struct {
	Integrations Integrations
	Users        Users
}

// ReasonNoPhone is why a delivery is skipped: the user has no phone number that Peal knows of.
const ReasonNoPhone = "no_phone"

// Plan gives the deliveries that a notification becomes. A recipient that cannot be reached is a delivery that is
// skipped, with the reason; a request that can never work is a *peal.Error that names the field.
func (p *Planner) Plan(ctx context.Context, n *peal.Notification, req *api.NotificationRequest) ([]peal.Delivery, error) {
	in, err := p.integration(n.TenantID, req)
	if err != nil {
		return nil, err
	}
	if err := p.checkContent(in, &req.Content); err != nil {
		return nil, err
	}
	payload, err := json.Marshal(&req.Content)
	if err != nil {
		return nil, fmt.Errorf("write content: %w", err)
	}
	d := peal.Delivery{
		TenantID: n.TenantID, NotificationID: n.ID, IntegrationID: in.ID, Channel: in.Channel, UserID: n.UserID,
		Recipient: n.Phone, Payload: payload, Priority: n.Priority, Status: peal.Queued, CreatedAt: n.CreatedAt, UpdatedAt: n.CreatedAt,
		DueAt: n.SendAt, ExpiresAt: n.ExpiresAt,
	}
	if d.Recipient == "" {
		if d.Recipient, err = p.Users.UserPhone(ctx, n.TenantID, n.UserID); err != nil {
			return nil, fmt.Errorf("find the user's phone number: %w", err)
		}
	}
	if d.Recipient == "" {
		skip(&d, n.CreatedAt)
	}
	if d.ID, err = peal.DeliveryID(n.ID, in.ID, d.Recipient); err != nil {
		return nil, err
	}
	return []peal.Delivery{d}, nil
}

func skip(d *peal.Delivery, now time.Time) {
	d.Status, d.ErrorCode, d.EndedAt, d.DueAt = peal.Skipped, ReasonNoPhone, now, time.Time{}
	d.ErrorReason = "no phone number is known of the user; give one with PUT /v1/users/{id}"
}

// integration is the one that the request names, or the tenant's only one of the channel.
func (p *Planner) integration(tenantID string, req *api.NotificationRequest) (*peal.Integration, error) {
	if req.Integration != "" {
		in := p.Integrations.Find(tenantID, req.Integration)
		switch {
		case in == nil:
			return nil, bad("integration", "not_found", "there is no integration with this id or name")
		case req.Channel != "" && req.Channel != in.Channel:
			return nil, bad("channel", "conflict", fmt.Sprintf("the integration serves the channel %s; name that or none", in.Channel))
		}
		return in, nil
	}
	var found *peal.Integration
	for _, in := range p.Integrations.OfTenant(tenantID) {
		if req.Channel != "" && in.Channel != req.Channel {
			continue
		}
		if found != nil {
			return nil, bad("integration", "ambiguous", "the tenant has more than one integration that fits; name one")
		}
		found = in
	}
	if found == nil {
		return nil, bad("integration", "not_found", "the tenant has no integration that fits; make one with POST /v1/integrations")
	}
	return found, nil
}

func (p *Planner) checkContent(in *peal.Integration, c *api.Content) error {
	kind, ok := p.Integrations.Kind(in.Kind)
	if !ok {
		return bad("integration", "not_found", "its provider is not part of this binary")
	}
	fields := kind.CheckContent(c)
	if len(fields) == 0 {
		return nil
	}
	for i := range fields {
		if fields[i].Path == "" {
			fields[i].Path = "content"
		} else {
			fields[i].Path = "content." + fields[i].Path
		}
	}
	return &peal.Error{Kind: peal.Invalid, Message: "the provider cannot take the content", Fields: fields}
}

func bad(path, code, message string) error {
	return &peal.Error{Kind: peal.Invalid, Message: "the request is not right", Fields: []peal.Field{{Path: path, Code: code, Message: message}}}
}
