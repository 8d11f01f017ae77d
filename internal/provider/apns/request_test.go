package apns

import (
	"encoding/json"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/provider"
	"peal/internal/provider/wire"
)

func TestExpiration(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	in := func(d time.Duration) string { return strconv.FormatInt(now.Add(d).Unix(), 10) }
	text := func(s string) *string { return &s }
	const day = 24 * time.Hour
	for name, c := range map[string]struct {
		ttl     *string
		expires time.Duration // 0: never
		since   time.Duration // when it might be sent first; 0: unknown
		want    string
	}{
		"nothing said":         {nil, 0, 0, in(28 * day)},
		"until it expires":     {nil, time.Hour, 0, in(time.Hour)},
		"expires late":         {nil, 90 * day, 0, in(30 * day)},
		"ttl":                  {text("1h"), 0, 0, in(time.Hour)},
		"now or never":         {text("0s"), time.Hour, 0, "0"},
		"ttl, expires earlier": {text("1h"), time.Minute, 0, in(time.Minute)},
		"ttl, expires later":   {text("1m"), time.Hour, 0, in(time.Minute)},
		"a long ttl":           {text("2000h"), 0, 0, in(30 * day)},
		"expired":              {nil, -time.Second, 0, "0"},
		"a later attempt":      {text("1h"), 0, 20 * time.Minute, in(40 * time.Minute)},
		"much later":           {text("1h"), 0, 2 * time.Hour, "0"},
		"later, now or never":  {text("0s"), 0, time.Minute, "0"},
		"not due yet":          {text("1h"), 0, -time.Minute, in(time.Hour)},
		"later, expires":       {text("1h"), 10 * time.Minute, 20 * time.Minute, in(10 * time.Minute)},
		"later, nothing said":  {nil, 0, time.Hour, in(28 * day)},
	} {
		var expires time.Time
		if c.expires != 0 {
			expires = now.Add(c.expires)
		}
		m := &provider.Message{ExpiresAt: expires}
		if c.since != 0 {
			m.From = now.Add(-c.since)
		}
		if got := expiration(c.ttl, m, now); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}

func TestPriority(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind, asked, urgency string
		lane                 peal.Priority
		want                 string
	}{
		{"alert", "", "", peal.Normal, "10"},
		{"alert", "", "", peal.Critical, "10"},
		{"alert", "", "", peal.Bulk, "5"},
		{"alert", "", "high", peal.Bulk, "10"},
		{"alert", "", "normal", peal.Normal, "5"},
		{"alert", "1", "high", peal.Normal, "1"},
		{"background", "", "high", peal.Critical, "5"},
		{"background", "10", "", peal.Normal, "5"},
		{"background", "1", "", peal.Normal, "1"},
		{"voip", "", "", peal.Normal, "10"},
	} {
		if got := priority(c.kind, c.asked, c.urgency, c.lane); got != c.want {
			t.Errorf("%+v: got %s", c, got)
		}
	}
}

func TestCollapseID(t *testing.T) {
	t.Parallel()
	c := &client{}
	base, err := wire.BaseURL("https://api.push.apple.com", "", "https")
	if err != nil {
		t.Fatal(err)
	}
	c.base = base
	m := message(testToken)
	for _, want := range []string{testDelivery, "order-1", "other"} {
		switch want {
		case "order-1":
			m.Content.Push.CollapseKey = want
		case "other":
			m.Content.Push.Overrides.APNs = json.RawMessage(`{"headers":{"apns-collapse-id":"other"}}`)
		}
		r, err := c.build(m, time.Now())
		if err != nil || r.header.Get("apns-collapse-id") != want {
			t.Errorf("got %v, %v, want %s", r.header, err, want)
		}
	}
}

func TestPayload(t *testing.T) {
	t.Parallel()
	zero := 0
	for name, c := range map[string]struct {
		push api.Push
		want string
	}{
		"body": {api.Push{Body: "Hi"}, `{"aps":{"alert":{"body":"Hi"}},"peal":{"delivery_id":"d"}}`},
		"all": {
			api.Push{
				Title: "T", Body: "B", Image: "https://e.org/i", Icon: "x", Sound: "ping.caf", Badge: &zero, Link: "app://x", Channel: "c",
				Actions: []api.PushAction{{ID: "a", Title: "A"}, {ID: "b", Title: "B", Link: "app://b"}},
				Data:    map[string]string{"b": "2", "a": "1"}, Category: "C", Thread: "t",
			},
			`{"aps":{"alert":{"title":"T","body":"B"},"sound":"ping.caf","badge":0,"category":"C","thread-id":"t","mutable-content":1},` +
				`"peal":{"delivery_id":"d","link":"app://x","image":"https://e.org/i","actions":[{"id":"a","title":"A"},{"id":"b","title":"B","link":"app://b"}]},"a":"1","b":"2"}`,
		},
		"silent":   {api.Push{Silent: true, Title: "T", Sound: "x", Image: "https://e.org/i"}, `{"aps":{"content-available":1},"peal":{"delivery_id":"d","image":"https://e.org/i"}}`},
		"override": {api.Push{Title: "T", Overrides: api.PushOverrides{APNs: json.RawMessage(`{"aps":{"alert":{"title":null,"loc-key":"K"},"interruption-level":"time-sensitive"},"peal":null}`)}}, `{"aps":{"alert":{"loc-key":"K"},"interruption-level":"time-sensitive"}}`},
	} {
		got := appendPayload([]byte("before"), "d", &c.push)
		if diff := cmp.Diff("before"+c.want, string(got)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
