package usertoken

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"peal/internal/peal"
)

const (
	// MaxLife is how long a token may last.
	MaxLife = 24 * time.Hour

	leeway   = time.Minute     // a backend's clock may be off by that
	keyTTL   = 5 * time.Second // how long a key is not asked after again
	keyCache = 10_000
	maxToken = 4096 // bytes
	maxUser  = 128  // bytes of the user's id
	maxUnix  = 253402300799
)

// Keys are what tokens are signed with.
type Keys interface {
	UserKey(ctx context.Context, id string) (peal.UserKey, error)
}

// Opener opens their secrets.
type Opener interface {
	Open(sealed []byte, belongs string) ([]byte, error)
}

// Refusal is why a token is not good. What it says may be told to whoever sent it.
type Refusal struct{ Reason string }

// Error gives the reason.
func (r *Refusal) Error() string { return r.Reason }

// ErrDisabled is of a good token of a tenant that is disabled.
var ErrDisabled = errors.New("the tenant is disabled")

// errStranger is of what was not signed by anybody who is known: to them nothing more is told.
var errStranger = &Refusal{"the user token is not signed by a key that is known and not revoked"}

// User is whom a token speaks for.
type User struct {
	TenantID string
	ID       string
}

// Verifier verifies tokens. It remembers keys for a moment. Create it with New.
type Verifier struct {
	keys   Keys
	opener Opener
	now    func() time.Time
	parser *jwt.Parser

	mu    sync.Mutex
	known map[string]remembered
}

type remembered struct {
	key   verifyingKey
	until time.Time
}

// verifyingKey is a key as it verifies.
type verifyingKey struct {
	tenantID  string
	algorithm string
	material  any // ed25519.PublicKey or []byte; nil of a key that is revoked or cannot be opened
	disabled  bool
}

// New makes a verifier.
func New(keys Keys, opener Opener, now func() time.Time) *Verifier {
	return &Verifier{
		keys: keys, opener: opener, now: now, known: map[string]remembered{},
		parser: jwt.NewParser(jwt.WithValidMethods([]string{HS256, EdDSA}), jwt.WithoutClaimsValidation(), jwt.WithStrictDecoding()),
	}
}

// Looks tells whether a bearer token has the form of a user token. An API key never has.
func Looks(token string) bool { return strings.Count(token, ".") == 2 }

// Forget has every key read again.
func (v *Verifier) Forget() {
	v.mu.Lock()
	clear(v.known)
	v.mu.Unlock()
}

// Verify tells whom a token speaks for. It fails with a *Refusal, with ErrDisabled, or when the key could not be read.
func (v *Verifier) Verify(ctx context.Context, token string) (User, error) {
	if len(token) > maxToken {
		return User{}, errStranger
	}
	var key verifyingKey
	var away error
	claims := &jwt.RegisteredClaims{}
	_, err := v.parser.ParseWithClaims(token, claims, func(t *jwt.Token) (any, error) {
		kid, _ := t.Header["kid"].(string)
		if key, away = v.key(ctx, kid); away != nil {
			return nil, away
		}
		if _, critical := t.Header["crit"]; critical { // what must be understood, and is not
			return nil, errStranger
		}
		if key.material == nil || t.Method.Alg() != key.algorithm {
			return nil, errStranger
		}
		return key.material, nil
	})
	switch {
	case away != nil && !errors.Is(away, errStranger):
		return User{}, away
	case err != nil:
		return User{}, errStranger
	}
	if err := v.check(claims); err != nil {
		return User{}, err
	}
	if key.disabled {
		return User{}, ErrDisabled
	}
	return User{TenantID: key.tenantID, ID: claims.Subject}, nil
}

// check says what is wrong with the claims of a token whose signature is good.
func (v *Verifier) check(c *jwt.RegisteredClaims) error {
	now := v.now()
	switch {
	case c.Subject == "" || len(c.Subject) > maxUser || !utf8.ValidString(c.Subject) || strings.ContainsFunc(c.Subject, unicode.IsControl):
		return &Refusal{fmt.Sprintf("the user token's sub is no user's id: give 1 to %d bytes without control characters", maxUser)}
	case !sane(c.IssuedAt) || !sane(c.ExpiresAt):
		return &Refusal{"the user token needs iat and exp, in seconds since 1970"}
	case c.NotBefore != nil && (!sane(c.NotBefore) || c.NotBefore.After(now.Add(leeway))):
		return &Refusal{"the user token is not good yet (nbf)"}
	case c.IssuedAt.After(now.Add(leeway)):
		return &Refusal{"the user token was made in the future (iat); set the clock of the machine that makes it"}
	case c.ExpiresAt.Sub(c.IssuedAt.Time) > MaxLife:
		return &Refusal{fmt.Sprintf("the user token lasts longer than %d hours; make exp at most that after iat", int(MaxLife.Hours()))}
	case !now.Before(c.ExpiresAt.Time):
		return &Refusal{"the user token has expired; get a new one from your backend"}
	}
	return nil
}

func sane(t *jwt.NumericDate) bool { return t != nil && t.Unix() > 0 && t.Unix() <= maxUnix }

// key gives the key of that id, from memory if it was read just now. What is not there is not remembered.
func (v *Verifier) key(ctx context.Context, id string) (verifyingKey, error) {
	if u, err := uuid.Parse(id); err != nil || u.String() != id {
		return verifyingKey{}, errStranger
	}
	v.mu.Lock()
	r, ok := v.known[id]
	v.mu.Unlock()
	if now := v.now(); ok && now.Before(r.until) {
		return r.key, nil
	}
	row, err := v.keys.UserKey(ctx, id)
	if peal.KindOf(err) == peal.NotFound {
		return verifyingKey{}, errStranger
	}
	if err != nil {
		return verifyingKey{}, &peal.Error{Kind: peal.Unavailable, Message: "the user token's key could not be looked up", Err: err}
	}
	key := v.open(&row)
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.known) >= keyCache {
		clear(v.known)
	}
	v.known[id] = remembered{key, v.now().Add(keyTTL)}
	return key, nil
}

func (v *Verifier) open(row *peal.UserKey) verifyingKey {
	key := verifyingKey{tenantID: row.TenantID, algorithm: row.Algorithm, disabled: row.Disabled}
	if !row.RevokedAt.IsZero() {
		return key
	}
	switch row.Algorithm {
	case EdDSA:
		if len(row.PublicKey) == ed25519.PublicKeySize {
			key.material = ed25519.PublicKey(row.PublicKey)
		}
	case HS256:
		if secret, err := v.opener.Open(row.Secret, Belongs(row.ID)); err == nil && len(secret) > 0 {
			key.material = secret
		}
	}
	return key
}
