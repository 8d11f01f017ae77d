package wasender

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// Events as the vendor names them.
const (
	eventUpdate   = "messages.update"
	eventSent     = "message.sent"
	eventUpsert   = "messages.upsert"
	eventReceipt  = "message-receipt.update"
	eventReceived = "messages.received"
	eventSession  = "session.status"
	eventQR       = "qrcode.updated"
)

// envelope is around every event.
type envelope struct {
	Event     string `json:"event"`
	SessionID string `json:"sessionId,omitempty"`
	Data      any    `json:"data"`
	Timestamp int64  `json:"timestamp"`
}

// messageKey names a message. msgId is in no documented event.
type messageKey struct {
	RemoteJID string `json:"remoteJid"`
	ID        string `json:"id"`
	FromMe    bool   `json:"fromMe"`
}

// writeEvent puts data into the envelope as the shape says. ms and key tell
// what the documentation's example of the event has.
func writeEvent(event string, data any, c *Session, sh Shape, ms, key bool, now time.Time) []byte {
	e := envelope{Event: event, Data: data, Timestamp: now.Unix()}
	if sh.Timestamp == "ms" || sh.Timestamp == "" && ms {
		e.Timestamp = now.UnixMilli()
	}
	if sh.Data == "array" {
		e.Data = []any{data}
	}
	switch {
	case sh.SessionID == "key" || sh.SessionID == "" && key:
		e.SessionID = c.APIKey
	case sh.SessionID == "id":
		e.SessionID = strconv.FormatInt(c.ID, 10)
	}
	body, err := json.Marshal(e)
	if err != nil { // raw bodies were checked, the rest are our own types
		return []byte("{}")
	}
	return body
}

func statusName(status int) string {
	return [...]string{"error", "pending", "sent", "delivered", "read", "played"}[status]
}

func (sh Shape) status(status int) any {
	if sh.Status == "string" {
		return statusName(status)
	}
	return status
}

// remoteJID is the chat of a recipient: groups and channels are theirs already.
func remoteJID(to string, sh Shape) string {
	if strings.Contains(to, "@") {
		return to
	}
	if sh.RemoteJID == "lid" {
		return lid(to)
	}
	return strings.TrimPrefix(to, "+") + "@s.whatsapp.net"
}

// lid makes the hidden id of a number: stable, and not to be read back.
func lid(number string) string {
	h := uint64(14695981039346656037)
	for i := range len(number) {
		h = (h ^ uint64(number[i])) * 1099511628211
	}
	return strconv.FormatUint(100_000_000_000_000+h%900_000_000_000_000, 10) + "@lid"
}

// messageEvent writes an event of a message of ours. Only messages.update and
// message-receipt.update are documented; the data of message.sent and
// messages.upsert follows the npm package's types.
func messageEvent(m *Message, c *Session, p planned, now time.Time) []byte {
	jid := remoteJID(m.To, p.shape)
	key := messageKey{RemoteJID: jid, ID: m.KeyID, FromMe: true}
	switch p.event {
	case eventSent:
		return writeEvent(p.event, object{"key": key, "message": content(m), "status": statusName(p.status)}, c, p.shape, true, true, now)
	case eventUpsert:
		return writeEvent(p.event, object{"key": key, "message": content(m), "messageTimestamp": m.TakenAt.Unix()}, c, p.shape, true, true, now)
	case eventReceipt:
		receipt := object{"userJid": jid, "receiptTimestamp": now.Unix()}
		return writeEvent(p.event, object{"message": object{"key": key, "receipt": receipt}}, c, p.shape, true, true, now)
	}
	key.FromMe = false // so the documentation's example, although the message is ours
	return writeEvent(p.event, object{"update": object{"status": p.shape.status(p.status)}, "key": key}, c, p.shape, true, true, now)
}

// content is WhatsApp's form of a message. Only text is told apart.
func content(m *Message) object {
	return object{"conversation": m.Text}
}

func sessionEvent(c *Session, sh Shape, now time.Time) []byte {
	data := object{"status": string(c.State), "session_id": strconv.FormatInt(c.ID, 10)}
	return writeEvent(eventSession, data, c, sh, false, false, now)
}

// inboundEvent writes messages.received and its kin.
func inboundEvent(in Inbound, c *Session, now time.Time) []byte {
	number := strings.TrimPrefix(in.From, "+")
	pn := number + "@s.whatsapp.net"
	key := object{
		"id": in.KeyID, "fromMe": false, "remoteJid": remoteJID(in.From, in.Shape),
		"addressingMode": "pn", "senderPn": pn, "cleanedSenderPn": number, "senderLid": lid(in.From),
	}
	message := object{"key": key, "messageBody": in.Text, "message": object{"conversation": in.Text}}
	data := object{"messages": message}
	if in.Shape.Messages == "array" {
		data["messages"] = []any{message}
	}
	return writeEvent(in.Event, data, c, in.Shape, false, false, now)
}
