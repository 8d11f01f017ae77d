package fcm

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	jwtBearer     = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	scopePush     = "https://www.googleapis.com/auth/firebase.messaging"
	scopePlatform = "https://www.googleapis.com/auth/cloud-platform"
	clockSkew     = 5 * time.Minute // chosen; Google says "a reasonable timeframe"
)

func oauthError(code, text string) reply {
	return reply{status: http.StatusBadRequest, failure: Failure(code), body: jsonOf(object{"error": code, "error_description": text})}
}

func invalidGrant(text string) reply { return oauthError("invalid_grant", text) }

// serveToken is Google's token endpoint: POST /token.
func (s *Server) serveToken(req *request) reply {
	f := s.pickFault(req)
	rep, ended := s.faultBefore(req, f, about{})
	if !ended {
		rep = s.token(req)
		rep = s.faultAfter(req, f, rep, about{})
	}
	if !s.wait(req, time.Duration(s.tokenLatency.Load())) {
		rep.drop = true
	}
	s.tally.token(rep)
	return rep
}

func (s *Server) token(req *request) reply {
	kind, _, _ := mime.ParseMediaType(req.Header.Get("Content-Type"))
	form, err := url.ParseQuery(string(req.body))
	switch {
	case req.bodyErr != nil, err != nil, kind != "application/x-www-form-urlencoded":
		return oauthError("invalid_request", "The request must be a form.")
	case form.Get("grant_type") != jwtBearer:
		return oauthError("unsupported_grant_type", "Invalid grant_type: "+form.Get("grant_type"))
	case form.Get("assertion") == "":
		return oauthError("invalid_request", "Missing required parameter: assertion")
	}
	a, rep, ok := s.assertion(req, form.Get("assertion"))
	if !ok {
		return rep
	}
	return reply{status: http.StatusOK, body: jsonOf(object{
		"access_token": s.IssueToken(a.project),
		"expires_in":   int(s.opt.TokenLife.Seconds()) - 1, // Google says 3599
		"token_type":   "Bearer",
	})}
}

type claims struct {
	Iss   string   `json:"iss"`
	Aud   string   `json:"aud"`
	Scope string   `json:"scope"`
	Iat   *float64 `json:"iat"`
	Exp   *float64 `json:"exp"`
}

// assertion checks a JWT in the order in which Google seems to: what it is,
// whose, by which key, for whom, when, for what.
func (s *Server) assertion(req *request, text string) (*account, reply, bool) {
	refuse := func(rep reply) (*account, reply, bool) { return nil, rep, false }
	parts := strings.Split(text, ".")
	var head struct{ Alg, Kid, Typ string }
	var c claims
	if len(parts) != 3 || !jwtPart(parts[0], &head) || !jwtPart(parts[1], &c) {
		return refuse(invalidGrant("Bad Request"))
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || head.Alg != "RS256" {
		return refuse(invalidGrant("Invalid JWT Signature."))
	}
	s.mu.RLock()
	a := s.accounts[c.Iss]
	var key *rsa.PublicKey
	audiences := []string{}
	if a != nil {
		key = a.keys[head.Kid]
		audiences = append(audiences, a.audience)
	}
	if s.url != "" {
		audiences = append(audiences, s.url+"/token")
	}
	s.mu.RUnlock()
	if a == nil {
		return refuse(invalidGrant("Invalid grant: account not found"))
	}
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if key == nil || rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], signature) != nil {
		return refuse(invalidGrant("Invalid JWT Signature."))
	}
	if !slices.Contains(audiences, c.Aud) {
		return refuse(invalidGrant("Invalid JWT: Failed audience check. The right audience is " + audiences[0]))
	}
	if !inTime(c, req.now) {
		return refuse(invalidGrant("Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. " +
			"Check your iat and exp values in the JWT claim."))
	}
	scopes := strings.Fields(c.Scope)
	if !slices.Contains(scopes, scopePush) && !slices.Contains(scopes, scopePlatform) {
		return refuse(oauthError("invalid_scope", "Invalid OAuth scope or ID token audience provided."))
	}
	return a, reply{}, true
}

func inTime(c claims, now time.Time) bool {
	if c.Iat == nil || c.Exp == nil {
		return false
	}
	iat, exp := time.Unix(int64(*c.Iat), 0), time.Unix(int64(*c.Exp), 0)
	return !iat.After(now.Add(clockSkew)) && exp.After(now) && exp.After(iat) && exp.Sub(iat) <= time.Hour
}

func jwtPart(text string, into any) bool {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	return err == nil && json.Unmarshal(raw, into) == nil
}

// authorize finds out whether the bearer of the request may send for the
// project of its path.
func (s *Server) authorize(req *request) (*project, reply, bool) {
	header := req.Header.Get("Authorization")
	token, ok := strings.CutPrefix(header, "Bearer ")
	s.mu.RLock()
	b, known := s.bearers[token]
	s.mu.RUnlock()
	p := s.projectOf(req.project)
	a := about{project: req.project}
	switch {
	case !ok || token == "":
		a.message = "Request is missing required authentication credential." + notAuthenticated
		return nil, s.fail(Unauthenticated, a), false
	case !known || !req.now.Before(b.expires):
		return nil, s.fail(Unauthenticated, a), false
	case p == nil:
		return nil, s.fail(NotFound, a), false
	case b.project != p.name:
		return nil, s.fail(PermissionDenied, a), false
	}
	return p, reply{}, true
}
