package wasender

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"peal/internal/peal"
	"peal/internal/provider"
)

// What is kept of an inbound message. WhatsApp's own bounds are smaller.
const (
	maxInboundText = 16 << 10
	maxInbound     = 64 << 10 // of what the message says; a larger one is kept without
	maxPerson      = 256
)

// letter is an inbound message. Which of the fields are there depends on the version of the provider.
type letter struct {
	Key struct {
		ID        json.RawMessage `json:"id"`
		FromMe    json.RawMessage `json:"fromMe"`
		RemoteJID json.RawMessage `json:"remoteJid"`
		Sender    json.RawMessage `json:"cleanedSenderPn"`
	} `json:"key"`
	Name      json.RawMessage `json:"pushName"`
	Body      json.RawMessage `json:"messageBody"`
	Timestamp json.RawMessage `json:"messageTimestamp"`
	Messages  json.RawMessage `json:"messages"` // the letters themselves, one or a list
	Message   json.RawMessage `json:"message"`
}

// received reads a webhook of inbound messages; with both, of messages of both sides, where only those are meant that say
// that they are not ours.
func (p *parser) received(data json.RawMessage, at time.Time, both bool) {
	for _, raw := range list(data) {
		var outer letter
		if len(p.facts) > maxFacts || decode(raw, &outer) != nil {
			continue
		}
		if len(outer.Messages) == 0 {
			p.letter(&outer, at, both)
			continue
		}
		for _, raw := range list(outer.Messages) {
			var inner letter
			if decode(raw, &inner) == nil {
				p.letter(&inner, at, both)
			}
		}
	}
}

// letter adds what somebody wrote to the session's own number. What is said in groups and channels is for nobody in
// particular, and none.
func (p *parser) letter(l *letter, at time.Time, both bool) {
	id := asID(l.Key.ID)
	jid := asString(l.Key.RemoteJID)
	if id == "" || isTrue(l.Key.FromMe) || both && !isFalse(l.Key.FromMe) || strings.HasSuffix(jid, "@g.us") || strings.HasSuffix(jid, "@newsletter") || strings.HasSuffix(jid, "@broadcast") {
		return
	}
	m := peal.Inbound{
		MessageID: id, From: phoneOf(l.Key.Sender), Name: short(asString(l.Name), maxPerson), Type: "unknown",
		Text: short(asString(l.Body), maxInboundText), At: asTime(l.Timestamp),
	}
	if m.At.IsZero() {
		m.At = at
	}
	said(&m, l.Message)
	p.add(provider.Fact{Inbound: &m})
}

// phoneOf writes a number in E.164. It is only taken from where the provider gives a number: what is before the @ of a JID may
// be another kind of id.
func phoneOf(raw json.RawMessage) string {
	s := strings.TrimPrefix(asID(raw), "+")
	if len(s) < 7 || len(s) > 15 || s[0] == '0' || strings.Trim(s, "0123456789") != "" {
		return ""
	}
	return "+" + s
}

// part is one kind of what a message can say, in WhatsApp's words.
type part struct {
	Text     json.RawMessage `json:"text"`
	Caption  json.RawMessage `json:"caption"`
	Mime     json.RawMessage `json:"mimetype"`
	Name     json.RawMessage `json:"name"`
	Title    json.RawMessage `json:"title"`
	Display  json.RawMessage `json:"displayName"`
	Button   json.RawMessage `json:"selectedDisplayText"`
	Template json.RawMessage `json:"selectedButtonText"`
	Key      struct {
		ID json.RawMessage `json:"id"`
	} `json:"key"`
	Context struct {
		StanzaID json.RawMessage `json:"stanzaId"`
	} `json:"contextInfo"`
	Message json.RawMessage `json:"message"` // of what is wrapped
}

// kindOf is what Peal calls a part of a message; empty for those that are not what somebody says.
func kindOf(name string) string {
	switch name {
	case "conversation", "extendedTextMessage":
		return "text"
	case "imageMessage":
		return "image"
	case "videoMessage", "ptvMessage":
		return "video"
	case "audioMessage":
		return "audio"
	case "documentMessage":
		return "document"
	case "stickerMessage":
		return "sticker"
	case "locationMessage", "liveLocationMessage":
		return "location"
	case "contactMessage", "contactsArrayMessage":
		return "contacts"
	case "reactionMessage":
		return "reaction"
	case "buttonsResponseMessage", "templateButtonReplyMessage":
		return "button"
	case "listResponseMessage", "interactiveResponseMessage":
		return "interactive"
	case "orderMessage":
		return "order"
	case "pollUpdateMessage":
		return "poll"
	}
	return ""
}

// wrapper tells the parts that hold a whole message.
func wrapper(name string) bool {
	switch name {
	case "ephemeralMessage", "viewOnceMessage", "viewOnceMessageV2", "viewOnceMessageV2Extension", "documentWithCaptionMessage", "editedMessage":
		return true
	}
	return false
}

// said adds what a message says.
func said(m *peal.Inbound, raw json.RawMessage) {
	for range 4 { // wrapped in one another no deeper
		var all map[string]json.RawMessage
		if !isObject(raw) || json.Unmarshal(raw, &all) != nil {
			return
		}
		var inner json.RawMessage
		names := slices.Sorted(maps.Keys(all))
		for _, name := range names {
			if wrapper(name) {
				var p part
				if decode(all[name], &p) == nil {
					inner = p.Message
				}
			}
		}
		if inner != nil {
			raw = inner
			continue
		}
		for _, name := range names {
			if kind := kindOf(name); kind != "" {
				m.Type = kind
				sub(m, kind, all[name])
			}
		}
		keep(m, all)
		return
	}
}

func sub(m *peal.Inbound, kind string, body json.RawMessage) {
	if text := asString(body); text != "" && m.Text == "" {
		m.Text = short(text, maxInboundText)
	}
	var p part
	if decode(body, &p) != nil {
		return
	}
	for _, text := range [...]json.RawMessage{p.Text, p.Caption, p.Button, p.Template, p.Title, p.Name, p.Display} {
		if m.Text == "" {
			m.Text = short(asString(text), maxInboundText)
		}
	}
	if m.ReplyTo = asID(p.Context.StanzaID); kind == "reaction" {
		m.ReplyTo = asID(p.Key.ID)
	}
	switch kind {
	case "image", "video", "audio", "document", "sticker":
		m.MediaID, m.MediaType = m.MessageID, short(asString(p.Mime), maxPerson)
	}
}

// keep writes down what a message says without the previews that its files come with.
func keep(m *peal.Inbound, all map[string]json.RawMessage) {
	for name, body := range all {
		var fields map[string]json.RawMessage
		if !isObject(body) || json.Unmarshal(body, &fields) != nil {
			continue
		}
		cut := false
		for _, preview := range [...]string{"jpegThumbnail", "pngThumbnail", "thumbnail", "contextInfo", "scansSidecar", "midQualityFileSha256", "waveform"} {
			_, has := fields[preview]
			cut = cut || has
			delete(fields, preview)
		}
		if cut {
			if b, err := json.Marshal(fields); err == nil {
				all[name] = b
			}
		}
	}
	delete(all, "messageContextInfo")
	b, err := json.Marshal(all)
	if err != nil || len(b) > maxInbound || bytes.Equal(b, []byte("{}")) {
		return
	}
	m.Content = b
}

// short cuts a text to so many bytes, between characters.
func short(s string, most int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}
