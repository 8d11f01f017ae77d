package httpapi

import (
	"context"
	"encoding/base64"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/pipeline"
)

func (s *Server) deliveries() {
	huma.Register(s.api, op("list-deliveries", http.MethodGet, "/v1/deliveries", "Deliveries", "Search the communications log, newest first"), s.listDeliveries)
	huma.Register(s.api, op("get-delivery", http.MethodGet, "/v1/deliveries/{id}", "Deliveries", "Look at a delivery with its whole timeline"), s.getDelivery)
	huma.Register(s.api, op("resolve-delivery", http.MethodPost, "/v1/deliveries/{id}/resolve", "Deliveries", "Say what became of a delivery whose outcome is uncertain"), s.resolveDelivery)
}

// Page is how a list is asked for.
type Page struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"50"`
	Cursor string `query:"cursor" maxLength:"128" doc:"next_cursor of the page before"`
}

type logInput struct {
	Page
	Recipient      string    `query:"recipient" maxLength:"140" doc:"E.164, write + as %2B; a WhatsApp user id, or a device"`
	MessageID      string    `query:"message_id" maxLength:"255" doc:"The provider's id"`
	NotificationID string    `query:"notification_id" maxLength:"64"`
	Integration    string    `query:"integration" maxLength:"64" doc:"Id or name"`
	Channel        string    `query:"channel" maxLength:"32"`
	Status         string    `query:"status" enum:"queued,sending,sent,delivered,read,failed,skipped,canceled,expired,uncertain"`
	Since          time.Time `query:"since" doc:"Accepted then or later, RFC 3339"`
	Until          time.Time `query:"until" doc:"Accepted before then, RFC 3339"`
}

type pageOutput struct{ Body api.DeliveryPage }

func (s *Server) listDeliveries(ctx context.Context, in *logInput) (*pageOutput, error) {
	tenantID, err := s.tenant(ctx, api.ScopeRead)
	if err != nil {
		return nil, err
	}
	f := peal.LogFilter{
		Recipient: strings.Replace(in.Recipient, " ", "+", 1), // a plus that was not escaped arrives as a space
		MessageID: in.MessageID, NotificationID: strings.ToLower(in.NotificationID), Channel: in.Channel,
		Status: peal.Status(in.Status), Since: in.Since, Until: in.Until, IntegrationID: s.integrationID(tenantID, in.Integration),
	}
	return s.page(ctx, tenantID, f, &in.Page)
}

// integrationID is the id of the tenant's integration of that id or name; what is neither may be one that was deleted.
func (s *Server) integrationID(tenantID, ref string) string {
	if in := s.cfg.Integrations.Find(tenantID, ref); in != nil {
		return in.ID
	}
	return ref
}

// page reads one page and makes the cursor of the next.
func (s *Server) page(ctx context.Context, tenantID string, f peal.LogFilter, p *Page) (*pageOutput, error) {
	if p.Cursor != "" {
		id, err := base64.RawURLEncoding.DecodeString(p.Cursor)
		if err == nil {
			_, err = uuid.ParseBytes(id)
		}
		if err != nil {
			return nil, s.fail(ctx, newProblem(api.CodeInvalidRequest, "", api.FieldError{
				Path: "cursor", Code: "invalid", Message: "give the next_cursor of an earlier page, or none",
			}))
		}
		f.Before = string(id)
	}
	f.Limit = p.Limit + 1
	ds, err := s.cfg.Deliveries.Deliveries(ctx, tenantID, f)
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	out := &pageOutput{}
	if len(ds) > p.Limit {
		ds = ds[:p.Limit]
		out.Body.NextCursor = base64.RawURLEncoding.EncodeToString([]byte(ds[len(ds)-1].ID))
	}
	out.Body.Deliveries = deliveriesOf(ds)
	return out, nil
}

type deliveryOutput struct{ Body api.Delivery }

func (s *Server) getDelivery(ctx context.Context, in *idInput) (*deliveryOutput, error) {
	tenantID, err := s.tenant(ctx, api.ScopeRead)
	if err != nil {
		return nil, err
	}
	return s.delivery(ctx, tenantID, in.ID)
}

func (s *Server) delivery(ctx context.Context, tenantID, id string) (*deliveryOutput, error) {
	d, events, err := s.cfg.Deliveries.Delivery(ctx, tenantID, strings.ToLower(id))
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	out := &deliveryOutput{deliveryOf(d)}
	for i := range events {
		out.Body.Timeline = append(out.Body.Timeline, eventOf(&events[i]))
	}
	return out, nil
}

type resolveInput struct {
	ID   string `path:"id" maxLength:"64"`
	Body api.ResolveRequest
}

func (s *Server) resolveDelivery(ctx context.Context, in *resolveInput) (*deliveryOutput, error) {
	tenantID, err := s.tenant(ctx, api.ScopeAdmin)
	if err != nil {
		return nil, err
	}
	job, err := s.cfg.DeadLetters.Resolve(ctx, tenantID, strings.ToLower(in.ID), resolution(in.Body.As), in.Body.Note)
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	if job != nil {
		s.cfg.Jobs.Publish([]pipeline.Job{*job})
	}
	return s.delivery(ctx, tenantID, in.ID)
}
