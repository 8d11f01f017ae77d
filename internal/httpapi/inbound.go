package httpapi

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/provider"
)

// Inbound is what people wrote.
type Inbound interface {
	InboundMessages(ctx context.Context, tenantID string, f peal.InboundFilter) ([]peal.Inbound, error)
	InboundMessage(ctx context.Context, tenantID, id string) (peal.Inbound, error)
}

const (
	maxMedia  = 100 << 20       // bytes; WhatsApp's largest are documents of that size
	mediaTime = 2 * time.Minute // to fetch a file and hand it on
)

func (s *Server) inbound() {
	const tag = "Inbound"
	huma.Register(s.api, op("list-inbound", http.MethodGet, "/v1/inbound", tag, "What people wrote, newest first"), s.listInbound)
	huma.Register(s.api, op("get-inbound", http.MethodGet, "/v1/inbound/{id}", tag, "Look at a message that somebody wrote"), s.getInbound)

	s.mux.HandleFunc("GET /v1/inbound/{id}/media", s.inboundMedia)
	o := op("get-inbound-media", http.MethodGet, "/v1/inbound/{id}/media", tag, "The file that somebody sent")
	o.Description = "It is fetched from the provider while you wait, up to 100 MB; Peal keeps no copy. Providers keep files for some days or weeks: after that it is not found."
	reg := s.api.OpenAPI().Components.Schemas
	o.Parameters = []*huma.Param{{Name: "id", In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString}}}
	o.Responses = map[string]*huma.Response{
		"200":     {Description: "The file", Content: map[string]*huma.MediaType{"*/*": {}}},
		"default": {Description: "Error", Content: map[string]*huma.MediaType{api.ProblemType: {Schema: reg.Schema(reflect.TypeFor[api.Problem](), true, "Problem")}}},
	}
	s.api.OpenAPI().AddOperation(&o)
}

type inboundInput struct {
	Page
	Integration string    `query:"integration" maxLength:"64" doc:"Id or name"`
	From        string    `query:"from" maxLength:"140" doc:"E.164, with + as %2B; or a WhatsApp user id"`
	DeliveryID  string    `query:"delivery_id" maxLength:"64" doc:"Those that answer this delivery"`
	Type        string    `query:"type" maxLength:"32"`
	Since       time.Time `query:"since" doc:"Received then or later, RFC 3339"`
	Until       time.Time `query:"until" doc:"Received before then, RFC 3339"`
}

type (
	inboundPageOutput struct{ Body api.InboundPage }
	inboundOutput     struct{ Body api.InboundMessage }
)

func (s *Server) listInbound(ctx context.Context, in *inboundInput) (*inboundPageOutput, error) {
	tenantID, err := s.tenant(ctx, api.ScopeRead)
	if err != nil {
		return nil, err
	}
	f := peal.InboundFilter{
		IntegrationID: s.integrationID(tenantID, in.Integration), From: strings.Replace(in.From, " ", "+", 1),
		DeliveryID: strings.ToLower(in.DeliveryID), Type: in.Type, Since: in.Since, Until: in.Until, Limit: in.Limit + 1,
	}
	if in.Cursor != "" {
		id, err := base64.RawURLEncoding.DecodeString(in.Cursor)
		if err == nil {
			_, err = uuid.ParseBytes(id)
		}
		if err != nil {
			return nil, s.fail(ctx, badCursor())
		}
		f.Before = string(id)
	}
	all, err := s.cfg.Inbound.InboundMessages(ctx, tenantID, f)
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	out := &inboundPageOutput{}
	if len(all) > in.Limit {
		all = all[:in.Limit]
		out.Body.NextCursor = base64.RawURLEncoding.EncodeToString([]byte(all[len(all)-1].ID))
	}
	out.Body.Messages = make([]api.InboundMessage, len(all))
	for i := range all {
		out.Body.Messages[i] = InboundOf(&all[i])
	}
	return out, nil
}

func badCursor() *problem {
	return newProblem(api.CodeInvalidRequest, "", api.FieldError{
		Path: "cursor", Code: "invalid", Message: "give the next_cursor of an earlier page, or none",
	})
}

// InboundOf is an inbound message as the API tells it.
func InboundOf(m *peal.Inbound) api.InboundMessage {
	out := api.InboundMessage{
		ID: m.ID, IntegrationID: m.IntegrationID, MessageID: m.MessageID, From: m.From, FromUserID: m.FromUserID, Name: m.Name,
		Type: m.Type, Text: m.Text, Content: m.Content, ReplyTo: m.ReplyTo, DeliveryID: m.DeliveryID, At: m.At.UTC(), ReceivedAt: m.ReceivedAt.UTC(),
	}
	if m.MediaID != "" {
		out.MediaType = m.MediaType
		if out.MediaType == "" {
			out.MediaType = binaryType
		}
	}
	return out
}

func (s *Server) getInbound(ctx context.Context, in *idInput) (*inboundOutput, error) {
	tenantID, err := s.tenant(ctx, api.ScopeRead)
	if err != nil {
		return nil, err
	}
	m, err := s.cfg.Inbound.InboundMessage(ctx, tenantID, strings.ToLower(in.ID))
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	return &inboundOutput{InboundOf(&m)}, nil
}

const binaryType = "application/octet-stream"

// inboundMedia hands on a file as it comes from the provider. Once it has begun, an error cuts it off.
func (s *Server) inboundMedia(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), mediaTime)
	defer cancel()
	media, err := s.openMedia(ctx, r.PathValue("id"))
	if err != nil {
		s.writeProblem(w, r, err)
		return
	}
	defer func() { _ = media.Body.Close() }() // read, or given up
	p := &patient{ResponseWriter: w, control: http.NewResponseController(w), ctx: ctx}
	context.AfterFunc(ctx, p.stop)
	h := w.Header()
	h.Set("Content-Type", mediaType(media.Type))
	h.Set("Content-Disposition", "attachment") // it is a stranger's: no browser is to show it as a page of Peal's
	h.Set("Cache-Control", "private, no-store")
	if media.Size >= 0 {
		h.Set("Content-Length", strconv.FormatInt(media.Size, 10))
	}
	w.WriteHeader(http.StatusOK)
	n, err := io.Copy(p, io.LimitReader(media.Body, maxMedia+1))
	p.finish()
	if err != nil || n > maxMedia {
		panic(http.ErrAbortHandler)
	}
}

func (s *Server) openMedia(ctx context.Context, id string) (*provider.Media, error) {
	tenantID, err := s.tenant(ctx, api.ScopeRead)
	if err != nil {
		return nil, err
	}
	m, err := s.cfg.Inbound.InboundMessage(ctx, tenantID, strings.ToLower(id))
	if err != nil {
		return nil, err
	}
	in := s.cfg.Integrations.Find(tenantID, m.IntegrationID)
	if m.MediaID == "" || in == nil {
		return nil, peal.Errorf(peal.NotFound, "the message has no file, or its integration is no more")
	}
	media, err := s.cfg.Integrations.Media(ctx, in, &m)
	if e, ok := errors.AsType[*provider.Error](err); ok {
		if e.Class == peal.ClassPermanent {
			return nil, &peal.Error{Kind: peal.NotFound, Message: "the provider does not have the file any more", Err: err}
		}
		return nil, &peal.Error{Kind: peal.Unavailable, Message: "the provider does not give the file now", Err: err}
	}
	if err == nil && media.Size > maxMedia {
		_ = media.Body.Close() // nothing is read of it
		return nil, peal.Errorf(peal.NotFound, "the file is larger than 100 MB")
	}
	return media, err
}

// mediaType is a type that a provider named, if it is one.
func mediaType(s string) string {
	t, params, err := mime.ParseMediaType(s)
	if err != nil {
		return binaryType
	}
	return mime.FormatMediaType(t, params)
}
