package wasender

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"peal/internal/peal"
	"peal/internal/provider"
)

// signature is the header of a webhook that carries the secret itself.
const signature = "X-Webhook-Signature"

// maxFacts is how many facts one body may hold; the provider sends one or a few.
const maxFacts = 1000

// A failure as the provider tells it: it gives no reason.
const (
	codeProviderError   = "provider_error"
	reasonProviderError = "the provider reports that the message failed"
)

var (
	errNoWebhook = errors.New("wasender: the webhook's body is no JSON object or list of such")
	errTooMany   = errors.New("wasender: the webhook's body holds too many facts")
)

// CheckWebhook compares the header with the secret. Hashing first makes the comparison take the same time whatever
// their lengths.
func (Kind) CheckWebhook(in *peal.Integration, header http.Header, _ []byte) bool {
	want, got := in.Credentials[webhookSecret], header.Get(signature)
	if want == "" || got == "" {
		return false
	}
	w, g := sha256.Sum256([]byte(want)), sha256.Sum256([]byte(got))
	return subtle.ConstantTimeCompare(w[:], g[:]) == 1
}

// event is the envelope of a webhook. Its sessionId may be the API key, so it is never read.
type event struct {
	Event     json.RawMessage `json:"event"`
	Data      json.RawMessage `json:"data"`
	Timestamp json.RawMessage `json:"timestamp"`
}

// ParseWebhook reads a webhook: one event, or a list of them.
func (Kind) ParseWebhook(_ http.Header, body []byte) ([]provider.Fact, error) {
	if !json.Valid(body) || !isObject(body) && !isList(body) {
		return nil, errNoWebhook
	}
	var p parser
	for _, raw := range list(body) {
		var e event
		if decode(raw, &e) == nil {
			p.event(&e)
		}
	}
	if len(p.facts) > maxFacts {
		return nil, errTooMany
	}
	return p.facts, nil
}

// parser collects facts; after the first one too many it stops.
type parser struct{ facts []provider.Fact }

func (p *parser) add(f provider.Fact) {
	if len(p.facts) <= maxFacts {
		p.facts = append(p.facts, f)
	}
}

// event reads the events that say something about our messages, the session, or what people wrote. All others are no facts.
func (p *parser) event(e *event) {
	at := asTime(e.Timestamp)
	switch strings.ToLower(asString(e.Event)) {
	case "messages.update":
		// Not filtered by fromMe: the documentation prints an update of a sent message with fromMe false.
		p.each(e.Data, func(i *item) { p.update(i, at) })
	case "message.sent":
		p.each(e.Data, func(i *item) { p.sent(i, at) })
	case "messages.upsert":
		p.each(e.Data, func(i *item) {
			if isTrue(i.Key.FromMe) {
				p.sent(i, at)
			}
		})
		p.received(e.Data, at, true)
	case "messages.received", "messages-personal.received":
		p.received(e.Data, at, false)
	case "message-receipt.update":
		p.each(e.Data, func(i *item) { p.receipt(i, at) })
	case "qrcode.updated": // what it says is a secret, and asked for when somebody wants it
		h := health(stateNeedScan)
		h.At = at
		p.add(provider.Fact{Session: &h})
	case "session.status":
		for _, raw := range list(e.Data) {
			var s stateAnswer
			if decode(raw, &s) != nil {
				continue
			}
			if state := sessionState(s.Status); state != "" {
				h := health(state)
				h.At = at
				p.add(provider.Fact{Session: &h})
			}
		}
	}
}

// item is one message in an event's data. Which of the fields are there depends on the event.
type item struct {
	Key struct {
		ID     json.RawMessage `json:"id"`
		FromMe json.RawMessage `json:"fromMe"`
	} `json:"key"`
	MsgID  json.RawMessage `json:"msgId"`
	Status json.RawMessage `json:"status"`
	Update struct {
		Status json.RawMessage `json:"status"`
	} `json:"update"`
	Receipt struct {
		Delivered json.RawMessage `json:"receiptTimestamp"`
		Read      json.RawMessage `json:"readTimestamp"`
		Played    json.RawMessage `json:"playedTimestamp"`
	} `json:"receipt"`
	MessageTimestamp json.RawMessage `json:"messageTimestamp"`
	Messages         json.RawMessage `json:"messages"` // the items themselves, one or a list, in newer and older shapes
	Message          json.RawMessage `json:"message"`  // the item itself in a receipt, else what the message says
}

// each calls do for every message in an event's data.
func (p *parser) each(data json.RawMessage, do func(*item)) {
	for _, raw := range list(data) {
		var outer item
		if len(p.facts) > maxFacts || decode(raw, &outer) != nil {
			continue
		}
		wrapped := append(list(outer.Messages), list(outer.Message)...)
		if asID(outer.Key.ID) != "" || len(wrapped) == 0 {
			do(&outer)
			continue
		}
		for _, raw := range wrapped {
			var inner item
			if decode(raw, &inner) != nil {
				continue
			}
			if len(inner.MsgID) == 0 {
				inner.MsgID = outer.MsgID
			}
			do(&inner)
		}
	}
}

// update is a change of a message's status.
func (p *parser) update(i *item, at time.Time) {
	s, known := parseStatus(i.Update.Status)
	if !known {
		s, known = parseStatus(i.Status)
	}
	if known {
		p.evidence(i, s, at)
	}
}

// sent is a message that went out, by its event's name. Its own status may say more.
func (p *parser) sent(i *item, at time.Time) {
	s, known := parseStatus(i.Status)
	if !known {
		s, known = parseStatus(i.Update.Status)
	}
	if !known {
		s = peal.Sent
	}
	if at.IsZero() {
		at = asTime(i.MessageTimestamp)
	}
	p.evidence(i, s, at)
}

// receipt is one participant's word in a group.
func (p *parser) receipt(i *item, at time.Time) {
	s, own := peal.Delivered, asTime(i.Receipt.Delivered)
	for _, raw := range [...]json.RawMessage{i.Receipt.Read, i.Receipt.Played} {
		if t := asTime(raw); !t.IsZero() {
			s, own = peal.Read, t
			break
		}
	}
	if !own.IsZero() {
		at = own
	}
	p.evidence(i, s, at)
}

// evidence adds what was seen of a message. A status that only joins the ids needs both of them.
func (p *parser) evidence(i *item, s peal.Status, at time.Time) {
	e := peal.Evidence{MessageID: asID(i.MsgID), MessageKey: asID(i.Key.ID), Status: s, At: at}
	if e.MessageKey == "" && e.MessageID == "" || s == "" && (e.MessageKey == "" || e.MessageID == "") {
		return
	}
	if s == peal.Failed {
		e.Code, e.Reason = codeProviderError, reasonProviderError
	}
	p.add(provider.Fact{Evidence: &e})
}

// parseStatus reads a message's status, a number or a word. Pending is known, and no status of ours.
func parseStatus(raw json.RawMessage) (s peal.Status, known bool) {
	word := asString(raw)
	if word == "" {
		word = string(raw)
	}
	switch strings.ToUpper(strings.TrimSpace(word)) {
	case "0", "ERROR", "FAILED":
		return peal.Failed, true
	case "1", "PENDING", "IN_PROGRESS", "QUEUED":
		return "", true
	case "2", "SENT", "SERVER_ACK":
		return peal.Sent, true
	case "3", "DELIVERED", "DELIVERY_ACK":
		return peal.Delivered, true
	case "4", "READ", "5", "PLAYED":
		return peal.Read, true
	default:
		return "", false
	}
}

// list takes one value for a list of one.
func list(raw json.RawMessage) []json.RawMessage {
	if isList(raw) {
		var all []json.RawMessage
		if json.Unmarshal(raw, &all) != nil {
			return nil
		}
		return all
	}
	if isObject(raw) {
		return []json.RawMessage{raw}
	}
	return nil
}

func isList(b []byte) bool {
	b = bytes.TrimLeft(b, " \t\r\n")
	return len(b) > 0 && b[0] == '['
}
