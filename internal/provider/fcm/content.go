package fcm

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/provider"
	"peal/internal/provider/wire"
)

// What fits into a message.
const (
	maxPayload  = 4096 // bytes of keys and values, by FCM's documentation
	maxURL      = 2000
	maxActions  = 3
	maxCollapse = 64
	anyDelivery = "00000000-0000-7000-8000-000000000000" // as long as the id that it will have
)

// checker collects what is wrong with a content.
type checker struct{ fields []peal.Field }

func (k *checker) add(path, code, mend string) {
	k.fields = append(k.fields, peal.Field{Path: path, Code: code, Message: mend})
}

// CheckContent says which fields FCM cannot take.
func (Kind) CheckContent(c *api.Content) []peal.Field {
	var k checker
	kinds := c.Kinds()
	if len(kinds) != 1 || c.Push == nil && c.Text == nil {
		k.add("", "invalid", "set exactly one of push and text")
		return k.fields
	}
	at, p := "push.", wire.PushOf(c)
	if c.Push == nil {
		at = ""
		if strings.TrimSpace(p.Body) == "" {
			k.add("text", "required", "give at least one character that is not a space")
		}
	} else if !p.Silent && strings.TrimSpace(p.Title) == "" && strings.TrimSpace(p.Body) == "" {
		k.add("push.body", "required", "give a title or a body, or make it silent")
	}
	if len(c.Mentions) > 0 || c.ReplyTo != "" {
		k.add("", "unsupported", "a push has no mentions and no reply_to")
	}
	k.push(p, at == "")
	if len(k.fields) == 0 {
		k.size(p, at == "")
	}
	return k.fields
}

func (k *checker) push(p *api.Push, text bool) {
	if text {
		k.text("text", p.Body)
		return
	}
	for path, s := range map[string]string{
		"push.title": p.Title, "push.body": p.Body, "push.icon": p.Icon, "push.sound": p.Sound, "push.link": p.Link,
		"push.channel": p.Channel, "push.category": p.Category, "push.thread": p.Thread, "push.collapse_key": p.CollapseKey,
	} {
		k.text(path, s)
	}
	k.image("push.image", p.Image)
	if len(p.CollapseKey) > maxCollapse {
		k.add("push.collapse_key", "too_long", "shorten it to 64 bytes")
	}
	if p.Urgency != "" && p.Urgency != "high" && p.Urgency != "normal" {
		k.add("push.urgency", "invalid", "give high or normal")
	}
	if p.Badge != nil && (*p.Badge < 0 || *p.Badge > 99_999) {
		k.add("push.badge", "out_of_range", "give between 0 and 99999")
	}
	if p.TTL != nil {
		if d, err := time.ParseDuration(*p.TTL); err != nil || d < 0 || d > maxTTL {
			k.add("push.ttl", "invalid", "give a duration between 0s and 672h, which are four weeks, such as 1h")
		}
	}
	k.actions(p.Actions)
	k.data(p.Data)
	k.override(p.Overrides.FCM)
}

func (k *checker) text(path, s string) {
	if !utf8.ValidString(s) {
		k.add(path, "invalid", "send it as UTF-8")
	}
}

func (k *checker) image(path, s string) {
	if s == "" {
		return
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || len(s) > maxURL || !utf8.ValidString(s) {
		k.add(path, "invalid", "give a https URL of at most 2000 characters, such as https://example.com/a.png; the device fetches it")
	}
}

func (k *checker) actions(list []api.PushAction) {
	if len(list) > maxActions {
		k.add("push.actions", "too_long", "give at most 3 buttons")
	}
	seen := map[string]bool{}
	for i, a := range list {
		at := "push.actions[" + strconv.Itoa(i) + "]."
		switch {
		case a.ID == "":
			k.add(at+"id", "required", "give the button an id")
		case seen[a.ID]:
			k.add(at+"id", "invalid", "give each button an id of its own")
		}
		seen[a.ID] = true
		if strings.TrimSpace(a.Title) == "" {
			k.add(at+"title", "required", "give the button a title")
		}
		k.text(at+"id", a.ID)
		k.text(at+"title", a.Title)
		k.text(at+"link", a.Link)
		k.text(at+"icon", a.Icon)
	}
}

func (k *checker) data(data map[string]string) {
	for key, value := range data {
		at := "push.data." + key
		switch {
		case key == "" || !utf8.ValidString(key) || !utf8.ValidString(value):
			k.add("push.data", "invalid", "give keys that are not empty, and everything as UTF-8")
		case strings.HasPrefix(key, ownKeys):
			k.add(at, "reserved", "keys with peal_ are Peal's; take another")
		case key == "from", key == "message_type", strings.HasPrefix(key, "google."), strings.HasPrefix(key, "gcm.notification."):
			k.add(at, "reserved", "FCM keeps from, message_type, google.* and gcm.notification.* to itself; take another key")
		case key == "aps":
			k.add(at, "reserved", "on iOS, aps is Apple's; use overrides.fcm for what belongs there")
		}
	}
}

func (k *checker) override(patch []byte) {
	if len(patch) == 0 {
		return
	}
	doc, err := wire.Object(patch)
	if err != nil {
		k.add("push.overrides.fcm", "invalid", "give a JSON object: members of FCM's message")
		return
	}
	for _, t := range targets() {
		if _, there := doc[t]; there {
			k.add("push.overrides.fcm."+t, "invalid", "leave it out; whom it goes to is the notification's recipients'")
		}
	}
}

// size refuses what no device's platform could take. Each adds something of its own, which is not counted here: what is
// over the limit of one of them only, FCM refuses when it is sent.
func (k *checker) size(p *api.Push, text bool) {
	s := &sheet{push: p, target: "token", delivery: anyDelivery, keep: new(provider.Message).Keep, now: time.Unix(0, 0)}
	raw, err := appendRequest(make([]byte, 0, 1024), s, false)
	if err != nil {
		k.add("push.overrides.fcm", "invalid", "it cannot be merged into FCM's message")
		return
	}
	if len(raw) <= maxPayload {
		return
	}
	request, err := wire.Object(raw)
	if err != nil {
		return // our own
	}
	message, _ := request["message"].(map[string]any)
	n := length(message["notification"]) + length(message["data"])
	if n <= maxPayload {
		return
	}
	k.add(largest(p, text), "too_long", "the message has "+strconv.Itoa(n)+" bytes; FCM takes "+strconv.Itoa(maxPayload)+" of keys and values: shorten this by "+strconv.Itoa(n-maxPayload))
}

// length is that of an object's keys and values, in bytes.
func length(v any) int {
	n := 0
	object, _ := v.(map[string]any)
	for key, value := range object {
		text, _ := value.(string)
		n += len(key) + len(text)
	}
	return n
}

// largest is the path of what takes the most.
func largest(p *api.Push, text bool) string {
	if text {
		return "text"
	}
	data := 0
	for key, value := range p.Data {
		data += len(key) + len(value)
	}
	type part struct {
		path string
		n    int
	}
	parts := []part{{"push.body", len(p.Body)}, {"push.title", len(p.Title)}, {"push.data", data}, {"push.overrides.fcm", len(p.Overrides.FCM)}}
	return slices.MaxFunc(parts, func(a, b part) int { return a.n - b.n }).path
}
