package webpush

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/provider/wire"
)

// someDelivery is as long as the ids of deliveries are.
const someDelivery = "00000000-0000-0000-0000-000000000000"

// checker collects what is wrong with a content.
type checker struct{ fields []peal.Field }

func (k *checker) bad(path, code, format string, args ...any) {
	k.fields = append(k.fields, peal.Field{Path: path, Code: code, Message: fmt.Sprintf(format, args...)})
}

// CheckContent says which fields cannot be shown, and what is too large.
func (Kind) CheckContent(c *api.Content) []peal.Field {
	var k checker
	if len(c.Kinds()) != 1 || c.Push == nil && c.Text == nil {
		k.bad("", "invalid", "set push, or text for a push with that body, and nothing else")
		return k.fields
	}
	path := "push"
	if c.Push == nil {
		path = "text"
	}
	p := wire.PushOf(c)
	k.push(path, p)
	if len(k.fields) > 0 {
		return k.fields
	}
	b, err := plaintext(p, someDelivery, "")
	switch {
	case err != nil:
		k.bad("push.overrides.webpush", "invalid", "it cannot be merged: %v", err)
	case len(b) > maxPlaintext:
		k.bad(path, "too_large", "as Web Push it takes %d bytes, and a push service takes %d; shorten %s", len(b), maxPlaintext, longest(p))
	}
	return k.fields
}

func (k *checker) push(path string, p *api.Push) {
	if path == "text" {
		if strings.TrimSpace(p.Body) == "" {
			k.bad(path, "required", "say something")
		}
		return
	}
	if !p.Silent && p.Title == "" && p.Body == "" {
		k.bad("push", "required", "give a title or a body, or set silent")
	}
	if p.Image != "" && !secure(p.Image) {
		k.bad("push.image", "invalid", "give an https URL")
	}
	for i, a := range p.Actions {
		if a.ID == "" || a.Title == "" {
			k.bad(fmt.Sprintf("push.actions[%d]", i), "required", "give the button an id and a title")
		}
	}
	for name := range p.Data {
		if name == oursName || strings.HasPrefix(name, "peal_") {
			k.bad("push.data", "reserved", "peal and names that begin with peal_ are taken; give another name")
			break
		}
	}
	if p.TTL != nil {
		if d, err := time.ParseDuration(*p.TTL); err != nil || d < 0 {
			k.bad("push.ttl", "invalid", "give a duration such as 1h; 0s is now or never")
		}
	}
	if p.Urgency != "" && p.Urgency != urgencyHigh && p.Urgency != urgencyNormal {
		k.bad("push.urgency", "invalid", "give high or normal")
	}
	if isSet(p.Overrides.WebPush) {
		if _, err := wire.Object(p.Overrides.WebPush); err != nil {
			k.bad("push.overrides.webpush", "invalid", "%v", err)
		}
	}
}

func secure(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Scheme == "https" && u.Host != ""
}

// longest names the field that takes most of a push.
func longest(p *api.Push) string {
	data := 0
	for name, value := range p.Data {
		data += len(name) + len(value)
	}
	name, most := "title", len(p.Title)
	for _, f := range []struct {
		name string
		size int
	}{{"body", len(p.Body)}, {"data", data}, {"link", len(p.Link)}, {"image", len(p.Image)}, {"icon", len(p.Icon)}, {"overrides.webpush", len(p.Overrides.WebPush)}} {
		if f.size > most {
			name, most = f.name, f.size
		}
	}
	return name
}
