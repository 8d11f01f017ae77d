package api

import (
	"encoding/json"
	"time"
)

// NotificationRequest is the body of POST /v1/notifications, and an item of a batch.
type NotificationRequest struct {
	Recipient   Recipient       `json:"recipient" doc:"Who is to be reached"`
	Channel     string          `json:"channel,omitempty" enum:"whatsapp,push" doc:"Send over the tenant's one integration of this channel; or name the integration"`
	Integration string          `json:"integration,omitempty" doc:"Id or name of the integration to send over"`
	Ladder      []Rung          `json:"ladder,omitempty" minItems:"2" maxItems:"5" doc:"Instead of channel and integration: over what to send first, and over what else when no receipt comes in time or it fails"`
	Content     Content         `json:"content,omitzero" required:"false" doc:"What to say: exactly one kind. With a ladder it may be left out where every rung has its own"`
	Category    string          `json:"category,omitempty" enum:"marketing,utility,authentication" doc:"whatsapp: what sort of message it is, by which people opt out of it. Without, only those are skipped who have opted out of all"`
	Event       *EventRef       `json:"event,omitempty" doc:"What happened. Without an idempotency key, one is derived from tenant, recipient, event type and time"`
	Priority    string          `json:"priority,omitempty" enum:"critical,normal,bulk" doc:"The lane that it waits in: critical overtakes normal, normal overtakes bulk. Default: normal"`
	TTL         string          `json:"ttl,omitempty" doc:"Give up when it has not been sent this long after send_at (or now), such as \"10m\"" example:"10m"`
	ExpiresAt   *time.Time      `json:"expires_at,omitempty" doc:"Give up when it has not been sent by then; not together with ttl"`
	SendAt      *time.Time      `json:"send_at,omitempty" doc:"Not before this time, up to 30 days ahead"`
	Metadata    json.RawMessage `json:"metadata,omitempty" doc:"An object of yours, kept and given back as it is; up to 4 KB"`

	// IdempotencyKey is for items of a batch; a single request uses the Idempotency-Key header.
	IdempotencyKey string `json:"idempotency_key,omitempty" maxLength:"255" doc:"In a batch: what the Idempotency-Key header is to a single request"`
}

// Recipient names who is to be reached: a phone number, a WhatsApp user id, a user whose phone number or devices Peal knows, or many users.
type Recipient struct {
	Phone  string `json:"phone,omitempty" doc:"E.164" example:"+919812345678"`
	UserID string `json:"user_id,omitempty" maxLength:"128" doc:"Your own id of the user"`

	WhatsAppUserID string `json:"whatsapp_user_id,omitempty" maxLength:"140" doc:"whatsapp_cloud: the WhatsApp user id of somebody whose number is not known; inbound messages tell it" example:"US.13491208655302741918"`

	Platform string    `json:"platform,omitempty" enum:"android,ios,macos,web,windows,linux,other" doc:"Of a push: only the user's devices of this platform"`
	Audience *Audience `json:"audience,omitempty" doc:"Of a push: many users at once"`
}

// Rung is one of a ladder's ways to reach somebody. Each but the first goes out only if no receipt has come in time; or at
// once, when the one before it has failed.
type Rung struct {
	Channel     string   `json:"channel,omitempty" enum:"whatsapp,push" doc:"Send over the tenant's one integration of this channel; or name the integration"`
	Integration string   `json:"integration,omitempty" doc:"Id or name of the integration to send over"`
	Content     *Content `json:"content,omitempty" doc:"What to say on this rung, instead of the notification's content"`
	After       string   `json:"after,omitempty" doc:"Of all but the first: how long after the turn of the rung before its own turn comes, from 1s to 168h" example:"5m"`
	Unless      string   `json:"unless,omitempty" enum:"delivered,read" doc:"Of all but the first: it goes unless such a receipt has come on a rung before it. Default: delivered"`
}

// EventRef names the event that a notification tells of.
type EventRef struct {
	Type       string    `json:"type" maxLength:"128" example:"order.shipped"`
	OccurredAt time.Time `json:"occurred_at"`
}

// BatchRequest is the body of POST /v1/notifications/batch: 1 to 1,000 items.
type BatchRequest struct {
	Notifications []NotificationRequest `json:"notifications" minItems:"1" maxItems:"1000"`
}

// Accepted is the answer to an accepted notification: it is on disk.
type Accepted struct {
	ID         string             `json:"id" doc:"The notification's id"`
	CreatedAt  time.Time          `json:"created_at"`
	Deliveries []AcceptedDelivery `json:"deliveries"`
	Expanding  bool               `json:"expanding,omitempty" doc:"Of an audience: its deliveries are made from now on, or from send_at; GET /v1/notifications/{id} tells how far that is"`
	Queue      *QueueEstimate     `json:"queue,omitempty" doc:"When it is going to go out, estimated; absent when it does not wait. A repeat with the same idempotency key gives the first estimate again"`
}

// QueueEstimate tells how long a notification is going to wait: of its deliveries the one that goes out last. It is an
// estimate, made from counts that are about a second old.
type QueueEstimate struct {
	Ahead int64      `json:"ahead" doc:"How many deliveries stand before it, in its lane and in the lanes that overtake it"`
	ETA   *time.Time `json:"eta,omitempty" doc:"When it goes out: by the integration's limit, or by what it has sent lately where there is none; not before send_at, nor before a pause is over. Absent when nobody can tell, as while the integration is paused without an end"`
}

// AcceptedDelivery is one delivery of an accepted notification, as it was planned.
type AcceptedDelivery struct {
	ID            string `json:"id"`
	IntegrationID string `json:"integration_id,omitempty"`
	Channel       string `json:"channel,omitempty"`
	Rung          *int   `json:"rung,omitempty" doc:"Its rung, where the notification names a ladder; 0 goes first"`
	Status        string `json:"status" enum:"queued,skipped"`
	Reason        string `json:"reason,omitempty" doc:"Why it was skipped"`
}

// BatchResponse answers a batch, item by item, in the order of the request.
type BatchResponse struct {
	Accepted int           `json:"accepted"`
	Refused  int           `json:"refused"`
	Results  []BatchResult `json:"results"`
}

// BatchResult is the answer to one item: an accepted notification or an error.
type BatchResult struct {
	Status       int       `json:"status" doc:"What a single request would have been answered: 202, or the error's status"`
	Replayed     bool      `json:"replayed,omitempty" doc:"The answer of an earlier request with the same idempotency key"`
	Notification *Accepted `json:"notification,omitempty"`
	Error        *Problem  `json:"error,omitempty"`
}

// Notification is what GET /v1/notifications/{id} tells.
type Notification struct {
	ID         string          `json:"id"`
	Status     string          `json:"status" doc:"The deliveries summed up: the least advanced of those still on their way, else the best end reached. Rungs of a ladder whose turn is yet to come do not count while one before may still arrive, nor do those that a receipt made needless"`
	Recipient  Recipient       `json:"recipient"`
	Event      *EventRef       `json:"event,omitempty"`
	Metadata   json.RawMessage `json:"metadata,omitempty"`
	Ladder     []Rung          `json:"ladder,omitempty" doc:"As it was asked for, without contents; each delivery tells its rung"`
	Priority   string          `json:"priority" enum:"critical,normal,bulk"`
	SendAt     *time.Time      `json:"send_at,omitempty"`
	ExpiresAt  *time.Time      `json:"expires_at,omitempty"`
	CreatedAt  time.Time       `json:"created_at"`
	Queue      *QueueEstimate  `json:"queue,omitempty" doc:"When it is going to go out, estimated; absent when it does not wait"`
	Deliveries []Delivery      `json:"deliveries" doc:"Of an audience the first 100; GET /v1/deliveries?notification_id= pages through all"`

	Expansion *Expansion       `json:"expansion,omitempty" doc:"Of an audience: how far it has become deliveries"`
	Counts    map[string]int64 `json:"counts,omitempty" doc:"Of an audience: the deliveries by status"`
}

// Expansion tells how far a notification to an audience has become deliveries.
type Expansion struct {
	Planned   int64      `json:"planned" doc:"Deliveries so far"`
	StartedAt *time.Time `json:"started_at,omitempty"`
	EndedAt   *time.Time `json:"ended_at,omitempty"`
	End       string     `json:"end,omitempty" enum:"done,canceled,expired,no_integration,restored,failed" doc:"How it ended. Only after done every device was planned for. no_integration: the one that it was to go over was deleted. restored: the records went back to a backup, and who was sent it since is not known"`
}
