package apns

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"peal/internal/peal"
	"peal/internal/provider"
	"peal/internal/provider/wire"
)

// Codes that are not Apple's. An answer without a reason is "http_" and its status.
const (
	codeBadAnswer = "bad_answer"
	codeBaseURL   = "base_url"
	codeRedirect  = "redirect"
	codeNoHTTP2   = "no_http2"
	codeToken     = "provider_token"
)

// verdict is what an answer comes to.
type verdict struct {
	out       peal.Outcome
	authentic bool // a right provider token was answered: the connection has its streams
	leave     bool // no new push over that connection
	resend    bool // not processed: once more
	renew     bool // not processed: once more with a new provider token
	retoken   bool // not processed: once more with the token that is to be used now
}

// judge says what an answer means.
func (c *client) judge(r *request, a *answer, token provider.Token) verdict {
	if a.status == http.StatusOK {
		return verdict{out: accepted(a), authentic: true}
	}
	row, known := table[a.reason]
	if !known {
		return c.judgeStatus(a)
	}
	v := verdict{leave: row.leave, resend: row.again, out: peal.Outcome{
		Class: row.class, Pause: row.pause, Code: a.reason, Reason: row.text, RetryAfter: row.wait, Quiet: row.quiet,
	}}
	v.authentic = a.status != http.StatusForbidden && a.status < 500 && !row.leave
	if row.device != "" {
		v.out.Device = peal.DeviceWord{Verdict: row.device, Dead: a.dead}
	}
	if asked := wire.RetryAfter(a.header, c.now()); row.wait > 0 && asked > 0 {
		v.out.RetryAfter = asked
		if row.class == peal.ClassTemporary {
			v.out.RetryAfter = max(asked, row.wait)
		}
	}
	switch a.reason {
	case expiredProviderToken:
		v.renew = true
	case tooManyTokens:
		v.retoken = c.tokens.hold(token)
	case topicDisallowed:
		c.pauseApp(&v.out, r.app, row.pause)
	}
	if row.world && r.environment == peal.Sandbox {
		// Whatever device says that it is of the sandbox must not stop those that are not.
		v.out.Class, v.out.Quiet, v.out.RetryAfter = peal.ClassThrottled, groupSandbox, groupWait
	}
	return v
}

// accepted judges a 200. It echoes the push's id; an answer without one is not Apple's.
func accepted(a *answer) peal.Outcome {
	id := a.header.Get("Apns-Id")
	if id == "" || len(id) > 64 || strings.ContainsFunc(id, notHeader) {
		return peal.Outcome{Class: peal.ClassUnknown, Code: codeBadAnswer, Reason: "the answer is 200 without an apns-id"}
	}
	return peal.Outcome{Class: peal.ClassAccepted, MessageID: id}
}

// judgeStatus judges an answer whose reason is not known, or that has none.
func (c *client) judgeStatus(a *answer) verdict {
	out := peal.Outcome{Code: a.reason, Reason: "Apple answered " + wire.StatusText(a.status)}
	if a.reason == "" || c.secret(a.reason) {
		out.Code = "http_" + strconv.Itoa(a.status)
	} else {
		out.Reason += ", " + a.reason
	}
	asked := wire.RetryAfter(a.header, c.now())
	switch s := a.status; {
	case s < 300:
		out.Class, out.Code = peal.ClassUnknown, codeBadAnswer
	case s < 400:
		out.Class, out.Pause, out.Code = peal.ClassIntegration, peal.PauseBlocked, codeRedirect
		out.Reason = "base_url answers with a redirect (" + strconv.Itoa(s) + "); set it to where that leads"
	case s == http.StatusUnauthorized, s == http.StatusForbidden:
		out.Class, out.Pause = peal.ClassIntegration, peal.PauseCredentials
	case s == http.StatusNotFound && a.reason == "": // Apple's has one
		out.Class, out.Pause, out.Code = peal.ClassIntegration, peal.PauseBlocked, codeBaseURL
		out.Reason = "base_url does not lead to Apple's push service"
	case s == http.StatusGone:
		out.Class, out.Device = peal.ClassGone, peal.DeviceWord{Verdict: peal.DeviceDead, Dead: a.dead}
	case s == http.StatusTooManyRequests:
		out.Class, out.Pause, out.RetryAfter = peal.ClassThrottled, peal.PauseThrottled, asked
		if asked == 0 {
			out.RetryAfter = deviceWait
		}
	case s == http.StatusRequestTimeout:
		out.Class, out.RetryAfter = peal.ClassTemporary, asked
	case s == http.StatusBadGateway, s == http.StatusGatewayTimeout:
		out.Class = peal.ClassUnknown // a gateway, who got no answer: what stands behind it may have taken the push
	case s >= 500:
		out.Class, out.RetryAfter = peal.ClassTemporary, max(asked, serverWait)
	default:
		out.Class = peal.ClassPermanent
	}
	return verdict{out: out, authentic: a.status >= 400 && a.status < 500 && out.Class != peal.ClassIntegration}
}

// secret tells whether a text has one of the credentials in it.
func (c *client) secret(text string) bool {
	for _, s := range c.in.Credentials {
		if s != "" && strings.Contains(text, s) {
			return true
		}
	}
	return false
}

// pauseApp pauses the integration if it names the app as its own: then its settings are wrong. Else the app is what some
// device says, which must not stop the others: only that app waits.
func (c *client) pauseApp(out *peal.Outcome, app string, pause peal.PauseCode) {
	out.Pause = pause
	if slices.Contains(c.in.Apps, app) {
		out.Class = peal.ClassIntegration
		return
	}
	out.Class, out.Quiet, out.RetryAfter = peal.ClassThrottled, groupApp(app), groupWait
}

// noToken is the outcome when there is no provider token to send with.
func (c *client) noToken(ctx context.Context, err error) peal.Outcome {
	switch {
	case errors.Is(err, errSkew):
		r := table[expiredProviderToken]
		return peal.Outcome{Class: r.class, Pause: r.pause, Code: expiredProviderToken, Reason: r.text}
	case errors.Is(err, errHeld):
		r := table[tooManyTokens]
		return peal.Outcome{Class: r.class, Pause: r.pause, Code: tooManyTokens, Reason: r.text, RetryAfter: c.tokens.heldFor()}
	case ctx.Err() != nil:
		return wire.Fault(ctx, ctx.Err(), false)
	default:
		return peal.Outcome{Class: peal.ClassTemporary, Code: codeToken, Reason: "the provider token that the nodes share could not be read or made"}
	}
}

// noConnection is the outcome when no connection came about.
func noConnection(ctx context.Context, err error) peal.Outcome {
	switch {
	case errors.Is(err, errNoHTTP2):
		return peal.Outcome{Class: peal.ClassTemporary, Code: codeNoHTTP2, Reason: "the server at base_url does not speak HTTP/2"}
	case errors.Is(err, errChurned), errors.Is(err, errClosed):
		return peal.Outcome{Class: peal.ClassTemporary, Code: wire.CodeConnect, Reason: strings.TrimPrefix(err.Error(), "apns: ")}
	default:
		return wire.Fault(ctx, err, false)
	}
}

// heldFor is how long no provider token may be made.
func (k *keeper) heldFor() time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	return max(time.Second, k.held.Sub(k.now()))
}
