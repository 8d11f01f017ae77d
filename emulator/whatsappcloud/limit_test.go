package whatsappcloud_test

import (
	"fmt"
	"testing"
	"time"

	"peal/emulator/whatsappcloud"
)

func TestThroughput(t *testing.T) {
	now := newClock()
	b := setup(t, whatsappcloud.Options{Clock: now.Now, WindowsOpen: true})
	to := func(i int, want int) answer { return b.sendTo(fmt.Sprintf(`"to":"49151%08d"`, i), hello, want) }
	// Messages from users count too, though they are never refused.
	for range 10 {
		_, err := b.emu.PlayInbound(whatsappcloud.Inbound{From: phone, Text: "x"})
		b.ok(err)
	}
	for i := range 70 {
		to(i, 200)
	}
	if a := to(70, 400); a.code() != 130429 {
		t.Error(a.body)
	}
	now.Advance(time.Second)
	to(70, 200)
	if n := b.emu.MaxInWindow("", time.Second); n != 70 {
		t.Errorf("most in a second: %d", n)
	}
	if n := b.emu.MaxArrivedInWindow("", time.Second); n != 71 {
		t.Errorf("most arrived in a second: %d", n)
	}
	b.ok(b.emu.UpdateNumber("", func(n *whatsappcloud.Number) { n.Throughput = 20 }))
	now.Advance(time.Second)
	for i := range 20 {
		to(100+i, 200)
	}
	to(120, 400)
	b.ok(b.emu.UpdateNumber("", func(n *whatsappcloud.Number) { n.Throughput = 1000 }))
	to(120, 200)
	if c := b.emu.Counts(); c.Throttled != 2 || c.Inbound != 10 {
		t.Errorf("%+v", c)
	}
}

func TestPairLimit(t *testing.T) {
	now := newClock()
	b := setup(t, whatsappcloud.Options{Clock: now.Now, WindowsOpen: true})
	for range 45 {
		b.send(hello, 200)
	}
	b.refused(hello, 131056)
	b.sendTo(`"recipient":"`+b.emu.UserID("", phone)+`"`, hello, 400) // the same user
	b.sendTo(`"to":"4915199999999"`, hello, 200)                      // others go on
	now.Advance(6 * time.Second)
	b.send(hello, 200)
	b.refused(hello, 131056)
	now.Advance(45 * 6 * time.Second)
	for range 45 {
		b.send(hello, 200)
	}
	b.refused(hello, 131056)
	if n := b.emu.MaxPairInWindow("", phone, 6*time.Second); n != 45 {
		t.Errorf("most in 6 s: %d", n)
	}
	if n := b.emu.MaxPairInWindow("", "", 7*time.Second); n != 46 {
		t.Errorf("most of any pair in 7 s: %d", n)
	}
	// What is refused for its content uses up nothing.
	now.Advance(time.Hour)
	for range 50 {
		b.refused(`"type":"image","image":{"id":"404"}`, 100)
	}
	b.send(hello, 200)
}

func TestWindow(t *testing.T) {
	now := newClock()
	b := setup(t, whatsappcloud.Options{Clock: now.Now, Accounts: []whatsappcloud.Account{{
		Numbers:   []whatsappcloud.Number{{}, {ID: "2", Phone: "15550000002"}},
		Templates: []whatsappcloud.Template{{Name: "hello", Language: "en"}},
	}}})
	b.ok(b.emu.SetScript(whatsappcloud.StatusScript(0, "sent", "delivered", "read")))
	closed := func(want int) {
		t.Helper()
		id := b.send(hello, 200).id()
		b.idle()
		if m, _ := b.emu.Message(id); m.Code != want {
			t.Errorf("code %d, want %d", m.Code, want)
		}
	}
	closed(131047)
	_, err := b.emu.PlayInbound(whatsappcloud.Inbound{From: phone, Text: "hi"})
	b.ok(err)
	closed(0)
	now.Advance(24*time.Hour - time.Second)
	closed(0)
	now.Advance(time.Second)
	closed(131047)
	b.send(`"type":"template","template":{"name":"hello","language":{"code":"en"}}`, 200)
	// A window is of one number.
	b.open()
	a := b.do("POST", "/v23.0/2/messages", `{"messaging_product":"whatsapp","to":"`+phone+`",`+hello+`}`, 200)
	b.idle()
	if m, _ := b.emu.Message(a.id()); m.Code != 131047 {
		t.Errorf("%+v", m)
	}
	// Meta may say so at once.
	sync := setup(t, whatsappcloud.Options{Via: map[int]whatsappcloud.Via{131047: whatsappcloud.ViaAnswer}})
	sync.refused(hello, 131047)
}

func TestTierAndSpam(t *testing.T) {
	now := newClock()
	b := setup(t, whatsappcloud.Options{Clock: now.Now, Limits: whatsappcloud.Limits{PairBurst: -1}, Accounts: []whatsappcloud.Account{{
		Tier: whatsappcloud.Tier250, Numbers: []whatsappcloud.Number{{Throughput: -1}},
		Templates: []whatsappcloud.Template{{Name: "hello", Language: "en"}},
	}}})
	const template = `"type":"template","template":{"name":"hello","language":{"code":"en"}}`
	to := func(i, want int) answer { return b.sendTo(fmt.Sprintf(`"to":"49151%08d"`, i), template, want) }
	for i := range 250 {
		to(i, 200)
	}
	to(0, 200) // the same user again
	if a := to(250, 400); a.code() != 131048 {
		t.Error(a.body)
	}
	b.open()
	b.send(template, 200) // inside of a window
	now.Advance(24 * time.Hour)
	to(250, 200)
	b.ok(b.emu.UpdateNumber("", func(n *whatsappcloud.Number) { n.SpamLimited = true }))
	if a := to(1, 400); a.code() != 131048 {
		t.Error(a.body)
	}
	b.open()
	b.send(hello, 200)
}

func TestStates(t *testing.T) {
	b := setup(t, whatsappcloud.Options{WindowsOpen: true, Accounts: []whatsappcloud.Account{{Templates: []whatsappcloud.Template{
		{Name: "ad", Language: "en", Category: "MARKETING"},
	}}}, Limits: whatsappcloud.Limits{MarketingPerUser: 2}})
	number := func(change func(*whatsappcloud.Number)) { b.ok(b.emu.UpdateNumber("", change)) }
	acct := func(change func(*whatsappcloud.Account)) { b.ok(b.emu.UpdateAccount("", change)) }
	failed := func(to, rest string, code int) {
		t.Helper()
		id := b.sendTo(`"to":"`+to+`"`, rest, 200).id()
		b.idle()
		if m, _ := b.emu.Message(id); m.Code != code {
			t.Errorf("%s: code %d, want %d", rest, m.Code, code)
		}
	}
	number(func(n *whatsappcloud.Number) { n.Unregistered = true })
	b.refused(hello, 133010)
	number(func(n *whatsappcloud.Number) { n.Unregistered, n.Upgrading = false, true })
	b.refused(hello, 131057)
	number(func(n *whatsappcloud.Number) { n.Upgrading, n.NameMissing = false, true })
	b.refused(hello, 131037)
	number(func(n *whatsappcloud.Number) { n.NameMissing = false })
	acct(func(a *whatsappcloud.Account) { a.Locked = true })
	b.refused(hello, 131031)
	acct(func(a *whatsappcloud.Account) { a.Locked, a.Unpaid = false, true })
	failed(phone, hello, 131042)
	acct(func(a *whatsappcloud.Account) { a.Unpaid = false })

	const ad = `"type":"template","template":{"name":"ad","language":{"code":"en"}}`
	failed("16505551234", ad, 131049) // the US
	failed(phone, ad, 0)
	failed(phone, ad, 0)
	failed(phone, ad, 131049) // too many
	other := "4915100000001"
	b.ok(b.emu.PlayPreference("", other, "stop"))
	failed(other, ad, 131050)
	failed(other, hello, 0)
	b.ok(b.emu.PlayPreference("", other, "resume"))
	failed(other, ad, 0)
	b.ok(b.emu.UpdateUser("", other, func(u *whatsappcloud.User) { u.Trial = true }))
	failed(other, ad, 130472)
	b.ok(b.emu.UpdateUser("", other, func(u *whatsappcloud.User) { u.Absent = true }))
	failed(other, hello, 131026)
	b.idle()
	prefs := b.recv.items("user_preferences")
	if len(prefs) != 2 || prefs[0]["value"] != "stop" || prefs[1]["value"] != "resume" || prefs[0]["wa_id"] != other || prefs[0]["category"] != "marketing_messages" {
		t.Errorf("%v", prefs)
	}
}
