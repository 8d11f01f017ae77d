package apns

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"slices"
	"strings"
	"sync"
	"time"
)

// tokens are the keys of the account and the provider tokens that were seen.
type tokens struct {
	mu    sync.Mutex
	keys  map[string]*key
	known map[string]*providerToken // by their text
	teams map[string]time.Time      // when a team last came with a new token
}

// providerToken is a JWT whose signature was right.
type providerToken struct {
	key    *key
	issued time.Time
	first  time.Time
	uses   int64
	conns  int64
}

// TokenInfo tells of a provider token that was accepted. It does not hold the
// token itself.
type TokenInfo struct {
	Team        string    `json:"team"`
	KeyID       string    `json:"key_id"`
	IssuedAt    time.Time `json:"issued_at"`
	FirstSeen   time.Time `json:"first_seen"`
	Uses        int64     `json:"uses"`        // requests
	Connections int64     `json:"connections"` // that came with it
}

// keepTokens bounds what a server remembers when the update limit is off.
const keepTokens = 10_000

func newTokens() tokens {
	return tokens{keys: map[string]*key{}, known: map[string]*providerToken{}, teams: map[string]time.Time{}}
}

// forget drops the tokens of a key. The caller holds mu.
func (t *tokens) forget(kid string) {
	for text, known := range t.known {
		if known.key.ID == kid {
			delete(t.known, text)
		}
	}
}

// Tokens lists the provider tokens that were accepted, the oldest first.
func (s *Server) Tokens() []TokenInfo {
	s.tokens.mu.Lock()
	defer s.tokens.mu.Unlock()
	list := []TokenInfo{}
	for _, t := range s.tokens.known {
		list = append(list, TokenInfo{
			Team: t.key.Team, KeyID: t.key.ID, IssuedAt: t.issued, FirstSeen: t.first, Uses: t.uses, Connections: t.conns,
		})
	}
	slices.SortFunc(list, func(a, b TokenInfo) int { return a.FirstSeen.Compare(b.FirstSeen) })
	return list
}

// login is what a connection has come to be bound to.
type login struct {
	text    string // last token that was right, to count connections
	team    string
	kid     string
	blocked time.Time // refused until then for too many updates
}

// authenticate checks the authorization header of a request. The caller holds
// the connection's mutex, to which the login belongs. The order of the checks
// is chosen.
func (s *Server) authenticate(l *login, authorization, bundle string, now time.Time) (k *key, reason string) {
	scheme, text, ok := strings.Cut(authorization, " ")
	if !ok || !strings.EqualFold(scheme, "bearer") || text == "" {
		return nil, missingProviderToken
	}
	t := &s.tokens
	t.mu.Lock()
	defer t.mu.Unlock()
	known := t.known[text]
	if known == nil {
		var claimed string
		if known, claimed = t.verify(text); known == nil {
			return nil, invalidProviderToken
		}
		if claimed != known.key.Team {
			return nil, invalidProviderToken
		}
	}
	limits := &s.opt.Limits
	switch age := now.Sub(known.issued); {
	case age > limits.TokenAge:
		return nil, expiredProviderToken
	case -age > limits.TokenAhead: // chosen: the vendor does not tell
		return nil, invalidProviderToken
	case l.team != "" && l.team != known.key.Team:
		return nil, invalidProviderToken
	case l.kid != "" && l.kid != known.key.ID:
		return nil, unrelatedKeyID
	case now.Before(l.blocked):
		return nil, tooManyTokenUpdates
	}
	if known.uses == 0 {
		if last, ok := t.teams[known.key.Team]; ok && limits.TokenUpdate > 0 && now.Sub(last) < limits.TokenUpdate {
			// The connection cannot be used again before its time.
			l.blocked = last.Add(limits.TokenUpdate)
			return nil, tooManyTokenUpdates
		}
		t.admit(text, known, now)
	}
	known.uses++
	if l.text != text {
		l.text = text
		known.conns++
	}
	l.team, l.kid = known.key.Team, known.key.ID
	return known.key, s.scope(known.key, bundle)
}

// scope tells whether the key may be used here, and for the app.
func (s *Server) scope(k *key, bundle string) (reason string) {
	if k.Environment != "" && k.Environment != s.opt.Environment {
		return badEnvironmentKeyID
	}
	if len(k.Topics) > 0 && bundle != "" && !slices.Contains(k.Topics, bundle) {
		return topicDisallowed // chosen: the vendor does not tell
	}
	return ""
}

// admit remembers a token. The caller holds mu.
func (t *tokens) admit(text string, known *providerToken, now time.Time) {
	if len(t.known) >= keepTokens {
		clear(t.known)
	}
	known.first = now
	t.known[text] = known
	t.teams[known.key.Team] = now
}

// verify reads a JWT and checks its signature; nil when it is not right. The
// team that it claims comes beside it. The caller holds mu.
func (t *tokens) verify(text string) (known *providerToken, team string) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return nil, ""
	}
	var header struct {
		Alg string `json:"alg"`
		Kid string `json:"kid"`
	}
	var claims struct {
		Iss string `json:"iss"`
		Iat *int64 `json:"iat"`
	}
	if !part(parts[0], &header) || !part(parts[1], &claims) || header.Alg != "ES256" || claims.Iat == nil {
		return nil, ""
	}
	k := t.keys[header.Kid]
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if k == nil || err != nil || len(signature) != 64 {
		return nil, ""
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	r, v := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
	if !ecdsa.Verify(k.public, sum[:], r, v) {
		return nil, ""
	}
	return &providerToken{key: k, issued: time.Unix(*claims.Iat, 0)}, claims.Iss
}

func part(text string, into any) bool {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	return err == nil && json.Unmarshal(raw, into) == nil
}
