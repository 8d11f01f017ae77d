package apns

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/provider/wire"
)

const (
	maxPayload  = 4096 // bytes
	maxCollapse = 64   // bytes
	maxActions  = 3
)

// anyID stands for a delivery's id where only its length matters.
const anyID = "00000000-0000-7000-8000-000000000000"

// checker collects what is wrong.
type checker struct{ fields []peal.Field }

func (k *checker) add(path, code, mend string) {
	k.fields = append(k.fields, peal.Field{Path: path, Code: code, Message: mend})
}

// CheckContent says which fields Apple would not take.
func (Kind) CheckContent(c *api.Content) []peal.Field {
	var k checker
	switch {
	case len(c.Kinds()) != 1:
		k.add("", "invalid", "set exactly one of push and text")
	case c.Text != nil && strings.TrimSpace(*c.Text) == "":
		k.add("text", "required", "give at least one character that is not a space")
	case c.Text == nil && c.Push == nil:
		k.add(c.Kinds()[0], "unsupported", "a push has no such content; give push or text")
	case c.Push != nil:
		k.push(c.Push)
	}
	if len(k.fields) == 0 {
		k.size(c)
	}
	return k.fields
}

func (k *checker) push(p *api.Push) {
	if p.Title == "" && p.Body == "" && !p.Silent && len(p.Overrides.APNs) == 0 {
		k.add("push.body", "required", "give a title or a body, or make it silent")
	}
	for path, s := range map[string]string{"push.title": p.Title, "push.body": p.Body} {
		if !utf8.ValidString(s) {
			k.add(path, "invalid", "send it as UTF-8")
		}
	}
	if p.Image != "" {
		if u, err := url.Parse(p.Image); err != nil || u.Scheme != "https" || u.Host == "" {
			k.add("push.image", "invalid", "give an https URL: iOS loads no other")
		}
	}
	if len(p.CollapseKey) > maxCollapse || strings.ContainsFunc(p.CollapseKey, notHeader) {
		k.add("push.collapse_key", "invalid", "give up to "+strconv.Itoa(maxCollapse)+" bytes of printable ASCII")
	}
	if p.TTL != nil {
		if d, err := time.ParseDuration(*p.TTL); err != nil || d < 0 {
			k.add("push.ttl", "invalid", "give a duration such as 1h, or 0s for now or never")
		}
	}
	if p.Urgency != "" && p.Urgency != "high" && p.Urgency != "normal" {
		k.add("push.urgency", "invalid", "give high or normal")
	}
	for _, key := range slices.Sorted(maps.Keys(p.Data)) {
		if key == keyAPS || key == keyPeal {
			k.add("push.data."+key, "invalid", "name it otherwise: aps is Apple's and peal is Peal's")
		}
	}
	if len(p.Actions) > maxActions {
		k.add("push.actions", "too_long", "give up to "+strconv.Itoa(maxActions)+" actions")
	}
	for i, a := range p.Actions {
		if a.ID == "" || a.Title == "" {
			k.add(fmt.Sprintf("push.actions[%d]", i), "required", "give an id and a title")
		}
	}
	k.override(p)
}

// override checks what is merged into the payload.
func (k *checker) override(p *api.Push) {
	const path = "push.overrides.apns"
	if len(p.Overrides.APNs) == 0 {
		return
	}
	o, err := parseOverride(p.Overrides.APNs)
	if err != nil {
		k.add(path, "invalid", err.Error())
		return
	}
	if p.Silent && (o.pushType == typeBackground || o.pushType == "") && o.priority != "" && o.priority != priorityLowest && o.priority != priorityLow {
		k.add(path+".headers", "invalid", "a background push has the priority 5 or 1")
	}
	body := appendPayload(nil, anyID, p)
	var whole map[string]json.RawMessage
	if json.Unmarshal(body, &whole) != nil || !isObject(whole[keyAPS]) {
		k.add(path+".aps", "invalid", "leave aps an object: Apple takes no payload without it")
	}
}

// size holds the payload to Apple's limit, and names the field that takes the most of it.
func (k *checker) size(c *api.Content) {
	p := wire.PushOf(c)
	n := len(appendPayload(nil, anyID, p))
	if n <= maxPayload {
		return
	}
	data, actions := 0, 0
	for key, value := range p.Data {
		data += len(key) + len(value)
	}
	for _, a := range p.Actions {
		actions += len(a.ID) + len(a.Title) + len(a.Link)
	}
	most, path := 0, ""
	for _, f := range []struct {
		path string
		size int
	}{
		{"push.body", len(p.Body)}, {"push.title", len(p.Title)}, {"push.data", data}, {"push.image", len(p.Image)},
		{"push.link", len(p.Link)}, {"push.actions", actions}, {"push.overrides.apns", len(p.Overrides.APNs)},
	} {
		if f.size > most {
			most, path = f.size, f.path
		}
	}
	if c.Text != nil {
		path = "text"
	}
	k.add(path, "too_long", fmt.Sprintf("shorten it: the payload for APNs has %d bytes, and the limit is %d", n, maxPayload))
}

// notHeader tells what cannot stand in a header.
func notHeader(r rune) bool { return r < ' ' || r >= 0x7f }

// isObject tells whether JSON is an object, by its first character.
func isObject(b []byte) bool {
	b = bytes.TrimLeft(b, " \t\r\n")
	return len(b) > 0 && b[0] == '{'
}
