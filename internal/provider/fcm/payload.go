package fcm

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/provider"
	"peal/internal/provider/wire"
)

// Data keys by which an app knows the delivery and draws what FCM has no field for.
const (
	ownKeys     = "peal_"
	keyDelivery = "peal_delivery_id"
	keyLink     = "peal_link"
	keyActions  = "peal_actions"
)

// maxTTL is the longest that FCM keeps a message, and how long it keeps one that says nothing.
const maxTTL = 28 * 24 * time.Hour

// sheet is a message as it is to be written: a push, and whom it goes to.
type sheet struct {
	push     *api.Push
	target   string // the name of the field: token or fid
	address  string
	delivery string
	bulk     bool
	keep     func(ttl time.Duration, now time.Time) time.Duration
	expires  time.Time
	now      time.Time
}

// sheetOf takes a message apart. address is what stands for the device.
func sheetOf(m *provider.Message, address string, now time.Time) *sheet {
	return &sheet{
		push: cmp.Or(wire.PushOf(&m.Content), &api.Push{}), target: targetOf(m.Device), address: address, delivery: m.DeliveryID,
		bulk: m.Priority == peal.Bulk, keep: m.Keep, expires: m.ExpiresAt, now: now,
	}
}

func targetOf(d *peal.Device) string {
	if d != nil && d.Kind == peal.DeviceFCMFID {
		return "fid"
	}
	return "token"
}

// appendRequest writes the body of messages:send.
func appendRequest(b []byte, s *sheet, validate bool) ([]byte, error) {
	b = append(b, '{')
	if validate {
		b = append(b, `"validateOnly":true,`...)
	}
	b = append(b, `"message":`...)
	if patch := s.push.Overrides.FCM; len(patch) > 0 {
		merged, err := override(appendMessage(nil, s), patch, s)
		if err != nil {
			return nil, err
		}
		b = append(b, merged...)
	} else {
		b = appendMessage(b, s)
	}
	return append(b, '}'), nil
}

// appendMessage writes the message, by hand because it is made for every send.
func appendMessage(b []byte, s *sheet) []byte {
	p := s.push
	b = append(b, '{')
	b = appendText(b, s.target, s.address)
	b = s.appendData(b)
	if !p.Silent {
		b = appendKey(b, "notification")
		b = append(b, '{')
		b = appendOptional(b, "title", p.Title)
		b = appendOptional(b, "body", p.Body)
		b = appendOptional(b, "image", p.Image)
		b = append(b, '}')
	}
	ttl, limited := s.ttl()
	b = s.appendAndroid(b, ttl, limited)
	b = s.appendAPNs(b, ttl, limited)
	b = s.appendWeb(b, ttl, limited)
	return append(b, '}')
}

func (s *sheet) appendData(b []byte) []byte {
	p := s.push
	b = appendKey(b, "data")
	b = append(b, '{')
	b = appendText(b, keyDelivery, s.delivery)
	b = appendOptional(b, keyLink, p.Link)
	if len(p.Actions) > 0 {
		b = appendText(b, keyActions, string(appendActions(nil, p, "id", "link")))
	}
	for _, key := range slices.Sorted(maps.Keys(p.Data)) {
		if !strings.HasPrefix(key, ownKeys) {
			b = appendText(b, key, p.Data[key])
		}
	}
	return append(b, '}')
}

// appendActions writes the buttons, by the names that their reader has for id and link.
func appendActions(b []byte, p *api.Push, id, link string) []byte {
	b = append(b, '[')
	for i, a := range p.Actions {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '{')
		b = appendText(b, id, a.ID)
		b = appendText(b, "title", a.Title)
		if a.Link == "" {
			a.Link = p.Link
		}
		b = appendOptional(b, link, a.Link)
		b = appendOptional(b, "icon", a.Icon)
		b = append(b, '}')
	}
	return append(b, ']')
}

func (s *sheet) appendAndroid(b []byte, ttl int64, limited bool) []byte {
	p := s.push
	priority := "NORMAL"
	if s.urgent() {
		priority = "HIGH"
	}
	b = appendKey(b, "android")
	b = append(b, '{')
	b = appendText(b, "priority", priority)
	if limited {
		b = appendText(b, "ttl", strconv.FormatInt(ttl, 10)+"s")
	}
	b = appendOptional(b, "collapseKey", p.CollapseKey) // collapsible messages have a small budget: only who asks for it
	if !p.Silent {
		b = appendKey(b, "notification")
		b = append(b, '{')
		b = appendText(b, "tag", s.tag())
		if !isURL(p.Icon) {
			b = appendOptional(b, "icon", p.Icon)
		}
		b = appendOptional(b, "sound", p.Sound)
		b = appendOptional(b, "channelId", p.Channel)
		if p.Badge != nil {
			b = appendNumber(b, "notificationCount", *p.Badge)
		}
		b = append(b, '}')
	}
	return append(b, '}')
}

func (s *sheet) appendAPNs(b []byte, ttl int64, limited bool) []byte {
	p := s.push
	kind, priority := "alert", "5"
	switch {
	case p.Silent: // APNs takes nothing but 5 for those
		kind = "background"
	case s.urgent():
		priority = "10"
	}
	b = appendKey(b, "apns")
	b = append(b, `{"headers":{`...)
	b = appendText(b, "apns-push-type", kind)
	b = appendText(b, "apns-priority", priority)
	if limited {
		expires := int64(0) // now or never
		if ttl > 0 {
			expires = s.now.Unix() + ttl
		}
		b = appendText(b, "apns-expiration", strconv.FormatInt(expires, 10))
	}
	if !p.Silent || p.CollapseKey != "" {
		b = appendText(b, "apns-collapse-id", collapseID(s.tag()))
	}
	b = append(b, `},"payload":{"aps":{`...)
	if p.Silent {
		b = append(b, `"content-available":1}}}`...)
		return b
	}
	// Whether or not there is a picture: an app's service extension also reports that the notification has come.
	b = append(b, `"mutable-content":1`...)
	b = appendOptional(b, "sound", p.Sound)
	b = appendOptional(b, "category", p.Category)
	b = appendOptional(b, "thread-id", p.Thread)
	if p.Badge != nil {
		b = appendNumber(b, "badge", *p.Badge)
	}
	return append(b, `}}}`...)
}

func (s *sheet) appendWeb(b []byte, ttl int64, limited bool) []byte {
	p := s.push
	urgency := "normal"
	if s.urgent() {
		urgency = "high"
	}
	b = appendKey(b, "webpush")
	b = append(b, `{"headers":{`...)
	b = appendText(b, "Urgency", urgency)
	if limited {
		b = appendText(b, "TTL", strconv.FormatInt(ttl, 10))
	}
	if !p.Silent || p.CollapseKey != "" {
		b = appendText(b, "Topic", topic(s.tag()))
	}
	b = append(b, '}')
	if p.Silent {
		return append(b, '}')
	}
	b = appendKey(b, "notification")
	b = append(b, '{')
	b = appendText(b, "tag", s.tag())
	if isURL(p.Icon) {
		b = appendText(b, "icon", p.Icon)
	}
	if len(p.Actions) > 0 {
		b = appendKey(b, "actions")
		b = appendActions(b, p, "action", "navigate")
	}
	b = append(b, '}')
	if strings.HasPrefix(p.Link, "https://") { // FCM takes no other; the rest is in the data
		b = appendKey(b, "fcmOptions")
		b = append(b, '{')
		b = appendText(b, "link", p.Link)
		b = append(b, '}')
	}
	return append(b, '}')
}

// urgent tells whether it is to wake a device that sleeps.
func (s *sheet) urgent() bool {
	switch s.push.Urgency {
	case "high":
		return true
	case "normal":
		return false
	default:
		return !s.push.Silent && !s.bulk
	}
}

// ttl is how many seconds it is to be kept for a device that is off; not limited: as long as FCM keeps any.
func (s *sheet) ttl() (seconds int64, limited bool) {
	ttl := maxTTL
	if s.push.TTL != nil {
		if d, err := time.ParseDuration(*s.push.TTL); err == nil { // it has been checked
			ttl, limited = s.keep(d, s.now), true
		}
	}
	if !s.expires.IsZero() {
		ttl, limited = min(ttl, s.expires.Sub(s.now)), true
	}
	ttl = max(0, min(ttl, maxTTL))
	return int64((ttl + time.Second - 1) / time.Second), limited
}

// tag is what a later one that takes its place has too: a repeat, or one with the same collapse key.
func (s *sheet) tag() string {
	if s.push.CollapseKey != "" {
		return s.push.CollapseKey
	}
	return s.delivery
}

// collapseID is a tag as an APNs header takes it: 64 bytes.
func collapseID(tag string) string {
	if len(tag) <= 64 && !strings.ContainsFunc(tag, notToken) {
		return tag
	}
	return digest(tag)
}

// topic is a tag as a Web Push header takes it: 32 characters of base64url (RFC 8030).
func topic(tag string) string {
	short := strings.ReplaceAll(tag, "-", "")
	if len(tag) == 36 && len(short) == 32 {
		tag = short // of a UUID
	}
	if len(tag) <= 32 && !strings.ContainsFunc(tag, notBase64) {
		return tag
	}
	return digest(tag)[:32]
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func notBase64(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
}

// isURL tells an icon of the web from a drawable of Android.
func isURL(s string) bool { return strings.Contains(s, "://") }

// appendKey begins a member of the object that b ends in.
func appendKey(b []byte, key string) []byte {
	if b[len(b)-1] != '{' {
		b = append(b, ',')
	}
	return append(wire.AppendString(b, key), ':')
}

func appendText(b []byte, key, value string) []byte {
	return wire.AppendString(appendKey(b, key), value)
}

func appendOptional(b []byte, key, value string) []byte {
	if value == "" {
		return b
	}
	return appendText(b, key, value)
}

func appendNumber(b []byte, key string, n int) []byte {
	return strconv.AppendInt(appendKey(b, key), int64(n), 10)
}
