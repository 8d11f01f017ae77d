package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/usertoken"
)

func (s *Server) userKeys() {
	const tag = "User keys"
	create := op("create-user-key", http.MethodPost, "/v1/user-keys", tag, "Make a key that signs user tokens; a secret is shown once")
	create.DefaultStatus = http.StatusCreated
	create.Description = "A user token is a JWT that the tenant's backend signs for one of its users: kid names the key, sub is the user's id, iat " +
		"and exp are at most 24 hours apart. With it an app registers its device and reports receipts, and needs no API key."
	huma.Register(s.api, create, s.createUserKey)
	huma.Register(s.api, op("list-user-keys", http.MethodGet, "/v1/user-keys", tag, "List the tenant's user keys"), s.listUserKeys)
	revoke := op("revoke-user-key", http.MethodDelete, "/v1/user-keys/{id}", tag, "Make a user key worthless, and every token that it signed")
	revoke.DefaultStatus = http.StatusNoContent
	huma.Register(s.api, revoke, s.revokeUserKey)
}

type (
	createUserKeyInput struct {
		Body api.UserKeyRequest
	}
	userKeyOutput  struct{ Body api.UserKey }
	userKeysOutput struct{ Body api.UserKeyList }
)

func userKeyOf(k *peal.UserKey) api.UserKey {
	return api.UserKey{ID: k.ID, Name: k.Name, Algorithm: k.Algorithm, CreatedAt: k.CreatedAt.UTC(), RevokedAt: optional(k.RevokedAt)}
}

func (s *Server) createUserKey(ctx context.Context, in *createUserKeyInput) (*userKeyOutput, error) {
	tenantID, err := s.tenant(ctx, api.ScopeAdmin)
	if err != nil {
		return nil, err
	}
	k := peal.UserKey{
		ID: peal.NewID(), TenantID: tenantID, Name: in.Body.Name, Algorithm: in.Body.Algorithm,
		CreatedAt: s.cfg.Now().UTC().Truncate(time.Microsecond),
	}
	var f faults
	secret := ""
	switch {
	case k.Algorithm == usertoken.HS256 && in.Body.PublicKey != "":
		f.bad("public_key", "unknown", "with HS256 there is none: Peal makes the secret; leave it out")
	case k.Algorithm == usertoken.HS256:
		secret = usertoken.NewSecret()
		k.Secret = s.cfg.Vault.Seal([]byte(secret), usertoken.Belongs(k.ID))
	default:
		key, err := usertoken.ParsePublicKey(in.Body.PublicKey)
		if err != nil {
			f.check("public_key", err.Error())
		}
		k.PublicKey = key
	}
	if f != nil {
		return nil, s.fail(ctx, newProblem(api.CodeInvalidRequest, "", f...))
	}
	if err := s.cfg.UserKeys.CreateUserKey(ctx, k); err != nil {
		return nil, s.fail(ctx, err)
	}
	out := &userKeyOutput{userKeyOf(&k)}
	out.Body.Secret = secret
	return out, nil
}

func (s *Server) listUserKeys(ctx context.Context, _ *struct{}) (*userKeysOutput, error) {
	tenantID, err := s.tenant(ctx, api.ScopeAdmin)
	if err != nil {
		return nil, err
	}
	all, err := s.cfg.UserKeys.UserKeys(ctx, tenantID)
	if err != nil {
		return nil, s.fail(ctx, err)
	}
	out := &userKeysOutput{api.UserKeyList{Keys: make([]api.UserKey, len(all))}}
	for i := range all {
		out.Body.Keys[i] = userKeyOf(&all[i])
	}
	return out, nil
}

func (s *Server) revokeUserKey(ctx context.Context, in *idInput) (*struct{}, error) {
	tenantID, err := s.tenant(ctx, api.ScopeAdmin)
	if err != nil {
		return nil, err
	}
	if err := s.cfg.UserKeys.RevokeUserKey(ctx, tenantID, in.ID); err != nil {
		return nil, s.fail(ctx, err)
	}
	s.auth.forget()
	return nil, nil
}
