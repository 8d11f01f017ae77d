// Package route is the second stage: it decides who is reached, over which integration, and what it takes.
//
// For a direct recipient that is a function, which accept calls before anything is written. An audience is expanded
// afterwards, step by step, by the Expander. What needs a look-up (a user's phone number, a call's users' devices; later
// preferences, templates) comes through the interfaces declared here.
package route

import (
	"context"
	"fmt"
	"slices"
	"time"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/pipeline"
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
	// UserPhone gives a user's number and WhatsApp user id; empty when none is known.
	UserPhone(ctx context.Context, tenantID, userID string) (phone, whatsappUserID string, err error)
}

// Devices are those of the tenants' users.
type Devices interface {
	// DevicesOf gives the devices of users, retired ones included.
	DevicesOf(ctx context.Context, tenantID string, userIDs []string) ([]peal.Device, error)
	// AudienceDevices gives the next devices of an audience by their ids, up to limit, after the one that is named; and after
	// which to go on, with whether there may be more.
	AudienceDevices(ctx context.Context, tenantID string, a peal.Audience, after string, limit int) (found []peal.Device, next string, more bool, err error)
	CountAudience(ctx context.Context, tenantID string, a peal.Audience) ([]peal.AudienceGroup, error)
}

// Templates are those that the accounts have.
type Templates interface {
	// Check says what is wrong with a message of a template, as far as that is known; paths are relative to the content.
	Check(in *peal.Integration, t *api.Template) []peal.Field
	// Category is a template's; empty when it is not known.
	Category(integrationID, name, language string) string
}

// Planner plans notifications.
type Planner struct {
	Integrations Integrations
	Users        Users
	Devices      Devices
	Templates    Templates // nil: no template is known
	People       People    // nil: nobody has opted out
}

// ReasonNoPhone is why a delivery is skipped: the user has no phone number that Peal knows of.
const ReasonNoPhone = "no_phone"

// Plan gives the deliveries that a notification becomes. A recipient that cannot be reached is a delivery that is
// skipped, with the reason; a request that can never work is a *peal.Error that names the field. It is given what Look has
// found.
func (p *Planner) Plan(ctx context.Context, n *peal.Notification, req *api.NotificationRequest, looked *pipeline.Looked) ([]peal.Delivery, error) {
	if req.Ladder != nil {
		planned, err := p.planLadder(ctx, n, req, looked)
		return deliveries(planned), err
	}
	w, err := p.way(n.TenantID, req)
	if err != nil {
		return nil, err
	}
	if w.push {
		planned, err := p.planPush(n, req, w.in, looked.Devices[n.UserID])
		return deliveries(planned), err
	}
	all := make([]peal.Delivery, 1)
	if err := p.planPhone(ctx, n, req, w.in, looked, &all[0]); err != nil {
		return nil, err
	}
	return all, nil
}

// planPhone plans what goes to a phone number.
func (p *Planner) planPhone(ctx context.Context, n *peal.Notification, req *api.NotificationRequest, in *peal.Integration, looked *pipeline.Looked, d *peal.Delivery) error {
	if req.Recipient.Platform != "" {
		return bad("recipient.platform", "unsupported", "only pushes go to devices; leave it out, or give channel push")
	}
	byID := p.takesUserIDs(in)
	if req.Recipient.WhatsAppUserID != "" && !byID {
		return bad("recipient.whatsapp_user_id", "unsupported", "an integration of kind "+in.Kind+" reaches people by their number only; give phone, or send over one of kind whatsapp_cloud")
	}
	if err := p.checkContent(in, &req.Content); err != nil {
		return err
	}
	said := pipeline.Said{Content: req.Content}
	said.Category, said.FallbackCategory = p.categories(in, req)
	payload, err := said.Payload()
	if err != nil {
		return err
	}
	*d = row(n, payload)
	d.IntegrationID, d.Channel, d.Recipient = in.ID, in.Channel, n.Phone
	if d.Recipient == "" {
		phone, userID, err := p.Users.UserPhone(ctx, n.TenantID, n.UserID)
		if err != nil {
			return fmt.Errorf("find the user's phone number: %w", err)
		}
		if d.Recipient = phone; phone == "" && byID {
			d.Recipient = userID
		}
	}
	if d.Recipient == "" {
		skip(d, ReasonNoPhone, "no phone number is known of the user; give one with PUT /v1/users/{id}")
	}
	if err := p.unwanted(ctx, in, d, said.Category, looked); err != nil {
		return err
	}
	d.ID, err = peal.DeliveryID(n.ID, in.ID, d.Recipient)
	return err
}

// row is what all deliveries of a notification have in common.
func row(n *peal.Notification, payload []byte) peal.Delivery {
	return peal.Delivery{
		TenantID: n.TenantID, NotificationID: n.ID, UserID: n.UserID, Payload: payload, Priority: n.Priority, Status: peal.Queued,
		CreatedAt: n.CreatedAt, UpdatedAt: n.CreatedAt, DueAt: n.SendAt, ExpiresAt: n.ExpiresAt,
	}
}

func skip(d *peal.Delivery, code, reason string) {
	d.Status, d.ErrorCode, d.ErrorReason, d.EndedAt, d.DueAt = peal.Skipped, code, reason, d.CreatedAt, time.Time{}
}

// way is how a request is to go: over one integration, or as a push over whichever fits each device.
type way struct {
	in   *peal.Integration // of a push: the only one that is meant; nil: all
	push bool
}

// way finds out how a request goes: over the integration or the channel that it names, or the only one that there is. A
// content that only devices can show is a push by itself.
func (p *Planner) way(tenantID string, req *api.NotificationRequest) (way, error) {
	if req.Integration == "" {
		if req.Channel == peal.ChannelPush || (req.Channel == "" && (req.Content.Push != nil || p.onlyPush(tenantID))) {
			if !slices.ContainsFunc(p.Integrations.OfTenant(tenantID), isPush) {
				return way{}, bad("integration", "not_found", "the tenant has no integration of the channel push; make one with POST /v1/integrations")
			}
			return way{push: true}, nil
		}
	}
	in, err := p.integration(tenantID, req)
	if err != nil {
		return way{}, err
	}
	return way{in: in, push: isPush(in)}, nil
}

func isPush(in *peal.Integration) bool { return in.Channel == peal.ChannelPush }

// onlyPush tells whether pushes are all that the tenant can send.
func (p *Planner) onlyPush(tenantID string) bool {
	all := p.Integrations.OfTenant(tenantID)
	return len(all) > 0 && !slices.ContainsFunc(all, func(in *peal.Integration) bool { return !isPush(in) })
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
	var fit []*peal.Integration
	for _, in := range p.Integrations.OfTenant(tenantID) {
		if req.Channel != "" && in.Channel != req.Channel || req.Recipient.Phone != "" && isPush(in) {
			continue // a push goes to devices, never to a number
		}
		if req.Recipient.WhatsAppUserID != "" && !p.takesUserIDs(in) {
			continue
		}
		fit = append(fit, in)
	}
	switch len(fit) {
	case 0:
		return nil, bad("integration", "not_found", "the tenant has no integration that fits; make one with POST /v1/integrations")
	case 1:
		return fit[0], nil
	}
	return nil, bad("integration", "ambiguous", "the tenant has more than one integration that fits; name one, such as "+fit[0].Name+" or "+fit[1].Name)
}

// takesUserIDs tells whether an integration reaches people by their WhatsApp user id, too.
func (p *Planner) takesUserIDs(in *peal.Integration) bool {
	kind, ok := p.Integrations.Kind(in.Kind)
	return ok && kind.Defaults().UserIDs
}

func (p *Planner) checkContent(in *peal.Integration, c *api.Content) error {
	kind, ok := p.Integrations.Kind(in.Kind)
	if !ok {
		return bad("integration", "not_found", "its provider is not part of this binary")
	}
	if err := refused(kind.CheckContent(c)); err != nil || p.Templates == nil {
		return err
	}
	var fields []peal.Field
	if c.Template != nil {
		fields = p.Templates.Check(in, c.Template)
	}
	if c.FallbackTemplate != nil {
		for _, f := range p.Templates.Check(in, c.FallbackTemplate) {
			f.Path = "fallback_" + f.Path
			fields = append(fields, f)
		}
	}
	return refused(fields)
}

// refused is the error of a content that a provider cannot take; nil when nothing is wrong with it.
func refused(fields []peal.Field) error {
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
