package peal

import (
	"encoding/json"
	"time"
)

// Notice is something that a tenant's own systems are told: an entry of the tenant's event log. docs/events.md names the
// types.
type Notice struct {
	TenantID   string
	ID         string // given by the log
	Type       string
	At         time.Time
	Subject    string // what it is about, and ordered by: a delivery, a contact, an integration, …
	DeliveryID string // of the delivery that it is of, or that it answers
	Data       json.RawMessage
	Position   string // its place in the log, which only the log reads; empty before it has one
}

// The types of notices that are not of deliveries. A delivery's is NoticeOf its status.
const (
	NoticeMessageReceived    = "message.received"
	NoticeContactOptedOut    = "contact.opted_out"
	NoticeContactOptedIn     = "contact.opted_in"
	NoticeTemplateUpdated    = "template.updated"
	NoticeIntegrationPaused  = "integration.paused"
	NoticeIntegrationResumed = "integration.resumed"
	NoticeIntegrationSuspect = "integration.suspect"
	NoticeIntegrationSession = "integration.session"
	NoticeNumberUpdated      = "number.updated"
	NoticeEndpointDisabled   = "endpoint.disabled"
	NoticeEndpointTest       = "endpoint.test"
	noticeOfDeliveries       = "delivery."
)

// NoticeOf is the type of a delivery's notice. That it is being sent is not told.
func NoticeOf(s Status) string { return noticeOfDeliveries + string(s) }
