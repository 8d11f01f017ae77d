package fcm

import (
	"net/url"
	"strings"
	"time"
)

// message is a SendMessageRequest that has passed the schema.
type message struct {
	root     value // of message
	target   string
	address  string // token, fid, topic or condition
	validate bool
	bad      []violation
}

// longestTTL is the vendor's, and the default.
const longestTTL = 4 * 7 * 24 * time.Hour

// read finds what FCM itself looks at, after the JSON parser.
func read(root value) *message {
	m := &message{root: root.get("message"), validate: root.get("validateOnly").isTrue()}
	for _, name := range [...]string{"fid", "token", "topic", "condition"} {
		if m.root.has(name) {
			if m.target != "" {
				m.refuse("message", "oneof field 'target' is already set. Cannot set '"+name+"'")
			}
			m.target, m.address = name, m.root.get(name).text()
		}
	}
	switch {
	case m.target == "":
		m.refuse("message", "Recipient of the message is not set.")
	case m.target == "topic" && !isTopic(m.address):
		m.refuse("message.topic", "Invalid topic name: it must match [a-zA-Z0-9-_.~%]{1,900}, without /topics/")
	case m.target == "condition" && !strings.Contains(m.address, " in topics"):
		m.refuse("message.condition", "Invalid condition expression")
	}
	for _, at := range [...][]string{{"data"}, {"android", "data"}, {"androidV2", "data"}, {"webpush", "data"}} {
		m.data(at)
	}
	m.android("android")
	m.android("androidV2")
	if m.root.has("android") && m.root.has("androidV2") {
		m.refuse("message.android_v2", "android and android_v2 are mutually exclusive")
	}
	if v2 := m.root.get("androidV2"); v2.has("backgroundSync") && v2.has("remoteNotification") {
		m.refuse("message.android_v2", "only one of background_sync and remote_notification can be set")
	}
	m.apns()
	m.webpush()
	for _, at := range [...]string{"", "android", "androidV2", "apns", "webpush"} {
		m.label(at)
	}
	return m
}

func (m *message) refuse(field, text string) { m.bad = append(m.bad, violation{field, text}) }

// data: "the key should not be a reserved word".
func (m *message) data(at []string) {
	for _, x := range m.root.get(at...).members {
		if x.key == "from" || x.key == "message_type" || strings.HasPrefix(x.key, "google.") || strings.HasPrefix(x.key, "gcm.notification.") || x.key == "" {
			m.refuse("message."+strings.Join(at, "."), "Invalid data payload key: "+x.key)
		}
	}
}

func (m *message) label(at string) {
	v := m.root
	path := "message.fcm_options.analytics_label"
	if at != "" {
		v, path = v.get(at), "message."+at+".fcm_options.analytics_label"
	}
	if label := v.get("fcmOptions", "analyticsLabel"); label.kind != kindNull && !labelled(label.text(), 50) {
		m.refuse(path, "Analytics label must match ^[a-zA-Z0-9-_.~%]{1,50}$")
	}
}

func isTopic(name string) bool { return labelled(name, 900) }

func labelled(text string, most int) bool {
	for i := range len(text) {
		if c := text[i]; !isBase64(text[i:i+1]) && c != '.' && c != '~' && c != '%' {
			return false
		}
	}
	return text != "" && len(text) <= most
}

func (m *message) android(name string) {
	v := m.root.get(name)
	path := "message." + snake(name)
	if ttl := v.get("ttl"); ttl.kind != kindNull {
		if d, _ := duration(ttl.text()); d < 0 || d > longestTTL {
			m.refuse(path+".ttl", "Invalid ttl value: it must be between 0 and 2419200 seconds")
		}
	}
	n := v.get("notification")
	if name == "androidV2" {
		n, path = v.get("remoteNotification", "notification"), path+".remote_notification"
	}
	path += ".notification"
	if color := n.get("color"); color.kind != kindNull && !isColor(color.text()) {
		m.refuse(path+".color", "Invalid color: it must be of the form #rrggbb")
	}
	if n.get("notificationCount").kind == kindNumber && n.get("notificationCount").raw[0] == '-' {
		m.refuse(path+".notification_count", "Invalid notification count: it must not be negative")
	}
	for _, what := range [...]string{"title", "body"} {
		if n.has(what+"LocArgs") && !n.has(what+"LocKey") {
			m.refuse(path+"."+what+"_loc_args", what+"_loc_args needs "+what+"_loc_key")
		}
	}
	if light := n.get("lightSettings"); light.kind != kindNull && (!light.has("color") || !light.has("lightOnDuration") || !light.has("lightOffDuration")) {
		m.refuse(path+".light_settings", "color, light_on_duration and light_off_duration are required")
	}
}

func isColor(text string) bool {
	if len(text) != 7 || text[0] != '#' {
		return false
	}
	return strings.Trim(strings.ToLower(text[1:]), "0123456789abcdef") == ""
}

// apns: what APNs would refuse. A data-only message to iOS "only" goes with
// normal priority, says the discovery document of Message.data.
func (m *message) apns() {
	v := m.root.get("apns")
	headers := v.get("headers")
	quiet := !m.root.has("notification") && !alerts(v.get("payload", "aps"))
	for _, h := range headers.members {
		text := h.val.text()
		ok := true
		switch strings.ToLower(h.key) {
		case "apns-priority":
			ok = text == "1" || text == "5" || text == "10"
			if ok && text == "10" && quiet {
				m.refuse("message.apns.headers", "apns-priority must be 5 for a message that has only data")
			}
		case "apns-expiration":
			ok = digits(text)
		case "apns-collapse-id":
			ok = text != "" && len(text) <= 64
		}
		if !ok {
			m.refuse("message.apns.headers", "Invalid APNs header "+h.key)
		}
	}
	if aps := v.get("payload", "aps"); aps.kind != kindNull && aps.kind != kindObject {
		m.refuse("message.apns.payload", "aps must be a dictionary")
	}
}

// alerts tells a push that the user notices.
func alerts(aps value) bool { return aps.has("alert") || aps.has("sound") || aps.has("badge") }

func (m *message) webpush() {
	v := m.root.get("webpush")
	if link := v.get("fcmOptions", "link"); link.kind != kindNull {
		if u, err := url.Parse(link.text()); err != nil || u.Scheme != "https" || u.Host == "" {
			m.refuse("message.webpush.fcm_options.link", "The link must be an HTTPS URL")
		}
	}
	for _, h := range v.get("headers").members {
		text, ok := h.val.text(), true
		switch strings.ToLower(h.key) {
		case "ttl":
			ok = digits(text)
		case "urgency":
			ok = text == "very-low" || text == "low" || text == "normal" || text == "high"
		case "topic":
			ok = text != "" && len(text) <= 32 && isBase64(text)
		}
		if !ok {
			m.refuse("message.webpush.headers", "Invalid Web Push header "+h.key)
		}
	}
}

// size is how much of the payload limit a message takes on a platform: keys and
// values of what that platform's phone is sent. How exactly the vendor counts
// is not documented.
func (m *message) size(platform Platform) int {
	switch platform {
	case IOS:
		n := length(m.root.get("data"))
		if payload := m.root.get("apns", "payload"); payload.kind != kindNull {
			return n + len(payload.raw)
		}
		return n + length(m.root.get("notification"))
	case Web:
		return length(m.override("webpush")) + length(m.root.get("notification")) + len(m.root.get("webpush", "notification").raw)
	case Android:
	}
	n := length(m.root.get("notification"))
	if m.root.has("androidV2") {
		return n + length(m.override("androidV2")) + length(m.root.get("androidV2", "remoteNotification", "notification"))
	}
	return n + length(m.override("android")) + length(m.root.get("android", "notification"))
}

// override is the platform's data, which replaces the message's whole.
func (m *message) override(platform string) value {
	if v := m.root.get(platform, "data"); v.kind != kindNull {
		return v
	}
	return m.root.get("data")
}

// length is the bytes of an object's keys and values.
func length(v value) int {
	n := 0
	for _, x := range v.members {
		n += len(x.key)
		if x.val.kind == kindString {
			n += x.val.size()
		} else {
			n += len(x.val.raw)
		}
	}
	return n
}

// collapseKey is "" for a message that collapses with none.
func (m *message) collapseKey(platform Platform) string {
	switch platform {
	case IOS:
		return header(m.root.get("apns", "headers"), "apns-collapse-id")
	case Web:
		return header(m.root.get("webpush", "headers"), "Topic")
	case Android:
	}
	if key := m.root.get("androidV2", "collapseKey").text(); key != "" {
		return key
	}
	return m.root.get("android", "collapseKey").text()
}

func header(headers value, name string) string {
	for _, h := range headers.members {
		if strings.EqualFold(h.key, name) {
			return h.val.text()
		}
	}
	return ""
}

// expires is when the message is worth nothing any more.
func (m *message) expires(platform Platform, now time.Time) time.Time {
	switch platform {
	case IOS:
		text := header(m.root.get("apns", "headers"), "apns-expiration")
		if text == "0" {
			return now
		}
		if at, err := duration(text + "s"); err == nil {
			return time.Unix(int64(at.Seconds()), 0)
		}
		return now.Add(30 * 24 * time.Hour)
	case Web:
		if d, err := duration(header(m.root.get("webpush", "headers"), "TTL") + "s"); err == nil {
			return now.Add(d)
		}
		return now.Add(longestTTL)
	case Android:
	}
	for _, name := range [...]string{"android", "androidV2"} {
		if ttl := m.root.get(name, "ttl"); ttl.kind != kindNull {
			d, _ := duration(ttl.text())
			return now.Add(d)
		}
	}
	return now.Add(longestTTL)
}
