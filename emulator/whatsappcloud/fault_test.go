package whatsappcloud_test

import (
	"strings"
	"testing"
	"time"

	"peal/emulator/whatsappcloud"
)

func TestConnectionFaults(t *testing.T) {
	b := setup(t, whatsappcloud.Options{WindowsOpen: true})
	b.ok(b.emu.SetScript(whatsappcloud.StatusScript(0, "sent")))
	body := `{"messaging_product":"whatsapp","to":"` + phone + `",` + hello + `}`
	drop := func(kind whatsappcloud.FaultKind, taken int64) {
		t.Helper()
		before := b.emu.Counts().Accepted
		b.fault(whatsappcloud.Fault{Kind: kind})
		if a, err := b.call("POST", messages, body); err == nil {
			t.Errorf("%s: answered %d", kind, a.status)
		}
		if c := b.emu.Counts(); c.Accepted-before != taken || c.AnswerLost != taken {
			t.Errorf("%s: %+v", kind, c)
		}
	}
	drop(whatsappcloud.FaultDropBefore, 0)
	drop(whatsappcloud.FaultDropAfter, 1)
	b.idle()
	if m := b.emu.Messages(whatsappcloud.Query{})[0]; !m.AnswerLost || m.Status != "sent" {
		t.Errorf("%+v", m)
	}

	b.fault(whatsappcloud.Fault{Kind: whatsappcloud.FaultHTML})
	if a := b.send(hello, 502); !strings.Contains(a.body, "<html>") || !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") {
		t.Error(a.body)
	}
	b.fault(whatsappcloud.Fault{Kind: whatsappcloud.FaultHTML, Status: 504, TakeFirst: true})
	b.send(hello, 504)
	b.fault(whatsappcloud.Fault{Kind: whatsappcloud.FaultStatus, Status: 503, RetryAfter: "3"})
	if a := b.send(hello, 503); a.header.Get("Retry-After") != "3" || a.code() != 2 {
		t.Error(a.body)
	}
	b.fault(whatsappcloud.Fault{Kind: whatsappcloud.FaultStatus, Status: 204, TakeFirst: true})
	b.send(hello, 204)
	b.fault(whatsappcloud.Fault{Kind: whatsappcloud.FaultWrongJSON})
	if a := b.send(hello, 200); a.json != nil {
		t.Error(a.body)
	}
	b.fault(whatsappcloud.Fault{Kind: whatsappcloud.FaultEmpty})
	if a := b.send(hello, 200); a.body != "" {
		t.Error(a.body)
	}
	b.fault(whatsappcloud.Fault{Kind: whatsappcloud.FaultHeld})
	if a := b.send(hello, 200); at(a.json, "messages", 0, "message_status") != "held_for_quality_assessment" {
		t.Error(a.body)
	}
	b.idle()
	before := len(b.recv.hooks())
	b.fault(whatsappcloud.Fault{Kind: whatsappcloud.FaultNoStatus})
	b.send(hello, 200)
	b.idle()
	if len(b.recv.hooks()) != before {
		t.Error("a status came")
	}
	b.fault(whatsappcloud.Fault{Kind: whatsappcloud.FaultDelay, Delay: 30 * time.Millisecond})
	began := time.Now()
	b.send(hello, 200)
	if d := time.Since(began); d < 30*time.Millisecond {
		t.Errorf("after %s", d)
	}
	if c := b.emu.Counts(); c.ByStatus[0] != 2 || c.Faulted != 3 || c.AnswerLost != 5 {
		t.Errorf("%+v", c)
	}
}

func TestHold(t *testing.T) {
	for _, first := range []bool{false, true} {
		b := setup(t, whatsappcloud.Options{WindowsOpen: true})
		id := b.fault(whatsappcloud.Fault{Kind: whatsappcloud.FaultHold, TakeFirst: first})
		answered := make(chan answer, 1)
		go func() { answered <- b.send(hello, 200) }()
		b.eventually("held", func() bool { return b.emu.Faults()[0].Hits == 1 && (b.emu.Counts().Accepted == 1) == first })
		select {
		case <-answered:
			t.Error("answered while held")
		default:
		}
		b.ok(b.emu.RemoveFault(id))
		if (<-answered).id() == "" || b.emu.Counts().Accepted != 1 {
			t.Error("lost")
		}
	}
}

func TestFaultsMatch(t *testing.T) {
	b := setup(t, whatsappcloud.Options{WindowsOpen: true})
	b.fault(whatsappcloud.Fault{Kind: whatsappcloud.FaultStatus, Status: 500, Route: "read"})
	b.send(hello, 200)
	b.do("POST", messages, `{"messaging_product":"whatsapp","status":"read","message_id":"wamid.1234"}`, 500)
	b.fault(whatsappcloud.Fault{Kind: whatsappcloud.FaultStatus, Status: 500, Number: "404", Every: true})
	b.send(hello, 200)
	b.fault(whatsappcloud.Fault{Kind: whatsappcloud.FaultStatus, Status: 500, Route: "*", Method: "GET", Times: 2})
	b.do("GET", "/v23.0/"+number, "", 500)
	b.do("GET", "/v23.0/"+account+"/message_templates", "", 500)
	b.do("GET", "/v23.0/"+number, "", 200)
	b.fault(whatsappcloud.Fault{Kind: whatsappcloud.FaultStatus, Status: 500, Probability: 0.5, Seed: 1})
	got := map[int]int{}
	for range 40 {
		a, err := b.call("POST", messages, `{"messaging_product":"whatsapp","to":"`+phone+`",`+hello+`}`)
		b.ok(err)
		got[a.status]++
	}
	if got[500] < 8 || got[200] < 8 {
		t.Errorf("%v", got)
	}
	for _, f := range []whatsappcloud.Fault{
		{}, {Kind: "odd"}, {Kind: whatsappcloud.FaultStatus}, {Kind: whatsappcloud.FaultStatus, Status: 99},
		{Kind: whatsappcloud.FaultDelay}, {Kind: whatsappcloud.FaultHold, Status: 500}, {Kind: whatsappcloud.FaultHold, Body: "x"},
		{Kind: whatsappcloud.FaultHold, RetryAfter: "1"}, {Kind: whatsappcloud.FaultStatus, Status: 500, RetryAfter: "1\r\n"},
		{Kind: whatsappcloud.FaultHold, Code: 1}, {Kind: whatsappcloud.FaultError, Via: "mail"}, {Kind: whatsappcloud.FaultError, TakeFirst: true},
		{Kind: whatsappcloud.FaultHold, Delay: -1}, {Kind: whatsappcloud.FaultHold, Route: "send-message"}, {Kind: whatsappcloud.FaultHold, Times: -1},
		{Kind: whatsappcloud.FaultHold, Every: true, Times: 1}, {Kind: whatsappcloud.FaultHold, Probability: 2},
	} {
		if _, err := b.emu.AddFault(f); err == nil {
			t.Errorf("%+v was taken", f)
		}
	}
}

func TestCloseReleases(t *testing.T) {
	b := setup(t, whatsappcloud.Options{WindowsOpen: true})
	b.ok(b.emu.SetScript(whatsappcloud.StatusScript(time.Hour, "sent")))
	b.send(hello, 200)
	b.fault(whatsappcloud.Fault{Kind: whatsappcloud.FaultHold})
	ended := make(chan error, 1)
	go func() {
		_, err := b.call("POST", messages, `{"messaging_product":"whatsapp","to":"`+phone+`",`+hello+`}`)
		ended <- err
	}()
	b.eventually("held", func() bool { return b.emu.Faults()[0].Hits == 1 })
	b.emu.Close()
	b.emu.Close()
	if <-ended == nil {
		t.Error("a held request was answered")
	}
	b.send(hello, 503)
	if b.emu.Idle(t.Context()) == nil {
		t.Error("idle with a status left behind")
	}
}
