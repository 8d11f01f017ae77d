package accept

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"peal/api"
	"peal/internal/peal"
)

// Bounds of a push that hold whatever carries it. What a platform bounds is its provider's to check.
const (
	maxPushTTL   = 28 * 24 * time.Hour // no push service keeps anything for longer
	minHandOver  = time.Minute         // how long even what is now or never may take to its push service
	maxPushTitle = 1000                // characters
	maxPushBody  = 4000                // characters
	maxPushURL   = 2000                // bytes
	maxPushName  = 200                 // bytes: of a sound, a channel, a category, a thread
	maxPushData  = 4096                // bytes: keys and values together
	maxBadge     = 99999
	maxCollapse  = 64 // bytes
	maxActions   = 3
	maxActionID  = 64  // bytes
	maxAction    = 100 // characters
	maxOverride  = 4096
)

// Platforms are those that a device may be of.
func Platforms() []string {
	return []string{"android", "ios", "macos", "web", "windows", "linux", "other"}
}

func (c *checker) platform(path, s string) {
	if s != "" && !slices.Contains(Platforms(), s) {
		c.bad(path, "invalid", "there is no platform %.40q; the platforms are %s", s, strings.Join(Platforms(), ", "))
	}
}

// audience checks a recipient that is many users at once.
func (c *checker) audience(r *api.Recipient) {
	a := r.Audience
	if r.Phone != "" || r.WhatsAppUserID != "" || r.UserID != "" || r.Platform != "" {
		c.bad("recipient.audience", "conflict", "it stands alone: give it or phone, user_id and platform, not both (an audience has a platform of its own)")
	}
	if !a.All && a.AppID == "" && a.Platform == "" && a.Locale == "" {
		c.bad("recipient.audience", "required", "say whom: app_id, platform, locale, or all: true")
	}
	if a.All && (a.AppID != "" || a.Platform != "" || a.Locale != "") {
		c.bad("recipient.audience.all", "conflict", "leave it out where app_id, platform or locale choose")
	}
	c.platform("recipient.audience.platform", a.Platform)
}

// push checks what all platforms have in common.
func (c *checker) push(p *api.Push) {
	if !p.Silent && strings.TrimSpace(p.Title) == "" && strings.TrimSpace(p.Body) == "" {
		c.bad("content.push", "required", "give a title or a body; or silent: true to wake the app and show nothing")
	}
	c.pushText("content.push.title", p.Title, maxPushTitle)
	c.pushText("content.push.body", p.Body, maxPushBody)
	c.pushFile("content.push.image", p.Image)
	if strings.Contains(p.Icon, ":") {
		c.pushFile("content.push.icon", p.Icon)
	} else {
		c.pushName("content.push.icon", p.Icon, maxPushName)
	}
	c.pushLink("content.push.link", p.Link)
	for _, n := range [...]struct {
		path, value string
		most        int
	}{
		{"sound", p.Sound, maxPushName},
		{"channel_id", p.Channel, maxPushName},
		{"category", p.Category, maxPushName},
		{"thread", p.Thread, maxPushName},
		{"collapse_key", p.CollapseKey, maxCollapse},
	} {
		c.pushName("content.push."+n.path, n.value, n.most)
	}
	if p.Badge != nil && (*p.Badge < 0 || *p.Badge > maxBadge) {
		c.bad("content.push.badge", "out_of_range", "give 0 to %d", maxBadge)
	}
	if p.Urgency != "" && p.Urgency != "high" && p.Urgency != "normal" {
		c.bad("content.push.urgency", "invalid", "there is no urgency %.40q; give high or normal", p.Urgency)
	}
	if p.TTL != nil {
		if d, err := time.ParseDuration(*p.TTL); err != nil || d < 0 || d > maxPushTTL {
			c.bad("content.push.ttl", "invalid", "give a duration from 0s (now or never) to 672h, such as 1h")
		}
	}
	c.pushActions(p)
	c.pushData(p.Data)
	c.override("content.push.overrides.fcm", p.Overrides.FCM)
	c.override("content.push.overrides.apns", p.Overrides.APNs)
	c.override("content.push.overrides.webpush", p.Overrides.WebPush)
}

func (c *checker) pushText(path, s string, most int) {
	if n := utf8.RuneCountInString(s); n > most {
		c.bad(path, "too_long", "it has %d characters; give at most %d", n, most)
	}
	c.noControls(path, s)
}

func (c *checker) pushName(path, s string, most int) {
	if len(s) > most {
		c.bad(path, "too_long", "it has %d bytes; give at most %d", len(s), most)
	}
	c.noControls(path, s)
}

// pushFile checks the address of something that a device fetches.
func (c *checker) pushFile(path, s string) {
	if s == "" {
		return
	}
	u := c.pushURL(path, s)
	if u != nil && (u.Scheme != "https" || u.Host == "") {
		c.bad(path, "invalid", "give a https URL, such as https://example.com/picture.png: devices fetch nothing else")
	}
}

// pushLink checks what a tap opens: a page, or a place in the app. What would run as a program is refused.
func (c *checker) pushLink(path, s string) {
	if s == "" {
		return
	}
	u := c.pushURL(path, s)
	if u == nil {
		return
	}
	switch u.Scheme {
	case "https":
		if u.Host == "" {
			c.bad(path, "invalid", "it names no host; give a whole URL, such as https://example.com/orders/17")
		}
	case "http", "javascript", "data", "vbscript", "file", "blob", "about", "view-source", "filesystem":
		c.bad(path, "invalid", "%s: is not opened by a tap; give a https URL or a link with a scheme of the app's own, such as myapp://orders/17", u.Scheme)
	case "":
		c.bad(path, "invalid", "give a whole URL: https://…, or a link with a scheme of the app's own, such as myapp://orders/17")
	}
}

func (c *checker) pushURL(path, s string) *url.URL {
	u, err := url.Parse(s)
	switch {
	case len(s) > maxPushURL:
		c.bad(path, "too_long", "it has %d bytes; give at most %d", len(s), maxPushURL)
	case err != nil || strings.TrimSpace(s) != s || !utf8.ValidString(s):
		c.bad(path, "invalid", "it is no URL; escape its special characters")
	case u.User != nil:
		c.bad(path, "invalid", "leave user and password out of the URL: every device would know them")
	default:
		return u
	}
	return nil
}

func (c *checker) pushActions(p *api.Push) {
	if len(p.Actions) > maxActions {
		c.bad("content.push.actions", "too_long", "it has %d buttons; give at most %d", len(p.Actions), maxActions)
		return
	}
	seen := map[string]bool{}
	for i := range p.Actions {
		a, path := &p.Actions[i], fmt.Sprintf("content.push.actions[%d]", i)
		switch {
		case a.ID == "" || len(a.ID) > maxActionID:
			c.bad(path+".id", "invalid", "give 1 to %d bytes: the app and the receipts name the button by it", maxActionID)
		case seen[a.ID]:
			c.bad(path+".id", "duplicate", "another button has the same id; give each its own")
		}
		seen[a.ID] = true
		c.noControls(path+".id", a.ID)
		if strings.TrimSpace(a.Title) == "" {
			c.bad(path+".title", "required", "give what the button says")
		}
		c.pushText(path+".title", a.Title, maxAction)
		c.pushLink(path+".link", a.Link)
		c.pushFile(path+".icon", a.Icon)
	}
}

// pushData checks what goes to the app. Some keys are Peal's, and some are those of the services that carry it.
func (c *checker) pushData(data map[string]string) {
	size := 0
	for _, k := range slices.Sorted(maps.Keys(data)) {
		path := "content.push.data." + k
		if len(k) > 64 {
			path = "content.push.data." + strings.ToValidUTF8(k[:64], "") + "…"
		}
		size += len(k) + len(data[k])
		low := strings.ToLower(k)
		switch {
		case k == "":
			c.bad("content.push.data", "invalid", "it has a key that is empty; name it")
		case strings.HasPrefix(low, "peal_"):
			c.bad(path, "reserved", "keys with peal_ are Peal's; name it otherwise")
		case strings.HasPrefix(low, "google.") || strings.HasPrefix(low, "gcm.") || low == "from" || low == "message_type":
			c.bad(path, "reserved", "Firebase keeps from, message_type and keys with google. and gcm. for itself; name it otherwise")
		}
		c.noControls(path, k)
		if !utf8.ValidString(data[k]) {
			c.bad(path, "invalid", "it is no valid UTF-8")
		}
	}
	if size > maxPushData {
		c.bad("content.push.data", "too_long", "its keys and values have %d bytes; give at most %d", size, maxPushData)
	}
}

// override checks what is merged into a platform's own form.
func (c *checker) override(path string, raw json.RawMessage) {
	switch {
	case len(raw) == 0:
	case raw[0] != '{':
		c.bad(path, "type", "give an object")
	case len(raw) > maxOverride:
		c.bad(path, "too_long", "it has %d bytes; give at most %d", len(raw), maxOverride)
	}
}

// reachable refuses a push to nobody but a phone number: a device is a user's.
func (c *checker) reachable(req *api.NotificationRequest) {
	r := &req.Recipient
	if (req.Channel == peal.ChannelPush || req.Content.Push != nil) && r.UserID == "" && r.Audience == nil {
		c.bad("recipient.user_id", "required", "a push goes to the devices of a user; give their id")
	}
}
