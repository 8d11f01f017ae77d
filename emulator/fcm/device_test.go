package fcm_test

import (
	"encoding/json"
	"sync"
	"testing"
	"time"

	"peal/emulator/fcm"
)

func TestDevices(t *testing.T) {
	t.Parallel()
	b := setup(t, fcm.Options{})
	stranger := b.register(fcm.Device{Project: "other"})
	if a := b.message(stranger.Token, "", 403); code(a) != "SENDER_ID_MISMATCH" {
		t.Errorf("%s", a.body)
	}
	if a := b.message(fcm.NewToken(fcm.NewFID()), "", 404); code(a) != "UNREGISTERED" {
		t.Errorf("%s", a.body)
	}
	if a := b.send(`{"message":{"fid":"`+fcm.NewFID()+`"}}`, 404); code(a) != "UNREGISTERED" {
		t.Errorf("%s", a.body)
	}
	for _, bad := range []string{"x", "", "abc:def", b.phone.Token + "!", fcm.NewFID() + "x"} {
		if a := b.message(bad, "", 400); code(a) != "INVALID_ARGUMENT" || violation(a) != "-" {
			t.Errorf("%q: %s", bad, a.body)
		}
	}
	if b.emu.Calls("x") != 1 {
		t.Errorf("%d calls", b.emu.Calls("x"))
	}
	if err := b.emu.Unregister(b.phone.FID); err != nil {
		t.Fatal(err)
	}
	if a := b.message(b.phone.Token, "", 404); code(a) != "UNREGISTERED" {
		t.Errorf("%s", a.body)
	}
	b.register(b.phone) // installed again
	b.message(b.phone.Token, "", 200)
	fid := b.register(fcm.Device{FID: fcm.NewFID()})
	b.send(`{"message":{"fid":"`+fid.FID+`"}}`, 200)
	if got := b.emu.Shown(fid.FID); len(got) != 1 || got[0].Phone != fid.FID {
		t.Errorf("%+v", got)
	}
	if n := len(b.emu.Devices()); n != 3 {
		t.Errorf("%d devices", n)
	}
	for _, d := range []fcm.Device{{}, {Project: "Bad"}, {Project: "demo", Platform: "x"}} {
		if _, err := b.emu.Register(d); err == nil {
			t.Errorf("registered %+v", d)
		}
	}
	if b.emu.Unregister("x") == nil || b.emu.SetOnline("x", true) == nil {
		t.Error("changed a device that is not there")
	}
}

func TestPlatformAuth(t *testing.T) {
	t.Parallel()
	b := setup(t, fcm.Options{})
	ios := b.register(fcm.Device{Platform: fcm.IOS})
	b.emu.SetPlatformAuth("demo", fcm.IOS, false)
	if a := b.message(ios.Token, "", 401); code(a) != "THIRD_PARTY_AUTH_ERROR" {
		t.Errorf("%s", a.body)
	}
	b.message(b.phone.Token, "", 200)
	b.emu.SetPlatformAuth("demo", fcm.IOS, true)
	b.message(ios.Token, "", 200)
}

func TestAnyDevice(t *testing.T) {
	t.Parallel()
	b := setup(t, fcm.Options{AnyDevice: true})
	token, fid := fcm.NewToken(fcm.NewFID()), fcm.NewFID()
	b.message(token, "", 200)
	b.message(token, "", 200)
	b.send(`{"message":{"fid":"`+fid+`"}}`, 200)
	b.message("x", "", 400)
	if b.emu.Calls(token) != 2 || b.emu.Taken(token) != 2 || b.emu.Taken(fid) != 1 {
		t.Errorf("%d calls, %d taken", b.emu.Calls(token), b.emu.Taken(token))
	}
}

func TestShown(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var live []fcm.Shown
	b := setup(t, fcm.Options{Show: func(n fcm.Shown) {
		mu.Lock()
		defer mu.Unlock()
		live = append(live, n)
	}})
	ios, web := b.register(fcm.Device{Platform: fcm.IOS}), b.register(fcm.Device{Platform: fcm.Web})
	common := `"notification":{"title":"T","body":"B","image":"https://x/c.png"},"data":{"peal_link":"app://chat/1","peal_actions":"[{\"id\":\"yes\",\"title\":\"Yes\"}]","k":"v"},
		"android":{"collapseKey":"c","priority":"high","notification":{"title":"A","image":"https://x/a.png","channelId":"chat","tag":"t","notificationCount":4,"defaultSound":true}},
		"apns":{"headers":{"apns-collapse-id":"c","apns-priority":"10"},"payload":{"aps":{"alert":{"title":"I"},"sound":{"name":"s.caf"},"badge":0,"category":"CHAT","thread-id":"th"},"own":{"x":1}},"fcmOptions":{"image":"https://x/i.png"}},
		"webpush":{"headers":{"Urgency":"high","Topic":"c"},"data":{"w":"1"},"notification":{"title":"W","icon":"https://x/w.png","tag":"t","actions":[{"action":"yes","title":"Yes"}]},"fcmOptions":{"link":"https://x/chat"}}`
	for _, d := range []fcm.Device{b.phone, ios, web} {
		b.message(d.Token, common, 200)
	}
	zero, four := 0, 4
	yes := []fcm.Action{{ID: "yes", Title: "Yes"}}
	data := map[string]string{"peal_link": "app://chat/1", "peal_actions": `[{"id":"yes","title":"Yes"}]`, "k": "v"}
	iosData := map[string]string{"peal_link": "app://chat/1", "peal_actions": `[{"id":"yes","title":"Yes"}]`, "k": "v", "own": `{"x":1}`}
	want := []fcm.Shown{
		{Phone: b.phone.Token, FID: b.phone.FID, App: "com.example.app", Platform: fcm.Android, Title: "A", Body: "B", Image: "https://x/a.png", Sound: "default", Badge: &four,
			Link: "app://chat/1", Actions: yes, Data: data, CollapseKey: "c", Tag: "t", Channel: "chat", Priority: "HIGH"},
		{Phone: ios.Token, FID: ios.FID, Platform: fcm.IOS, Title: "I", Body: "B", Image: "https://x/i.png", Sound: "s.caf", Badge: &zero,
			Link: "app://chat/1", Actions: yes, Data: iosData, CollapseKey: "c", Tag: "c", Category: "CHAT", Thread: "th", Priority: "10"},
		{Phone: web.Token, FID: web.FID, Platform: fcm.Web, Title: "W", Body: "B", Image: "https://x/c.png", Icon: "https://x/w.png",
			Link: "https://x/chat", Actions: yes, Data: map[string]string{"w": "1"}, CollapseKey: "c", Tag: "t", Priority: "high"},
	}
	for i, got := range b.emu.Shown("") {
		if got.MessageID == "" || got.Project != "demo" || !got.At.Equal(b.clock.Now()) || !json.Valid(got.Raw) {
			t.Errorf("%+v", got)
		}
		same(t, got, live[i])
		got.MessageID, got.Project, got.At, got.Raw = "", "", time.Time{}, nil
		same(t, got, want[i])
	}
}

func same(t *testing.T, got, want fcm.Shown) {
	t.Helper()
	if g, w := jsonText(got), jsonText(want); g != w {
		t.Errorf("got  %s\nwant %s", g, w)
	}
}

func TestScreen(t *testing.T) {
	t.Parallel()
	b := setup(t, fcm.Options{KeepShown: 5})
	title := func(title, tag string) string {
		return `"notification":{"title":"` + title + `"},"android":{"notification":{"tag":"` + tag + `"}}`
	}
	b.message(b.phone.Token, title("forgotten", ""), 200)
	b.message(b.phone.Token, title("one", "t"), 200)
	b.message(b.phone.Token, title("plain", ""), 200)
	b.message(b.phone.Token, title("two", "t"), 200)
	b.message(b.phone.Token, `"data":{"a":"b"}`, 200)
	b.message(b.phone.Token, title("other", "u"), 200)
	var got []string
	for _, n := range b.emu.Screen(b.phone.Token) {
		got = append(got, n.Title)
	}
	if want := `["other","two","plain"]`; jsonText(got) != want {
		t.Errorf("%v", got)
	}
	if all := b.emu.Shown(b.phone.Token); len(all) != 5 || !all[3].Silent || all[3].Data["a"] != "b" {
		t.Errorf("%+v", all)
	}
}

func jsonText(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

func TestOffline(t *testing.T) {
	t.Parallel()
	b := setup(t, fcm.Options{})
	if err := b.emu.SetOnline(b.phone.Token, false); err != nil {
		t.Fatal(err)
	}
	send := func(title, android string) {
		b.message(b.phone.Token, `"notification":{"title":"`+title+`"},"android":{`+android+`}`, 200)
	}
	send("now or never", `"ttl":"0s"`)
	send("too late", `"ttl":"60s"`)
	send("a1", `"collapseKey":"a"`)
	send("plain", ``)
	send("a2", `"collapseKey":"a"`)
	for _, key := range []string{"b", "c", "d", "e"} { // the fifth key drives the first out
		send(key, `"collapseKey":"`+key+`"`)
	}
	if n := len(b.emu.Shown("")); n != 0 {
		t.Errorf("%d shown", n)
	}
	b.clock.Advance(time.Minute)
	if err := b.emu.SetOnline(b.phone.Token, true); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, n := range b.emu.Shown("") {
		got = append(got, n.Title)
	}
	if want := `["plain","b","c","d","e"]`; jsonText(got) != want {
		t.Errorf("%v", got)
	}
}
