package wasender_test

import (
	"strconv"
	"testing"

	"peal/emulator/wasender"
)

func TestMessageInfo(t *testing.T) {
	t.Parallel()
	clk := newClock()
	b := setup(t, wasender.Options{Now: clk.Now, Sessions: []wasender.Session{{}, {}}})
	id := b.text("Hello")
	m, _ := b.emu.Message(id)
	a := b.session("GET", "/messages/100000/info", "", 200)
	jsonEqual(t, a.body, `{"data":{"id":"`+m.KeyID+`","key":{"remoteJid":"4915112345678@s.whatsapp.net","id":"`+m.KeyID+
		`","fromMe":true},"message":{"conversation":"Hello"},"messageTimestamp":"1700000000","msgId":100000,`+
		`"remoteJid":"4915112345678@s.whatsapp.net","status":1},"success":true}`)
	b.session("GET", "/messages/100001/info", "", 404)
	b.session("GET", "/messages/99999/info", "", 404)
	b.session("GET", "/messages/abc/info", "", 404)
	b.do("GET", "/api/messages/100000/info", "", "", 401)
	b.do("GET", "/api/messages/100000/info", "wasender-key-2", "", 404) // another session's
}

func TestEditAndDelete(t *testing.T) {
	t.Parallel()
	b := setup(t, wasender.Options{})
	id := b.text("before")
	path := "/messages/" + strconv.FormatInt(id, 10)
	b.session("PUT", path, `{"text":"after"}`, 200)
	b.session("PUT", path, `{"text":""}`, 422)
	b.session("PUT", path, `{`, 400)
	if m, _ := b.emu.Message(id); !m.Edited || m.Text != "after" {
		t.Errorf("edited %+v", m)
	}
	b.session("DELETE", path, "", 200)
	b.session("DELETE", path, "", 404)
	b.session("PUT", path, `{"text":"x"}`, 404)
	if m, _ := b.emu.Message(id); !m.Deleted {
		t.Errorf("deleted %+v", m)
	}
}

func TestResend(t *testing.T) {
	t.Parallel()
	b := setup(t, wasender.Options{})
	failing := wasender.StatusScript(0, wasender.StatusError)
	if err := b.emu.SetScript(failing); err != nil {
		t.Fatal(err)
	}
	id := b.text("x")
	b.idle()
	path := "/messages/" + strconv.FormatInt(id, 10) + "/resend"
	if err := b.emu.SetScript(wasender.StatusScript(0, wasender.StatusSent)); err != nil {
		t.Fatal(err)
	}
	if err := b.emu.SetState(1, wasender.StateDisconnected); err != nil {
		t.Fatal(err)
	}
	b.session("POST", path, "", 400)
	if err := b.emu.SetState(1, wasender.StateConnected); err != nil {
		t.Fatal(err)
	}
	a := b.session("POST", path, "", 200)
	jsonEqual(t, a.body, `{"success":true,"data":{"msgId":100000,"jid":"`+phone+`","status":"in_progress"}}`)
	b.idle()
	if m, _ := b.emu.Message(id); m.Status != wasender.StatusSent || m.Resends != 1 {
		t.Errorf("resent %+v", m)
	}
	b.session("POST", path, "", 422) // not failed
	b.session("POST", "/messages/5/resend", "", 404)
	if _, err := b.emu.UpdateSession(1, func(c *wasender.Session) { c.LogMessages = false }); err != nil {
		t.Fatal(err)
	}
	b.session("POST", path, "", 422) // no logs
	if b.emu.CountByText("x") != 1 {
		t.Error("a resend is no new message")
	}
}

func TestStatusRoute(t *testing.T) {
	t.Parallel()
	b := setup(t, wasender.Options{})
	jsonEqual(t, b.session("GET", "/status", "", 200).body, `{"status":"connected"}`)
	if err := b.emu.SetState(1, wasender.StateNeedScan); err != nil {
		t.Fatal(err)
	}
	jsonEqual(t, b.session("GET", "/status", "", 200).body, `{"status":"need_scan"}`)
	b.do("GET", "/api/status", "nope", "", 401)
	b.session("GET", "/on-whatsapp/"+phone, "", 400)
}

func TestAuthCheck(t *testing.T) {
	t.Parallel()
	b := setup(t, wasender.Options{})
	b.session("GET", "/auth-check", "", 200)
	b.pat("GET", "/auth-check", "", 200)
	b.do("GET", "/api/auth-check", "nope", "", 401)
}
