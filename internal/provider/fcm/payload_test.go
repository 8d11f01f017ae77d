package fcm

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/provider"
)

var update = flag.Bool("update", false, "write the golden files")

// at is when the messages of these tests are written.
var at = time.Unix(1_800_000_000, 0)

func whole() *api.Push {
	return &api.Push{
		Title: "Your order", Body: "It is on its way — \"soon\"", Image: "https://example.com/a.png", Icon: "https://example.com/i.png",
		Sound: "default", Badge: new(3), Link: "https://example.com/orders/7",
		Actions: []api.PushAction{{ID: "track", Title: "Track it", Link: "https://example.com/track/7", Icon: "https://example.com/t.png"}, {ID: "later", Title: "Later"}},
		Data:    map[string]string{"order": "7", "a": "ü\u2028"}, CollapseKey: "order-7", TTL: new("1h"), Channel: "orders", Category: "ORDER", Thread: "orders",
	}
}

func to(kind peal.DeviceKind, p *api.Push) *provider.Message {
	return &provider.Message{
		DeliveryID: "01a1fd60-4167-747f-8263-50f02ed73395", To: "installation-7", Content: api.Content{Push: p},
		Device: &peal.Device{Kind: kind, Address: "address-1"},
	}
}

func TestPayloads(t *testing.T) {
	t.Parallel()
	patched := whole()
	patched.Overrides.FCM = json.RawMessage(`{"android":{"notification":{"color":"#ff0000","sound":null},"restrictedPackageName":"com.example"},"apns":{"payload":{"aps":{"badge":9007199254740993}}},"webpush":null,"topic":"all","token":"other"}`)
	drawable := &api.Push{Body: "text", Icon: "ic_bell", Link: "app://orders/7"}
	bulk := to(peal.DeviceFCMToken, &api.Push{Title: "News"})
	bulk.Priority, bulk.ExpiresAt = peal.Bulk, at.Add(90*time.Second)
	text := to(peal.DeviceFCMToken, nil)
	text.Content = api.Content{Text: new("Your order is on its way")}
	for name, m := range map[string]*provider.Message{
		"whole":    to(peal.DeviceFCMToken, whole()),
		"fid":      to(peal.DeviceFCMFID, &api.Push{Title: "Your order", TTL: new("0s")}),
		"silent":   to(peal.DeviceFCMToken, &api.Push{Silent: true, Data: map[string]string{"sync": "1"}}),
		"override": to(peal.DeviceFCMToken, patched),
		"drawable": to(peal.DeviceFCMToken, drawable),
		"bulk":     bulk,
		"text":     text,
	} {
		body, err := appendRequest(nil, sheetOf(m, m.Device.Address, at), name == "fid")
		if err != nil {
			t.Fatal(err)
		}
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, body, "", "  "); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, body)
		}
		pretty.WriteByte('\n')
		file := filepath.Join("testdata", name+".json")
		if *update {
			if err := os.WriteFile(file, pretty.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(pretty.Bytes(), want) {
			t.Errorf("%s: -update, and look at the difference:\n%s", name, pretty.Bytes())
		}
	}
}

func TestTTL(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ttl     *string
		expires time.Duration // 0: never
		since   time.Duration // when it might be sent first; 0: unknown
		seconds int64
		limited bool
	}{
		"neither":             {nil, 0, 0, 2_419_200, false},
		"now or never":        {new("0s"), 0, 0, 0, true},
		"an hour":             {new("1h"), 0, 0, 3600, true},
		"less than a second":  {new("1ms"), 0, 0, 1, true},
		"expires":             {nil, 90 * time.Second, 0, 90, true},
		"expires earlier":     {new("1h"), 90 * time.Second, 0, 90, true},
		"expires later":       {new("1m"), time.Hour, 0, 60, true},
		"expires much later":  {nil, 1000 * time.Hour, 0, 2_419_200, true},
		"is expired":          {nil, -time.Second, 0, 0, true},
		"is expired by clock": {new("1h"), -time.Hour, 0, 0, true},
		"a later attempt":     {new("1h"), 0, 20 * time.Minute, 2400, true},
		"much later":          {new("1h"), 0, 2 * time.Hour, 0, true},
		"later, now or never": {new("0s"), 0, time.Minute, 0, true},
		"not due yet":         {new("1h"), 0, -time.Minute, 3600, true},
		"later, expires":      {new("1h"), 90 * time.Second, 20 * time.Minute, 90, true},
		"later, neither":      {nil, 0, time.Hour, 2_419_200, false},
	} {
		m := &provider.Message{}
		if c.since != 0 {
			m.From = at.Add(-c.since)
		}
		s := &sheet{push: &api.Push{TTL: c.ttl}, keep: m.Keep, now: at}
		if c.expires != 0 {
			s.expires = at.Add(c.expires)
		}
		if seconds, limited := s.ttl(); seconds != c.seconds || limited != c.limited {
			t.Errorf("%s: got %d, %v", name, seconds, limited)
		}
	}
}

func TestTags(t *testing.T) {
	t.Parallel()
	for tag, want := range map[string][2]string{
		"order-7":                              {"order-7", "order-7"},
		"01a1fd60-4167-747f-8263-50f02ed73395": {"01a1fd60-4167-747f-8263-50f02ed73395", "01a1fd604167747f826350f02ed73395"},
		strings.Repeat("x", 64):                {strings.Repeat("x", 64), digest(strings.Repeat("x", 64))[:32]},
		"order 7":                              {digest("order 7"), digest("order 7")[:32]},
		strings.Repeat("ü", 40):                {digest(strings.Repeat("ü", 40)), digest(strings.Repeat("ü", 40))[:32]},
	} {
		if a, w := collapseID(tag), topic(tag); a != want[0] || w != want[1] || len(a) > 64 || len(w) > 32 {
			t.Errorf("%s: got %s and %s", tag, a, w)
		}
	}
}

func TestOverrideThatCannotBe(t *testing.T) {
	t.Parallel()
	m := to(peal.DeviceFCMToken, &api.Push{Body: "x", Overrides: api.PushOverrides{FCM: json.RawMessage(`[1]`)}})
	if _, err := appendRequest(nil, sheetOf(m, "a", at), false); err == nil {
		t.Error("it was merged")
	}
}

func BenchmarkAppendRequest(b *testing.B) {
	m := to(peal.DeviceFCMToken, whole())
	b.ReportAllocs()
	for b.Loop() {
		_, _ = appendRequest(make([]byte, 0, 1024), sheetOf(m, m.Device.Address, at), false)
	}
}

// FuzzPayload: whatever an app's texts are, it is JSON, and says them.
func FuzzPayload(f *testing.F) {
	f.Add("title", "body", "key", "value", "collapse", `{"android":null}`)
	f.Add("\x00\xff", "\"\\", "a.b", "\u2028", "ü ", "")
	f.Fuzz(func(t *testing.T, title, body, key, value, collapse, patch string) {
		p := &api.Push{Title: title, Body: body, Data: map[string]string{key: value}, CollapseKey: collapse, Overrides: api.PushOverrides{FCM: json.RawMessage(patch)}}
		m := to(peal.DeviceFCMToken, p)
		fields := Kind{}.CheckContent(&m.Content)
		raw, err := appendRequest(nil, sheetOf(m, m.Device.Address, at), false)
		if len(fields) > 0 {
			return
		}
		if err != nil || !json.Valid(raw) {
			t.Fatalf("%v: %s", err, raw)
		}
		var request struct {
			Message struct {
				Token        string            `json:"token"`
				Data         map[string]string `json:"data"`
				Notification struct{ Title, Body string }
			} `json:"message"`
		}
		if patch != "" {
			return
		}
		if err := json.Unmarshal(raw, &request); err != nil {
			t.Fatal(err)
		}
		if r := request.Message; r.Token != "address-1" || r.Notification.Title != title || r.Notification.Body != body || r.Data[key] != value {
			t.Errorf("%+v", r)
		}
	})
}
