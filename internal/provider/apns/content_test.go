package apns

import (
	"encoding/json"
	"strings"
	"testing"

	"peal/api"
	"peal/internal/peal"
)

func pushContent(change func(*api.Push)) *api.Content {
	p := &api.Push{Title: "Your order", Body: "It is on its way"}
	change(p)
	return &api.Content{Push: p}
}

func TestCheckContent(t *testing.T) {
	t.Parallel()
	text, empty, ttl, zero := "hello", " ", "soon", "0s"
	for name, c := range map[string]struct {
		content *api.Content
		path    string // of the first field; "ok" when it is taken
		code    string
	}{
		"push":            {pushContent(func(*api.Push) {}), "ok", ""},
		"text":            {&api.Content{Text: &text}, "ok", ""},
		"empty text":      {&api.Content{Text: &empty}, "text", "required"},
		"nothing":         {&api.Content{}, "", "invalid"},
		"two":             {&api.Content{Text: &text, Push: &api.Push{Body: "x"}}, "", "invalid"},
		"image":           {&api.Content{Image: &api.Media{URL: "https://example.org/a.png"}}, "image", "unsupported"},
		"neither":         {pushContent(func(p *api.Push) { p.Title, p.Body = "", "" }), "push.body", "required"},
		"silent":          {pushContent(func(p *api.Push) { p.Title, p.Body, p.Silent = "", "", true }), "ok", ""},
		"no UTF-8":        {pushContent(func(p *api.Push) { p.Title = "\xff" }), "push.title", "invalid"},
		"image over http": {pushContent(func(p *api.Push) { p.Image = "http://example.org/a.png" }), "push.image", "invalid"},
		"collapse key":    {pushContent(func(p *api.Push) { p.CollapseKey = strings.Repeat("x", 65) }), "push.collapse_key", "invalid"},
		"collapse key 64": {pushContent(func(p *api.Push) { p.CollapseKey = strings.Repeat("x", 64) }), "ok", ""},
		"not a header":    {pushContent(func(p *api.Push) { p.CollapseKey = "a\r\nb: c" }), "push.collapse_key", "invalid"},
		"ttl":             {pushContent(func(p *api.Push) { p.TTL = &ttl }), "push.ttl", "invalid"},
		"now or never":    {pushContent(func(p *api.Push) { p.TTL = &zero }), "ok", ""},
		"urgency":         {pushContent(func(p *api.Push) { p.Urgency = "very" }), "push.urgency", "invalid"},
		"aps in data":     {pushContent(func(p *api.Push) { p.Data = map[string]string{"aps": "x"} }), "push.data.aps", "invalid"},
		"peal in data":    {pushContent(func(p *api.Push) { p.Data = map[string]string{"peal": "x"} }), "push.data.peal", "invalid"},
		"actions":         {pushContent(func(p *api.Push) { p.Actions = make([]api.PushAction, 4) }), "push.actions", "too_long"},
		"an empty action": {pushContent(func(p *api.Push) { p.Actions = make([]api.PushAction, 1) }), "push.actions[0]", "required"},

		"override":           {pushContent(func(p *api.Push) { p.Overrides.APNs = json.RawMessage(`{"aps":{"badge":1}}`) }), "ok", ""},
		"override, no JSON":  {pushContent(func(p *api.Push) { p.Overrides.APNs = json.RawMessage(`{"aps":`) }), "push.overrides.apns", "invalid"},
		"override, a list":   {pushContent(func(p *api.Push) { p.Overrides.APNs = json.RawMessage(`[]`) }), "push.overrides.apns", "invalid"},
		"override, no aps":   {pushContent(func(p *api.Push) { p.Overrides.APNs = json.RawMessage(`{"aps":null}`) }), "push.overrides.apns.aps", "invalid"},
		"override, aps text": {pushContent(func(p *api.Push) { p.Overrides.APNs = json.RawMessage(`{"aps":"x"}`) }), "push.overrides.apns.aps", "invalid"},
		"push type":          {pushContent(func(p *api.Push) { p.Overrides.APNs = json.RawMessage(`{"headers":{"apns-push-type":"mail"}}`) }), "push.overrides.apns", "invalid"},
		"priority":           {pushContent(func(p *api.Push) { p.Overrides.APNs = json.RawMessage(`{"headers":{"apns-priority":"7"}}`) }), "push.overrides.apns", "invalid"},
		"another header":     {pushContent(func(p *api.Push) { p.Overrides.APNs = json.RawMessage(`{"headers":{"authorization":"x"}}`) }), "push.overrides.apns", "invalid"},
		"background at 10": {pushContent(func(p *api.Push) {
			p.Silent, p.Overrides.APNs = true, json.RawMessage(`{"headers":{"apns-priority":"10"}}`)
		}), "push.overrides.apns.headers", "invalid"},

		"too large, body":     {pushContent(func(p *api.Push) { p.Body = strings.Repeat("x", 4000) }), "push.body", "too_long"},
		"too large, data":     {pushContent(func(p *api.Push) { p.Data = map[string]string{"k": strings.Repeat("x", 4000)} }), "push.data", "too_long"},
		"too large, override": {pushContent(func(p *api.Push) { p.Overrides.APNs = json.RawMessage(`{"k":"` + strings.Repeat("x", 4000) + `"}`) }), "push.overrides.apns", "too_long"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fields := Kind{}.CheckContent(c.content)
			if c.path == "ok" {
				if len(fields) > 0 {
					t.Errorf("refused: %+v", fields)
				}
				return
			}
			if len(fields) == 0 || fields[0].Path != c.path || fields[0].Code != c.code || fields[0].Message == "" {
				t.Errorf("got %+v, want %s %s", fields, c.path, c.code)
			}
			if c.code == "too_long" && strings.HasPrefix(name, "too large") && !strings.Contains(fields[0].Message, "4096") {
				t.Errorf("the limit is not named: %s", fields[0].Message)
			}
		})
	}
}

// TestLimit takes what has exactly the size that Apple takes.
func TestLimit(t *testing.T) {
	t.Parallel()
	free := maxPayload - len(appendPayload(nil, anyID, &api.Push{Body: "x"})) + 1
	for n, want := range map[int]int{free: 0, free + 1: 1} {
		body := strings.Repeat("x", n)
		if fields := (Kind{}).CheckContent(&api.Content{Push: &api.Push{Body: body}}); len(fields) != want {
			t.Errorf("%d bytes: %+v", n, fields)
		}
		if fields := (Kind{}).CheckContent(&api.Content{Text: &body}); len(fields) != want || want == 1 && fields[0].Path != "text" {
			t.Errorf("%d bytes of text: %+v", n, fields)
		}
	}
}

func TestCheckDevice(t *testing.T) {
	t.Parallel()
	good := peal.Device{Kind: peal.DeviceAPNs, Address: testToken, AppID: testApp, Environment: peal.Production}
	for name, c := range map[string]struct {
		change func(*peal.Device)
		path   string
	}{
		"good":           {func(*peal.Device) {}, ""},
		"longer token":   {func(d *peal.Device) { d.Address += "ABCDEF00" }, ""},
		"sandbox":        {func(d *peal.Device) { d.Environment = peal.Sandbox }, ""},
		"no token":       {func(d *peal.Device) { d.Address = "" }, "token"},
		"not hex":        {func(d *peal.Device) { d.Address = "<740f4707 bebcf74f>" }, "token"},
		"a path":         {func(d *peal.Device) { d.Address = "../../1/apps" }, "token"},
		"odd":            {func(d *peal.Device) { d.Address = "abc" }, "token"},
		"very long":      {func(d *peal.Device) { d.Address = strings.Repeat("ab", 300) }, "token"},
		"no app":         {func(d *peal.Device) { d.AppID = "" }, "app_id"},
		"app, a header":  {func(d *peal.Device) { d.AppID = "org.example\r\nx: y" }, "app_id"},
		"environment":    {func(d *peal.Device) { d.Environment = "test" }, "environment"},
		"no environment": {func(d *peal.Device) { d.Environment = "" }, ""},
	} {
		d := good
		c.change(&d)
		fields := Kind{}.CheckDevice(&d)
		if c.path == "" && len(fields) > 0 || c.path != "" && (len(fields) != 1 || fields[0].Path != c.path || fields[0].Code == "" || fields[0].Message == "") {
			t.Errorf("%s: got %+v, want %q", name, fields, c.path)
		}
	}
}
