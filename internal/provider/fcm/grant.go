package fcm

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"peal/internal/peal"
	"peal/internal/provider/wire"
)

const (
	defaultLife = 5 * time.Minute // of a token whose answer names none; Google's names 3599 s
	maxLife     = 24 * time.Hour
	maxSpare    = 10 * time.Second // before its end a token is not sent any more
	maxSkew     = 5 * time.Minute  // of our clock, beyond which it is the likely reason of a refusal
)

// granter trades assertions for access tokens.
type granter struct {
	account   *account
	transport http.RoundTripper
	scrub     scrubber
	now       func() time.Time
}

// grantAnswer is the token endpoint's, of both sorts.
type grantAnswer struct {
	AccessToken string          `json:"access_token"`
	TokenType   string          `json:"token_type"`
	ExpiresIn   float64         `json:"expires_in"`
	Error       json.RawMessage `json:"error"` // a word by the OAuth standard, an object by Google's front end
	Description string          `json:"error_description"`
}

// fetch makes one call.
func (g *granter) fetch(ctx context.Context) (*token, *peal.Outcome) {
	began := g.now()
	form, err := g.account.grant(began)
	if err != nil {
		return nil, &peal.Outcome{Class: peal.ClassIntegration, Pause: peal.PauseCredentials, Code: codeKey, Reason: "the service account's key does not sign"}
	}
	req := (&http.Request{
		Method: http.MethodPost, URL: g.account.tokenURI, Host: g.account.tokenURI.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{
			"Content-Type": {"application/x-www-form-urlencoded"}, "Accept": {"application/json"}, "User-Agent": {userAgent},
		},
	}).WithContext(ctx)
	(&wire.Upload{Data: form}).Attach(req)
	res, err := g.transport.RoundTrip(req)
	if err != nil {
		return nil, tokenFault(ctx, err)
	}
	defer func() { _ = res.Body.Close() }() // read, or given up
	body, err := wire.ReadAll(nil, res.Body, maxAnswer)
	if err != nil && ctx.Err() != nil {
		return nil, tokenFault(ctx, err)
	}
	var a grantAnswer
	_ = json.Unmarshal(body, &a) // what is missing is seen below
	if res.StatusCode == http.StatusOK {
		return g.granted(&a, began)
	}
	return nil, g.refused(res, &a)
}

// granted makes a token of an answer that should hold one.
func (g *granter) granted(a *grantAnswer, began time.Time) (*token, *peal.Outcome) {
	if a.AccessToken == "" || strings.ContainsFunc(a.AccessToken, notToken) || a.TokenType != "" && !strings.EqualFold(a.TokenType, "bearer") {
		return nil, &peal.Outcome{Class: peal.ClassTemporary, Code: codeTokenAnswer, RetryAfter: floorServer, Reason: "the token endpoint answered 200 without an access token"}
	}
	life := defaultLife
	if a.ExpiresIn > 0 {
		life = time.Duration(min(a.ExpiresIn, maxLife.Seconds()) * float64(time.Second))
	}
	return &token{
		header: http.Header{
			"Authorization": {"Bearer " + a.AccessToken}, "Content-Type": {"application/json"}, "User-Agent": {userAgent},
		},
		refresh: began.Add(time.Duration(float64(life) * refreshPart)),
		expires: began.Add(life - min(maxSpare, life/20)),
	}, nil
}

// refused says what an answer without a token means.
func (g *granter) refused(res *http.Response, a *grantAnswer) *peal.Outcome {
	var word string
	_ = json.Unmarshal(a.Error, &word) // an object is no word
	s := res.StatusCode
	out := &peal.Outcome{
		Class: peal.ClassIntegration, Pause: peal.PauseCredentials, Code: "token_" + codeWord(word, wire.StatusCode(s)),
		Reason: g.scrub.clean("the token endpoint answered " + strings.TrimSpace(wire.StatusText(s)+" "+word+" "+a.Description)),
	}
	switch {
	case word == "invalid_grant":
		out.Reason = g.scrub.clean(g.invalidGrant(res.Header, a.Description))
	case s >= 300 && s < 400:
		out.Pause, out.Reason = peal.PauseBlocked, "token_uri answers with a redirect; take the service account's file as it was downloaded"
	case s == http.StatusTooManyRequests:
		out.Class, out.Pause, out.RetryAfter = peal.ClassThrottled, peal.PauseThrottled, waitOf(res.Header, g.now(), floorQuota)
	case s >= 500, s == http.StatusRequestTimeout:
		out.Class, out.Pause, out.RetryAfter = peal.ClassTemporary, "", waitOf(res.Header, g.now(), floorServer)
	}
	return out
}

// invalidGrant says what a person can do about the commonest refusal. Google uses one word for a key that is gone and
// for a clock that is wrong; its own time, in the answer's header, tells them apart.
func (g *granter) invalidGrant(h http.Header, description string) string {
	said := ""
	if description != "" {
		said = " (" + description + ")"
	}
	if t, err := http.ParseTime(h.Get("Date")); err == nil {
		if skew := g.now().Sub(t).Round(time.Second); skew.Abs() > maxSkew {
			return "Google refuses the service account's signature: this machine's clock differs from Google's by " + skew.String() + "; set it right" + said
		}
	}
	return "Google refuses the service account: its key was deleted or the account disabled, or this machine's clock is wrong; " +
		"make a new key in the Firebase console and update the integration" + said
}

// tokenFault is the outcome of a send that has no token because the endpoint did not answer. Whatever became of that
// call, no message was written.
func tokenFault(ctx context.Context, err error) *peal.Outcome {
	out := wire.Fault(ctx, err, false)
	out.Reason = "no access token: " + out.Reason
	if out.Class == peal.ClassIntegration {
		out.Reason = "token_uri leads to an address that this installation does not call"
	}
	return &out
}
