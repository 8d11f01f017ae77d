package webpush

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"peal/internal/peal"
	"peal/internal/provider"
	"peal/internal/provider/wire"
)

// Codes of outcomes, beside those of package wire. An HTTP status without a code of its own is "http_" and the number.
const (
	codeGone       = "gone"
	codeRefused    = "refused"
	codeVAPID      = "vapid"
	codeTooLarge   = "too_large"
	codeThrottled  = "throttled"
	codeSubscriber = "no_subscriber"
	codeMoved      = "moved"
	codeRedirect   = "redirect"
	codePlain      = "plain_http"
	codeDevice     = "bad_device"
	codeContent    = "bad_content"
	codeBusy       = "origin_busy"
	codeDown       = "origin_down"
	codeKey        = "vapid_key"
)

// How long to wait where the push service does not say, or says less.
const (
	throttledWait  = time.Minute
	serverWait     = 10 * time.Second
	subscriberWait = time.Hour

	// subscriberPatience is how long nobody may listen to a subscription that worked, or was registered, before.
	subscriberPatience = 7 * 24 * time.Hour
)

var (
	dead   = peal.DeviceWord{Verdict: peal.DeviceDead}
	doubts = peal.DeviceWord{Verdict: peal.DeviceDoubts}
)

// unproved is what a refusal that may be anybody's fault says of a device: dead when it never worked.
func unproved(d *peal.Device, otherwise peal.DeviceWord) peal.DeviceWord {
	if d.LastOKAt.IsZero() {
		return dead
	}
	return otherwise
}

// judge says what an answer means. What a refusal of our key means depends on others: see judgeUnwelcome.
func (c *client) judge(r *reply, p *parcel, m *provider.Message) peal.Outcome {
	if r.status >= 200 && r.status < 300 {
		return peal.Outcome{Class: peal.ClassAccepted, MessageID: messageID(r, m.DeliveryID)}
	}
	out := peal.Outcome{Class: peal.ClassPermanent, Code: "http_" + strconv.Itoa(r.status), Reason: c.words(r, m)}
	asked := wire.RetryAfter(r.header, c.now())
	switch s := r.status; {
	case s == http.StatusNotFound || s == http.StatusGone:
		out.Class, out.Code, out.Device = peal.ClassGone, codeGone, dead
	case s == http.StatusBadRequest:
		out.Code, out.Device = codeRefused, unproved(p.device, peal.DeviceWord{})
	case s == http.StatusUnauthorized || s == http.StatusForbidden:
		out.Code = codeVAPID
	case s == http.StatusRequestEntityTooLarge:
		out.Code = codeTooLarge
	case s == http.StatusTooManyRequests:
		out.Class, out.Code, out.Pause, out.Quiet = peal.ClassThrottled, codeThrottled, peal.PauseThrottled, groupOf(p.origin)
		if out.RetryAfter = asked; asked == 0 {
			out.RetryAfter = throttledWait
		}
	case s == http.StatusInsufficientStorage:
		out.Class, out.Code, out.RetryAfter, out.Device = peal.ClassTemporary, codeSubscriber, max(asked, subscriberWait), doubts
		if d := p.device; c.now().Sub(later(d.LastOKAt, d.RegisteredAt)) > subscriberPatience {
			out.Class, out.RetryAfter, out.Device = peal.ClassGone, 0, dead
		}
	case s == http.StatusMovedPermanently || s == http.StatusPermanentRedirect:
		out.Code, out.Reason, out.Device = codeMoved, moved(p, r.header.Get("Location")), doubts
	case s >= 300 && s < 400:
		out.Class, out.Code, out.RetryAfter, out.Device = peal.ClassTemporary, codeRedirect, max(asked, serverWait), doubts
		out.Reason = "it answers with a redirect (" + strconv.Itoa(s) + "), which is not followed"
	case s >= 500 || s == http.StatusRequestTimeout || s == http.StatusTooEarly:
		out.Class, out.RetryAfter = peal.ClassTemporary, max(asked, serverWait)
	}
	return out
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// judgeUnwelcome says what a 401 or 403 means. A single one is a subscription that was made with another key, and lost. When
// nobody has taken anything lately it may as well be our key: then no more devices are given up, and in the end it is the
// integration that is at fault.
func judgeUnwelcome(out *peal.Outcome, known standing) {
	switch known {
	case trusted:
		out.Class, out.Device = peal.ClassGone, dead
	case unproven:
		out.Class, out.Device = peal.ClassPermanent, doubts
	case rejected:
		out.Class, out.Pause = peal.ClassIntegration, peal.PauseCredentials
	}
}

// moved is the reason of a subscription that has moved. Nothing is called there: who can answer for one URL could otherwise
// have us call any other. The app learns its new endpoint from its own push service and registers it.
func moved(p *parcel, location string) string {
	to, err := p.url.Parse(location)
	if location == "" || err != nil {
		return "the push service says that the subscription has moved, and not where to; the app has to register again"
	}
	if _, err := parseEndpoint(p.device.Kind, to.String()); err != nil {
		return "the push service says that the subscription has moved to what is no endpoint; the app has to register again"
	}
	return "the push service says that the subscription has moved; the app has to register again"
}

// fault is the outcome of a call without an answer.
func (c *client) fault(ctx context.Context, err error, maybeWritten bool, d *peal.Device) peal.Outcome {
	if errors.Is(err, errPlain) {
		return peal.Outcome{Class: peal.ClassPermanent, Code: codePlain, Reason: "the endpoint is http and leads to a public address; only https is called there", Device: unproved(d, doubts)}
	}
	out := wire.Fault(ctx, err, maybeWritten)
	if out.Code == wire.CodeGuard { // not the integration's fault: the endpoint is the device's
		out = peal.Outcome{Class: peal.ClassPermanent, Code: out.Code, Reason: "the endpoint leads to an address that this installation does not call", Device: unproved(d, doubts)}
	}
	return out
}

// fateOf tells what a call without an answer says of its origin.
func fateOf(ctx context.Context, out *peal.Outcome) fate {
	if out.Class == peal.ClassPermanent || errors.Is(ctx.Err(), context.Canceled) {
		return untold
	}
	return unanswered
}

// messageID is the message's resource at the push service, the id in its answer (ntfy), or else our own.
func messageID(r *reply, deliveryID string) string {
	const most = 128
	if location := r.header.Get("Location"); location != "" {
		if u, err := url.Parse(location); err == nil {
			if id := lastSegment(u.Path); len(id) <= most && plainID(id) {
				return id
			}
		}
		return digest(location)
	}
	if id := stringIn(r.body, "id"); len(id) <= most && plainID(id) {
		return id
	}
	return deliveryID
}
