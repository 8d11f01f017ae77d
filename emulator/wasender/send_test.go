package wasender_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"peal/emulator/wasender"
)

func TestSendAnswer(t *testing.T) {
	t.Parallel()
	b := setup(t, wasender.Options{})
	body := `{"to":"+123456789","text":"Hello"}`
	a := b.send(body, 200)
	jsonEqual(t, a.body, `{"success":true,"data":{"msgId":100000,"jid":"+123456789","status":"in_progress"}}`)
	for _, name := range []string{"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"} {
		if a.header.Get(name) == "" {
			t.Errorf("no %s", name)
		}
	}
	m, ok := b.emu.Message(100000)
	if !ok || string(m.Body) != body || m.Kind != "text" || m.Text != "Hello" || m.SessionID != 1 ||
		m.Status != wasender.StatusPending || !strings.HasPrefix(m.KeyID, "3EB0") || m.TakenAt.IsZero() {
		t.Errorf("kept %+v", m)
	}
}

func TestSendEveryKind(t *testing.T) {
	t.Parallel()
	for kind, content := range map[string]string{
		"text":     `"text":"hi"`,
		"image":    `"imageUrl":"https://x.test/a.png","text":"caption","viewOnce":true`,
		"video":    `"videoUrl":"https://x.test/a.mp4","viewOnce":false`,
		"document": `"documentUrl":"https://x.test/a.pdf","fileName":"a.pdf"`,
		"audio":    `"audioUrl":"https://x.test/a.ogg","viewOnce":true`,
		"sticker":  `"stickerUrl":"https://x.test/a.webp"`,
		"contact":  `"contact":{"name":"Ann","phone":"+4915112345678"}`,
		"location": `"location":{"latitude":52.5,"longitude":"13.4","name":"Berlin","address":"Mitte"}`,
		"poll":     `"poll":{"question":"Tea?","options":["yes","no"],"multiSelect":true}`,
	} {
		for _, to := range []string{phone, "123456-789@g.us", "120363025246125486@g.us", "120363025246125486@newsletter"} {
			t.Run(kind+" to "+to, func(t *testing.T) {
				t.Parallel()
				b := setup(t, wasender.Options{})
				b.send(`{"to":"`+to+`",`+content+`,"mentions":["+4915112345678"],"replyTo":100000}`, 200)
				if m, _ := b.emu.Message(100000); m.Kind != kind || m.To != to {
					t.Errorf("kept %+v", m)
				}
			})
		}
	}
}

// toPhone opens the body of a send that is invalid for another reason.
const toPhone = `{"to":"` + phone + `",`

type invalidSend struct{ body, field string }

// checkInvalid sends each and expects an error of its field.
func checkInvalid(t *testing.T, sends []invalidSend) {
	t.Helper()
	b := setup(t, wasender.Options{})
	for _, tc := range sends {
		a := b.send(tc.body, 422)
		if a.json["success"] != false || a.json["message"] != "Validation failed" || at(a.json["errors"], tc.field, 0) == nil {
			t.Errorf("%s: want an error of %s, got %s", tc.body, tc.field, a.body)
		}
	}
	if c := b.emu.Counts(); c.Accepted != 0 || c.Invalid != int64(len(sends)) || c.ByStatus[422] != c.Arrived {
		t.Errorf("counts %+v", c)
	}
}

func TestSendValidation(t *testing.T) {
	t.Parallel()
	checkInvalid(t, []invalidSend{
		{`{}`, "to"},
		{`{"to":null,"text":"x"}`, "to"},
		{`{"to":"","text":"x"}`, "to"},
		{`{"to":7,"text":"x"}`, "to"},
		{`{"to":"4915112345678","text":"x"}`, "to"},
		{`{"to":"+0915112345678","text":"x"}`, "to"},
		{`{"to":"+12345678901234567","text":"x"}`, "to"},
		{`{"to":"+49 151 123","text":"x"}`, "to"},
		{`{"to":"49151@s.whatsapp.net","text":"x"}`, "to"},
		{`{"to":"x@g.us","text":"x"}`, "to"},
		{`{"to":"@newsletter","text":"x"}`, "to"},
		{`{"TO":"+4915112345678","text":"x"}`, "to"}, // names are case sensitive
		{`{"to":"+4915112345678"}`, "text"},
		{toPhone + `"text":""}`, "text"},
		{toPhone + `"text":"  "}`, "text"},
		{toPhone + `"text":5}`, "text"},
		{toPhone + `"imageURL":"https://x.test/a.png"}`, "text"},
		{toPhone + `"imageUrl":"ftp://x.test/a.png"}`, "imageUrl"},
		{toPhone + `"imageUrl":"a.png"}`, "imageUrl"},
		{toPhone + `"imageUrl":""}`, "imageUrl"},
		{toPhone + `"videoUrl":{}}`, "videoUrl"},
		{toPhone + `"documentUrl":"nope"}`, "documentUrl"},
		{toPhone + `"audioUrl":"nope"}`, "audioUrl"},
		{toPhone + `"stickerUrl":"nope"}`, "stickerUrl"},
		{toPhone + `"stickerUrl":"https://x.test/a.webp","text":"x"}`, "text"},
		{toPhone + `"imageUrl":"https://x.test/a.png","videoUrl":"https://x.test/a.mp4"}`, "imageUrl"},
		{toPhone + `"imageUrl":"https://x.test/a.png","poll":{"question":"q","options":["a","b"]}}`, "poll"},
		{toPhone + `"text":"x","fileName":"a.pdf"}`, "fileName"},
		{toPhone + `"documentUrl":"https://x.test/a","fileName":"` + strings.Repeat("a", 256) + `"}`, "fileName"},
	})
}

func TestSendValidationOfObjects(t *testing.T) {
	t.Parallel()
	checkInvalid(t, []invalidSend{
		{toPhone + `"contact":"Ann"}`, "contact"},
		{toPhone + `"contact":{"phone":"+4915112345678"}}`, "contact.name"},
		{toPhone + `"contact":{"name":"Ann"}}`, "contact.phone"},
		{toPhone + `"contact":{"name":"Ann","phone":"abc"}}`, "contact.phone"},
		{toPhone + `"location":[]}`, "location"},
		{toPhone + `"location":{"longitude":1}}`, "location.latitude"},
		{toPhone + `"location":{"latitude":91,"longitude":1}}`, "location.latitude"},
		{toPhone + `"location":{"latitude":1,"longitude":-181}}`, "location.longitude"},
		{toPhone + `"location":{"latitude":true,"longitude":1}}`, "location.latitude"},
		{toPhone + `"location":{"latitude":1,"longitude":1,"name":1}}`, "location.name"},
		{toPhone + `"poll":true}`, "poll"},
		{toPhone + `"poll":{"options":["a","b"]}}`, "poll.question"},
		{toPhone + `"poll":{"question":"q"}}`, "poll.options"},
		{toPhone + `"poll":{"question":"q","options":"a"}}`, "poll.options"},
		{toPhone + `"poll":{"question":"q","options":["a"]}}`, "poll.options"},
		{toPhone + `"poll":{"question":"q","options":["a",""]}}`, "poll.options.1"},
		{toPhone + `"poll":{"question":"q","options":["a","b"],"multiSelect":"yes"}}`, "poll.multiSelect"},
		{toPhone + `"text":"x","viewOnce":true}`, "viewOnce"},
		{toPhone + `"imageUrl":"https://x.test/a.png","viewOnce":"yes"}`, "viewOnce"},
		{toPhone + `"text":"x","mentions":"a"}`, "mentions"},
		{toPhone + `"text":"x","mentions":["ann"]}`, "mentions.0"},
		{toPhone + `"text":"x","replyTo":"1"}`, "replyTo"},
		{toPhone + `"text":"x","replyTo":0}`, "replyTo"},
	})
}

func TestSendValidationAnswer(t *testing.T) {
	t.Parallel()
	b := setup(t, wasender.Options{})
	jsonEqual(t, b.send(`{"text":"x"}`, 422).body,
		`{"errors":{"to":["The to field is required."]},"message":"Validation failed","success":false}`)
}

func TestSendRefusals(t *testing.T) {
	t.Parallel()
	b := setup(t, wasender.Options{MaxBody: 1000})
	good := `{"to":"` + phone + `","text":"x"}`
	for _, key := range []string{"", "wrong", wasender.DefaultPAT} {
		a := b.do("POST", "/api/send-message", key, good, 401)
		if a.header.Get("X-RateLimit-Limit") == "" {
			t.Errorf("no X-RateLimit-Limit on a 401")
		}
	}
	b.send(`{"to":`, 400)
	b.send(`[]`, 400)
	b.send(`{"to":"`+strings.Repeat("1", 1000)+`"}`, 413)
	for _, state := range []wasender.State{"connecting", "disconnected", "need_scan", "logged_out", "expired"} {
		if err := b.emu.SetState(1, state); err != nil {
			t.Fatal(err)
		}
		if a := b.send(good, 400); !strings.Contains(a.body, string(state)) {
			t.Errorf("%s: %s", state, a.body)
		}
	}
	if c := b.emu.Counts(); c.Unauthorized != 3 || c.Malformed != 3 || c.NotConnected != 5 || c.Arrived != 11 || c.Accepted != 0 {
		t.Errorf("counts %+v", c)
	}
}

func TestSendWithoutJSONContentType(t *testing.T) {
	t.Parallel()
	b := setup(t, wasender.Options{})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.srv.URL+"/api/send-message",
		strings.NewReader(`{"to":"`+phone+`","text":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+wasender.DefaultAPIKey)
	resp, err := b.srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != 422 {
		t.Errorf("status %d, want 422: the form is empty", resp.StatusCode)
	}
}

func TestUnknownRoutes(t *testing.T) {
	t.Parallel()
	b := setup(t, wasender.Options{})
	b.do("GET", "/", "", "", 404)
	b.do("GET", "/api/nothing", wasender.DefaultAPIKey, "", 404)
	b.do("GET", "/api/messages/", wasender.DefaultAPIKey, "", 404)
	b.do("GET", "/api/send-message", wasender.DefaultAPIKey, "", 405)
	b.do("POST", "/api/whatsapp-sessions/1/qrcode", wasender.DefaultPAT, "", 405)
}

func TestStoreIsBounded(t *testing.T) {
	t.Parallel()
	b := setup(t, wasender.Options{KeepMessages: 3})
	for i := range 5 {
		b.send(fmt.Sprintf(`{"to":"+4915112345%03d","text":"m%d"}`, i, i), 200)
	}
	c := b.emu.Counts()
	if c.Accepted != 5 || c.Kept != 3 || c.Evicted != 2 || b.emu.CountBySession(1) != 5 {
		t.Errorf("counts %+v", c)
	}
	if _, ok := b.emu.Message(100001); ok {
		t.Error("an evicted message is found")
	}
	if m, ok := b.emu.Message(100002); !ok || m.Text != "m2" {
		t.Errorf("the oldest kept message: %+v", m)
	}
	if b.emu.CountByRecipient("+4915112345000") != 0 || b.emu.CountByRecipient("+4915112345004") != 1 {
		t.Error("counts by recipient do not follow eviction")
	}
	list := b.emu.Messages(wasender.Query{})
	if len(list) != 3 || list[0].Text != "m4" || list[2].Text != "m2" {
		t.Errorf("messages %+v", list)
	}
	if b.emu.CountByText("m") != 3 || b.emu.TextCounts()["m4"] != 1 || len(b.emu.TextCounts()) != 3 {
		t.Error("counts by text are wrong")
	}
	if got := b.emu.Messages(wasender.Query{Contains: "m", Limit: 2}); len(got) != 2 {
		t.Errorf("limit: %d", len(got))
	}
}

func TestInvalidOptionsPanic(t *testing.T) {
	t.Parallel()
	for name, opt := range map[string]wasender.Options{
		"same key": {Sessions: []wasender.Session{{APIKey: "a"}, {APIKey: "a"}}},
		"same id":  {Sessions: []wasender.Session{{ID: 4}, {ID: 4}}},
		"state":    {Sessions: []wasender.Session{{State: "asleep"}}},
		"plan":     {Sessions: []wasender.Session{{Plan: "gold"}}},
		"URL":      {Sessions: []wasender.Session{{WebhookURL: "localhost:80"}}},
		"limit":    {Sessions: []wasender.Session{{Limit: wasender.Limit{Requests: 1}}}},
		"script":   {Script: &wasender.Script{Steps: []wasender.Step{{Status: 6}}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			wasender.New(opt).Close()
		})
	}
}
