package whatsappcloud

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"peal/internal/peal"
	"peal/internal/provider"
)

// What is kept of an inbound message. Meta's are smaller.
const (
	maxInboundText = 16 << 10
	maxInbound     = 64 << 10 // of its content; a larger one is kept without
	maxPerson      = 256
	maxKindName    = 32
)

// codeStopped is Meta's word on somebody who wants no marketing.
const codeStopped = "131050"

// person is somebody in a webhook's contacts.
type person struct {
	Phone   string `json:"wa_id"`
	UserID  string `json:"user_id"`
	Profile struct {
		Name     string `json:"name"`
		Username string `json:"username"`
	} `json:"profile"`
}

// inbound is what every inbound message has. What it says is under the name of its type.
type inbound struct {
	ID      string `json:"id"`
	From    string `json:"from"`
	UserID  string `json:"from_user_id"`
	At      number `json:"timestamp"`
	Type    string `json:"type"`
	Context struct {
		ID string `json:"id"`
	} `json:"context"`
	System struct {
		Type     string `json:"type"`
		Phone    string `json:"wa_id"`
		OldField string `json:"new_wa_id"` // as it was called
		UserID   string `json:"user_id"`
	} `json:"system"`
}

// says is what can be read in a message, whatever its type.
type says struct {
	Body    string `json:"body"`
	Text    string `json:"text"`
	Caption string `json:"caption"`
	Emoji   string `json:"emoji"`
	Name    string `json:"name"`
	ID      string `json:"id"`
	Mime    string `json:"mime_type"`
	Message string `json:"message_id"`
	Button  struct {
		Title string `json:"title"`
	} `json:"button_reply"`
	List struct {
		Title string `json:"title"`
	} `json:"list_reply"`
	Flow struct {
		Body string `json:"body"`
	} `json:"nfm_reply"`
}

// phoneOf writes a number as Meta shows it in E.164; empty when it is none.
func phoneOf(s string) string {
	s = strings.TrimPrefix(s, "+")
	if len(s) < 7 || len(s) > 15 || s[0] == '0' || !digits(s) {
		return ""
	}
	return "+" + s
}

func userIDOf(s string) string {
	if !peal.IsWhatsAppUserID(s) {
		return ""
	}
	return s
}

// message adds what somebody wrote; and that somebody moved, which comes as a message, too.
func (p *parser) message(raw json.RawMessage, people []person) {
	var in inbound
	if !decode(raw, &in) || !isID(in.ID) {
		return
	}
	m := peal.Inbound{
		MessageID: in.ID, From: phoneOf(in.From), FromUserID: userIDOf(in.UserID), Type: word(in.Type), At: unix(in.At),
	}
	if m.Type == "" || len(m.Type) > maxKindName {
		m.Type = "unknown"
	}
	if isID(in.Context.ID) {
		m.ReplyTo = in.Context.ID
	}
	if m.Type == peal.InboundSystem {
		p.moved(&in, &m)
	} else {
		introduce(&m, in.From, people)
	}
	content(&m, in.Type, raw)
	p.facts = append(p.facts, provider.Fact{Inbound: &m})
}

// introduce adds what the webhook says of the sender: who of its people that is, or the only one.
func introduce(m *peal.Inbound, from string, people []person) {
	for i := range people {
		c := &people[i]
		same := c.Phone != "" && c.Phone == from || c.UserID != "" && c.UserID == m.FromUserID
		if !same && (len(people) > 1 || c.Phone != "" && m.From != "" || c.UserID != "" && m.FromUserID != "") {
			continue
		}
		m.Name = short(c.Profile.Name, maxPerson)
		if m.Name == "" {
			m.Name = short(c.Profile.Username, maxPerson)
		}
		if m.From == "" {
			m.From = phoneOf(c.Phone)
		}
		if m.FromUserID == "" {
			m.FromUserID = userIDOf(c.UserID)
		}
		return
	}
}

// moved adds that somebody has another number, or another user id.
func (p *parser) moved(in *inbound, m *peal.Inbound) {
	if s := in.System.Type; s != "user_changed_number" && s != "user_changed_user_id" {
		return
	}
	to := phoneOf(in.System.Phone)
	if to == "" {
		to = phoneOf(in.System.OldField)
	}
	move := peal.Move{From: m.From, FromUserID: m.FromUserID, To: to, ToUserID: userIDOf(in.System.UserID), At: m.At}
	if in.System.Type == "user_changed_user_id" && move.To == "" {
		move.To = move.From // the number is the same
	}
	if (move.From != "" || move.FromUserID != "") && (move.To != "" || move.ToUserID != "") {
		p.facts = append(p.facts, provider.Fact{Move: &move})
	}
}

// content adds what a message says, and what of it can be read.
func content(m *peal.Inbound, name string, raw json.RawMessage) {
	var all map[string]json.RawMessage
	if json.Unmarshal(raw, &all) != nil {
		return
	}
	body := all[name]
	if name == "unsupported" {
		body = all["errors"]
	}
	if len(body) == 0 || len(body) > maxInbound {
		return
	}
	var compact bytes.Buffer
	if json.Compact(&compact, body) == nil {
		m.Content = compact.Bytes()
	}
	var s says
	if !decode(body, &s) {
		return // contacts, and errors, are lists
	}
	for _, text := range [...]string{s.Body, s.Text, s.Caption, s.Emoji, s.Button.Title, s.List.Title, s.Flow.Body, s.Name} {
		if m.Text == "" {
			m.Text = short(text, maxInboundText)
		}
	}
	if s.Mime != "" && isID(s.ID) {
		m.MediaID, m.MediaType = s.ID, short(s.Mime, maxPerson)
	}
	if m.Type == "reaction" && isID(s.Message) {
		m.ReplyTo = s.Message
	}
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

// preference is what somebody said to WhatsApp of a number's messages.
type preference struct {
	Phone    string `json:"wa_id"`
	UserID   string `json:"user_id"`
	Category string `json:"category"`
	Value    string `json:"value"`
	At       number `json:"timestamp"`
}

func (p *parser) preference(s *preference) {
	c := peal.Consent{Category: peal.CategoryMarketing, Source: peal.ConsentByProvider, At: unix(s.At)}
	switch s.Value {
	case "stop":
		c.State = peal.OptedOut
	case "resume":
		c.State = peal.OptedIn
	default:
		return
	}
	if s.Category == "marketing_messages" || s.Category == "" {
		p.consent(c, s.Phone, s.UserID)
	}
}

// stopped adds that whoever a message was refused for wants no marketing.
func (p *parser) stopped(s *status) {
	p.consent(peal.Consent{
		Category: peal.CategoryMarketing, State: peal.OptedOut, Source: peal.ConsentByProvider, At: unix(s.At),
	}, s.To, s.ToUserID)
}

func (p *parser) consent(c peal.Consent, phone, userID string) {
	if c.Contact, c.Other = phoneOf(phone), userIDOf(userID); c.Contact == "" {
		c.Contact, c.Other = c.Other, ""
	}
	if c.Contact != "" {
		p.facts = append(p.facts, provider.Fact{Consent: &c})
	}
}
