package webpush

import (
	"crypto/sha256"
	"strconv"
	"time"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/provider"
)

// Urgencies of RFC 8030.
const (
	urgencyHigh    = "high"
	urgencyNormal  = "normal"
	urgencyVeryLow = "very-low"
)

// maxTTL is as long as any push service keeps a message.
const maxTTL = 28 * 24 * time.Hour

// topicSize is how many characters a Topic may have.
const topicSize = 32

// ttl is how many seconds a push service is to keep a message: as the content says, and no longer than it is worth anything.
func ttl(p *api.Push, m *provider.Message, now time.Time) string {
	d := maxTTL
	if p.TTL != nil {
		if asked, err := time.ParseDuration(*p.TTL); err == nil {
			d = min(d, m.Keep(asked, now))
			d = (d + time.Second - 1).Truncate(time.Second) // a part of a second is more than now or never
		}
	}
	if !m.ExpiresAt.IsZero() {
		d = min(d, m.ExpiresAt.Sub(now))
	}
	return strconv.FormatInt(int64(max(0, d)/time.Second), 10)
}

// urgency is what the content says. Else a bulk message may wait for power and a network that costs nothing, a silent one
// for the next time that the device is awake, and all others wake it.
func urgency(p *api.Push, priority peal.Priority) string {
	switch {
	case p.Urgency == urgencyHigh || p.Urgency == urgencyNormal:
		return p.Urgency
	case priority == peal.Bulk:
		return urgencyVeryLow
	case p.Silent:
		return urgencyNormal
	default:
		return urgencyHigh
	}
}

// topic makes a message take the place of the one with the same that still waits at the push service: that of its collapse
// key, else itself sent once more. It tells the push service nothing: without the subscription's secret nobody can say what
// it was made of.
func topic(p *api.Push, deliveryID string, auth []byte) string {
	h := sha256.New()
	h.Write(auth)
	if p.CollapseKey != "" {
		h.Write([]byte("collapse:" + p.CollapseKey))
	} else {
		h.Write([]byte("delivery:" + deliveryID))
	}
	return encode(h.Sum(nil))[:topicSize]
}
