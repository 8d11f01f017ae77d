package peal

import "time"

// WaitFor names what an attempt has waited for.
type WaitFor string

// What attempts wait for. Codes of rows that were put back without a call (CodeRecipientLimit, CodeQuiet, …) are such, too.
const (
	WaitTurn  WaitFor = "turn"  // nothing but those before it, and the way through the queue
	WaitLimit WaitFor = "limit" // the integration's limit
	WaitPlace WaitFor = "place" // a free place among the calls that may be in flight at once
	WaitPause WaitFor = "pause" // the end of a pause of the integration
)

// Explained is what the records know of how a delivery came to be as it is.
type Explained struct {
	Delivery     Delivery
	Events       []Event
	CheckAt      time.Time // when it is looked up at the provider; zero: it is not
	Notification Notification
	Replays      Replay
}

// Replay counts requests that were answered from a notification, because they had its idempotency key.
type Replay struct {
	TenantID       string
	NotificationID string
	Key            string // as the records know it: what kind of key it is, a colon, the key
	Count          int64
	Last           time.Time
}
