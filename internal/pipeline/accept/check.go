package accept

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"

	"peal/api"
	"peal/internal/peal"
)

// Bounds of a request.
const (
	MaxAhead    = 30 * 24 * time.Hour // send_at
	maxLifetime = 60 * 24 * time.Hour // expires_at and ttl
	maxMetadata = 4096                // bytes as JSON
	maxKey      = 255
	maxUserID   = 128
	maxEvent    = 128
)

// checker gathers what is wrong with a request, by field.
type checker struct {
	phones *phones
	fields []peal.Field
}

func (c *checker) bad(path, code, format string, args ...any) {
	c.fields = append(c.fields, peal.Field{Path: path, Code: code, Message: fmt.Sprintf(format, args...)})
}

// check looks at every field that is not the provider's to judge. It tells all that is wrong at once, not the first.
func (s *Stage) check(req *api.NotificationRequest, key string, now time.Time) (n peal.Notification, err error) {
	c := &checker{phones: &s.phones}
	c.key(key)
	c.recipient(&req.Recipient)
	c.channel(req.Channel)
	if req.Ladder == nil {
		c.content(&req.Content)
		c.reachable(req)
	}
	c.category(req.Category)
	c.event(req.Event, now)
	n.Phone, n.UserID = cmp.Or(req.Recipient.Phone, req.Recipient.WhatsAppUserID), req.Recipient.UserID
	n.Priority = c.priority(req.Priority)
	n.SendAt = c.sendAt(req.SendAt, now)
	n.ExpiresAt = c.expiry(req, n.SendAt, now)
	n.Ladder = c.ladder(req, &n, now)
	n.Metadata = c.metadata(req.Metadata)
	if req.Event != nil {
		n.EventType, n.EventAt = req.Event.Type, req.Event.OccurredAt
	}
	if len(c.fields) > 0 {
		return n, &peal.Error{Kind: peal.Invalid, Message: "the request is not right", Fields: c.fields}
	}
	return n, nil
}

func (c *checker) priority(name string) peal.Priority {
	p, ok := peal.ParsePriority(name)
	if !ok {
		c.bad("priority", "invalid", "there is no priority %q; give critical, normal or bulk", name)
	}
	return p
}

func (c *checker) key(key string) {
	if len(key) > maxKey {
		c.bad("idempotency_key", "too_long", "it has %d bytes; give at most %d", len(key), maxKey)
	}
	for i := range len(key) {
		if key[i] < 0x21 || key[i] > 0x7e {
			c.bad("idempotency_key", "invalid", "use printable ASCII without spaces, such as a UUID")
			return
		}
	}
}

func (c *checker) recipient(r *api.Recipient) {
	if r.Audience != nil {
		c.audience(r)
		return
	}
	if r.Phone == "" && r.UserID == "" && r.WhatsAppUserID == "" {
		c.bad("recipient", "required", "give phone (E.164, such as +919812345678), user_id or whatsapp_user_id")
	}
	if msg := CheckWhatsAppUserID(r.WhatsAppUserID); r.WhatsAppUserID != "" && msg != "" {
		c.bad("recipient.whatsapp_user_id", "invalid", "%s", msg)
	}
	if r.WhatsAppUserID != "" && r.Phone != "" {
		c.bad("recipient.whatsapp_user_id", "conflict", "give phone or whatsapp_user_id, not both; who has a number is reached by that")
	}
	c.platform("recipient.platform", r.Platform)
	if r.Phone != "" {
		if msg := c.phones.check(r.Phone); msg != "" {
			c.bad("recipient.phone", "invalid", "%s", msg)
		}
	}
	if msg := CheckUserID(r.UserID); r.UserID != "" && msg != "" {
		c.bad("recipient.user_id", "invalid", "%s", msg)
	}
}

// CheckPhone tells what is wrong with a phone number and how to mend it; empty when it is E.164 (ITU-T) and of a length
// that its country has.
func CheckPhone(s string) string {
	if !isE164(s) {
		if n, err := phonenumbers.Parse(s, ""); err == nil && len(s) < 40 {
			return "write it in E.164: " + phonenumbers.Format(n, phonenumbers.E164)
		}
		return "give it in E.164: + and country code, then digits only, such as +919812345678"
	}
	return possible(s)
}

// possible asks whether a number in E.164 has a country and a length that its country has.
func possible(s string) string {
	n, err := phonenumbers.Parse(s, "")
	switch {
	case err != nil:
		return "there is no such country code; give it in E.164, such as +919812345678"
	case !phonenumbers.IsPossibleNumber(n):
		return "it is too short or too long for its country; check its digits"
	}
	return ""
}

func isE164(s string) bool {
	if len(s) < 8 || len(s) > 16 || s[0] != '+' || s[1] == '0' {
		return false
	}
	for i := 1; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// CheckWhatsAppUserID tells what is wrong with a WhatsApp user id; empty when nothing is.
func CheckWhatsAppUserID(s string) string {
	if !peal.IsWhatsAppUserID(s) {
		return "give it as inbound messages tell it: two letters, a dot, letters and digits, such as US.13491208655302741918"
	}
	return ""
}

func (c *checker) category(s string) {
	if s != "" && !slices.Contains(peal.Categories(), s) {
		c.bad("category", "invalid", "there is no category %.40q; give %s, or none", s, strings.Join(peal.Categories(), ", "))
	}
}

// CheckUserID tells what is wrong with a tenant's id of a user; empty when nothing is.
func CheckUserID(s string) string {
	if s == "" || len(s) > maxUserID {
		return fmt.Sprintf("give 1 to %d bytes", maxUserID)
	}
	if !utf8.ValidString(s) {
		return "it is no valid UTF-8"
	}
	for _, r := range s {
		if r < 0x20 || r == 0x7f {
			return "it has control characters; leave them out"
		}
	}
	return ""
}

func (c *checker) channel(s string) {
	if s != "" && s != peal.ChannelWhatsApp && s != peal.ChannelPush {
		c.bad("channel", "invalid", "there is no channel %.40q; the channels are: %s, %s", s, peal.ChannelWhatsApp, peal.ChannelPush)
	}
}

func (c *checker) content(content *api.Content) {
	switch kinds := content.Kinds(); len(kinds) {
	case 0:
		c.bad("content", "required", "give one of text, image, video, document, audio, sticker, contact, location, poll, push, template, interactive, reaction")
	case 1:
	default:
		c.bad("content", "ambiguous", "it has %s and %s; give exactly one kind (a caption goes into the image, video or document)", kinds[0], kinds[1])
	}
	c.words(content)
	if t := content.FallbackTemplate; t != nil {
		c.template("content.fallback_template", t)
	}
}

// words looks for control characters in everything that people read.
func (c *checker) words(content *api.Content) {
	if content.Text != nil {
		c.noControls("content.text", *content.Text)
	}
	if m := content.Image; m != nil {
		c.noControls("content.image.caption", m.Caption)
	}
	if m := content.Video; m != nil {
		c.noControls("content.video.caption", m.Caption)
	}
	if d := content.Document; d != nil {
		c.noControls("content.document.filename", d.Filename)
		c.noControls("content.document.caption", d.Caption)
	}
	if p := content.Contact; p != nil {
		c.noControls("content.contact.name", p.Name)
	}
	if l := content.Location; l != nil {
		c.noControls("content.location.name", l.Name)
		c.noControls("content.location.address", l.Address)
	}
	if p := content.Poll; p != nil {
		c.noControls("content.poll.question", p.Question)
		for i, o := range p.Options {
			c.noControls(fmt.Sprintf("content.poll.options[%d]", i), o)
		}
	}
	if content.Push != nil {
		c.push(content.Push)
	}
	if t := content.Template; t != nil {
		c.template("content.template", t)
	}
	if i := content.Interactive; i != nil {
		c.interactive(i)
	}
}

// noControls refuses control characters but line breaks and tabs: nobody can read them, and not every system on the way
// takes them.
func (c *checker) noControls(path, s string) {
	for i := range len(s) {
		if b := s[i]; (b < 0x20 && b != '\n' && b != '\r' && b != '\t') || b == 0x7f {
			c.bad(path, "invalid", "it has the control character U+%04X; leave it out", b)
			return
		}
	}
}

func (c *checker) event(e *api.EventRef, now time.Time) {
	if e == nil {
		return
	}
	if e.Type == "" || len(e.Type) > maxEvent {
		c.bad("event.type", "invalid", "give 1 to %d bytes, such as order.shipped", maxEvent)
	}
	c.noControls("event.type", e.Type)
	switch {
	case e.OccurredAt.IsZero():
		c.bad("event.occurred_at", "required", "give the time that it happened, in RFC 3339, such as %s", now.Format(time.RFC3339))
	case !CanTell(e.OccurredAt):
		c.bad("event.occurred_at", "out_of_range", "give a time of the years 1970 to 9998 in UTC, such as %s", now.Format(time.RFC3339))
	}
}

// CanTell tells whether a time is one that Peal takes and can write again: RFC 3339 has four digits for the year, in
// whatever zone.
func CanTell(t time.Time) bool {
	year := t.UTC().Year()
	return year >= 1970 && year <= 9998
}

func (c *checker) sendAt(t *time.Time, now time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	if t.After(now.Add(MaxAhead)) {
		c.bad("send_at", "out_of_range", "it is more than 30 days ahead; give at most %s", now.Add(MaxAhead).Format(time.RFC3339))
	}
	if !t.After(now) {
		return time.Time{} // in the past means now: clocks differ
	}
	return t.UTC().Truncate(time.Microsecond)
}

func (c *checker) expiry(req *api.NotificationRequest, sendAt, now time.Time) time.Time {
	start := now
	if !sendAt.IsZero() {
		start = sendAt
	}
	switch {
	case req.TTL != "" && req.ExpiresAt != nil:
		c.bad("ttl", "conflict", "give ttl or expires_at, not both")
	case req.TTL != "":
		d, err := time.ParseDuration(req.TTL)
		if err != nil || d < time.Second || d > maxLifetime {
			c.bad("ttl", "invalid", "give a duration from 1s to 1440h, such as 10m or 24h")
			return time.Time{}
		}
		return start.Add(d)
	case req.ExpiresAt != nil:
		if !req.ExpiresAt.After(start) {
			c.bad("expires_at", "out_of_range", "it is over before it could be sent; give a time after %s", start.Format(time.RFC3339))
		} else if req.ExpiresAt.After(start.Add(maxLifetime)) {
			c.bad("expires_at", "out_of_range", "give at most 60 days")
		}
		return req.ExpiresAt.UTC().Truncate(time.Microsecond)
	case req.Content.Push != nil && req.Content.Push.TTL != nil && req.Recipient.Audience == nil && req.Ladder == nil:
		// What no push service is to keep for longer is not handed over later either, whatever its retries wait for. To get to
		// all of an audience may take longer than that.
		if d, err := time.ParseDuration(*req.Content.Push.TTL); err == nil && d <= maxPushTTL {
			return start.Add(max(d, minHandOver))
		}
	}
	return time.Time{}
}

func (c *checker) metadata(raw json.RawMessage) json.RawMessage {
	switch {
	case len(raw) == 0 || string(raw) == "null":
		return nil
	case raw[0] != '{':
		c.bad("metadata", "type", "give an object, such as {\"order\": 17}")
	case len(raw) > maxMetadata:
		c.bad("metadata", "too_long", "it has %d bytes; give at most %d", len(raw), maxMetadata)
	}
	return raw
}
