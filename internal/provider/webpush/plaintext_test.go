package webpush

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/provider"
	"peal/internal/provider/wire"
)

const testDelivery = "01a1fd60-4167-747f-8263-50f02ed73395"

func ptr[T any](v T) *T { return &v }

func TestPlaintext(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		content api.Content
		app     string
		want    string
	}{
		"all of it": {
			api.Content{Push: &api.Push{
				Title: "Order <7> & more", Body: "On its way", Image: "https://example.com/i.png", Icon: "https://example.com/a.png",
				Badge: ptr(0), Link: "https://example.com/7", CollapseKey: "order-7", Data: map[string]string{"order": "7"},
				Actions: []api.PushAction{{ID: "track", Title: "Track it", Link: "https://example.com/7/track"}, {ID: "later", Title: "Later", Icon: "https://example.com/l.png"}},
			}}, "com.example.app",
			`{"web_push":8030,"notification":{"title":"Order <7> & more","body":"On its way","navigate":"https://example.com/7","icon":"https://example.com/a.png","image":"https://example.com/i.png","tag":"order-7","actions":[{"action":"track","title":"Track it","navigate":"https://example.com/7/track"},{"action":"later","title":"Later","navigate":"https://example.com/7","icon":"https://example.com/l.png"}],"data":{"order":"7","peal":{"delivery_id":"` + testDelivery + `"}}},"app_badge":0,"mutable":true}`,
		},
		"a text, which is a title, and its app's origin": {
			api.Content{Text: ptr("Hello")}, "https://shop.example.com",
			`{"web_push":8030,"notification":{"title":"Hello","navigate":"https://shop.example.com/","tag":"` + testDelivery + `","data":{"peal":{"delivery_id":"` + testDelivery + `"}}},"mutable":true}`,
		},
		"nowhere to go: not declarative": {
			api.Content{Push: &api.Push{Title: "Hello", Body: "there", Icon: "ic_drawable"}}, "com.example.app",
			`{"notification":{"title":"Hello","body":"there","tag":"` + testDelivery + `","data":{"peal":{"delivery_id":"` + testDelivery + `"}}},"mutable":true}`,
		},
		"a relative link": {
			api.Content{Push: &api.Push{Title: "Hello", Link: "/orders/7?a=b#c"}}, "https://shop.example.com",
			`{"web_push":8030,"notification":{"title":"Hello","navigate":"https://shop.example.com/orders/7?a=b#c","tag":"` + testDelivery + `","data":{"peal":{"delivery_id":"` + testDelivery + `"}}},"mutable":true}`,
		},
		"silent": {
			api.Content{Push: &api.Push{Title: "not shown", Silent: true, Badge: ptr(4), Data: map[string]string{"sync": "1"}}}, "",
			`{"data":{"peal":{"delivery_id":"` + testDelivery + `","silent":true},"sync":"1"},"app_badge":4}`,
		},
		"an override, last": {
			api.Content{Push: &api.Push{Title: "Hello", Link: "https://example.com", Overrides: api.PushOverrides{
				WebPush: json.RawMessage(`{"notification":{"lang":"de","title":"Hallo","navigate":null,"vibrate":[1,2.50]},"mutable":false}`),
			}}}, "",
			`{"mutable":false,"notification":{"data":{"peal":{"delivery_id":"` + testDelivery + `"}},"lang":"de","tag":"` + testDelivery + `","title":"Hallo","vibrate":[1,2.50]},"web_push":8030}`,
		},
	} {
		got, err := plaintext(wire.PushOf(&c.content), testDelivery, c.app)
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %v\ngot  %s\nwant %s", name, err, got, c.want)
		}
		if fields := (Kind{}).CheckContent(&c.content); len(fields) > 0 {
			t.Errorf("%s: refused: %+v", name, fields)
		}
	}
}

func TestCheckContent(t *testing.T) {
	t.Parallel()
	push := func(change func(*api.Push)) *api.Content {
		p := &api.Push{Title: "Your order", Link: "https://example.com"}
		change(p)
		return &api.Content{Push: p}
	}
	frame, err := plaintext(push(func(*api.Push) {}).Push, someDelivery, "")
	if err != nil {
		t.Fatal(err)
	}
	room := maxPlaintext - len(frame) - len(`"body":"",`)
	for name, c := range map[string]struct {
		content *api.Content
		path    string // empty: it is taken
	}{
		"nothing":             {&api.Content{}, ""},
		"an image":            {&api.Content{Image: &api.Media{URL: "https://example.com/x"}}, ""},
		"an empty text":       {&api.Content{Text: ptr(" ")}, "text"},
		"an empty push":       {&api.Content{Push: &api.Push{}}, "push"},
		"as long as can be":   {push(func(p *api.Push) { p.Body = strings.Repeat("x", room) }), "none"},
		"a byte too long":     {push(func(p *api.Push) { p.Body = strings.Repeat("x", room+1) }), "push"},
		"a text too long":     {&api.Content{Text: ptr(strings.Repeat("x", 4000))}, "text"},
		"a long override":     {push(func(p *api.Push) { p.Overrides.WebPush = json.RawMessage(`{"a":"` + strings.Repeat("x", 4000) + `"}`) }), "push"},
		"an http image":       {push(func(p *api.Push) { p.Image = "http://example.com/x" }), "push.image"},
		"a bad TTL":           {push(func(p *api.Push) { p.TTL = ptr("1 day") }), "push.ttl"},
		"a negative TTL":      {push(func(p *api.Push) { p.TTL = ptr("-1s") }), "push.ttl"},
		"a TTL":               {push(func(p *api.Push) { p.TTL = ptr("0s") }), "none"},
		"an unknown urgency":  {push(func(p *api.Push) { p.Urgency = "low" }), "push.urgency"},
		"our name in data":    {push(func(p *api.Push) { p.Data = map[string]string{"peal": "x"} }), "push.data"},
		"our prefix in data":  {push(func(p *api.Push) { p.Data = map[string]string{"peal_x": "x"} }), "push.data"},
		"an override, a list": {push(func(p *api.Push) { p.Overrides.WebPush = json.RawMessage(`[]`) }), "push.overrides.webpush"},
		"an override, null":   {push(func(p *api.Push) { p.Overrides.WebPush = json.RawMessage(`null`) }), "none"},
		"a nameless button":   {push(func(p *api.Push) { p.Actions = []api.PushAction{{ID: "x"}} }), "push.actions[0]"},
	} {
		fields := Kind{}.CheckContent(c.content)
		switch {
		case c.path == "none" && len(fields) > 0:
			t.Errorf("%s: refused: %+v", name, fields)
		case c.path != "none" && (len(fields) != 1 || fields[0].Path != c.path || fields[0].Code == "" || fields[0].Message == ""):
			t.Errorf("%s: got %+v", name, fields)
		}
	}
	fields := Kind{}.CheckContent(push(func(p *api.Push) { p.Body = strings.Repeat("x", room+1) }))
	if m := fields[0].Message; !strings.Contains(m, "3994 bytes") || !strings.Contains(m, "3993") || !strings.Contains(m, "body") {
		t.Errorf("it names neither field nor limit: %s", m)
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		push         api.Push
		message      provider.Message
		ttl, urgency string
	}{
		"nothing said":          {api.Push{}, provider.Message{}, "2419200", "high"},
		"until it expires":      {api.Push{}, provider.Message{ExpiresAt: now.Add(90*time.Second + 999*time.Millisecond)}, "90", "high"},
		"a TTL":                 {api.Push{TTL: ptr("1h")}, provider.Message{}, "3600", "high"},
		"a TTL, expires before": {api.Push{TTL: ptr("1h")}, provider.Message{ExpiresAt: now.Add(time.Minute)}, "60", "high"},
		"now or never":          {api.Push{TTL: ptr("0s")}, provider.Message{}, "0", "high"},
		"a year":                {api.Push{TTL: ptr("8760h")}, provider.Message{}, "2419200", "high"},
		"a later attempt":       {api.Push{TTL: ptr("1h")}, provider.Message{From: now.Add(-20 * time.Minute)}, "2400", "high"},
		"a moment later":        {api.Push{TTL: ptr("1h")}, provider.Message{From: now.Add(-time.Millisecond)}, "3600", "high"},
		"much later":            {api.Push{TTL: ptr("1h")}, provider.Message{From: now.Add(-2 * time.Hour)}, "0", "high"},
		"later, now or never":   {api.Push{TTL: ptr("0s")}, provider.Message{From: now.Add(-time.Minute)}, "0", "high"},
		"not due yet":           {api.Push{TTL: ptr("1h")}, provider.Message{From: now.Add(time.Minute)}, "3600", "high"},
		"later, expires":        {api.Push{TTL: ptr("1h")}, provider.Message{From: now.Add(-time.Minute), ExpiresAt: now.Add(90 * time.Second)}, "90", "high"},
		"a long TTL":            {api.Push{TTL: ptr("2562047h")}, provider.Message{}, "2419200", "high"},
		"it has expired":        {api.Push{}, provider.Message{ExpiresAt: now.Add(-time.Minute)}, "0", "high"},
		"silent":                {api.Push{Silent: true}, provider.Message{}, "2419200", "normal"},
		"bulk":                  {api.Push{}, provider.Message{Priority: peal.Bulk}, "2419200", "very-low"},
		"bulk and urgent":       {api.Push{Urgency: "high"}, provider.Message{Priority: peal.Bulk}, "2419200", "high"},
		"critical":              {api.Push{}, provider.Message{Priority: peal.Critical}, "2419200", "high"},
	} {
		h := headers(&c.push, &c.message, []byte("0123456789abcdef"), now)
		if got := map[string][]string(h)["TTL"][0]; got != c.ttl {
			t.Errorf("%s: TTL %s, want %s", name, got, c.ttl)
		}
		if got := h.Get("Urgency"); got != c.urgency {
			t.Errorf("%s: urgency %s, want %s", name, got, c.urgency)
		}
	}
}

func TestTopics(t *testing.T) {
	t.Parallel()
	auth, others := []byte("0123456789abcdef"), []byte("abcdef0123456789")
	of := func(key, delivery string, auth []byte) string {
		return topic(&api.Push{CollapseKey: key}, delivery, auth)
	}
	if of("a", "1", auth) != of("a", "2", auth) {
		t.Error("another delivery of the same collapse key has another topic")
	}
	if first := of("", "1", auth); first != of("", "1", auth) {
		t.Error("a delivery that is sent again has another topic")
	}
	for _, other := range []string{of("b", "1", auth), of("", "1", auth), of("", "a", auth), of("a", "1", others)} {
		if other == of("a", "1", auth) || len(other) != topicSize || strings.Trim(other, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			t.Errorf("the topic %s", other)
		}
	}
}
