package httpapi

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/usertoken"
)

const (
	keyPrefix = "peal_"
	keyTTL    = 5 * time.Second // how long a key that was good is not asked after again
	keyCache  = 10_000
)

// principal is who a request comes from.
type principal struct {
	tenantID string // empty for an operator's request that is for no tenant
	userID   string // of a user token: it is for this user alone
	operator bool
	scopes   []string
	expires  time.Time // the key's end; zero for never
}

// authenticator tells who a key belongs to. It remembers good keys for a moment, by their hash.
type authenticator struct {
	keys     Keys
	tenants  Tenants
	users    *usertoken.Verifier
	now      func() time.Time
	operator [sha256.Size]byte

	mu    sync.Mutex
	known map[[sha256.Size]byte]remembered
}

type remembered struct {
	principal principal
	until     time.Time
}

func newAuthenticator(cfg Config) *authenticator {
	return &authenticator{
		keys: cfg.Keys, tenants: cfg.Tenants, users: usertoken.New(cfg.UserKeys, cfg.Vault, cfg.Now), now: cfg.Now, operator: sha256.Sum256([]byte(cfg.OperatorKey)),
		known: map[[sha256.Size]byte]remembered{},
	}
}

// newKey makes an API key: "peal_", the id of its row, and 256 random bits of which only a hash is kept.
func newKey(tenantID, name string, scopes []string, now, expires time.Time) (k peal.Key, token string, err error) {
	id := uuid.Must(uuid.NewV7())
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		return k, "", fmt.Errorf("make key: %w", err)
	}
	text := base64.RawURLEncoding.EncodeToString(secret)
	hash := sha256.Sum256([]byte(text))
	k = peal.Key{ID: id.String(), TenantID: tenantID, Name: name, Hash: hash[:], Scopes: scopes, CreatedAt: now, ExpiresAt: expires}
	return k, keyPrefix + hex.EncodeToString(id[:]) + "_" + text, nil
}

// authenticate tells whose key the request carries, or fails with a problem.
func (a *authenticator) authenticate(ctx context.Context, authorization string) (principal, error) {
	scheme, token, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return principal{}, newProblem(api.CodeUnauthorized, "send the header Authorization: Bearer <API key>")
	}
	hash := sha256.Sum256([]byte(token))
	if subtle.ConstantTimeCompare(hash[:], a.operator[:]) == 1 {
		return principal{operator: true, scopes: []string{api.ScopeAdmin}}, nil
	}
	if usertoken.Looks(token) {
		return a.user(ctx, token)
	}
	p, ok := a.recall(hash)
	if !ok {
		var err error
		if p, err = a.look(ctx, token); err != nil {
			return p, err
		}
		a.remember(hash, p)
	}
	return p, nil
}

// user tells whom a user token speaks for.
func (a *authenticator) user(ctx context.Context, token string) (principal, error) {
	u, err := a.users.Verify(ctx, token)
	if refused, ok := errors.AsType[*usertoken.Refusal](err); ok {
		return principal{}, newProblem(api.CodeUnauthorized, refused.Reason)
	}
	if errors.Is(err, usertoken.ErrDisabled) {
		return principal{}, newProblem(api.CodeTenantDisabled, "")
	}
	return principal{tenantID: u.TenantID, userID: u.ID}, err
}

// forTenant is the principal as it asks for the tenant that it names, if it may.
func (a *authenticator) forTenant(ctx context.Context, p principal, tenant string) (principal, error) {
	switch {
	case tenant == "" || tenant == p.tenantID:
		return p, nil
	case !p.operator:
		return p, newProblem(api.CodeForbidden, "the key is of another tenant; leave the header "+api.TenantHeader+" out")
	}
	p.tenantID = tenant
	_, err := a.tenants.Tenant(ctx, tenant)
	return p, err
}

// who tells whose key the request carries. It looks once for a request, however often it is asked.
func (s *Server) who(ctx context.Context) (principal, error) {
	r, ok := ctx.Value(requestKey{}).(*request)
	if !ok {
		return principal{}, newProblem(api.CodeUnauthorized, "")
	}
	r.known.Do(func() { r.who, r.whoErr = s.auth.authenticate(ctx, r.header.Get("Authorization")) })
	return r.who, r.whoErr
}

// look reads the key's row and compares the secret, in constant time. Whatever is wrong, the answer is the same.
func (a *authenticator) look(ctx context.Context, token string) (principal, error) {
	refused := newProblem(api.CodeUnauthorized, "the API key is not known, was revoked or has expired")
	rest, ok := strings.CutPrefix(token, keyPrefix)
	idText, secret, ok2 := strings.Cut(rest, "_")
	id, err := uuid.Parse(idText)
	if !ok || !ok2 || err != nil || len(idText) != 32 {
		return principal{}, refused
	}
	k, err := a.keys.Key(ctx, id.String())
	if peal.KindOf(err) == peal.NotFound {
		return principal{}, refused
	}
	if err != nil {
		return principal{}, &peal.Error{Kind: peal.Unavailable, Message: "the key could not be looked up", Err: err}
	}
	hash := sha256.Sum256([]byte(secret))
	if subtle.ConstantTimeCompare(hash[:], k.Hash) != 1 || !k.RevokedAt.IsZero() || (!k.ExpiresAt.IsZero() && !a.now().Before(k.ExpiresAt)) {
		return principal{}, refused
	}
	if k.Disabled {
		return principal{}, newProblem(api.CodeTenantDisabled, "")
	}
	return principal{tenantID: k.TenantID, scopes: k.Scopes, expires: k.ExpiresAt}, nil
}

func (a *authenticator) recall(hash [sha256.Size]byte) (principal, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r, ok := a.known[hash]
	return r.principal, ok && a.now().Before(r.until)
}

func (a *authenticator) remember(hash [sha256.Size]byte, p principal) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.known) >= keyCache {
		clear(a.known)
	}
	until := a.now().Add(keyTTL)
	if !p.expires.IsZero() && p.expires.Before(until) {
		until = p.expires
	}
	a.known[hash] = remembered{p, until}
}

// forget makes changes of keys and tenants felt at once on this node.
func (a *authenticator) forget() {
	a.mu.Lock()
	clear(a.known)
	a.mu.Unlock()
	a.users.Forget()
}

// may tells whether the principal has a scope; admin has all.
func (p *principal) may(scope string) bool {
	return slices.Contains(p.scopes, scope) || slices.Contains(p.scopes, api.ScopeAdmin)
}

// tenant is the one that a request is for, if its key has the scope. A user token has none.
func (s *Server) tenant(ctx context.Context, scope string) (string, error) {
	p, err := s.principal(ctx)
	switch {
	case err != nil:
	case p.userID != "":
		err = newProblem(api.CodeForbidden, "a user token is for its user's devices and receipts; this needs a key with the scope "+scope)
	case !p.may(scope):
		err = newProblem(api.CodeForbidden, "it needs a key with the scope "+scope)
	}
	if err != nil {
		return "", s.fail(ctx, err)
	}
	return p.tenantID, nil
}

// client is the tenant that a request is for, and the user, if it comes from an app of that user's; else it needs a key with
// the scope.
func (s *Server) client(ctx context.Context, scope string) (tenantID, userID string, err error) {
	p, err := s.principal(ctx)
	if err == nil && p.userID == "" && !p.may(scope) {
		err = newProblem(api.CodeForbidden, "it needs a user token, or a key with the scope "+scope)
	}
	if err != nil {
		return "", "", s.fail(ctx, err)
	}
	return p.tenantID, p.userID, nil
}

// principal is who a request comes from, for the tenant that it is for.
func (s *Server) principal(ctx context.Context) (principal, error) {
	p, err := s.who(ctx)
	if err == nil {
		p, err = s.auth.forTenant(ctx, p, headersOf(ctx).Get(api.TenantHeader))
	}
	if err == nil && p.tenantID == "" {
		err = newProblem(api.CodeForbidden, "an operator's request needs the header "+api.TenantHeader+" that names the tenant")
	}
	return p, err
}

// operator fails unless the request carries the operator's key.
func (s *Server) operator(ctx context.Context) error {
	p, err := s.who(ctx)
	if err == nil && !p.operator {
		err = newProblem(api.CodeForbidden, "it needs the operator's key")
	}
	if err != nil {
		return s.fail(ctx, err)
	}
	return nil
}

// request is what handlers need to know of the request that they answer: huma gives them the context only.
type request struct {
	header http.Header
	once   sync.Once
	id     string

	known  sync.Once
	who    principal
	whoErr error
}

type requestKey struct{}

func withRequest(r *http.Request) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), requestKey{}, &request{header: r.Header}))
}

func headersOf(ctx context.Context) http.Header {
	if r, ok := ctx.Value(requestKey{}).(*request); ok {
		return r.header
	}
	return nil
}

// requestID is made when somebody first asks for it: most requests need none.
func requestID(ctx context.Context) string {
	r, ok := ctx.Value(requestKey{}).(*request)
	if !ok {
		return ""
	}
	r.once.Do(func() { r.id = peal.NewID() })
	return r.id
}

// bodyError words what went wrong while a body was read.
func bodyError(err error, limit int64) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return newProblem(api.CodeBodyTooLarge, fmt.Sprintf("it is over %d bytes", limit))
	}
	return newProblem(api.CodeMalformedJSON, "the body ended before it was complete")
}
