// Package fill writes a log as years of use leave one, straight into the database of a Peal that does not run: the API
// would take hours. What it writes is what the pipeline would have.
package fill

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"
)

// Phones of the filled log begin with this, unlike the generator's, and number one for every so many rows.
const (
	phonePrefix     = "+9197"
	rowsPerPhone    = 20
	firstMessageID  = 500_000_000
	payload         = `{"text":"Your order %09d has left our warehouse in Pune and will be with you on Thursday between ten and twelve. You can follow it on the page we sent you, or have it left with a neighbour."}`
	sentAfter       = 40 * time.Millisecond
	deliveredAfter  = 2 * time.Second
	readAfter       = 5 * time.Minute
	microsPerSecond = 1_000_000
)

// Plan says what is filled in.
type Plan struct {
	Rows                int
	Tenant, Integration string
	From, To            time.Time // over which the rows are spread evenly
}

// Phone is the recipient of a row.
func (p *Plan) Phone(row int) string {
	phones := max(1, p.Rows/rowsPerPhone)
	// A step without a divisor in common with it visits all phones before any comes again, far from each other.
	return fmt.Sprintf(phonePrefix+"%08d", row*7_368_787%phones)
}

// MessageID is the provider's id of a row's message.
func (p *Plan) MessageID(row int) string { return strconv.Itoa(firstMessageID + row) }

// At is when a row was accepted.
func (p *Plan) At(row int) time.Time {
	return p.From.Add(time.Duration(float64(p.To.Sub(p.From)) * float64(row) / float64(max(1, p.Rows))))
}

// row is a delivery with its notification and its events, as columns.
type row struct {
	notification, delivery []any
	events                 [][]any
	hour                   int64
}

// The columns of the values of a row; both databases have them.
func notificationColumns() []string {
	return []string{"tenant_id", "notification_id", "phone", "user_id", "created_at", "priority", "deliveries"}
}

func deliveryColumns() []string {
	return []string{
		"tenant_id", "delivery_id", "notification_id", "integration_id", "channel", "message_id", "message_key", "recipient", "user_id",
		"payload", "status", "error_code", "error_reason", "attempts", "created_at", "updated_at", "sent_at", "delivered_at", "read_at",
		"ended_at", "priority",
	}
}

func eventColumns() []string {
	return []string{"delivery_id", "mark", "at", "type", "status", "attempt", "class", "took_us", "occurred_at"}
}

// generator makes the rows in the order of time, the same every time.
type generator struct {
	*Plan
	rand *rand.Rand
	next int
}

func newGenerator(p *Plan) *generator { return &generator{Plan: p, rand: rand.New(rand.NewPCG(1, 2))} }

// ids are UUIDs of version 7 that share their first half, as Peal's do.
func (g *generator) ids(at time.Time) (notification, delivery string) {
	var id [16]byte
	binary.BigEndian.PutUint64(id[:8], uint64(at.UnixMilli())<<16|0x7000|uint64(g.rand.Uint32()&0xfff))
	text := func() string {
		binary.BigEndian.PutUint64(id[8:], g.rand.Uint64()&^(3<<62)|2<<62)
		h := hex.EncodeToString(id[:])
		return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
	}
	return text(), text()
}

// row makes the next one: 2 in 100 failed, 8 sent without a receipt, 40 delivered, the others read.
func (g *generator) row() row {
	i := g.next
	g.next++
	at := g.At(i)
	nid, did := g.ids(at)
	phone, now := g.Phone(i), at.UnixMicro()
	var user any
	if i%2 == 0 {
		user = "user-" + phone[len(phonePrefix):]
	}
	sent, delivered, read := at.Add(sentAfter).UnixMicro(), at.Add(deliveredAfter).UnixMicro(), at.Add(readAfter).UnixMicro()
	var status, messageID, key, code, reason, sentAt, deliveredAt, readAt, endedAt any
	updated, class := sent, "accepted"
	messageID, key, sentAt = g.MessageID(i), fmt.Sprintf("3EB0%016X", i), sent
	attempted := "sent"
	switch n := g.rand.IntN(100); {
	case n < 2:
		status, messageID, key, sentAt, endedAt = "failed", nil, nil, nil, sent
		code, reason, class, attempted = "unregistered", "this number has no WhatsApp", "permanent", "failed"
	case n < 10:
		status, key = "sent", nil
	case n < 50:
		status, deliveredAt, updated = "delivered", delivered, delivered
	default:
		status, deliveredAt, readAt, updated = "read", delivered, read, read
	}
	r := row{
		hour:         at.Unix() / 3600,
		notification: []any{g.Tenant, nid, phone, user, now, 0, 1},
		delivery: []any{
			g.Tenant, did, nid, g.Integration, "whatsapp", messageID, key, phone, user, fmt.Sprintf(payload, i), status, code, reason, 1,
			now, updated, sentAt, deliveredAt, readAt, endedAt, 0,
		},
		events: [][]any{{did, "attempt:" + strconv.FormatInt(sent, 36), sent, "attempt", attempted, 1, class, 35_000, nil}},
	}
	if deliveredAt != nil {
		r.events = append(r.events, []any{did, "receipt:delivered", delivered, "receipt", "delivered", nil, nil, nil, delivered / microsPerSecond * microsPerSecond})
	}
	return r
}
