package fcm

import (
	"encoding/json"
	"strings"
	"testing"

	"peal/api"
)

func push(change func(p *api.Push)) api.Content {
	p := &api.Push{Title: "Your order"}
	change(p)
	return api.Content{Push: p}
}

func TestCheckContentRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		content api.Content
		path    string
		code    string
	}{
		"nothing":          {api.Content{}, "", "invalid"},
		"a picture":        {api.Content{Image: &api.Media{URL: "https://example.com/a.png"}}, "", "invalid"},
		"two":              {api.Content{Text: new("x"), Push: &api.Push{Body: "x"}}, "", "invalid"},
		"blank text":       {api.Content{Text: new(" ")}, "text", "required"},
		"text of bytes":    {api.Content{Text: new("a\xff")}, "text", "invalid"},
		"long text":        {api.Content{Text: new(strings.Repeat("x", 4100))}, "text", "too_long"},
		"nothing to show":  {push(func(p *api.Push) { p.Title = " " }), "push.body", "required"},
		"mentions":         {api.Content{Text: new("x"), Mentions: []string{"+919812345678"}}, "", "unsupported"},
		"title of bytes":   {push(func(p *api.Push) { p.Title = "a\xff" }), "push.title", "invalid"},
		"plain image":      {push(func(p *api.Push) { p.Image = "http://example.com/a.png" }), "push.image", "invalid"},
		"image of a user":  {push(func(p *api.Push) { p.Image = "https://u:p@example.com/a.png" }), "push.image", "invalid"},
		"urgency":          {push(func(p *api.Push) { p.Urgency = "very" }), "push.urgency", "invalid"},
		"badge":            {push(func(p *api.Push) { p.Badge = new(-1) }), "push.badge", "out_of_range"},
		"ttl":              {push(func(p *api.Push) { p.TTL = new("soon") }), "push.ttl", "invalid"},
		"negative ttl":     {push(func(p *api.Push) { p.TTL = new("-1s") }), "push.ttl", "invalid"},
		"long ttl":         {push(func(p *api.Push) { p.TTL = new("673h") }), "push.ttl", "invalid"},
		"collapse key":     {push(func(p *api.Push) { p.CollapseKey = strings.Repeat("ü", 33) }), "push.collapse_key", "too_long"},
		"button":           {push(func(p *api.Push) { p.Actions = []api.PushAction{{ID: "a"}} }), "push.actions[0].title", "required"},
		"button's id":      {push(func(p *api.Push) { p.Actions = []api.PushAction{{Title: "a"}} }), "push.actions[0].id", "required"},
		"button twice":     {push(func(p *api.Push) { p.Actions = []api.PushAction{{ID: "a", Title: "a"}, {ID: "a", Title: "b"}} }), "push.actions[1].id", "invalid"},
		"our key":          {push(func(p *api.Push) { p.Data = map[string]string{"peal_x": ""} }), "push.data.peal_x", "reserved"},
		"Google's key":     {push(func(p *api.Push) { p.Data = map[string]string{"google.x": ""} }), "push.data.google.x", "reserved"},
		"GCM's key":        {push(func(p *api.Push) { p.Data = map[string]string{"gcm.notification.x": ""} }), "push.data.gcm.notification.x", "reserved"},
		"from":             {push(func(p *api.Push) { p.Data = map[string]string{"from": ""} }), "push.data.from", "reserved"},
		"message_type":     {push(func(p *api.Push) { p.Data = map[string]string{"message_type": ""} }), "push.data.message_type", "reserved"},
		"Apple's key":      {push(func(p *api.Push) { p.Data = map[string]string{"aps": ""} }), "push.data.aps", "reserved"},
		"no key":           {push(func(p *api.Push) { p.Data = map[string]string{"": ""} }), "push.data", "invalid"},
		"override":         {push(func(p *api.Push) { p.Overrides.FCM = json.RawMessage(`[]`) }), "push.overrides.fcm", "invalid"},
		"override of whom": {push(func(p *api.Push) { p.Overrides.FCM = json.RawMessage(`{"topic":"all"}`) }), "push.overrides.fcm.topic", "invalid"},
		"much data":        {push(func(p *api.Push) { p.Data = map[string]string{"a": strings.Repeat("x", 4096)} }), "push.data", "too_long"},
		"long body": {push(func(p *api.Push) {
			p.Body, p.Data = strings.Repeat("x", 3000), map[string]string{"a": strings.Repeat("x", 1200)}
		}), "push.body", "too_long"},
		"large override": {push(func(p *api.Push) {
			p.Overrides.FCM = json.RawMessage(`{"data":{"a":"` + strings.Repeat("x", 4096) + `"}}`)
		}), "push.overrides.fcm", "too_long"},
	} {
		fields := Kind{}.CheckContent(&c.content)
		if len(fields) != 1 || fields[0].Path != c.path || fields[0].Code != c.code || fields[0].Message == "" {
			t.Errorf("%s: got %+v, want one of path %q and code %q", name, fields, c.path, c.code)
		}
	}
}

func TestCheckContentTakes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]api.Content{
		"whole":        {Push: whole()},
		"text":         {Text: new("hello")},
		"silent":       {Push: &api.Push{Silent: true}},
		"title":        {Push: &api.Push{Title: "x"}},
		"longest ttl":  push(func(p *api.Push) { p.TTL = new("672h") }),
		"as much data": push(func(p *api.Push) { p.Data = map[string]string{"a": strings.Repeat("x", 4000)} }),
		// Bytes of JSON are not what FCM counts.
		"many escapes": push(func(p *api.Push) { p.Body = strings.Repeat("\"", 3900) }),
		"a large part of one platform's": push(func(p *api.Push) {
			p.Overrides.FCM = json.RawMessage(`{"webpush":{"notification":{"data":"` + strings.Repeat("x", 4096) + `"}}}`)
		}),
	} {
		if fields := (Kind{}).CheckContent(&c); len(fields) > 0 {
			t.Errorf("%s: %+v", name, fields)
		}
	}
}
