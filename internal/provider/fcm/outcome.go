package fcm

import (
	"net/http"
	"strconv"
	"time"

	"peal/internal/peal"
	"peal/internal/provider"
	"peal/internal/provider/wire"
)

// Codes of our own. All others are the provider's words: FcmError's errorCode, else the error's status, else the HTTP
// status.
const (
	codeBadAnswer   = "bad_answer"
	codeRedirect    = "redirect"
	codeMismatches  = "sender_id_mismatches"
	codeOverride    = "override"
	codeNoDevice    = "no_device"
	codeNoLookup    = "no_lookup"
	codeTokenAnswer = "token_answer"
	codeKey         = "service_account_key"
)

// FcmError's codes.
const (
	invalidArgument  = "INVALID_ARGUMENT"
	unregistered     = "UNREGISTERED"
	senderIDMismatch = "SENDER_ID_MISMATCH"
	quotaExceeded    = "QUOTA_EXCEEDED"
	unavailable      = "UNAVAILABLE"
	internalError    = "INTERNAL"
	thirdPartyAuth   = "THIRD_PARTY_AUTH_ERROR"
)

// Waits, by Google's pages. What Retry-After asks for goes before, between the least and the most.
const (
	floorQuota   = time.Minute
	floorServer  = 10 * time.Second
	leastWait    = 10 * time.Second
	mostWait     = time.Hour
	platformWait = 10 * time.Minute // until somebody has mended the project's APNs key or VAPID pair, nobody knows when
)

// waitOf is how long to wait after an answer.
func waitOf(h http.Header, now time.Time, floor time.Duration) time.Duration {
	if d := wire.RetryAfter(h, now); d > 0 {
		return min(max(d, leastWait), mostWait)
	}
	return floor
}

// judge says what an answer means.
func (c *client) judge(m *provider.Message, r *reply) peal.Outcome {
	a := r.answer
	if r.status >= 200 && r.status < 300 {
		if a.name == "" {
			return peal.Outcome{
				Class: peal.ClassUnknown, Code: codeBadAnswer, Reason: "FCM answered " + wire.StatusText(r.status) + " without a message's name",
			}
		}
		c.mismatches.Add(false)
		return peal.Outcome{Class: peal.ClassAccepted, MessageID: a.name}
	}
	said := a.message
	if said == "" {
		said = "FCM answered " + wire.StatusText(r.status)
	}
	out := peal.Outcome{Code: codeWord(a.fcmCode, codeWord(a.status, wire.StatusCode(r.status))), Reason: c.scrub.of(m, said)}
	switch a.fcmCode {
	case invalidArgument:
		out.Class = peal.ClassPermanent
		if a.badToken() {
			out.Class, out.Device.Verdict = peal.ClassGone, peal.DeviceDead
		}
	case unregistered:
		out.Class, out.Device.Verdict = peal.ClassGone, peal.DeviceDead
	case senderIDMismatch:
		c.mismatch(&out)
	case quotaExceeded:
		c.throttle(&out, r)
	case unavailable, internalError:
		out.Class, out.RetryAfter = peal.ClassTemporary, waitOf(r.header, c.now(), floorServer)
	case thirdPartyAuth:
		platformOut(&out, m)
	default: // none, UNSPECIFIED_ERROR, or one of tomorrow
		c.judgeStatus(&out, r)
	}
	return out
}

// judgeStatus judges by the HTTP status.
func (c *client) judgeStatus(out *peal.Outcome, r *reply) {
	switch s := r.status; {
	case s >= 300 && s < 400:
		out.Class, out.Pause, out.Code = peal.ClassIntegration, peal.PauseBlocked, codeRedirect
		out.Reason = "base_url answers with a redirect (" + strconv.Itoa(s) + "); set it to where that leads"
	case s == http.StatusUnauthorized:
		out.Class, out.Pause = peal.ClassIntegration, peal.PauseCredentials
		out.Reason = "FCM refuses an access token that was made right now: the service account's key was revoked, or this machine's clock is wrong"
	case s == http.StatusForbidden:
		out.Class, out.Pause = peal.ClassIntegration, peal.PauseCredentials
		out.Reason = c.scrub.clean("the service account may not send: the Firebase Cloud Messaging API is off, or the account lacks the role Firebase Cloud Messaging API Admin (" + out.Reason + ")")
	case s == http.StatusNotFound: // without an FcmError it is not about the device
		out.Class, out.Pause = peal.ClassIntegration, peal.PauseCredentials
		out.Reason = "FCM does not know the project: project_id in the service account's file, or base_url, is wrong"
	case s == http.StatusTooManyRequests:
		c.throttle(out, r)
	case s == http.StatusBadGateway, s == http.StatusGatewayTimeout: // who stands behind it may have taken the message
		out.Class, out.RetryAfter = peal.ClassUnknown, waitOf(r.header, c.now(), floorServer)
	case s >= 500, s == http.StatusRequestTimeout:
		out.Class, out.RetryAfter = peal.ClassTemporary, waitOf(r.header, c.now(), floorServer)
	default:
		out.Class = peal.ClassPermanent
	}
	if out.Reason == "" {
		out.Reason = "FCM answered " + wire.StatusText(r.status)
	}
}

// throttle is a 429: of the device, which then waits alone, or of the project.
func (c *client) throttle(out *peal.Outcome, r *reply) {
	out.Class, out.Pause = peal.ClassThrottled, peal.PauseThrottled
	out.RetryAfter = waitOf(r.header, c.now(), floorQuota)
	if r.answer.device {
		out.Quiet = peal.QuietRecipient
	}
}

// mismatch is a device of another project: this one, or all of them.
func (c *client) mismatch(out *peal.Outcome) {
	if c.mismatches.Add(true) {
		out.Class, out.Pause, out.Code = peal.ClassIntegration, peal.PauseCredentials, codeMismatches
		out.Reason = "most devices belong to another Firebase project: the service account is of the wrong one"
		return
	}
	out.Class, out.Device.Verdict = peal.ClassGone, peal.DeviceDead
}

// platformOut is a project whose own credential at APNs or for Web Push is not right: its other devices go on.
func platformOut(out *peal.Outcome, m *provider.Message) {
	out.Class, out.Pause, out.RetryAfter = peal.ClassThrottled, peal.PauseThrottled, platformWait
	out.Quiet, out.Reason = peal.QuietRecipient, "APNs or Web Push refuses the Firebase project: its APNs key or web push certificate is missing or wrong"
	if g := groupOf(m.Device); g != "" {
		out.Quiet = g
	}
}

// Groups of devices that share a credential of the project's.
const (
	groupIOS = "platform:ios"
	groupWeb = "platform:web"
)

func groupOf(d *peal.Device) string {
	if d == nil {
		return ""
	}
	switch d.Platform {
	case "ios", "macos":
		return groupIOS
	case "web":
		return groupWeb
	default: // Android needs no such credential, and of the others it is not known
		return ""
	}
}

// Groups are the message's platform, where FCM hands on to somebody else.
func (c *client) Groups(m *provider.Message) []string {
	if g := groupOf(m.Device); g != "" {
		return []string{g}
	}
	return nil
}
