package webpush

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/mail"
	"net/url"
	"strings"
	"sync"
	"time"
)

// credentials are what an Authorization header holds, its signature verified.
// err says why not. What depends on time and endpoint is checked each time.
type credentials struct {
	key string // k, base64url
	aud string
	sub string
	exp time.Time
	err error
}

// maxTokens bounds the cache of verified headers. A sender needs one token per
// origin and half a day.
const maxTokens = 4096

// tokens remember headers that were verified: a signature costs more than all
// the rest of a push that is not decrypted.
type tokens struct {
	mu       sync.RWMutex
	known    map[string]*credentials
	verified int64
}

func (t *tokens) read(authorization string) *credentials {
	t.mu.RLock()
	c := t.known[authorization]
	t.mu.RUnlock()
	if c != nil {
		return c
	}
	c = readCredentials(authorization)
	t.mu.Lock()
	defer t.mu.Unlock()
	if first := t.known[authorization]; first != nil { // another call brought it at the same time
		return first
	}
	if t.known == nil || len(t.known) >= maxTokens {
		t.known = map[string]*credentials{}
	}
	t.known[authorization] = c
	t.verified++
	return c
}

func (t *tokens) count() int64 {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.verified
}

func (t *tokens) clear() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.known, t.verified = nil, 0
}

func readCredentials(authorization string) *credentials {
	c := &credentials{}
	c.err = c.parse(authorization)
	return c
}

func (c *credentials) parse(authorization string) error {
	scheme, rest, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(scheme, "vapid") {
		return errors.New(`authorization: must be "vapid t=…, k=…"`)
	}
	params := map[string]string{}
	for part := range strings.SplitSeq(rest, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		name = strings.ToLower(name)
		if _, twice := params[name]; !ok || twice {
			return fmt.Errorf("authorization: the parameter %q is malformed or stands twice", name)
		}
		params[name] = value
	}
	token, k := params["t"], params["k"]
	if token == "" || k == "" {
		return errors.New("authorization: needs the parameters t and k")
	}
	key, err := publicKey(k)
	if err != nil {
		return fmt.Errorf("authorization: k: %w", err)
	}
	c.key = k
	return c.verify(token, key)
}

// publicKey reads a VAPID key: base64url without padding of an uncompressed
// point of P-256, 87 characters.
func publicKey(text string) (*ecdsa.PublicKey, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, errors.New("not base64url without padding")
	}
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), raw)
	if err != nil {
		return nil, errors.New("not an uncompressed point of P-256 (65 bytes)")
	}
	return key, nil
}

func (c *credentials) verify(token string, key *ecdsa.PublicKey) error {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return errors.New("token: not three parts")
	}
	var head struct {
		Alg string `json:"alg"`
		Typ string `json:"typ"`
	}
	if err := part(parts[0], &head); err != nil {
		return fmt.Errorf("token header: %w", err)
	}
	if head.Alg != "ES256" {
		return fmt.Errorf("token header: alg must be ES256, is %q", head.Alg)
	}
	if head.Typ != "" && !strings.EqualFold(head.Typ, "JWT") {
		return fmt.Errorf("token header: typ must be JWT, is %q", head.Typ)
	}
	sig, err := base64.RawURLEncoding.Strict().DecodeString(parts[2])
	if err != nil || len(sig) != 64 {
		return errors.New("token signature: must be 64 bytes, r and s")
	}
	hash := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if !ecdsa.Verify(key, hash[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])) {
		return errors.New("token signature: does not verify with k")
	}
	var claims struct {
		Aud string      `json:"aud"`
		Exp json.Number `json:"exp"`
		Sub string      `json:"sub"`
	}
	if err := part(parts[1], &claims); err != nil {
		return fmt.Errorf("token claims: %w", err)
	}
	exp, err := claims.Exp.Int64()
	if err != nil {
		return errors.New("token claims: exp must be whole seconds")
	}
	c.aud, c.sub, c.exp = claims.Aud, claims.Sub, time.Unix(exp, 0)
	return nil
}

func part(text string, into any) error {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return errors.New("not base64url without padding")
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return errors.New("not the JSON it must be")
	}
	return nil
}

// check compares the claims with the time and with where they were sent.
func (c *credentials) check(origin string, now time.Time, needSubject bool) error {
	switch {
	case c.err != nil:
		return c.err
	case c.aud != origin:
		return fmt.Errorf("token claims: aud must be %q, is %q", origin, c.aud)
	case !c.exp.After(now):
		return fmt.Errorf("token claims: expired at %s", c.exp.UTC().Format(time.RFC3339))
	case c.exp.Sub(now) > maxToken:
		return fmt.Errorf("token claims: exp is more than %s ahead", maxToken)
	case (needSubject || c.sub != "") && !validSubject(c.sub):
		return errors.New("token claims: sub must be a mailto: or https: URL")
	}
	return nil
}

func validSubject(sub string) bool {
	if address, ok := strings.CutPrefix(sub, "mailto:"); ok {
		parsed, err := mail.ParseAddress(address)
		return err == nil && parsed.Address == address
	}
	u, err := url.Parse(sub)
	return err == nil && u.Scheme == "https" && u.Host != ""
}
