package peal

import (
	"encoding/json"
	"time"
)

// Notification is one accepted request to reach somebody.
type Notification struct {
	TenantID  string
	ID        string
	Phone     string // or a WhatsApp user id
	UserID    string
	EventType string
	EventAt   time.Time
	Metadata  json.RawMessage
	Ladder    json.RawMessage // as api.Rung list, of one that names a ladder
	Priority  Priority
	SendAt    time.Time // zero: at once
	ExpiresAt time.Time // zero: never
	CreatedAt time.Time
}

// Delivery is one notification to one endpoint over one integration: a row of communications_log.
type Delivery struct {
	TenantID       string
	ID             string
	NotificationID string
	IntegrationID  string
	Channel        string
	Recipient      string
	UserID         string
	Payload        json.RawMessage // what is to be said, as api.Content
	Priority       Priority
	Rung           *Rung // its place on the notification's ladder; nil: there is none
	Status         Status
	MessageID      string
	MessageKey     string
	ErrorCode      string
	ErrorReason    string
	Flag           string
	Attempts       int // used up since it was accepted
	Round          int // of these, before it was last re-driven
	CreatedAt      time.Time
	UpdatedAt      time.Time
	DueAt          time.Time
	SendAt         time.Time // the notification's; only of what was claimed
	ExpiresAt      time.Time
	SentAt         time.Time
	DeliveredAt    time.Time
	ReadAt         time.Time
	EndedAt        time.Time
	DeadAt         time.Time
}

// Expired tells whether it may no longer be sent.
func (d *Delivery) Expired(now time.Time) bool {
	return !d.ExpiresAt.IsZero() && !now.Before(d.ExpiresAt)
}

// From is since when it may be sent: when it was accepted, or its notification's send_at; on a ladder its turn.
func (d *Delivery) From() time.Time {
	from := d.CreatedAt
	if d.SendAt.After(from) {
		from = d.SendAt
	}
	if r := d.Rung; r != nil && r.Number > 0 {
		turn := r.At
		if d.UpdatedAt.Before(turn) { // it came earlier; it was claimed then
			turn = d.UpdatedAt
		}
		if turn.After(from) {
			from = turn
		}
	}
	return from
}

// EventType names a fact of a delivery's timeline.
type EventType string

// The kinds of facts.
const (
	EventQueued    EventType = "queued"
	EventAttempt   EventType = "attempt"
	EventReceipt   EventType = "receipt"
	EventKey       EventType = "key"
	EventHeld      EventType = "held" // it waits for something that was found out without a call, such as its template
	EventSkipped   EventType = "skipped"
	EventCanceled  EventType = "canceled"
	EventExpired   EventType = "expired"
	EventRedriven  EventType = "redriven"
	EventDiscarded EventType = "discarded"
	EventResolved  EventType = "resolved"
	EventLadder    EventType = "ladder"    // why the turn of a rung came
	EventRestored  EventType = "restored"  // from a backup that does not know what became of it
	EventFellBack  EventType = "fell_back" // refused outside of the 24-hour window: its fallback goes in its place
	// EventReconciled is what looking into the provider's log of messages came to.
	EventReconciled EventType = "reconciled"
)

// Event is a fact about a delivery.
type Event struct {
	DeliveryID string
	At         time.Time
	Type       EventType
	Status     Status
	Attempt    int
	Class      Class
	Code       string
	Detail     string
	Took       time.Duration
	OccurredAt time.Time     // by the provider's clock
	Waited     time.Duration // of an attempt: since it might have been made
	WaitedFor  WaitFor
}
