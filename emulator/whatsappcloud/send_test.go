package whatsappcloud_test

import (
	"strings"
	"testing"
	"time"

	"peal/emulator/whatsappcloud"
)

// kindsOfMessage are sends that are taken, by what they show.
func kindsOfMessage() map[string]string {
	return map[string]string{
		"text":     `"type":"text","text":{"body":"hi","preview_url":false}`,
		"full":     `"recipient_type":"individual","type":"text","text":{"body":"hi"},"context":{"message_id":"wamid.HBgLMTY0"},"biz_opaque_callback_data":"m1"`,
		"image":    `"type":"image","image":{"link":"https://example.com/a.png","caption":"c"}`,
		"video":    `"type":"video","video":{"link":"https://example.com/a.mp4"}`,
		"audio":    `"type":"audio","audio":{"link":"https://example.com/a.ogg"}`,
		"document": `"type":"document","document":{"link":"https://example.com/a.pdf","filename":"a.pdf","caption":"c"}`,
		"sticker":  `"type":"sticker","sticker":{"link":"https://example.com/a.webp"}`,
		"location": `"type":"location","location":{"latitude":37.7,"longitude":-122.4,"name":"n","address":"a"}`,
		"contacts": `"type":"contacts","contacts":[{"name":{"formatted_name":"Ann","first_name":"Ann"},"phones":[{"phone":"+1","type":"HOME"}],"emails":[{"email":"a@example.com"}],"urls":[{"url":"https://example.com"}],"org":{"company":"c"},"birthday":"2000-01-01","addresses":[{"city":"c"}]}]`,
		"reaction": `"type":"reaction","reaction":{"message_id":"wamid.HBgLMTY0","emoji":"😀"}`,
		"unreact":  `"type":"reaction","reaction":{"message_id":"wamid.HBgLMTY0","emoji":""}`,
		"buttons":  `"type":"interactive","interactive":{"type":"button","header":{"type":"text","text":"h"},"body":{"text":"b"},"footer":{"text":"f"},"action":{"buttons":[{"type":"reply","reply":{"id":"1","title":"Yes"}},{"type":"reply","reply":{"id":"2","title":"No"}}]}}`,
		"picture":  `"type":"interactive","interactive":{"type":"button","header":{"type":"image","image":{"link":"https://example.com/a.png"}},"body":{"text":"b"},"action":{"buttons":[{"type":"reply","reply":{"id":"1","title":"Yes"}}]}}`,
		"list":     `"type":"interactive","interactive":{"type":"list","header":{"type":"text","text":"h"},"body":{"text":"b"},"action":{"button":"Open","sections":[{"title":"t","rows":[{"id":"a","title":"A","description":"d"}]}]}}`,
		"template": `"type":"template","template":{"name":"order_paid","language":{"code":"en_US"},"components":[{"type":"header","parameters":[{"type":"image","image":{"link":"https://example.com/a.png"}}]},{"type":"body","parameters":[{"type":"text","text":"Ann"},{"type":"currency","currency":{"fallback_value":"$100.99","code":"USD","amount_1000":100990}},{"type":"date_time","date_time":{"fallback_value":"today"}}]},{"type":"button","sub_type":"quick_reply","index":"0","parameters":[{"type":"payload","payload":"YES"}]},{"type":"button","sub_type":"url","index":"1","parameters":[{"type":"text","text":"abc"}]}]}`,
	}
}

func orderPaid() whatsappcloud.Template {
	return whatsappcloud.Template{
		Name: "order_paid", Language: "en_US",
		Components: []whatsappcloud.Component{
			{Type: "HEADER", Format: "IMAGE"},
			{Type: "BODY", Text: "Hi {{1}}, {{2}} came in {{3}}."},
			{Type: "FOOTER", Text: "Peal"},
			{Type: "BUTTONS", Buttons: []whatsappcloud.Button{{Type: "QUICK_REPLY", Text: "Yes"}, {Type: "URL", Text: "Open", URL: "https://example.com/{{1}}"}}},
		},
	}
}

func withTemplates(list ...whatsappcloud.Template) whatsappcloud.Options {
	return whatsappcloud.Options{Accounts: []whatsappcloud.Account{{Templates: list}}}
}

func TestEveryKindIsTaken(t *testing.T) {
	b := setup(t, withTemplates(orderPaid()))
	b.open()
	for name, rest := range kindsOfMessage() {
		a := b.send(rest, 200)
		if !strings.HasPrefix(a.id(), "wamid.") || at(a.json, "messages", 0, "message_status") != "accepted" ||
			at(a.json, "contacts", 0, "input") != phone || at(a.json, "contacts", 0, "wa_id") != phone || a.json["messaging_product"] != "whatsapp" {
			t.Errorf("%s: %s", name, a.body)
		}
		if m, ok := b.emu.Message(a.id()); !ok || m.To != phone || !m.InWindow {
			t.Errorf("%s: kept as %+v", name, m)
		}
	}
	if n := b.emu.CountByRecipient("+49 151 1234-5678"); n != len(kindsOfMessage()) {
		t.Errorf("counted %d", n)
	}
	if n := b.emu.CallbackCounts()["m1"]; n != 1 {
		t.Errorf("m1 %d times", n)
	}
}

func TestSchemaIsStrict(t *testing.T) {
	b := setup(t, whatsappcloud.Options{})
	b.open()
	long := func(n int) string { return strings.Repeat("x", n) }
	interactive := func(rest string) string { return `"type":"interactive","interactive":{` + rest + `}` }
	row := func(id, title string) string { return `{"id":"` + id + `","title":"` + title + `"}` }
	for rest, code := range map[string]int{
		`"type":"text"`:                                                                  131008,
		`"type":"text","text":{}`:                                                        131008,
		`"type":"text","text":{"body":""}`:                                               131008,
		`"type":"text","text":{"body":5}`:                                                100,
		`"type":"text","text":"x"`:                                                       100,
		`"type":"text","text":{"body":"` + long(4097) + `"}`:                             131009,
		`"type":"text","text":{"body":"x","preview":true}`:                               100,
		hello + `,"image":{"id":"1"}`:                                                    100,
		hello + `,"tpye":"text"`:                                                         100,
		`"type":"poll","poll":{}`:                                                        131051,
		`"type":5`:                                                                       100,
		hello + `,"recipient_type":"group"`:                                              100,
		hello + `,"recipient_type":"crowd"`:                                              100,
		hello + `,"biz_opaque_callback_data":"` + long(513) + `"`:                        131009,
		hello + `,"context":{"message_id":"no"}`:                                         131009,
		hello + `,"context":{}`:                                                          131008,
		`"type":"image","image":{}`:                                                      131008,
		`"type":"image","image":{"id":"1","link":"https://example.com/a.png"}`:           100,
		`"type":"image","image":{"link":"example"}`:                                      131009,
		`"type":"image","image":{"id":"404"}`:                                            100,
		`"type":"image","image":{"link":"https://example.com/a.png","filename":"a"}`:     100,
		`"type":"audio","audio":{"link":"https://example.com/a.ogg","caption":"c"}`:      100,
		`"type":"sticker","sticker":{"link":"https://example.com/a.webp","caption":"c"}`: 100,
		`"type":"image","image":{"link":"https://example.com/a.png","caption":"` + long(1025) + `"}`:                                  131009,
		`"type":"location","location":{"latitude":1}`:                                                                                 131008,
		`"type":"location","location":{"latitude":91,"longitude":0}`:                                                                  131009,
		`"type":"location","location":{"latitude":true,"longitude":0}`:                                                                100,
		`"type":"contacts","contacts":[]`:                                                                                             131009,
		`"type":"contacts","contacts":[{"phones":[{"phone":"+1"}]}]`:                                                                  131008,
		`"type":"contacts","contacts":[{"name":{"formatted_name":"A"},"phones":[{"phone":"1","type":"FAX"}]}]`:                        131009,
		`"type":"reaction","reaction":{"emoji":"x"}`:                                                                                  131008,
		`"type":"reaction","reaction":{"message_id":"wamid.HBgLMTY0","emoji":"x"},"context":{"message_id":"wamid.HBgLMTY0"}`:          100,
		interactive(`"type":"carousel","body":{"text":"b"},"action":{}`):                                                              131009,
		interactive(`"type":"button","body":{"text":"b"},"action":{}`):                                                                131008,
		interactive(`"type":"button","action":{"buttons":[{"type":"reply","reply":` + row("1", "A") + `}]}`):                          131008,
		interactive(`"type":"button","body":{"text":"b"},"action":{"buttons":[{"type":"reply","reply":` + row("1", long(21)) + `}]}`): 131009,
		interactive(`"type":"button","body":{"text":"b"},"action":{"buttons":[` + strings.Repeat(`{"type":"reply","reply":`+row("1", "A")+`},`, 3) + `{"type":"reply","reply":` + row("2", "B") + `}]}`): 131009,
		interactive(`"type":"button","body":{"text":"b"},"action":{"buttons":[{"type":"reply","reply":` + row("1", "A") + `},{"type":"reply","reply":` + row("1", "B") + `}]}`):                          131009,
		interactive(`"type":"button","body":{"text":"b"},"action":{"buttons":[{"type":"reply","reply":` + row("1", "A") + `}],"sections":[{"rows":[` + row("1", "A") + `]}]}`):                           100,
		interactive(`"type":"list","body":{"text":"b"},"action":{"sections":[{"rows":[` + row("1", "A") + `]}]}`):                                                                                        131008,
		interactive(`"type":"list","body":{"text":"b"},"action":{"button":"o","sections":[{"rows":[` + row("1", "A") + `]},{"rows":[` + row("2", "B") + `]}]}`):                                          131008,
		interactive(`"type":"list","body":{"text":"b"},"action":{"button":"o","sections":[{"rows":[` + row("1", "A") + `,` + row("1", "B") + `]}]}`):                                                     131009,
		interactive(`"type":"list","header":{"type":"image","image":{"id":"1"}},"body":{"text":"b"},"action":{"button":"o","sections":[{"rows":[` + row("1", "A") + `]}]}`):                              131009,
		interactive(`"type":"list","header":{"type":"text"},"body":{"text":"b"},"action":{"button":"o","sections":[{"rows":[` + row("1", "A") + `]}]}`):                                                  131008,
		`"type":"template","template":{"name":"x"}`:                                                                                                                      131008,
		`"type":"template","template":{"name":"x","language":{"code":"en"},"components":[{"type":"footer"}]}`:                                                            131009,
		`"type":"template","template":{"name":"x","language":{"code":"en"},"components":[{"type":"body","parameters":[{"type":"text"}]}]}`:                               131008,
		`"type":"template","template":{"name":"x","language":{"code":"en"},"components":[{"type":"button","parameters":[{"type":"text","text":"x"}]}]}`:                  131008,
		`"type":"template","template":{"name":"x","language":{"code":"en"},"components":[{"type":"body","parameters":[{"type":"currency","currency":{"code":"USD"}}]}]}`: 131008,
	} {
		a := b.refused(rest, code)
		if at(a.json, "error", "error_data", "details") == nil || at(a.json, "error", "fbtrace_id") == "" || at(a.json, "error", "type") != "OAuthException" {
			t.Errorf("%s: not Meta's shape: %s", rest, a.body)
		}
	}
	for body, code := range map[string]int{
		`{"to":"` + phone + `",` + hello + `}`:                                                     100,
		`{"messaging_product":"sms","to":"` + phone + `",` + hello + `}`:                           100,
		`{"messaging_product":"whatsapp",` + hello + `}`:                                           100,
		`{"messaging_product":"whatsapp","to":"nobody",` + hello + `}`:                             131009,
		`{"messaging_product":"whatsapp","recipient":"US.!",` + hello + `}`:                        131009,
		`{"messaging_product":"whatsapp","to":"` + whatsappcloud.DefaultPhone + `",` + hello + `}`: 131021,
		`[]`: 100, `{`: 100, ``: 100, `{}{}`: 100, `null`: 100,
	} {
		if a := b.do("POST", messages, body, 400, "Content-Type", "application/json"); a.code() != code {
			t.Errorf("%s: %s, want %d", body, a.body, code)
		}
	}
	if a := b.do("POST", messages, `{}`, 400, "Content-Type", "text/plain"); a.code() != 100 {
		t.Error(a.body)
	}
	if c := b.emu.Counts(); c.Accepted != 0 || c.Invalid == 0 || c.Malformed == 0 {
		t.Errorf("%+v", c)
	}
}

func TestAuthVersionsAndPaths(t *testing.T) {
	now := newClock()
	b := setup(t, whatsappcloud.Options{Clock: now.Now, WindowsOpen: true, Accounts: []whatsappcloud.Account{{}, {
		ID: "2", Token: "token-2", Numbers: []whatsappcloud.Number{{ID: "22", Phone: "15550000022", APIKey: "k"}},
	}}})
	body := `{"messaging_product":"whatsapp","to":"` + phone + `",` + hello + `}`
	post := func(path, auth string, status, code int) {
		t.Helper()
		if a := b.do("POST", path, body, status, "Authorization", auth); a.code() != code {
			t.Errorf("%s %q: %s, want %d", path, auth, a.body, code)
		}
	}
	post(messages, "Bearer "+token, 200, -1)
	post(messages, "", 401, 104)
	post(messages, "Basic "+token, 401, 104)
	post(messages, "Bearer wrong", 401, 190)
	post(messages, "Bearer token-2", 400, 100)
	post("/v23.0/404/messages", "Bearer "+token, 400, 100)
	post("/v23.0/"+number+"/massages", "Bearer "+token, 400, 2500)
	post("/"+number+"/messages", "Bearer "+token, 400, 2500)
	post("/v99.0/"+number+"/messages", "Bearer "+token, 400, 2500)
	post("/v20.0/"+number+"/messages", "Bearer "+token, 400, 2635)
	now.Advance(2 * 365 * 24 * time.Hour)
	post(messages, "Bearer "+token, 400, 2635)
	post("/v26.0/"+number+"/messages", "Bearer "+token, 200, -1)
	b.ok(b.emu.UpdateAccount("", func(a *whatsappcloud.Account) { a.Expired = true }))
	post("/v26.0/"+number+"/messages", "Bearer "+token, 401, 190)
	b.ok(b.emu.UpdateAccount("", func(a *whatsappcloud.Account) { a.Expired, a.NoScope = false, true }))
	post("/v26.0/"+number+"/messages", "Bearer "+token, 403, 10)
	if c := b.emu.Counts(); c.Accepted != 2 || c.Unauthorized != 6 || c.Numbers[""].Arrived == 0 {
		t.Errorf("%+v", c)
	}
}

func TestGateway(t *testing.T) {
	b := setup(t, whatsappcloud.Options{WindowsOpen: true, Gateway: &whatsappcloud.Gateway{Path: "/v1"}})
	body := `{"messaging_product":"whatsapp","to":"` + phone + `",` + hello + `}`
	key := []string{"D360-API-KEY", whatsappcloud.DefaultAPIKey, "Authorization", ""}
	if a := b.do("POST", "/v1/messages", body, 200, key...); a.id() == "" {
		t.Error(a.body)
	}
	b.do("POST", "/v1/messages", body, 401, "D360-API-KEY", "wrong", "Authorization", "")
	b.do("POST", "/messages", body, 404, key...)
	b.do("POST", "/v1/messages", body, 400, "Authorization", "")
	// Without the option there is no such front.
	plain := setup(t, whatsappcloud.Options{})
	plain.do("POST", "/messages", body, 400, key...)
}

func TestRecipientsWithoutPhone(t *testing.T) {
	b := setup(t, whatsappcloud.Options{WindowsOpen: true, Accounts: []whatsappcloud.Account{{Templates: []whatsappcloud.Template{
		{Name: "otp", Language: "en", Category: "AUTHENTICATION"},
	}}}})
	b.ok(b.emu.SetScript(whatsappcloud.StatusScript(0, "sent", "delivered")))
	b.ok(b.emu.UpdateUser("", phone, func(u *whatsappcloud.User) { u.HidePhone, u.Username = true, "ann" }))
	id := b.emu.UserID("", phone)
	if !strings.HasPrefix(id, "DE.") {
		t.Fatalf("user id %q", id)
	}
	a := b.sendTo(`"recipient":"`+id+`"`, hello, 200)
	if at(a.json, "contacts", 0, "input") != id || at(a.json, "contacts", 0, "user_id") != id || at(a.json, "contacts", 0, "wa_id") != nil {
		t.Error(a.body)
	}
	b.idle()
	for _, st := range b.recv.items("statuses") {
		if st["recipient_id"] != nil || st["recipient_user_id"] != id {
			t.Errorf("%v", st)
		}
	}
	if c := at(b.recv.hooks()[1].event, "entry", 0, "changes", 0, "value", "contacts", 0); at(c, "wa_id") != nil || at(c, "user_id") != id || at(c, "profile", "username") != "ann" {
		t.Errorf("%v", c)
	}
	// The number wins, and shows.
	a = b.sendTo(`"to":"`+phone+`","recipient":"ZZ.1"`, hello, 200)
	if at(a.json, "contacts", 0, "wa_id") != phone {
		t.Error(a.body)
	}
	b.idle()
	if st := b.recv.items("statuses")[3]; st["recipient_id"] != phone || st["recipient_user_id"] != id {
		t.Errorf("%v", st)
	}
	if a := b.sendTo(`"recipient":"`+id+`"`, `"type":"template","template":{"name":"otp","language":{"code":"en"}}`, 400); a.code() != 131062 {
		t.Error(a.body)
	}
}

func TestMarkRead(t *testing.T) {
	b := setup(t, whatsappcloud.Options{})
	id, err := b.emu.PlayInbound(whatsappcloud.Inbound{From: phone, Text: "hi"})
	b.ok(err)
	read := func(rest string, want int) answer {
		return b.do("POST", messages, `{"messaging_product":"whatsapp",`+rest+`}`, want)
	}
	if a := read(`"status":"read","message_id":"`+id+`","typing_indicator":{"type":"text"}`, 200); a.json["success"] != true {
		t.Error(a.body)
	}
	if r, typing := b.emu.InboundState(id); !r || !typing {
		t.Error(r, typing)
	}
	read(`"status":"read","message_id":"wamid.unknown"`, 400)
	read(`"status":"seen","message_id":"`+id+`"`, 400)
	read(`"status":"read"`, 400)
	read(`"status":"read","message_id":"`+id+`","typing_indicator":{"type":"audio"}`, 400)
	if c := b.emu.Counts(); c.MarkedRead != 1 || c.Arrived != 0 {
		t.Errorf("%+v", c)
	}
}
