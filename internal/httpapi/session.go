package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/provider"
	"peal/internal/qrcode"
)

func (s *Server) sessions() {
	const tag, one = "Integrations", "/v1/integrations/{id}/session"
	huma.Register(s.api, op("get-session", http.MethodGet, one, tag, "Ask the provider for the state of a WhatsApp session"), s.getSession)
	connect := op("connect-session", http.MethodPost, one+"/connect", tag, "Have a session connect; what is to be scanned is in the answer")
	connect.Description = "It needs the integration's credentials personal_access_token and session_id. Sending goes on by itself when it is connected."
	huma.Register(s.api, connect, s.connectSession)
	qr := op("get-session-qr", http.MethodGet, one+"/qr", tag, "Get the QR code that pairs a session with a phone, as JSON or as an image")
	qr.Description = "409 unless the session waits for a scan: connect it first. Ask again every 15 seconds or so, as the code changes."
	reg := s.api.OpenAPI().Components.Schemas
	image := &huma.MediaType{Schema: &huma.Schema{Type: "string", Format: "binary"}}
	qr.Responses = map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{
		"application/json": {Schema: reg.Schema(reflect.TypeFor[api.Session](), true, "Session")}, "image/png": image, "image/svg+xml": image,
	}}}
	huma.Register(s.api, qr, s.sessionQR)
}

type (
	sessionOutput struct {
		CacheControl string `header:"Cache-Control"`
		Body         api.Session
	}
	sessionQRInput struct {
		ID     string `path:"id" maxLength:"128"`
		Format string `query:"format" enum:"json,png,svg" default:"json"`
	}
	sessionQROutput struct {
		CacheControl string `header:"Cache-Control"`
		ContentType  string `header:"Content-Type"`
		Body         []byte
	}
)

// noStore is for what nobody is to keep.
const noStore = "no-store"

func (s *Server) getSession(ctx context.Context, in *idInput) (*sessionOutput, error) {
	return s.session(ctx, in.ID, api.ScopeRead, func(ctx context.Context, in *peal.Integration) (provider.Pairing, error) {
		h, err := s.cfg.Integrations.Session(ctx, in)
		return provider.Pairing{Health: h}, err
	})
}

func (s *Server) connectSession(ctx context.Context, in *idInput) (*sessionOutput, error) {
	return s.session(ctx, in.ID, api.ScopeAdmin, s.cfg.Integrations.ConnectSession)
}

// session asks the provider something of a session.
func (s *Server) session(ctx context.Context, ref, scope string, ask func(context.Context, *peal.Integration) (provider.Pairing, error)) (*sessionOutput, error) {
	tenantID, err := s.tenant(ctx, scope)
	if err != nil {
		return nil, err
	}
	in := s.cfg.Integrations.Find(tenantID, ref)
	if in == nil {
		return nil, s.fail(ctx, peal.Errorf(peal.NotFound, "there is no such integration"))
	}
	p, err := ask(ctx, in)
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	if s.cfg.Heard != nil {
		s.cfg.Heard(in.ID, p.State)
	}
	return &sessionOutput{CacheControl: noStore, Body: api.Session{IntegrationID: in.ID, State: p.State, Connected: p.OK, QR: p.QR}}, nil
}

func (s *Server) sessionQR(ctx context.Context, in *sessionQRInput) (*sessionQROutput, error) {
	got, err := s.session(ctx, in.ID, api.ScopeAdmin, s.cfg.Integrations.SessionQR)
	if err != nil {
		return nil, err
	}
	out := &sessionQROutput{CacheControl: noStore, ContentType: "application/json"}
	if in.Format == "json" {
		if out.Body, err = json.Marshal(&got.Body); err != nil {
			return nil, s.fail(ctx, err)
		}
		return out, nil
	}
	if got.Body.QR == "" {
		return nil, s.fail(ctx, peal.Errorf(peal.Conflict, "the session is %s: there is nothing to scan", got.Body.State))
	}
	code, err := qrcode.New(got.Body.QR)
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	if out.ContentType, out.Body = "image/png", code.PNG(); in.Format == "svg" {
		out.ContentType, out.Body = "image/svg+xml", code.SVG()
	}
	return out, nil
}
