package accept

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nyaruka/phonenumbers"
	"pgregory.net/rapid"

	"peal/api"
)

func TestCheckPhone(t *testing.T) {
	t.Parallel()
	for phone, want := range map[string]string{ // a part of what is said; empty: nothing is wrong
		"+919812345678":                    "",
		"+14155552671":                     "",
		"+4915112345678":                   "",
		"+5511912345678":                   "",
		"+6591234567":                      "",
		"+447911123456":                    "",
		"+33612345678":                     "",
		"+2348012345678":                   "",
		"+62812345678":                     "",
		"+91 98123 45678":                  "+919812345678",
		"+49 (0)151 1234567":               "E.164",
		"+1 (415) 555-2671":                "+14155552671",
		"+1-415-555-2671":                  "+14155552671",
		"tel:+14155552671":                 "+14155552671",
		"00919812345678":                   "country code",
		"9812345678":                       "country code",
		"919812345678":                     "country code",
		"+141555526712":                    "too short or too long",
		"+6591234":                         "too short or too long",
		"+1415555267":                      "too short or too long",
		"+999123456789":                    "no such country",
		"+0123456789":                      "E.164",
		"+":                                "E.164",
		"":                                 "E.164",
		"+91981234567a":                    "E.164",
		"+٩١٩٨١٢٣٤٥٦٧٨":                    "+919812345678",
		"+1234567890123456":                "E.164",
		"call me":                          "E.164",
		strings.Repeat("+1415555267", 100): "E.164",
		"+14155552671\n":                   "E.164",
		"+14155552671;ext=":                "E.164",
	} {
		got := CheckPhone(phone)
		if (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%.40q: %q; want %q in it", phone, got, want)
		}
	}
}

// TestRememberedVerdictsAreRight: what is remembered of numbers alike must be what would be said of each.
func TestRememberedVerdictsAreRight(t *testing.T) {
	t.Parallel()
	var codes []int
	for code := range phonenumbers.GetSupportedCallingCodes() {
		codes = append(codes, code)
	}
	slices.Sort(codes)
	digits := rapid.StringMatching(`[0-9]{4,13}`)
	var p phones
	rapid.Check(t, func(t *rapid.T) {
		code := rapid.SampledFrom(codes).Draw(t, "country code")
		head := fmt.Sprint("+", code, digits.Draw(t, "digits"))
		for range 3 { // numbers of the same head and length
			number := head
			if len(number) > phoneHead {
				tail := rapid.StringMatching(fmt.Sprintf(`[0-9]{%d}`, len(number)-phoneHead)).Draw(t, "tail")
				number = number[:phoneHead] + tail
			}
			if got, want := p.check(number), CheckPhone(number); got != want {
				t.Fatalf("%s: remembered %q, asked %q", number, got, want)
			}
		}
	})
}

// request is one that is right, changed.
func request(change func(*api.NotificationRequest)) *api.NotificationRequest {
	text := "hello"
	req := &api.NotificationRequest{Recipient: api.Recipient{Phone: "+919812345678"}, Content: api.Content{Text: &text}}
	if change != nil {
		change(req)
	}
	return req
}

func TestCheck(t *testing.T) {
	t.Parallel()
	now := noon()
	at := func(d time.Duration) *time.Time { t := now.Add(d); return &t }
	const day = 24 * time.Hour
	for name, c := range map[string]struct {
		change func(*api.NotificationRequest)
		key    string
		want   string // path and code of what is wrong, in order
	}{
		"right":              {},
		"a key":              {key: "order-17/shipped"},
		"longest key":        {key: strings.Repeat("k", 255)},
		"key too long":       {key: strings.Repeat("k", 256), want: "idempotency_key too_long"},
		"key with space":     {key: "a b", want: "idempotency_key invalid"},
		"key not ASCII":      {key: "schlüssel", want: "idempotency_key invalid"},
		"nobody":             {func(r *api.NotificationRequest) { r.Recipient = api.Recipient{} }, "", "recipient required"},
		"a user":             {func(r *api.NotificationRequest) { r.Recipient = api.Recipient{UserID: "ü 1"} }, "", ""},
		"both":               {func(r *api.NotificationRequest) { r.Recipient.UserID = "u" }, "", ""},
		"user id too long":   {func(r *api.NotificationRequest) { r.Recipient.UserID = strings.Repeat("u", 129) }, "", "recipient.user_id invalid"},
		"user id of control": {func(r *api.NotificationRequest) { r.Recipient.UserID = "u\x00" }, "", "recipient.user_id invalid"},
		"bad phone":          {func(r *api.NotificationRequest) { r.Recipient.Phone = "0151" }, "", "recipient.phone invalid"},
		"channel":            {func(r *api.NotificationRequest) { r.Channel = "whatsapp" }, "", ""},
		"no such channel":    {func(r *api.NotificationRequest) { r.Channel = "pigeon" }, "", "channel invalid"},
		"no content":         {func(r *api.NotificationRequest) { r.Content = api.Content{} }, "", "content required"},
		"two contents":       {func(r *api.NotificationRequest) { r.Content.Audio = &api.Audio{} }, "", "content ambiguous"},
		"event":              {func(r *api.NotificationRequest) { r.Event = &api.EventRef{Type: "t", OccurredAt: now} }, "", ""},
		"event of no type":   {func(r *api.NotificationRequest) { r.Event = &api.EventRef{OccurredAt: now} }, "", "event.type invalid"},
		"event of no time":   {func(r *api.NotificationRequest) { r.Event = &api.EventRef{Type: "t"} }, "", "event.occurred_at required"},
		"event of old":       {func(r *api.NotificationRequest) { r.Event = &api.EventRef{Type: "t", OccurredAt: time.Unix(0, 0)} }, "", ""},
		"event of the future": {
			func(r *api.NotificationRequest) {
				r.Event = &api.EventRef{Type: "t", OccurredAt: time.Date(9998, 12, 31, 23, 0, 0, 0, time.UTC)}
			}, "", "",
		},
		"event too early": {
			func(r *api.NotificationRequest) { r.Event = &api.EventRef{Type: "t", OccurredAt: time.Unix(-1, 0)} }, "", "event.occurred_at out_of_range",
		},
		"event too late in UTC": {
			func(r *api.NotificationRequest) {
				r.Event = &api.EventRef{Type: "t", OccurredAt: time.Date(9998, 12, 31, 23, 0, 0, 0, time.FixedZone("", -7200))}
			}, "", "event.occurred_at out_of_range",
		},
		"event type of control": {func(r *api.NotificationRequest) { r.Event = &api.EventRef{Type: "t\x01", OccurredAt: now} }, "", "event.type invalid"},
		"at once":               {func(r *api.NotificationRequest) { r.SendAt = at(-day) }, "", ""},
		"30 days ahead":         {func(r *api.NotificationRequest) { r.SendAt = at(30 * day) }, "", ""},
		"31 days ahead":         {func(r *api.NotificationRequest) { r.SendAt = at(30*day + 1) }, "", "send_at out_of_range"},
		"ttl":                   {func(r *api.NotificationRequest) { r.TTL = "10m" }, "", ""},
		"shortest ttl":          {func(r *api.NotificationRequest) { r.TTL = "1s" }, "", ""},
		"longest ttl":           {func(r *api.NotificationRequest) { r.TTL = "1440h" }, "", ""},
		"ttl too short":         {func(r *api.NotificationRequest) { r.TTL = "999ms" }, "", "ttl invalid"},
		"ttl too long":          {func(r *api.NotificationRequest) { r.TTL = "1440h1s" }, "", "ttl invalid"},
		"ttl in words":          {func(r *api.NotificationRequest) { r.TTL = "ten minutes" }, "", "ttl invalid"},
		"ttl negative":          {func(r *api.NotificationRequest) { r.TTL = "-10m" }, "", "ttl invalid"},
		"expires":               {func(r *api.NotificationRequest) { r.ExpiresAt = at(time.Hour) }, "", ""},
		"expired":               {func(r *api.NotificationRequest) { r.ExpiresAt = at(0) }, "", "expires_at out_of_range"},
		"expires too late":      {func(r *api.NotificationRequest) { r.ExpiresAt = at(60*day + 1) }, "", "expires_at out_of_range"},
		"expires before it is sent": {
			func(r *api.NotificationRequest) { r.SendAt, r.ExpiresAt = at(2*time.Hour), at(time.Hour) }, "", "expires_at out_of_range",
		},
		"ttl and expires":    {func(r *api.NotificationRequest) { r.TTL, r.ExpiresAt = "10m", at(time.Hour) }, "", "ttl conflict"},
		"metadata":           {func(r *api.NotificationRequest) { r.Metadata = json.RawMessage(`{"a":1}`) }, "", ""},
		"metadata of null":   {func(r *api.NotificationRequest) { r.Metadata = json.RawMessage(`null`) }, "", ""},
		"metadata no object": {func(r *api.NotificationRequest) { r.Metadata = json.RawMessage(`[1]`) }, "", "metadata type"},
		"metadata too long": {
			func(r *api.NotificationRequest) {
				r.Metadata = json.RawMessage(`{"a":"` + strings.Repeat("x", 4096) + `"}`)
			}, "", "metadata too_long",
		},
		"all at once": {func(r *api.NotificationRequest) {
			r.Recipient.Phone, r.Channel, r.TTL = "1", "pigeon", "never"
			r.Content = api.Content{}
		}, "", "recipient.phone invalid, channel invalid, content required, ttl invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := New(Config{}).check(request(c.change), c.key, now)
			if s := wrongs(t, err); s != c.want {
				t.Errorf("wrong is %q, want %q", s, c.want)
			}
		})
	}
}

// TestControls: every text that people read is looked at.
func TestControls(t *testing.T) {
	t.Parallel()
	contents := func(s string) map[string]api.Content {
		media, doc := &api.Media{Caption: s}, &api.Document{}
		return map[string]api.Content{
			"text": {Text: &s}, "image.caption": {Image: media}, "video.caption": {Video: media},
			"document.filename": {Document: &api.Document{Filename: s}}, "document.caption": {Document: &api.Document{Caption: s}},
			"contact.name": {Contact: &api.Contact{Name: s}}, "location.name": {Location: &api.Location{Name: s}},
			"location.address": {Location: &api.Location{Address: s}}, "poll.question": {Poll: &api.Poll{Question: s}},
			"poll.options[1]": {Poll: &api.Poll{Options: []string{"a", s}}}, "document": {Document: doc},
		}
	}
	check := func(content api.Content) error {
		_, err := New(Config{}).check(request(func(r *api.NotificationRequest) { r.Content = content }), "", noon())
		return err
	}
	for _, bad := range []string{"a\x00b", "\x1b[31m", "\x07", "a\x7f"} {
		for path, content := range contents(bad) {
			if path == "document" {
				continue
			}
			err := check(content)
			if err == nil {
				t.Errorf("%s of %q was taken", path, bad)
				continue
			}
			if fields := explained(t, err).Fields; len(fields) != 1 || fields[0].Path != "content."+path || fields[0].Code != "invalid" {
				t.Errorf("%s of %q: %+v", path, bad, fields)
			}
		}
	}
	for path, content := range contents("Grüße,\r\n\tRaju 👋\u0085") {
		if err := check(content); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestTimes(t *testing.T) {
	t.Parallel()
	now := noon()
	later := now.Add(time.Hour)
	s := New(Config{})
	n, err := s.check(request(func(r *api.NotificationRequest) { r.SendAt, r.TTL = &later, "10m" }), "", now)
	if err != nil || !n.SendAt.Equal(later) || !n.ExpiresAt.Equal(later.Add(10*time.Minute)) {
		t.Errorf("a time to live counts from send_at: %v, %v, %v", n.SendAt, n.ExpiresAt, err)
	}
	past := now.Add(-time.Minute)
	n, err = s.check(request(func(r *api.NotificationRequest) { r.SendAt, r.TTL = &past, "10m" }), "", now)
	if err != nil || !n.SendAt.IsZero() || !n.ExpiresAt.Equal(now.Add(10*time.Minute)) {
		t.Errorf("or from now: %v, %v, %v", n.SendAt, n.ExpiresAt, err)
	}
	for ttl, want := range map[string]time.Duration{"0s": time.Minute, "10m": 10 * time.Minute, "-1s": 0, "673h": 0} {
		req := &api.NotificationRequest{Recipient: api.Recipient{UserID: "u"}, Content: api.Content{Push: &api.Push{Body: "x", TTL: &ttl}}}
		n, err = s.check(req, "", now)
		if bad := want == 0; bad != (err != nil) || !bad && !n.ExpiresAt.Equal(now.Add(want)) {
			t.Errorf("a push of ttl %s ends at %v, %v", ttl, n.ExpiresAt, err)
		}
		req.TTL = "2h"
		n, err = s.check(req, "", now)
		if want > 0 && (err != nil || !n.ExpiresAt.Equal(now.Add(2*time.Hour))) {
			t.Errorf("the notification's own ttl goes before its push's: %v, %v", n.ExpiresAt, err)
		}
		req.TTL, req.Recipient = "", api.Recipient{Audience: &api.Audience{All: true}}
		n, err = s.check(req, "", now)
		if want > 0 && (err != nil || !n.ExpiresAt.IsZero()) {
			t.Errorf("an audience's may take longer: %v, %v", n.ExpiresAt, err)
		}
	}
	zone := time.FixedZone("IST", 19800)
	fine := later.Add(1234567 * time.Nanosecond).In(zone)
	n, err = s.check(request(func(r *api.NotificationRequest) { r.SendAt = &fine }), "", now)
	if err != nil || n.SendAt.Location() != time.UTC || n.SendAt.Nanosecond()%1000 != 0 {
		t.Errorf("times are kept in UTC, to the microsecond: %v, %v", n.SendAt, err)
	}
}

func TestKeysOfEvents(t *testing.T) {
	t.Parallel()
	item := func(change func(*api.NotificationRequest)) *Item {
		return &Item{Request: request(func(r *api.NotificationRequest) {
			r.Event = &api.EventRef{Type: "order.shipped", OccurredAt: noon()}
			if change != nil {
				change(r)
			}
		})}
	}
	base := key("a", item(nil))
	if base == "" || !strings.HasPrefix(base, "event:") {
		t.Fatalf("the key of an event is %q", base)
	}
	if again := key("a", item(func(r *api.NotificationRequest) {
		r.Event.OccurredAt = noon().In(time.FixedZone("", 3600)) // the same instant
		r.Metadata = json.RawMessage(`{}`)
	})); again != base {
		t.Error("the same event has another key")
	}
	for what, other := range map[string]string{
		"tenant": key("b", item(nil)),
		"phone":  key("a", item(func(r *api.NotificationRequest) { r.Recipient.Phone = "+14155552671" })),
		"user":   key("a", item(func(r *api.NotificationRequest) { r.Recipient.UserID = "u" })),
		"type":   key("a", item(func(r *api.NotificationRequest) { r.Event.Type = "order.shippe" })),
		"time":   key("a", item(func(r *api.NotificationRequest) { r.Event.OccurredAt = noon().Add(time.Nanosecond) })),
	} {
		if other == base {
			t.Errorf("another %s has the same key", what)
		}
	}
	withKey := item(nil)
	withKey.Key = strings.TrimPrefix(base, "event:")
	if got := key("a", withKey); got == base || got != "key:"+withKey.Key {
		t.Errorf("a caller's key became %q", got)
	}
	if got := key("a", &Item{Request: request(nil)}); got != "" {
		t.Errorf("without key and event the key is %q", got)
	}
}
