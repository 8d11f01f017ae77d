package whatsappcloud

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// change is one change on its way: a status or message of a number, or the
// whole value of another field.
type change struct {
	field    string
	number   *number // of messages and user_preferences
	kind     string  // the list the item goes to: statuses, messages, ...; "" with value
	item     object
	contacts []any
	value    object
	raw      []byte // instead of all: posted as it is
	size     int    // of the item, about
	account  string

	msg *Message // of a status, for its history
	at  int
}

// outbox collects changes for batches.
type outbox struct {
	mu      sync.Mutex
	waiting map[string][]change // by account
	bytes   map[string]int
	timer   map[string]bool // a flush is queued
	hold    bool
	held    []*delivery
}

// keep takes a post while webhooks are held.
func (o *outbox) keep(d *delivery) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.hold {
		o.held = append(o.held, d)
	}
	return o.hold
}

// HoldWebhooks keeps every webhook back from now on, as when Meta's queue
// stands still; Idle does not wait for those. With false all of them go out at
// once, old ones with their old timestamps.
func (s *Server) HoldWebhooks(hold bool) {
	o := &s.outbox
	o.mu.Lock()
	o.hold = hold
	var flood []*delivery
	if !hold {
		flood, o.held = o.held, nil
	}
	o.mu.Unlock()
	for _, d := range flood {
		d.first = time.Now()
		s.player.add(&task{due: d.first, run: func(ctx context.Context) time.Time {
			s.deliver(ctx, d)
			return time.Time{}
		}})
	}
}

func (o *outbox) clear() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.waiting, o.bytes, o.timer = nil, nil, nil
	o.hold, o.held = false, nil
}

func (o *outbox) take(account string) []change {
	o.mu.Lock()
	defer o.mu.Unlock()
	list := o.waiting[account]
	delete(o.waiting, account)
	delete(o.bytes, account)
	delete(o.timer, account)
	return list
}

// put adds a change. It returns what was full before or is full with it, and
// whether a flush has to be queued.
func (o *outbox) put(ch change, b Batch) (full [][]change, flush bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.waiting == nil {
		o.waiting, o.bytes, o.timer = map[string][]change{}, map[string]int{}, map[string]bool{}
	}
	id := ch.account
	cut := func() {
		full = append(full, o.waiting[id])
		delete(o.waiting, id)
		delete(o.bytes, id)
	}
	if len(o.waiting[id]) > 0 && o.bytes[id]+ch.size > b.MaxBytes {
		cut()
	}
	o.waiting[id] = append(o.waiting[id], ch)
	o.bytes[id] += ch.size
	if len(o.waiting[id]) >= b.Size {
		cut()
		return full, false
	}
	flush = !o.timer[id]
	o.timer[id] = true
	return full, flush
}

// around is about how many bytes a change needs beside its item.
const around = 400

// send posts a change, at once or with others of the account. The caller is a
// task of the player.
func (s *Server) send(ctx context.Context, a *account, ch change, now bool) {
	s.mu.Lock()
	url, fields := a.WebhookURL, a.Fields
	s.mu.Unlock()
	if url == "" || len(fields) > 0 && ch.raw == nil && !slices.Contains(fields, ch.field) {
		if ch.msg != nil {
			s.setWebhook(ch.msg, ch.at, "FAILED", "no subscription")
		}
		s.player.tally(func(c *WebhookCounts) { c.Filtered++ })
		return
	}
	ch.account = a.ID
	batch := s.opt.Webhooks.Batch
	if now || batch.Size <= 1 || ch.raw != nil {
		s.post(ctx, a, []change{ch})
		return
	}
	ch.size = around + len(metaJSON(ch.item)) + len(metaJSON(ch.contacts)) + len(metaJSON(ch.value))
	full, flush := s.outbox.put(ch, batch)
	for _, list := range full {
		s.post(ctx, a, list)
	}
	if flush {
		s.player.add(&task{due: time.Now().Add(batch.Wait), run: func(ctx context.Context) time.Time {
			if list := s.outbox.take(a.ID); len(list) > 0 {
				s.post(ctx, a, list)
			}
			return time.Time{}
		}})
	}
}

// postChange is send through the player, for what has no task yet.
func (s *Server) postChange(a *account, ch change) {
	s.player.add(&task{due: time.Now(), run: func(ctx context.Context) time.Time {
		s.send(ctx, a, ch, false)
		return time.Time{}
	}})
}

func (s *Server) post(ctx context.Context, a *account, list []change) {
	s.mu.Lock()
	d := &delivery{url: a.WebhookURL, secret: a.AppSecret, changes: list, first: time.Now()}
	d.body = list[0].raw
	if d.body == nil {
		d.body = metaJSON(object{
			"object": "whatsapp_business_account", "entry": s.entries(a, list),
		})
	}
	s.mu.Unlock()
	s.deliver(ctx, d)
}

// entries puts changes into the shape of a post. The caller holds mu.
func (s *Server) entries(a *account, list []change) []any {
	shape := s.opt.Webhooks.Batch.Shape
	now := s.opt.Clock().Unix()
	var entries, changes []any
	var last change
	var value object
	for i, ch := range list {
		joins := i > 0 && ch.kind != "" && ch.kind == last.kind && ch.number == last.number && ch.field == last.field &&
			(shape == BatchStatuses || shape == BatchMixed && i%3 == 1)
		if joins {
			value[ch.kind] = append(value[ch.kind].([]any), ch.item)
			if len(ch.contacts) > 0 {
				contacts, _ := value["contacts"].([]any)
				value["contacts"] = append(contacts, ch.contacts...)
			}
			continue
		}
		if i > 0 && (shape == BatchEntries || shape == BatchMixed && i%3 == 2) {
			entries, changes = append(entries, object{"id": a.ID, "time": now, "changes": changes}), nil
		}
		value, last = ch.whole(), ch
		changes = append(changes, object{"field": ch.field, "value": value})
	}
	entry := object{"id": a.ID, "changes": changes}
	if len(list) == 1 && list[0].kind == "" {
		entry["time"] = now
	}
	return append(entries, entry)
}

func (ch *change) whole() object {
	if ch.kind == "" {
		return ch.value
	}
	v := object{
		"messaging_product": "whatsapp",
		"metadata":          object{"display_phone_number": ch.number.Phone, "phone_number_id": ch.number.ID},
		ch.kind:             []any{ch.item},
	}
	if len(ch.contacts) > 0 {
		v["contacts"] = ch.contacts
	}
	return v
}

// metaJSON writes JSON as Meta does: what is not ASCII as \uXXXX, and slashes
// escaped. A receiver that decodes and writes again gets another signature.
func metaJSON(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil { // only our own types and checked raw JSON come here
		return []byte("{}")
	}
	return escape(bytes.TrimSpace(b.Bytes()))
}

func escape(in []byte) []byte {
	const hex = "0123456789abcdef"
	out := make([]byte, 0, len(in)+len(in)/8)
	unit := func(u uint16) { out = append(out, '\\', 'u', hex[u>>12], hex[u>>8&15], hex[u>>4&15], hex[u&15]) }
	for len(in) > 0 {
		r, n := utf8.DecodeRune(in)
		in = in[n:]
		switch {
		case r == '/':
			out = append(out, '\\', '/')
		case r < 0x7f:
			out = append(out, byte(r))
		case r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			unit(uint16(hi))
			unit(uint16(lo))
		default:
			unit(uint16(r))
		}
	}
	return out
}
