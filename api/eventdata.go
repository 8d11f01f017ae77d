package api

import (
	"encoding/json"
	"time"
)

// DeliveryEvent is the data of delivery.*: a delivery has come to another state. That a call to its provider is being made,
// or made again, is not told.
type DeliveryEvent struct {
	DeliveryID     string          `json:"delivery_id"`
	NotificationID string          `json:"notification_id,omitempty"`
	IntegrationID  string          `json:"integration_id,omitempty"`
	Channel        string          `json:"channel,omitempty"`
	Recipient      string          `json:"recipient,omitempty"`
	UserID         string          `json:"user_id,omitempty"`
	EventType      string          `json:"event_type,omitempty" doc:"The notification's"`
	Metadata       json.RawMessage `json:"metadata,omitempty" doc:"The notification's, as it was given"`
	Status         string          `json:"status" doc:"The state that it came to; it may be in another by now"`
	Attempt        int64           `json:"attempt,omitempty" doc:"Calls that were made for it until then"`
	Code           string          `json:"code,omitempty" doc:"Why it failed, was skipped, or is uncertain"`
	Reason         string          `json:"reason,omitempty" doc:"The same for people"`
	DeadLetter     bool            `json:"dead_letter,omitempty" doc:"It ran out of attempts, and waits to be re-driven or discarded"`
	MessageID      string          `json:"message_id,omitempty" doc:"The provider's own id"`
	OccurredAt     *time.Time      `json:"occurred_at,omitempty" doc:"When it was sent, delivered or read, by the provider's clock where that tells it"`
}

// MessageReceivedEvent is the data of message.received: somebody wrote to one of the tenant's numbers.
type MessageReceivedEvent struct {
	ID            string          `json:"id" doc:"Ours, of GET /v1/inbound"`
	IntegrationID string          `json:"integration_id"`
	MessageID     string          `json:"message_id" doc:"The provider's"`
	From          string          `json:"from,omitempty" doc:"E.164; absent of a user without a phone number"`
	FromUserID    string          `json:"from_user_id,omitempty" doc:"WhatsApp's business-scoped id"`
	Name          string          `json:"name,omitempty" doc:"As the sender calls themself"`
	Type          string          `json:"type" doc:"text, image, button, …: the provider's word"`
	Text          string          `json:"text,omitempty"`
	Content       json.RawMessage `json:"content,omitempty" doc:"What it says beyond the text, as the provider has it"`
	ReplyTo       string          `json:"reply_to,omitempty" doc:"The provider's id of the message that it answers"`
	DeliveryID    string          `json:"delivery_id,omitempty" doc:"The delivery that it answers"`
	MediaID       string          `json:"media_id,omitempty"`
	MediaType     string          `json:"media_type,omitempty"`
	At            time.Time       `json:"at" doc:"When it was written, by the provider's clock"`
	ReceivedAt    time.Time       `json:"received_at"`
}

// ContactEvent is the data of contact.opted_out and contact.opted_in.
type ContactEvent struct {
	Contact       string    `json:"contact" doc:"E.164, or WhatsApp's business-scoped id"`
	Channel       string    `json:"channel"`
	Category      string    `json:"category,omitempty" doc:"What it is about; absent: all"`
	Source        string    `json:"source" doc:"Who says so: the contact by a keyword, the provider, or the API"`
	Keyword       string    `json:"keyword,omitempty" doc:"The word that the contact wrote"`
	IntegrationID string    `json:"integration_id,omitempty" doc:"Over which it came"`
	At            time.Time `json:"at"`
}

// TemplateEvent is the data of template.updated.
type TemplateEvent struct {
	IntegrationID  string `json:"integration_id"`
	Name           string `json:"name"`
	Language       string `json:"language"`
	Category       string `json:"category,omitempty"`
	Status         string `json:"status" doc:"As in GET /v1/integrations/{id}/templates: approved, paused, rejected, …"`
	PreviousStatus string `json:"previous_status,omitempty"`
	Quality        string `json:"quality,omitempty"`
	Reason         string `json:"reason,omitempty"`
}

// IntegrationEvent is the data of integration.paused, integration.resumed and integration.suspect.
type IntegrationEvent struct {
	IntegrationID string     `json:"integration_id"`
	Name          string     `json:"name"`
	Kind          string     `json:"kind"`
	Code          string     `json:"code,omitempty" doc:"Why: docs/states.md names the codes. Of resumed: of the pause that is over"`
	Reason        string     `json:"reason,omitempty"`
	Since         *time.Time `json:"since,omitempty"`
	Ended         bool       `json:"ended,omitempty" doc:"Of suspect: it is over, receipts come again"`
	Until         *time.Time `json:"until,omitempty" doc:"It ends by itself then, and integration.resumed does not come; absent: when it is mended"`
}

// SessionEvent is the data of integration.session: the session of a WhatsApp account has come to another state.
type SessionEvent struct {
	IntegrationID  string `json:"integration_id"`
	Name           string `json:"name"`
	Kind           string `json:"kind"`
	Status         string `json:"status" doc:"connected, need_scan, logged_out, …: the provider's word"`
	PreviousStatus string `json:"previous_status,omitempty"`
}

// NumberEvent is the data of number.updated: the provider says something new of a number that is sent from.
type NumberEvent struct {
	IntegrationID  string `json:"integration_id"`
	NumberID       string `json:"number_id" doc:"The provider's"`
	Number         string `json:"number,omitempty" doc:"E.164"`
	Status         string `json:"status,omitempty"`
	Quality        string `json:"quality,omitempty"`
	MessagingLimit string `json:"messaging_limit,omitempty" doc:"To how many contacts a day it may write first"`
	Throughput     string `json:"throughput,omitempty"`
	Reason         string `json:"reason,omitempty"`
}

// EndpointEvent is the data of endpoint.disabled and endpoint.test.
type EndpointEvent struct {
	EndpointID   string     `json:"endpoint_id"`
	URL          string     `json:"url"`
	Reason       string     `json:"reason,omitempty"`
	FailingSince *time.Time `json:"failing_since,omitempty"`
}
