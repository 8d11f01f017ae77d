package accept

import (
	"encoding/json"
	"strings"
	"testing"

	"peal/api"
)

// wrongs are the paths and codes of what is wrong.
func wrongs(t *testing.T, err error) string {
	t.Helper()
	var got []string
	if err != nil {
		for _, f := range explained(t, err).Fields {
			got = append(got, f.Path+" "+f.Code)
		}
	}
	return strings.Join(got, ", ")
}

func TestCheckPush(t *testing.T) {
	t.Parallel()
	ttl := func(s string) func(*api.Push) { return func(p *api.Push) { p.TTL = &s } }
	badge := func(n int) func(*api.Push) { return func(p *api.Push) { p.Badge = &n } }
	link := func(s string) func(*api.Push) { return func(p *api.Push) { p.Link = s } }
	data := func(k, v string) func(*api.Push) { return func(p *api.Push) { p.Data = map[string]string{k: v} } }
	action := func(all ...api.PushAction) func(*api.Push) { return func(p *api.Push) { p.Actions = all } }
	fcm := func(raw string) func(*api.Push) { return func(p *api.Push) { p.Overrides.FCM = json.RawMessage(raw) } }
	for name, c := range map[string]struct {
		change func(*api.Push)
		want   string // path below content.push, and code
	}{
		"right":                  {func(*api.Push) {}, ""},
		"title alone":            {func(p *api.Push) { p.Title, p.Body = "t", "" }, ""},
		"nothing to show":        {func(p *api.Push) { p.Body = " " }, " required"},
		"silent":                 {func(p *api.Push) { p.Body, p.Silent = "", true }, ""},
		"longest title":          {func(p *api.Push) { p.Title = strings.Repeat("ü", 1000) }, ""},
		"title too long":         {func(p *api.Push) { p.Title = strings.Repeat("ü", 1001) }, ".title too_long"},
		"body too long":          {func(p *api.Push) { p.Body = strings.Repeat("b", 4001) }, ".body too_long"},
		"control":                {func(p *api.Push) { p.Title = "a\x00" }, ".title invalid"},
		"image":                  {func(p *api.Push) { p.Image = "https://example.com/a.png" }, ""},
		"image of http":          {func(p *api.Push) { p.Image = "http://example.com/a.png" }, ".image invalid"},
		"image with a password":  {func(p *api.Push) { p.Image = "https://u:p@example.com/a.png" }, ".image invalid"},
		"icon by name":           {func(p *api.Push) { p.Icon = "ic_order" }, ""},
		"icon of data":           {func(p *api.Push) { p.Icon = "data:image/png;base64,AA" }, ".icon invalid"},
		"link":                   {link("https://example.com/orders/17?a=b#c"), ""},
		"deep link":              {link("myapp://orders/17"), ""},
		"opaque deep link":       {link("myapp:orders"), ""},
		"mail":                   {link("mailto:a@example.com"), ""},
		"link of http":           {link("http://example.com"), ".link invalid"},
		"javascript":             {link("javascript:alert(1)"), ".link invalid"},
		"JavaScript":             {link("JavaScript:alert(1)"), ".link invalid"},
		"data link":              {link("data:text/html,x"), ".link invalid"},
		"blank before a script":  {link(" javascript:alert(1)"), ".link invalid"},
		"tab in a script":        {link("java\tscript:alert(1)"), ".link invalid"},
		"relative":               {link("/orders/17"), ".link invalid"},
		"no host":                {link("https:///orders"), ".link invalid"},
		"link too long":          {link("https://example.com/" + strings.Repeat("a", 2000)), ".link too_long"},
		"now or never":           {ttl("0s"), ""},
		"four weeks":             {ttl("672h"), ""},
		"more than four weeks":   {ttl("673h"), ".ttl invalid"},
		"ttl in the past":        {ttl("-1s"), ".ttl invalid"},
		"ttl without a unit":     {ttl("60"), ".ttl invalid"},
		"no badge":               {badge(0), ""},
		"bad badge":              {badge(-1), ".badge out_of_range"},
		"too much of a badge":    {badge(100_000), ".badge out_of_range"},
		"urgency":                {func(p *api.Push) { p.Urgency = "high" }, ""},
		"no such urgency":        {func(p *api.Push) { p.Urgency = "very-low" }, ".urgency invalid"},
		"collapse key too long":  {func(p *api.Push) { p.CollapseKey = strings.Repeat("k", 65) }, ".collapse_key too_long"},
		"data":                   {data("order", "17"), ""},
		"data of Peal":           {data("peal_x", ""), ".data.peal_x reserved"},
		"data of Google":         {data("google.x", ""), ".data.google.x reserved"},
		"data of GCM":            {data("GCM.x", ""), ".data.GCM.x reserved"},
		"data from":              {data("from", ""), ".data.from reserved"},
		"data without a name":    {data("", ""), ".data invalid"},
		"data that just fits":    {data("k", strings.Repeat("v", 4095)), ""},
		"too much data":          {data("k", strings.Repeat("v", 4096)), ".data too_long"},
		"button":                 {action(api.PushAction{ID: "a", Title: "A", Link: "https://example.com", Icon: "https://example.com/i.png"}), ""},
		"buttons of one id":      {action(api.PushAction{ID: "a", Title: "A"}, api.PushAction{ID: "a", Title: "B"}), ".actions[1].id duplicate"},
		"button without an id":   {action(api.PushAction{Title: "A"}), ".actions[0].id invalid"},
		"button without a title": {action(api.PushAction{ID: "a"}), ".actions[0].title required"},
		"button of a script":     {action(api.PushAction{ID: "a", Title: "A", Link: "javascript:x"}), ".actions[0].link invalid"},
		"too many buttons":       {action(make([]api.PushAction, 4)...), ".actions too_long"},
		"override":               {fcm(`{"android":{}}`), ""},
		"override of a list":     {fcm(`[]`), ".overrides.fcm type"},
		"override of null":       {fcm(`null`), ".overrides.fcm type"},
		"override too large":     {fcm(`{"a":"` + strings.Repeat("a", 4096) + `"}`), ".overrides.fcm too_long"},
	} {
		req := request(func(r *api.NotificationRequest) {
			r.Recipient, r.Content = api.Recipient{UserID: "u"}, api.Content{Push: &api.Push{Body: "hello"}}
			c.change(r.Content.Push)
		})
		_, err := New(Config{}).check(req, "", noon())
		want := c.want
		if want != "" {
			want = "content.push" + want
		}
		if got := wrongs(t, err); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestCheckWhomAPushReaches(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		to      api.Recipient
		channel string
		want    string
	}{
		{api.Recipient{UserID: "u"}, "push", ""},
		{api.Recipient{UserID: "u", Platform: "ios"}, "push", ""},
		{api.Recipient{UserID: "u", Platform: "amiga"}, "push", "recipient.platform invalid"},
		{api.Recipient{Phone: "+919812345678"}, "push", "recipient.user_id required"},
		{api.Recipient{Phone: "+919812345678", UserID: "u"}, "push", ""},
		{api.Recipient{Audience: &api.Audience{All: true}}, "push", ""},
		{api.Recipient{Audience: &api.Audience{Platform: "ios", Locale: "en"}}, "push", ""},
		{api.Recipient{Audience: &api.Audience{}}, "push", "recipient.audience required"},
		{api.Recipient{Audience: &api.Audience{All: true, AppID: "a"}}, "push", "recipient.audience.all conflict"},
		{api.Recipient{Audience: &api.Audience{Platform: "amiga"}}, "push", "recipient.audience.platform invalid"},
		{api.Recipient{UserID: "u", Audience: &api.Audience{All: true}}, "push", "recipient.audience conflict"},
	} {
		req := request(func(r *api.NotificationRequest) { r.Recipient, r.Channel = c.to, c.channel })
		_, err := New(Config{}).check(req, "", noon())
		if got := wrongs(t, err); got != c.want {
			t.Errorf("%+v: %q, want %q", c.to, got, c.want)
		}
	}
}

// TestKeysOfEventsForDevices: the same event to another part of a user's devices is another notification.
func TestKeysOfEventsForDevices(t *testing.T) {
	t.Parallel()
	seen := map[string]api.Recipient{}
	for _, to := range []api.Recipient{
		{UserID: "u"}, {UserID: "u", Platform: "ios"}, {UserID: "u", Platform: "android"}, {Audience: &api.Audience{All: true}},
		{Audience: &api.Audience{Platform: "ios"}}, {Audience: &api.Audience{Locale: "ios"}},
	} {
		k := key("a", &Item{Request: &api.NotificationRequest{Recipient: to, Event: &api.EventRef{Type: "e", OccurredAt: noon()}}})
		if other, twice := seen[k]; twice {
			t.Errorf("%+v and %+v have the same key", to, other)
		}
		seen[k] = to
	}
}
