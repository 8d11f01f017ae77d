package whatsappcloud_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"peal/internal/peal"
	"peal/internal/provider"
)

// messages is a webhook of inbound messages from somebody who shows both of their identities.
func messages(list string) string {
	return change("messages", `{"metadata":{"phone_number_id":"1"},"contacts":[{"profile":{"name":"Sheena"},"wa_id":"16505551234","user_id":"US.13491208655302741918"}],"messages":[`+list+`]}`)
}

const userID = "US.13491208655302741918"

// inbounds are webhooks of what people write, as Meta's documents print them, and variations.
func inbounds() map[string]webhook {
	said := func(m peal.Inbound) []provider.Fact {
		m.MessageID, m.From, m.FromUserID, m.Name = "wamid.x", "+16505551234", userID, "Sheena"
		return []provider.Fact{{Inbound: &m}}
	}
	typed := func(kind, body string) string {
		return messages(`{"from":"16505551234","id":"wamid.x","type":"` + kind + `","` + kind + `":` + body + `}`)
	}
	of := func(kind, text, body string) webhook {
		return webhook{typed(kind, body), said(peal.Inbound{Type: kind, Text: text, Content: []byte(body)})}
	}
	file := func(kind, text, mime, body string) webhook {
		return webhook{typed(kind, body), said(peal.Inbound{Type: kind, Text: text, Content: []byte(body), MediaID: "77", MediaType: mime})}
	}
	consent := func(c peal.Consent) provider.Fact {
		c.Category, c.Source, c.Contact, c.Other = peal.CategoryMarketing, peal.ConsentByProvider, "+16505551234", userID
		return provider.Fact{Consent: &c}
	}
	move := func(m peal.Move) provider.Fact { return provider.Fact{Move: &m} }
	system := func(from, body string) string {
		return change("messages", `{"messages":[{"from":"`+from+`","id":"wamid.s","timestamp":"1750857384","type":"system","system":`+body+`}]}`)
	}
	changed := `{"body":"User changed","wa_id":"16505559999","type":"user_changed_number","user_id":"US.2"}`
	old := `{"body":"User changed","new_wa_id":"16505559999","type":"user_changed_number"}`
	left := peal.Inbound{MessageID: "wamid.s", From: "+16505551234", Type: "system", Text: "User changed", At: at}
	fromID := left
	fromID.From, fromID.FromUserID, fromID.Text, fromID.Content = "", "US.1", "", json.RawMessage(`{"type":"user_changed_user_id","user_id":"US.2"}`)
	leftOld := left
	left.Content, leftOld.Content = json.RawMessage(changed), json.RawMessage(old)
	return map[string]webhook{
		"text that answers": {messages(`{"from":"16505551234","from_user_id":"` + userID + `","id":"wamid.x","timestamp":"1750857384","type":"text","text":{"body":"STOP"},"context":{"from":"1555","id":"wamid.ours"}}`),
			said(peal.Inbound{Type: "text", Text: "STOP", Content: []byte(`{"body":"STOP"}`), ReplyTo: "wamid.ours", At: at})},
		"image":    file("image", "look", "image/jpeg", `{"id":"77","mime_type":"image/jpeg","sha256":"s","caption":"look"}`),
		"voice":    file("audio", "", "audio/ogg; codecs=opus", `{"id":"77","mime_type":"audio/ogg; codecs=opus","voice":true}`),
		"video":    file("video", "", "video/mp4", `{"id":"77","mime_type":"video/mp4"}`),
		"document": file("document", "", "application/pdf", `{"id":"77","mime_type":"application/pdf","filename":"a.pdf"}`),
		"sticker":  file("sticker", "", "image/webp", `{"id":"77","mime_type":"image/webp","animated":false}`),
		"location": of("location", "HQ", `{"latitude":37.4,"longitude":-122.1,"name":"HQ"}`),
		"contacts": of("contacts", "", `[{"name":{"formatted_name":"Ann"}}]`),
		"button":   of("button", "Stop promotions", `{"text":"Stop promotions","payload":"STOP"}`),
		"reply":    of("interactive", "Yes", `{"type":"button_reply","button_reply":{"id":"1","title":"Yes"}}`),
		"row":      of("interactive", "Two", `{"type":"list_reply","list_reply":{"id":"2","title":"Two"}}`),
		"order":    of("order", "hi", `{"catalog_id":"1","text":"hi"}`),
		"reaction": {typed("reaction", `{"message_id":"wamid.ours","emoji":"x"}`), said(peal.Inbound{Type: "reaction", Text: "x", Content: []byte(`{"message_id":"wamid.ours","emoji":"x"}`), ReplyTo: "wamid.ours"})},
		"unsupported": {messages(`{"from":"16505551234","id":"wamid.x","type":"unsupported","errors":[{"code":131051}]}`),
			said(peal.Inbound{Type: "unsupported", Content: []byte(`[{"code":131051}]`)})},
		"without a number": {change("messages", `{"contacts":[{"profile":{"username":"@ann"},"user_id":"US.1"}],"messages":[{"id":"wamid.x","from_user_id":"US.1","type":"text","text":{"body":"hi"}}]}`),
			[]provider.Fact{{Inbound: &peal.Inbound{MessageID: "wamid.x", FromUserID: "US.1", Name: "@ann", Type: "text", Text: "hi", Content: []byte(`{"body":"hi"}`)}}}},
		"from one of two": {change("messages", `{"contacts":[{"profile":{"name":"A"},"wa_id":"16505551111"},{"profile":{"name":"B"},"wa_id":"16505552222"}],"messages":[{"id":"wamid.x","from":"16505552222","type":"text"}]}`),
			[]provider.Fact{{Inbound: &peal.Inbound{MessageID: "wamid.x", From: "+16505552222", Name: "B", Type: "text"}}}},
		"from nobody": {change("messages", `{"messages":[{"id":"wamid.x","from":"x","from_user_id":"1","type":"Two Words"}]}`), []provider.Fact{{Inbound: &peal.Inbound{MessageID: "wamid.x", Type: "unknown"}}}},
		"without id":  {messages(`{"from":"16505551234","type":"text"},7,null,{"id":["x"],"type":"text"}`), nil},
		"odd types": {messages(`{"from":16505551234,"id":"wamid.x","type":"text","text":"x","context":[],"timestamp":{}}`),
			said(peal.Inbound{Type: "text", Content: []byte(`"x"`)})},
		"too large": {typed("text", `{"body":"`+strings.Repeat("x", 70_000)+`"}`), said(peal.Inbound{Type: "text"})},

		"another number":               {system("16505551234", changed), []provider.Fact{move(peal.Move{From: "+16505551234", To: "+16505559999", ToUserID: "US.2", At: at}), {Inbound: &left}}},
		"another number, in old words": {system("16505551234", old), []provider.Fact{move(peal.Move{From: "+16505551234", To: "+16505559999", At: at}), {Inbound: &leftOld}}},
		"another user id": {change("messages", `{"messages":[{"from_user_id":"US.1","id":"wamid.s","timestamp":"1750857384","type":"system","system":{"type":"user_changed_user_id","user_id":"US.2"}}]}`),
			[]provider.Fact{move(peal.Move{FromUserID: "US.1", ToUserID: "US.2", At: at}), {Inbound: &fromID}}},

		"stop": {change("user_preferences", `{"user_preferences":[{"wa_id":"16505551234","user_id":"`+userID+`","detail":"User requested to stop marketing messages","category":"marketing_messages","value":"stop","timestamp":1750857384}]}`),
			[]provider.Fact{consent(peal.Consent{State: peal.OptedOut, At: at})}},
		"resume, odd ones beside": {change("user_preferences", `{"user_preferences":[7,{"wa_id":"x","value":"stop"},{"wa_id":"16505551234","category":"other","value":"stop"},{"wa_id":"16505551234","value":"sometimes"},{"wa_id":"16505551234","user_id":"`+userID+`","value":"resume"}]}`),
			[]provider.Fact{consent(peal.Consent{State: peal.OptedIn})}},
		"refused who stopped": {statuses(`{"id":"w","status":"failed","timestamp":"1750857384","recipient_id":"16505551234","recipient_user_id":"` + userID + `","errors":[{"code":131050,"title":"T"}]}`),
			[]provider.Fact{consent(peal.Consent{State: peal.OptedOut, At: at}), {Evidence: &peal.Evidence{MessageID: "w", Status: peal.Failed, Code: "131050", Reason: "T", At: at}}}},
	}
}

// checkHeard holds what track relies on of what people say.
func checkHeard(t *testing.T, f provider.Fact) {
	inTime := func(at time.Time) bool {
		return at.IsZero() || at.Location() == time.UTC && at.Year() >= 1970 && at.Year() <= 9999
	}
	known := func(s string) bool { return s == "" || s[0] == '+' && len(s) <= 16 || peal.IsWhatsAppUserID(s) }
	switch m, c, v := f.Inbound, f.Consent, f.Move; {
	case f.Evidence != nil || f.Session != nil:
		t.Fatal("a fact is of one sort")
	case m != nil:
		if m.MessageID == "" || len(m.MessageID) > 256 || m.Type == "" || len(m.Type) > 32 || len(m.Text) > 16<<10 || len(m.Content) > 64<<10 ||
			!utf8.ValidString(m.Text+m.Name) || m.Content != nil && !json.Valid(m.Content) || !known(m.From) || !known(m.FromUserID) || !inTime(m.At) {
			t.Fatalf("%+v", m)
		}
	case c != nil:
		if c.Contact == "" || !known(c.Contact) || !known(c.Other) || c.State == "" || c.Category == "" || !inTime(c.At) {
			t.Fatalf("%+v", c)
		}
	default:
		if v.From+v.FromUserID == "" || v.To+v.ToUserID == "" || !known(v.From) || !known(v.FromUserID) || !known(v.To) || !known(v.ToUserID) {
			t.Fatalf("%+v", v)
		}
	}
}
