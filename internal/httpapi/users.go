package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/mail"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/pipeline/accept"
)

// maxAttributes is how many bytes of JSON a user's attributes may have.
const maxAttributes = 8 << 10

func (s *Server) users() {
	const tag = "Users"
	huma.Register(s.api, op("put-user", http.MethodPut, "/v1/users/{id}", tag, "State the full truth about a user"), s.putUser)
	huma.Register(s.api, op("get-user", http.MethodGet, "/v1/users/{id}", tag, "Look at a user"), s.getUser)
	remove := op("delete-user", http.MethodDelete, "/v1/users/{id}", tag, "Forget a user and their devices")
	remove.DefaultStatus = http.StatusNoContent
	huma.Register(s.api, remove, s.deleteUser)
}

type (
	putUserInput struct {
		ID   string `path:"id" maxLength:"128"`
		Body api.UserRequest
	}
	userOutput struct{ Body api.User }
)

func userOf(u *peal.User) api.User {
	return api.User{
		ID: u.ID, Phone: u.Phone, WhatsAppUserID: u.WhatsAppUserID, Email: u.Email, Locale: u.Locale, TimeZone: u.TimeZone, Attributes: u.Attributes,
		UpdatedAt: u.UpdatedAt.UTC(),
	}
}

func (s *Server) putUser(ctx context.Context, in *putUserInput) (*userOutput, error) {
	tenantID, err := s.tenant(ctx, api.ScopeSend)
	if err != nil {
		return nil, err
	}
	u, f := userIn(in.ID, &in.Body)
	if f != nil {
		return nil, s.fail(ctx, newProblem(api.CodeInvalidRequest, "", f...))
	}
	u.UpdatedAt = s.cfg.Now().UTC().Truncate(time.Microsecond)
	if err := s.cfg.Users.PutUser(ctx, tenantID, u); err != nil {
		return nil, s.fail(ctx, err)
	}
	return &userOutput{userOf(&u)}, nil
}

// userIn checks and translates what is said of a user.
func userIn(id string, req *api.UserRequest) (peal.User, faults) {
	var f faults
	f.check("id", accept.CheckUserID(id))
	if req.Phone != "" {
		f.check("phone", accept.CheckPhone(req.Phone))
	}
	if req.WhatsAppUserID != "" {
		f.check("whatsapp_user_id", accept.CheckWhatsAppUserID(req.WhatsAppUserID))
	}
	if req.Email != "" {
		f.check("email", checkEmail(req.Email))
	}
	f.check("locale", checkLocale(req.Locale))
	f.check("time_zone", checkZone(req.TimeZone))
	u := peal.User{ID: id, Phone: req.Phone, WhatsAppUserID: req.WhatsAppUserID, Email: req.Email, Locale: req.Locale, TimeZone: req.TimeZone}
	if raw := bytes.TrimSpace(req.Attributes); len(raw) > 0 && string(raw) != "null" {
		var compact bytes.Buffer
		switch err := json.Compact(&compact, raw); {
		case err != nil || raw[0] != '{':
			f.bad("attributes", "type", `give an object, such as {"plan": "gold"}`)
		case compact.Len() > maxAttributes:
			f.bad("attributes", "too_long", "it has %d bytes; give at most %d", compact.Len(), maxAttributes)
		}
		u.Attributes = compact.Bytes()
	}
	return u, f
}

func checkEmail(s string) string {
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s {
		return "give an address alone, such as raju@example.com"
	}
	return ""
}

func (s *Server) getUser(ctx context.Context, in *idInput) (*userOutput, error) {
	tenantID, err := s.tenant(ctx, api.ScopeRead)
	if err != nil {
		return nil, err
	}
	u, err := s.cfg.Users.User(ctx, tenantID, in.ID)
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	return &userOutput{userOf(&u)}, nil
}

func (s *Server) deleteUser(ctx context.Context, in *idInput) (*struct{}, error) {
	tenantID, err := s.tenant(ctx, api.ScopeSend)
	if err == nil {
		if err = s.cfg.Users.DeleteUser(ctx, tenantID, in.ID); err != nil {
			err = s.fail(ctx, err)
		}
	}
	return nil, err
}
