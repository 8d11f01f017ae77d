package apns

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/google/uuid"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/provider"
	"peal/internal/provider/wire"
)

const (
	maxKeep     = 30 * 24 * time.Hour // what Apple keeps a push for at most
	defaultKeep = 28 * 24 * time.Hour // where the content names no end (api/push.go)
)

// request is one push, as it is sent.
type request struct {
	url    *url.URL
	header http.Header // without the provider token
	id     string      // apns-id
	body   []byte
	app    string

	environment string
}

// Headers that are alike in all requests; a RoundTripper does not change them.
var (
	contentType = []string{"application/json"}
	userAgent   = []string{"peal"}
)

var errNoDevice = errors.New("apns: the message has no device with a token and an app id")

// build translates a message. Each attempt gets an id of its own: the device joins repeats by the collapse id.
func (c *client) build(m *provider.Message, now time.Time) (*request, error) {
	d := m.Device
	if d == nil || d.Address == "" || !isBundle(d.AppID) {
		return nil, errNoDevice
	}
	p := cmp.Or(wire.PushOf(&m.Content), &api.Push{})
	o := &override{}
	if len(p.Overrides.APNs) > 0 {
		if parsed, err := parseOverride(p.Overrides.APNs); err == nil {
			o = parsed
		}
	}
	r := &request{app: d.AppID, id: uuid.NewString(), environment: cmp.Or(d.Environment, peal.Production)}
	base := forEnvironment(c.base, r.environment)
	u := *base
	u.Path += "/3/device/" + d.Address
	r.url = &u

	kind := typeAlert
	if p.Silent {
		kind = typeBackground
	}
	if o.pushType != "" {
		kind = o.pushType
	}
	collapse := m.DeliveryID
	switch {
	case o.collapseID != "":
		collapse = o.collapseID
	case p.CollapseKey != "":
		collapse = p.CollapseKey
	}
	values := [...]string{
		d.AppID + suffixes[kind], kind, priority(kind, o.priority, p.Urgency, m.Priority), expiration(p.TTL, m, now), collapse, r.id,
	}
	r.header = http.Header{ // the slices share one array, since there is one of these for each push
		"Apns-Topic":       values[0:1:1],
		"Apns-Push-Type":   values[1:2:2],
		"Apns-Priority":    values[2:3:3],
		"Apns-Expiration":  values[3:4:4],
		"Apns-Collapse-Id": values[4:5:5],
		"Apns-Id":          values[5:6:6],
		"Content-Type":     contentType,
		"User-Agent":       userAgent,
	}
	if len(collapse) == 0 || len(collapse) > maxCollapse {
		delete(r.header, "Apns-Collapse-Id")
	}
	r.body = appendPayload(make([]byte, 0, 512+len(p.Body)+len(p.Body)/16), m.DeliveryID, p)
	return r, nil
}

// priority is how soon the device is to be woken. Apple takes no background push above 5.
func priority(kind, asked, urgency string, lane peal.Priority) string {
	switch {
	case kind == typeBackground && asked != priorityLowest:
		return priorityLow
	case asked != "":
		return asked
	case urgency == "normal" || urgency == "" && lane == peal.Bulk:
		return priorityLow
	default:
		return priorityHigh
	}
}

// expiration is until when Apple keeps the push for a device that is off, as a unix time; "0" is now or never.
func expiration(ttl *string, m *provider.Message, now time.Time) string {
	keep, expires := defaultKeep, m.ExpiresAt
	if ttl != nil {
		d, err := time.ParseDuration(*ttl)
		if err == nil && d <= 0 {
			return "0"
		}
		if err == nil {
			keep = m.Keep(d, now)
		}
	} else if !expires.IsZero() {
		keep = maxKeep
	}
	until := now.Add(min(keep, maxKeep))
	if !expires.IsZero() && expires.Before(until) {
		until = expires
	}
	if !until.After(now) {
		return "0"
	}
	return strconv.FormatInt(until.Unix(), 10)
}
