package apns_test

import (
	"reflect"
	"strings"
	"testing"

	"peal/emulator/apns"
)

func TestWhatADeviceShows(t *testing.T) {
	t.Parallel()
	reply := []apns.Action{{ID: "reply", Title: "Reply"}}
	b := setup(t, apns.Options{Apps: []apns.App{{
		Bundle: bundle, Strings: map[string]string{"MSG": "%@ wrote to %@", "SWAP": "%2$@ before %1$@"},
		Categories: map[string][]apns.Action{"chat": reply},
	}}})
	for name, c := range map[string]struct {
		payload string
		want    apns.Shown
	}{
		"text": {`{"aps":{"alert":"Hi"}}`, apns.Shown{Body: "Hi"}},
		"localised": {
			`{"aps":{"alert":{"title-loc-key":"SWAP","title-loc-args":["a","b"],"loc-key":"MSG","loc-args":["Ann","Bob"]}}}`,
			apns.Shown{Title: "b before a", Body: "Ann wrote to Bob"},
		},
		"unknown key":    {`{"aps":{"alert":{"loc-key":"NONE"}}}`, apns.Shown{Body: "NONE"}},
		"critical sound": {`{"aps":{"alert":"x","sound":{"critical":1,"name":"siren.caf"}}}`, apns.Shown{Body: "x", Sound: "siren.caf"}},
		"category and thread": {
			`{"aps":{"alert":{"subtitle":"s"},"category":"chat","thread-id":"t"}}`,
			apns.Shown{Subtitle: "s", Category: "chat", Thread: "t", Actions: reply},
		},
		"link and data": {
			`{"aps":{"alert":"x"},"peal_link":"https://example.org/a","n":{"a":1}}`,
			apns.Shown{Body: "x", Link: "https://example.org/a", Data: map[string]string{"peal_link": "https://example.org/a", "n": `{"a":1}`}},
		},
		"image and buttons": {
			`{"aps":{"alert":"x","mutable-content":1},"fcm_options":{"image":"https://example.org/a.png"},"actions":[{"id":"y","title":"Yes","link":"https://example.org/y"}]}`,
			apns.Shown{Body: "x", Image: "https://example.org/a.png", Actions: []apns.Action{{ID: "y", Title: "Yes", Link: "https://example.org/y"}}},
		},
		"image without mutable-content": {
			`{"aps":{"alert":"x"},"image":"https://example.org/a.png"}`,
			apns.Shown{Body: "x", Problems: []string{"aps.mutable-content: must be 1, beside an alert, for an image or buttons of the data"}},
		},
		"badge alone": {`{"aps":{"badge":0}}`, apns.Shown{Silent: true}},
		"wrong types": {
			`{"aps":{"alert":"x","badge":"3","sound":7,"category":1,"interruption-level":"loud"}}`,
			apns.Shown{Body: "x", Problems: []string{
				"aps.badge: must be a whole number", "aps.sound: must be a name, or an object with one", "aps.category: must be a text",
				"aps.interruption-level: must be passive, active, time-sensitive or critical",
			}},
		},
		"alert of the wrong type": {
			`{"aps":{"alert":[1]}}`, apns.Shown{Silent: true, Problems: []string{"aps.alert: must be a text, or an object of texts"}},
		},
	} {
		b.send("200", saying(c.payload))
		all := b.emu.Shown(token)
		got := all[len(all)-1]
		if string(got.Raw) != c.payload || got.Platform != "ios" || got.ID == "" || !got.At.Equal(b.clock.Now()) {
			t.Errorf("%s: %+v", name, got)
		}
		got.Raw, got.At, got.Badge, got.ID, got.Phone, got.Platform, got.Bundle, got.PushType = nil, c.want.At, nil, "", "", "", "", ""
		if c.want.Data == nil {
			got.Data = nil
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: shown\n%+v, want\n%+v", name, got, c.want)
		}
	}
}

func TestTheLockScreen(t *testing.T) {
	t.Parallel()
	b := setup(t, apns.Options{KeepShown: 4})
	collapse := with("apns-collapse-id", "score")
	b.send("200", saying(`{"aps":{"alert":"gone from the log"}}`))
	b.send("200", saying(`{"aps":{"alert":"1:0"}}`), collapse)
	b.send("200", saying(`{"aps":{"alert":"other"}}`))
	b.send("200", saying(`{"aps":{"alert":"2:0"}}`), collapse)
	b.send("200", saying(`{"aps":{"content-available":1}}`), with("apns-push-type", "background"), with("apns-priority", "5"))
	var texts []string
	for _, n := range b.emu.Screen(token) {
		texts = append(texts, n.Body)
	}
	if got := strings.Join(texts, " "); got != "2:0 other" {
		t.Errorf("the screen has %q", got)
	}
	if n := len(b.emu.Shown(token)); n != 4 {
		t.Errorf("%d kept", n)
	}
}

func TestUnknownDevicesForLoad(t *testing.T) {
	t.Parallel()
	b := setup(t, apns.Options{AcceptUnknown: true, KeepPushes: 2, KeepShown: -1})
	for _, other := range []string{"aa", "bb", "aa", "cc"} {
		b.send("200", to(strings.Repeat(other, 40)))
	}
	if c := b.emu.Counts(); c.Devices != 4 || c.Shown != 4 {
		t.Errorf("counts %+v", c)
	}
	pushes := b.emu.Pushes(apns.Query{})
	if len(pushes) != 2 || pushes[0].Token != strings.Repeat("cc", 40) || string(pushes[0].Payload) != hello || pushes[0].Status != 200 {
		t.Errorf("pushes %+v", pushes)
	}
	if d, ok := b.emu.Device(strings.Repeat("aa", 40)); !ok || d.Pushes != 2 || len(b.emu.Shown(d.Token)) != 0 {
		t.Errorf("device %+v", d)
	}
	if err := b.emu.Reset(); err != nil {
		t.Fatal(err)
	}
	if c := b.emu.Counts(); c.Devices != 1 || c.Requests != 0 || len(b.emu.Pushes(apns.Query{})) != 0 {
		t.Errorf("after the reset %+v", c)
	}
}
