package whatsappcloud

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// Inbound is a message from a WhatsApp user to a number. It opens the window.
type Inbound struct {
	Number string // "": the first
	From   string // phone number or user id
	// Type is text (default), image, audio, video, document, sticker, location,
	// contacts, reaction, button, interactive, order, system, unsupported.
	Type string
	Text string // body, caption, title of a button or list reply, emoji
	// Payload of a button, id of a reply.
	Payload string
	// List makes an interactive reply a list_reply.
	List bool
	// ReplyTo is the id of the message it answers (context), or reacts to.
	ReplyTo string
	// Media of the media kinds, with its type; made up when empty.
	Media     []byte
	MediaType string
	Filename  string
	// Content instead of the one made for the type, as it is.
	Content json.RawMessage
	// ID: default a new one. With a used one the same message comes again.
	ID string
	// Times it is posted; 0 is once.
	Times int
}

// InboundKinds lists what Inbound.Type may be.
func InboundKinds() []string {
	return []string{
		"text", "image", "audio", "video", "document", "sticker", "location", "contacts", "reaction", "button", "interactive", "order",
		"system", "unsupported",
	}
}

// PlayInbound posts a message from a user, and returns its id.
func (s *Server) PlayInbound(in Inbound) (string, error) {
	if in.Type == "" {
		in.Type = "text"
	}
	switch {
	case !slices.Contains(InboundKinds(), in.Type):
		return "", fmt.Errorf("type: %q is none of %v", in.Type, InboundKinds())
	case in.Content != nil && !json.Valid(in.Content):
		return "", errors.New("content: not JSON")
	case in.Times < 0 || in.Times > maxTimes:
		return "", fmt.Errorf("times: must be 0 to %d", maxTimes)
	}
	s.mu.Lock()
	n, err := s.numberOrFirst(in.Number)
	s.mu.Unlock()
	if err != nil {
		return "", err
	}
	content, err := s.inboundContent(n, &in)
	if err != nil {
		return "", err
	}
	var ch change
	err = s.withUser(n.acc.ID, in.From, func(_ *account, u *user) error {
		now := s.opt.Clock()
		if in.ID == "" {
			s.serial++
			in.ID = wamid(u.UserID, s.serial, false)
		}
		s.store.addInbound(in.ID, n.ID)
		if in.Type != "system" {
			u.lastIn[n.ID] = s.ns(now)
			n.sends.take(n.Throughput, s.ns(now), true)
		}
		n.counts.Inbound++
		m := object{"id": in.ID, "timestamp": strconv.FormatInt(now.Unix(), 10), "type": in.Type, "from_user_id": u.UserID}
		if phone := u.shown(false); phone != "" {
			m["from"] = phone
		}
		if in.Type == "unsupported" {
			m["errors"] = content
		} else {
			m[in.Type] = content
		}
		if in.ReplyTo != "" && in.Type != "reaction" {
			m["context"] = object{"from": n.Phone, "id": in.ReplyTo}
		}
		ch = change{field: "messages", number: n, kind: "messages", item: m}
		if in.Type != "system" { // Meta sends no contacts with these
			ch.contacts = []any{u.contact(false, true)}
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	for range max(1, in.Times) {
		s.postChange(n.acc, ch)
	}
	return in.ID, nil
}

func (s *Server) inboundContent(n *number, in *Inbound) (any, error) {
	if in.Content != nil {
		return in.Content, nil
	}
	or := func(text, def string) string {
		if text == "" {
			return def
		}
		return text
	}
	switch in.Type {
	case "text":
		return object{"body": in.Text}, nil
	case "image", "audio", "video", "document", "sticker":
		return s.inboundMedia(n, in), nil
	case "location":
		return object{"latitude": 37.4847, "longitude": -122.1486, "name": or(in.Text, "Meta HQ"), "address": "1 Hacker Way"}, nil
	case "contacts":
		return []any{object{
			"name":   object{"formatted_name": or(in.Text, "Ann Example"), "first_name": or(in.Text, "Ann")},
			"phones": []any{object{"phone": "+1 650 555 9999", "wa_id": "16505559999", "type": "MOBILE"}},
		}}, nil
	case "reaction":
		if in.ReplyTo == "" {
			return nil, errors.New("reply_to: is required with type reaction")
		}
		return object{"message_id": in.ReplyTo, "emoji": in.Text}, nil
	case "button":
		return object{"text": or(in.Text, "Yes"), "payload": or(in.Payload, or(in.Text, "Yes"))}, nil
	case "interactive":
		reply := object{"id": or(in.Payload, "1"), "title": or(in.Text, "Yes")}
		if in.List {
			reply["description"] = ""
			return object{"type": "list_reply", "list_reply": reply}, nil
		}
		return object{"type": "button_reply", "button_reply": reply}, nil
	case "order":
		return object{"catalog_id": "194836987003835", "text": in.Text, "product_items": []any{
			object{"product_retailer_id": "di9ozbzfi4", "quantity": 2, "item_price": 30, "currency": "USD"},
		}}, nil
	case "unsupported":
		return []any{object{
			"code": 131051, "title": "Message type unknown", "message": "Message type unknown",
			"error_data": object{"details": "Message type is currently not supported."},
		}}, nil
	}
	return nil, errors.New("content: is required with type system; see PlaySystem")
}

func (s *Server) inboundMedia(n *number, in *Inbound) object {
	kinds := map[string]string{
		"image": "image/jpeg", "audio": "audio/ogg; codecs=opus", "video": "video/mp4", "document": "application/pdf", "sticker": "image/webp",
	}
	if in.MediaType == "" {
		in.MediaType = kinds[in.Type]
	}
	if in.Media == nil {
		in.Media = []byte("a made-up " + in.Type)
	}
	id := s.addMedia(n.acc, n.ID, in.MediaType, in.Media)
	s.mu.Lock()
	sha := s.media[id].sha
	s.mu.Unlock()
	o := object{"id": id, "mime_type": in.MediaType, "sha256": sha}
	if in.Text != "" && in.Type != "audio" && in.Type != "sticker" {
		o["caption"] = in.Text
	}
	switch in.Type {
	case "audio":
		o["voice"] = true
	case "sticker":
		o["animated"] = false
	case "document":
		if in.Filename == "" {
			in.Filename = "document.pdf"
		}
		o["filename"] = in.Filename
	}
	return o
}

// PlaySystem posts that a user changed the number ("user_changed_number") or,
// with it, the user id ("user_changed_user_id"): the user is known by the new
// one from then on, with another user id.
func (s *Server) PlaySystem(numberID, from, kind, newPhone string) error {
	if kind != "user_changed_number" && kind != "user_changed_user_id" {
		return fmt.Errorf("kind: %q is none of user_changed_number, user_changed_user_id", kind)
	}
	if !digits(plainPhone(newPhone), 7, 15) {
		return errors.New("new phone: must be 7 to 15 digits")
	}
	s.mu.Lock()
	n, err := s.numberOrFirst(numberID)
	s.mu.Unlock()
	if err != nil {
		return err
	}
	var content object
	err = s.withUser(n.acc.ID, from, func(a *account, u *user) error {
		now := s.user(a.ID, plainPhone(newPhone))
		body := fmt.Sprintf("User %s changed from %s to %s", u.Name, u.Phone, now.Phone)
		content = object{"type": kind, "body": body, "user_id": now.UserID}
		if kind == "user_changed_number" {
			content["wa_id"] = now.Phone
		}
		now.Name, now.Username = u.Name, u.Username
		return nil
	})
	if err != nil {
		return err
	}
	raw, err := json.Marshal(content)
	if err != nil {
		return err
	}
	_, err = s.PlayInbound(Inbound{Number: n.ID, From: from, Type: "system", Content: raw})
	return err
}
