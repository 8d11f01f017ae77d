package wasender

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"peal/internal/peal"
	"peal/internal/provider/wire"
)

// Codes of answers. An HTTP status without a code of its own is "http_" and the number.
const (
	codeBadAnswer    = "bad_answer"
	codeValidation   = "validation"
	codeRejected     = "rejected"
	codeThrottled    = "throttled"
	codeUnauthorized = "unauthorized"
	codeForbidden    = "forbidden"
	codePayment      = "payment_required"
	codeRedirect     = "redirect"
	codeBaseURL      = "base_url"
	codeNotFound     = "not_found"
	codeNoToken      = "no_account_token"
	sessionPrefix    = "session_"
)

// Statuses of Cloudflare, which stands before the provider.
const (
	statusUnknownError = 520 // the provider's server answered nothing or rubbish
	statusTimeout      = 524 // it took the request and did not answer in time
)

// judge says what an answer means.
func (c *client) judge(ctx context.Context, r *reply, a *answer) peal.Outcome {
	if r.status >= 200 && r.status < 300 {
		return c.judgeSuccess(ctx, r, a)
	}
	out := peal.Outcome{Code: statusCode(r.status), Reason: c.scrub.Clean(a.words("the provider answered " + wire.StatusText(r.status)))}
	switch s := r.status; {
	case s >= 300 && s < 400:
		out.Class, out.Pause, out.Code = peal.ClassIntegration, peal.PauseBlocked, codeRedirect
		out.Reason = "base_url answers with a redirect (" + strconv.Itoa(s) + "); set it to where that leads"
	case s == http.StatusUnauthorized, s == http.StatusForbidden:
		out.Class, out.Pause = peal.ClassIntegration, peal.PauseCredentials
	case s == http.StatusPaymentRequired:
		out.Class, out.Pause = peal.ClassIntegration, peal.PausePayment
	case s == http.StatusTooManyRequests:
		out.Class, out.Pause, out.RetryAfter = peal.ClassThrottled, peal.PauseThrottled, throttleWait(r.header, a.RetryAfter)
	case s == http.StatusBadGateway, s == http.StatusGatewayTimeout, s == statusUnknownError, s == statusTimeout:
		out.Class = peal.ClassUnknown // a gateway got no answer; who stands behind it may have taken the message before
	case s >= 500, s == http.StatusRequestTimeout:
		out.Class, out.RetryAfter = peal.ClassTemporary, retryAfter(r.header, a.RetryAfter)
	default:
		return c.judgeRefusal(ctx, out, r.status, a)
	}
	return out
}

// judgeSuccess judges an answer of status 2xx: only one that names the message says that it was taken.
func (c *client) judgeSuccess(ctx context.Context, r *reply, a *answer) peal.Outcome {
	if r.broken != nil && !errors.Is(r.broken, errNotJSON) {
		return wire.Fault(ctx, r.broken, true)
	}
	if r.broken == nil && isFalse(a.Success) {
		out := peal.Outcome{Code: codeRejected, Reason: c.scrub.Clean(a.words("the provider refused it without a reason"))}
		return c.judgeRefusal(ctx, out, r.status, a)
	}
	if id := asID(a.Data.MsgID); r.broken == nil && id != "" {
		return peal.Outcome{Class: peal.ClassAccepted, MessageID: id}
	}
	return peal.Outcome{
		Class: peal.ClassUnknown, Code: codeBadAnswer,
		Reason: "the provider answered " + wire.StatusText(r.status) + " without a message id",
	}
}

// judgeRefusal judges an answer that says no. Whether it is the message's fault or the session's, the provider does not
// tell in a documented way: where it names no fields, the session's state decides. Nothing was sent in any case.
func (c *client) judgeRefusal(ctx context.Context, out peal.Outcome, status int, a *answer) peal.Outcome {
	out.Class = peal.ClassPermanent
	if len(a.fields()) > 0 {
		if status < 300 || out.Code == codeValidation {
			out.Code = codeValidation
		}
		return out
	}
	state, err := c.state(ctx)
	switch {
	case err == nil && state == connected:
	case err == nil:
		out.Class, out.Pause, out.Code = peal.ClassIntegration, peal.PauseSession, sessionPrefix+state
		out.Reason = "the session is " + state
	case err.Code == codeUnauthorized || err.Code == codeForbidden:
		out.Class, out.Pause, out.Code = peal.ClassIntegration, peal.PauseCredentials, err.Code
	case err.Code == codePayment:
		out.Class, out.Pause, out.Code = peal.ClassIntegration, peal.PausePayment, err.Code
	case notThere(status) && (err.Code == codeNotFound || err.Code == codeRedirect || err.Code == codeBadAnswer):
		out.Class, out.Pause, out.Code = peal.ClassIntegration, peal.PauseBlocked, codeBaseURL
		out.Reason = "base_url does not lead to the provider's API: neither /send-message nor /status is there"
	default: // nobody knows whose fault it is; try again rather than give the message up
		out.Class = peal.ClassTemporary
	}
	return out
}

// notThere tells the statuses of a path that does not exist.
func notThere(status int) bool {
	return status == http.StatusNotFound || status == http.StatusMethodNotAllowed || status == http.StatusGone
}

// statusCode names the code of an HTTP status.
func statusCode(status int) string {
	switch status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return codeValidation
	case http.StatusUnauthorized:
		return codeUnauthorized
	case http.StatusPaymentRequired:
		return codePayment
	case http.StatusForbidden:
		return codeForbidden
	case http.StatusTooManyRequests:
		return codeThrottled
	default:
		return "http_" + strconv.Itoa(status)
	}
}
