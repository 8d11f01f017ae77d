package whatsappcloud_test

import (
	"strings"
	"testing"

	"peal/emulator/whatsappcloud"
)

func TestControl(t *testing.T) {
	b := setup(t, whatsappcloud.Options{})
	b.control("GET", "health", "", 200)
	b.control("PUT", "script", `{"steps":[{"status":"sent","delay":"1ms"},{"status":"failed","code":131026,"times":2}],"order":"","seed":7}`, 200)
	if a := b.control("GET", "script", "", 200); at(a.json, "steps", 0, "delay") != "1ms" || at(a.json, "steps", 1, "code") != float64(131026) {
		t.Error(a.body)
	}
	b.control("PUT", "users/"+phone, `{"window":"1h","name":"Ann"}`, 200)
	if a := b.control("GET", "users/"+phone, "", 200); a.json["name"] != "Ann" || a.json["user_id"] == "" {
		t.Error(a.body)
	}
	id := b.send(hello, 200).id()
	b.control("GET", "idle?timeout=20s", "", 200)
	if got := b.recv.statuses(); got != "sent failed failed" {
		t.Error(got)
	}
	if a := b.control("GET", "messages/"+id, "", 200); a.json["status"] != "failed" {
		t.Error(a.body)
	}
	b.control("POST", "messages/"+id+"/status", `{"status":"read"}`, 200)
	b.control("POST", "messages/nope/status", `{"status":"read"}`, 404)
	b.control("POST", "messages/"+id+"/status", `{"status":"seen"}`, 400)
	if a := b.control("GET", "messages?to=%2B"+phone+"&contains=hell&limit=1", "", 200); at(a.json, "messages", 0, "id") != id {
		t.Error(a.body)
	}
	if a := b.control("GET", "counts?to="+phone+"&window=1s", "", 200); a.json["matching"] != float64(1) || a.json["max_in_window"] != float64(1) || a.json["max_pair_in_window"] != float64(1) {
		t.Error(a.body)
	}
	if a := b.control("GET", "errors", "", 200); len(a.json["errors"].([]any)) < 50 {
		t.Error(a.body)
	}
	if a := b.control("POST", "faults", `{"kind":"error","code":131056,"times":3,"delay":"1ms"}`, 200); a.json["id"] != float64(1) {
		t.Error(a.body)
	}
	b.refused(hello, 131056)
	if a := b.control("GET", "faults", "", 200); at(a.json, "faults", 0, "hits") != float64(1) || at(a.json, "faults", 0, "code") != float64(131056) {
		t.Error(a.body)
	}
	b.control("DELETE", "faults/1", "", 200)
	b.control("DELETE", "faults/1", "", 404)
	b.control("DELETE", "faults", "", 200)
	b.send(hello, 200)

	b.control("PUT", "accounts/"+account, `{"tier":"TIER_2K","locked":true}`, 200)
	b.refused(hello, 131031)
	b.control("PUT", "accounts/"+account, `{"locked":false,"tier":"TIER_9"}`, 400)
	b.refused(hello, 131031)
	b.control("PUT", "accounts/404", `{}`, 404)
	b.control("PUT", "accounts/"+account, `{"locked":false}`, 200)
	b.control("PUT", "numbers/"+number, `{"quality":"RED","unregistered":true}`, 200)
	if a := b.control("GET", "numbers", "", 200); at(a.json, "numbers", 0, "quality") != "RED" {
		t.Error(a.body)
	}
	b.control("PUT", "numbers/"+number, `{"unregistered":false,"odd":1}`, 400)
	b.refused(hello, 133010)
	b.control("PUT", "templates", `{"name":"a","language":"en"}`, 200)
	if a := b.control("GET", "templates", "", 200); at(a.json, "templates", 0, "status") != "APPROVED" {
		t.Error(a.body)
	}
	if a := b.control("POST", "inbound", `{"from":"`+phone+`","type":"image","text":"c","media":"cGl4ZWxz"}`, 200); !strings.HasPrefix(a.json["id"].(string), "wamid.") {
		t.Error(a.body)
	}
	b.control("POST", "preference", `{"user":"`+phone+`","value":"stop"}`, 200)
	b.control("POST", "preference", `{"user":"`+phone+`","value":"pause"}`, 400)
	b.control("POST", "moved", `{"user":"`+phone+`","phone":"16505559999"}`, 200)
	b.control("POST", "moved", `{"user":"`+phone+`","phone":"x"}`, 400)
	b.control("POST", "verify", `{}`, 200)
	b.control("POST", "webhook", `{"field":"account_alerts","value":{"x":1}}`, 200)
	b.control("POST", "webhook", `{"raw":"{broken"}`, 200)
	b.control("POST", "webhook", `{"raw":"{broken","field":"x"}`, 400)
	b.control("GET", "accounts", "", 200)
	b.control("GET", "counts?wrong=1", "", 400)
	b.control("GET", "idle?timeout=x", "", 400)
	b.control("GET", "messages?limit=0", "", 400)
	b.control("PUT", "script", `{}{}`, 400)
	b.control("PUT", "script", ``, 400)
	b.control("PUT", "script", `{"steps":[{"status":"sent","delay":5}]}`, 400)
	b.control("GET", "nothing", "", 404)
	b.idle()
	b.control("POST", "reset", "", 200)
	if c := b.emu.Counts(); c.Arrived != 0 || c.Kept != 0 || c.Webhooks.Posted != 0 || c.Users != 0 || len(b.emu.Templates("")) != 0 {
		t.Errorf("%+v", c)
	}
	if next := b.sendTo(`"to":"`+phone+`"`, hello, 200).id(); next == id {
		t.Error("an id came twice")
	}
}

func TestEviction(t *testing.T) {
	b := setup(t, whatsappcloud.Options{WindowsOpen: true, KeepMessages: 3, Limits: whatsappcloud.Limits{PairBurst: -1}})
	var ids []string
	for range 5 {
		ids = append(ids, b.send(hello, 200).id())
		_, err := b.emu.PlayInbound(whatsappcloud.Inbound{From: phone, Text: "x"})
		b.ok(err)
	}
	if c := b.emu.Counts(); c.Kept != 3 || c.Evicted != 2 || b.emu.CountByRecipient(phone) != 3 || b.emu.CountByText("hello") != 3 {
		t.Errorf("%+v", c)
	}
	list := b.emu.Messages(whatsappcloud.Query{})
	if list[0].ID != ids[4] || list[2].ID != ids[2] {
		t.Errorf("%+v", list)
	}
	if _, ok := b.emu.Message(ids[0]); ok {
		t.Error("an evicted message is there")
	}
}

func TestBadOptions(t *testing.T) {
	for _, opt := range []whatsappcloud.Options{
		{Accounts: []whatsappcloud.Account{{}, {}}},
		{Accounts: []whatsappcloud.Account{{WebhookURL: "nowhere"}}},
		{Accounts: []whatsappcloud.Account{{Tier: "x"}}},
		{Accounts: []whatsappcloud.Account{{Numbers: []whatsappcloud.Number{{Quality: "BLUE"}}}}},
		{Accounts: []whatsappcloud.Account{{Numbers: []whatsappcloud.Number{{Phone: "+1"}}}}},
		{Accounts: []whatsappcloud.Account{{Templates: []whatsappcloud.Template{{Name: "No"}}}}},
		{Script: &whatsappcloud.Script{Steps: []whatsappcloud.Step{{Status: "seen"}}}},
		{Script: &whatsappcloud.Script{DropChance: 2}},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%+v was taken", opt)
				}
			}()
			whatsappcloud.New(opt)
		}()
	}
}
