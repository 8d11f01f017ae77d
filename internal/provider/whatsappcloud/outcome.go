package whatsappcloud

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"peal/internal/peal"
	"peal/internal/provider"
	"peal/internal/provider/wire"
)

// Codes of answers without a code of Meta's. An HTTP status is "http_" and the number.
const (
	codeBadAnswer = "bad_answer"
	codeRedirect  = "redirect"
	codeBaseURL   = "base_url"
	codeNotFound  = "not_found"
)

// answer is the body of any answer to a send.
type answer struct {
	Messages []struct {
		ID string `json:"id"`
	} `json:"messages"`
	Error *graphError `json:"error"`
}

// graphError is how Graph says no.
type graphError struct {
	Code      number `json:"code"`
	Subcode   number `json:"error_subcode"`
	Message   string `json:"message"`
	Title     string `json:"title"` // in webhooks
	Transient bool   `json:"is_transient"`
	Data      struct {
		Details string `json:"details"`
	} `json:"error_data"`
}

// words are what Meta says of it: the details, or the title where there are none.
func (e *graphError) words() string {
	return cmp.Or(e.Data.Details, e.Message, e.Title, "the provider gives the code "+codeText(e.Code.value)+" and no reason")
}

// number is an integer, or a string that holds one. set is false for anything else.
type number struct {
	value int
	set   bool
}

// UnmarshalJSON never fails.
func (n *number) UnmarshalJSON(b []byte) error {
	if len(b) > 1 && b[0] == '"' {
		b = b[1 : len(b)-1]
	}
	v, err := strconv.Atoi(string(b))
	*n = number{value: v, set: err == nil}
	return nil
}

// judge says what an answer means.
func (c *client) judge(ctx context.Context, r *reply, a *answer) peal.Outcome {
	if e := a.Error; r.broken == nil && e != nil && e.Code.set {
		return c.judgeError(r, e)
	}
	if r.status >= 200 && r.status < 300 {
		return judgeSuccess(ctx, r, a)
	}
	return judgeStatus(r)
}

// judgeSuccess judges an answer of status 2xx: only one that names the message says that it was taken.
func judgeSuccess(ctx context.Context, r *reply, a *answer) peal.Outcome {
	if r.broken != nil && !errors.Is(r.broken, errNotJSON) {
		return wire.Fault(ctx, r.broken, true)
	}
	if r.broken == nil && len(a.Messages) > 0 && isID(a.Messages[0].ID) {
		return peal.Outcome{Class: peal.ClassAccepted, MessageID: a.Messages[0].ID}
	}
	return peal.Outcome{
		Class: peal.ClassUnknown, Code: codeBadAnswer,
		Reason: "the provider answered " + wire.StatusText(r.status) + " without a message id",
	}
}

// judgeError judges an answer with one of Meta's errors: the message was not taken.
func (c *client) judgeError(r *reply, e *graphError) peal.Outcome {
	m := e.meaning(r.status)
	out := peal.Outcome{
		Class: m.class, Code: codeText(e.Code.value), Reason: c.scrub.Clean(e.words()), Pause: m.pause, Quiet: m.quiet, Growth: m.grow, MaxTries: m.tries, Ease: m.ease,
	}
	out.WindowClosed, out.OptedOut = m.closed, m.stopped
	out.Template = templateWord(e.Code.value, out.Reason)
	if m.class == peal.ClassTemporary || m.class == peal.ClassThrottled {
		out.RetryAfter = cmp.Or(wire.RetryAfter(r.header, time.Now()), usageWait(r.header), m.wait)
	}
	return out
}

const (
	codeSpam  = "131048" // people have blocked or reported the number
	marketing = "marketing"
	spamWait  = 24 * time.Hour // Meta does not say how long; the limits that it goes with are of a day
)

// Groups are marketing, for messages of such a template.
func (c *client) Groups(m *provider.Message) []string {
	if m.Category == marketing {
		return []string{marketing}
	}
	return nil
}

// spared is an outcome that stops a number's marketing alone where that was it that was refused: what people have asked for
// may still go. If that is refused, too, all of it stops.
func spared(o peal.Outcome, m *provider.Message) peal.Outcome {
	if o.Code == codeSpam && o.Class == peal.ClassIntegration && m.Category == marketing {
		o.Class, o.Pause, o.Quiet, o.RetryAfter = peal.ClassThrottled, peal.PauseThrottled, marketing, spamWait
	}
	return o
}

// meaning is that of the table; of a code that is not in it, by what Meta says of it and its HTTP status.
func (e *graphError) meaning(status int) meaning {
	if m, known := meaningOf(e.Code.value, e.Subcode.value); known {
		return m
	}
	switch {
	case e.Transient, status >= 500, status == http.StatusRequestTimeout:
		return meaning{class: peal.ClassTemporary}
	case status == http.StatusTooManyRequests:
		return meaning{class: peal.ClassThrottled, pause: peal.PauseThrottled}
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return meaning{class: peal.ClassIntegration, pause: peal.PauseCredentials}
	default:
		return meaning{class: peal.ClassPermanent}
	}
}

// judgeStatus judges an answer that is not Meta's, but that of something before it, or of nothing that it should be.
func judgeStatus(r *reply) peal.Outcome {
	out := peal.Outcome{Code: wire.StatusCode(r.status), Reason: "the provider answered " + wire.StatusText(r.status)}
	switch s := r.status; {
	case s >= 300 && s < 400:
		out.Class, out.Pause, out.Code = peal.ClassIntegration, peal.PauseBlocked, codeRedirect
		out.Reason = "base_url answers with a redirect (" + strconv.Itoa(s) + "); set it to where that leads"
	case s == http.StatusUnauthorized, s == http.StatusForbidden:
		out.Class, out.Pause = peal.ClassIntegration, peal.PauseCredentials
	case s == http.StatusTooManyRequests:
		out.Class, out.Pause, out.RetryAfter = peal.ClassThrottled, peal.PauseThrottled, wire.RetryAfter(r.header, time.Now())
	case s == http.StatusBadGateway, s == http.StatusGatewayTimeout:
		out.Class = peal.ClassUnknown // a gateway got no answer; who stands behind it may have taken the message before
	case s >= 500, s == http.StatusRequestTimeout:
		out.Class, out.RetryAfter = peal.ClassTemporary, wire.RetryAfter(r.header, time.Now())
	case s == http.StatusRequestEntityTooLarge:
		out.Class = peal.ClassPermanent
	default: // whoever says so is not the API, which gives its refusals a code
		out.Class, out.Pause, out.Code = peal.ClassIntegration, peal.PauseBlocked, codeBaseURL
		out.Reason += " without an error code of the API; base_url or messages_path does not lead there"
	}
	return out
}

// usageWait is how long Graph says it takes until an account may call again, in minutes; 0 where it does not say.
func usageWait(h http.Header) time.Duration {
	const most = 24 * 60
	var usage map[string][]struct {
		Minutes int `json:"estimated_time_to_regain_access"`
	}
	if json.Unmarshal([]byte(h.Get("X-Business-Use-Case-Usage")), &usage) != nil {
		return 0
	}
	longest := 0
	for _, list := range usage {
		for _, u := range list {
			longest = max(longest, u.Minutes)
		}
	}
	return time.Duration(min(longest, most)) * time.Minute
}

// isID tells what can be a message's id: short, and of printable ASCII.
func isID(s string) bool {
	if s == "" || len(s) > maxID {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

// maxID bounds the ids that are taken from the provider.
const maxID = 256
