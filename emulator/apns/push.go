package apns

import (
	"crypto/rand"
	"encoding/hex"
	"strconv"
	"strings"
	"time"
)

// request is what came over a stream.
type request struct {
	method, path  string
	authorization string
	topic         string
	kind          string // apns-push-type
	priority      string
	expiration    string
	collapse      string
	id            string
	twice         bool // a header came more than once
	tooLarge      bool // the body was cut off
	body          []byte
}

// set takes a header of the request.
func (r *request) set(name, value string) {
	var field *string
	switch name {
	case ":method":
		field = &r.method
	case ":path":
		field = &r.path
	case "authorization":
		field = &r.authorization
	case "apns-topic":
		field = &r.topic
	case "apns-push-type":
		field = &r.kind
	case "apns-priority":
		field = &r.priority
	case "apns-expiration":
		field = &r.expiration
	case "apns-collapse-id":
		field = &r.collapse
	case "apns-id":
		field = &r.id
	default:
		return
	}
	r.twice = r.twice || *field != ""
	*field = value
}

// token is the device token of the path, as it came.
func (r *request) token() string {
	token, _ := strings.CutPrefix(r.path, devicePath)
	return token
}

const devicePath = "/3/device/"

// push is a request that was found right.
type push struct {
	token, bundle, team string
	kind, id, collapse  string
	payload             []byte
	expiration          int64 // as it came
	expires             time.Time
	at, shownAt         time.Time
	platform            string
}

// reply is an answer that is not written yet, so that a fault can change it.
type reply struct {
	status     int
	reason     string
	timestamp  time.Time // of a 410
	retryAfter string    // of faults
	body       []byte    // of faults, instead of the reason
	id         string    // apns-id
}

func refuse(reason string) reply { return reply{status: StatusOf(reason), reason: reason} }

// checkPush reads the headers of a request whose provider token is right. The
// order of the checks is chosen.
func (s *Server) checkPush(r *request, now time.Time) (*push, reply) {
	p := &push{token: r.token(), kind: r.kind, id: r.id, collapse: r.collapse, at: now, payload: r.body}
	bundle, reason := splitTopic(r.topic, r.kind)
	limit := s.opt.Limits.Payload
	if r.kind == "voip" {
		limit = s.opt.Limits.VoIPPayload
	}
	p.bundle = bundle
	switch {
	case reason != "":
	case r.priority != "" && r.priority != "10" && r.priority != "5" && r.priority != "1":
		reason = badPriority
	case r.kind == "background" && r.priority != "5": // none is 10
		reason = badPriority
	case !p.expire(r.expiration, s.opt.Limits.Storage):
		reason = badExpirationDate
	case len(r.collapse) > 64:
		reason = badCollapseID
	case p.token == "":
		reason = missingDeviceToken
	case !isHex(p.token):
		reason = badDeviceToken
	case r.tooLarge || len(r.body) > limit:
		reason = payloadTooLarge
	default:
		reason = checkPayload(r.kind, r.body)
	}
	if reason != "" {
		return nil, refuse(reason)
	}
	p.token = strings.ToLower(p.token)
	return p, reply{}
}

// expire reads apns-expiration. One that is missing is 0 (chosen).
func (p *push) expire(text string, most time.Duration) bool {
	if text == "" {
		return true
	}
	var err error
	p.expiration, err = strconv.ParseInt(text, 10, 64)
	if err != nil || p.expiration < 0 {
		return false
	}
	p.expires = time.Unix(p.expiration, 0)
	if last := p.at.Add(most); p.expires.After(last) {
		p.expires = last
	}
	return true
}

// isUUID tells whether a text is a UUID in canonical form, in lower case.
func isUUID(text string) bool {
	if len(text) != 36 {
		return false
	}
	for i, c := range []byte(text) {
		switch dash := i == 8 || i == 13 || i == 18 || i == 23; {
		case dash && c != '-':
			return false
		case !dash && (c < '0' || c > '9') && (c < 'a' || c > 'f'):
			return false
		}
	}
	return true
}

func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	text := hex.EncodeToString(b[:])
	return text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:]
}
