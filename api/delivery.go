package api

import "time"

// Delivery is a row of the communications log: one notification to one endpoint over one integration.
type Delivery struct {
	ID             string     `json:"id"`
	NotificationID string     `json:"notification_id"`
	IntegrationID  string     `json:"integration_id,omitempty"`
	Channel        string     `json:"channel,omitempty"`
	Recipient      string     `json:"recipient" doc:"The endpoint: a phone number in E.164"`
	UserID         string     `json:"user_id,omitempty"`
	Rung           *int       `json:"rung,omitempty" doc:"Its rung, where the notification names a ladder; 0 goes first"`
	Status         string     `json:"status" enum:"queued,sending,sent,delivered,read,failed,skipped,canceled,expired,uncertain"`
	Content        *Content   `json:"content,omitempty"`
	MessageID      string     `json:"message_id,omitempty" doc:"The provider's own id, from its answer"`
	MessageKey     string     `json:"message_key,omitempty" doc:"The id that the provider's webhooks use, where that is another one"`
	ErrorCode      string     `json:"error_code,omitempty"`
	ErrorReason    string     `json:"error_reason,omitempty"`
	Attempts       int        `json:"attempts" doc:"Attempts used up; throttled ones do not count"`
	Flag           string     `json:"flag,omitempty" doc:"Something odd about it, such as receipt_after_failure"`
	DeadLetter     bool       `json:"dead_letter,omitempty" doc:"It ran out of attempts and waits to be re-driven or discarded"`
	CreatedAt      time.Time  `json:"created_at"`
	UpdatedAt      time.Time  `json:"updated_at"`
	DueAt          *time.Time `json:"due_at,omitempty" doc:"Not sent before this time: send_at, or the next attempt"`
	ExpiresAt      *time.Time `json:"expires_at,omitempty"`
	SentAt         *time.Time `json:"sent_at,omitempty" doc:"The provider took it"`
	DeliveredAt    *time.Time `json:"delivered_at,omitempty"`
	ReadAt         *time.Time `json:"read_at,omitempty"`
	EndedAt        *time.Time `json:"ended_at,omitempty" doc:"It failed, or was skipped, canceled or expired"`
	Timeline       []Event    `json:"timeline,omitempty" doc:"Only where one delivery is asked for"`
}

// Event is one fact of a delivery's timeline.
type Event struct {
	At         time.Time `json:"at" doc:"When Peal learned it"`
	Type       string    `json:"type" enum:"queued,attempt,receipt,key,held,skipped,canceled,expired,redriven,discarded,resolved,reconciled,restored,ladder"`
	Status     string    `json:"status,omitempty" doc:"The delivery's status after it"`
	Attempt    int       `json:"attempt,omitempty"`
	Outcome    string    `json:"outcome,omitempty" enum:"accepted,temporary,throttled,gone,permanent,integration,unknown" doc:"Class of an attempt's outcome"`
	Code       string    `json:"code,omitempty"`
	Detail     string    `json:"detail,omitempty"`
	DurationMS int64     `json:"duration_ms,omitempty" doc:"How long the provider's answer took"`
	OccurredAt time.Time `json:"occurred_at,omitzero" doc:"When it happened, by the provider's word"`
	WaitedMS   int64     `json:"waited_ms,omitempty" doc:"Of an attempt: how long it had waited since it might have been made"`
	WaitedFor  string    `json:"waited_for,omitempty" doc:"What for: turn, limit, place, pause, recipient_limit, quiet, …"`
}

// DeliveryPage is a page of the log, newest first.
type DeliveryPage struct {
	Deliveries []Delivery `json:"deliveries"`
	NextCursor string     `json:"next_cursor,omitempty" doc:"Pass it as cursor for the next page; absent on the last"`
}

// DeadLetterGroup counts the dead letters of one integration and error code.
type DeadLetterGroup struct {
	IntegrationID string    `json:"integration_id"`
	ErrorCode     string    `json:"error_code"`
	Count         int64     `json:"count"`
	OldestAt      time.Time `json:"oldest_at"`
	NewestAt      time.Time `json:"newest_at"`
	Sample        Delivery  `json:"sample"`
}

// DeadLetterGroups is the answer of GET /v1/dead-letters/groups.
type DeadLetterGroups struct {
	Groups []DeadLetterGroup `json:"groups"`
}

// DeadLetterFilter chooses dead letters: every field given must match; All alone chooses every one.
type DeadLetterFilter struct {
	All           bool       `json:"all,omitempty" doc:"Every dead letter; needed when no other field is given"`
	IDs           []string   `json:"ids,omitempty" maxItems:"1000"`
	IntegrationID string     `json:"integration_id,omitempty"`
	ErrorCode     string     `json:"error_code,omitempty"`
	Since         *time.Time `json:"since,omitempty" doc:"Dead since then or later"`
	Until         *time.Time `json:"until,omitempty" doc:"Dead before then"`
}

// RedriveRequest is the body of POST /v1/dead-letters/redrive.
type RedriveRequest struct {
	Filter DeadLetterFilter `json:"filter"`
	DryRun bool             `json:"dry_run,omitempty" doc:"Only count what would be re-driven"`
	Rate   float64          `json:"rate,omitempty" minimum:"0" maximum:"10000" doc:"Spread them out: so many per second; 0.001 to 10000, or 0 for at once (the integration's limit still holds)"`
	Limit  int              `json:"limit,omitempty" minimum:"0" maximum:"10000" doc:"At most so many in this call; 0 means 10000"`
}

// DiscardRequest is the body of POST /v1/dead-letters/discard.
type DiscardRequest struct {
	Filter DeadLetterFilter `json:"filter"`
	DryRun bool             `json:"dry_run,omitempty"`
	Limit  int              `json:"limit,omitempty" minimum:"0" maximum:"10000"`
}

// DeadLetterResult says what a re-drive or discard did, or with dry_run would do.
type DeadLetterResult struct {
	DryRun    bool  `json:"dry_run,omitempty"`
	Matched   int64 `json:"matched" doc:"Dead letters that the filter chose before this call"`
	Done      int64 `json:"done" doc:"Re-driven or discarded by this call"`
	Expired   int64 `json:"expired" doc:"Refused by a re-drive: they have expired, or their integration was deleted"`
	Remaining int64 `json:"remaining" doc:"Left for another call"`
}

// ResolveRequest is the body of POST /v1/deliveries/{id}/resolve: a person's word on an uncertain delivery.
type ResolveRequest struct {
	As   string `json:"as" enum:"sent,failed,resend"`
	Note string `json:"note,omitempty" maxLength:"500"`
}

// UncertainFilter chooses uncertain deliveries: every field given must match; All alone chooses every one.
type UncertainFilter struct {
	All           bool       `json:"all,omitempty" doc:"Every uncertain delivery; needed when no other field is given"`
	IDs           []string   `json:"ids,omitempty" maxItems:"1000"`
	IntegrationID string     `json:"integration_id,omitempty" doc:"Id or name"`
	ErrorCode     string     `json:"error_code,omitempty"`
	Since         *time.Time `json:"since,omitempty" doc:"Uncertain since then or later"`
	Until         *time.Time `json:"until,omitempty" doc:"Uncertain since before then"`
}

// ResolveAllRequest is the body of POST /v1/deliveries/resolve: a person's word on many uncertain deliveries.
type ResolveAllRequest struct {
	Filter UncertainFilter `json:"filter"`
	As     string          `json:"as" enum:"sent,failed,resend"`
	Note   string          `json:"note,omitempty" maxLength:"500"`
	DryRun bool            `json:"dry_run,omitempty" doc:"Only count what would be resolved"`
	Rate   float64         `json:"rate,omitempty" minimum:"0" maximum:"10000" doc:"With resend: spread them out, so many per second; 0.001 to 10000, or 0 for at once (the integration's limit still holds)"`
	Limit  int             `json:"limit,omitempty" minimum:"0" maximum:"10000" doc:"At most so many in this call; 0 means 10000"`
}

// ResolveResult says what resolving many did, or with dry_run would do.
type ResolveResult struct {
	DryRun    bool  `json:"dry_run,omitempty"`
	Matched   int64 `json:"matched" doc:"Uncertain deliveries that the filter chose before this call"`
	Done      int64 `json:"done" doc:"Resolved by this call"`
	Expired   int64 `json:"expired" doc:"Refused by a resend: they have expired, or their integration was deleted"`
	Remaining int64 `json:"remaining" doc:"Left for another call"`
}
