package api

import (
	"encoding/json"
	"time"
)

// InboundMessage is what somebody wrote to an integration's account.
type InboundMessage struct {
	ID            string          `json:"id"`
	IntegrationID string          `json:"integration_id"`
	MessageID     string          `json:"message_id" doc:"The provider's id"`
	From          string          `json:"from,omitempty" doc:"Who wrote, in E.164; absent where WhatsApp does not show their number"`
	FromUserID    string          `json:"from_user_id,omitempty" doc:"Who wrote, by their WhatsApp user id. Where there is no number, answer to it as recipient.whatsapp_user_id"`
	Name          string          `json:"name,omitempty" doc:"As they call themselves"`
	Type          string          `json:"type" doc:"text, image, audio, video, document, sticker, location, contacts, reaction, button, interactive, order, system, unsupported, and what the provider adds" example:"text"`
	Text          string          `json:"text,omitempty" doc:"What of it can be read: the text, a caption, the title of a button, an emoji"`
	Content       json.RawMessage `json:"content,omitempty" doc:"What it says in the provider's words"`
	ReplyTo       string          `json:"reply_to,omitempty" doc:"The provider's id of the message that it answers"`
	DeliveryID    string          `json:"delivery_id,omitempty" doc:"The delivery that it answers"`
	MediaType     string          `json:"media_type,omitempty" doc:"It has a file, of this type: GET /v1/inbound/{id}/media" example:"image/jpeg"`
	At            time.Time       `json:"at" doc:"By the provider's clock"`
	ReceivedAt    time.Time       `json:"received_at"`
}

// InboundPage is a page of inbound messages, newest first.
type InboundPage struct {
	Messages   []InboundMessage `json:"messages"`
	NextCursor string           `json:"next_cursor,omitempty" doc:"Absent on the last page"`
}

// KnownContact is what Peal knows of a person.
type KnownContact struct {
	Phone          string           `json:"phone,omitempty"`
	WhatsAppUserID string           `json:"whatsapp_user_id,omitempty"`
	Name           string           `json:"name,omitempty" doc:"As they call themselves"`
	Accounts       []ContactAccount `json:"accounts" doc:"The integrations that they wrote to"`
	Consents       []Consent        `json:"consents"`
}

// ContactAccount is what one integration's account knows of them.
type ContactAccount struct {
	IntegrationID string     `json:"integration_id"`
	LastInboundAt *time.Time `json:"last_inbound_at,omitempty" doc:"When they last wrote"`
	WindowUntil   *time.Time `json:"window_until,omitempty" doc:"whatsapp_cloud: until when they may be sent what is no template; absent when that is over"`
}

// Consent is a person's word on messages.
type Consent struct {
	Contact  string    `json:"contact,omitempty" doc:"E.164 or WhatsApp user id"`
	Channel  string    `json:"channel" enum:"whatsapp"`
	Category string    `json:"category" enum:"all,marketing,utility,authentication"`
	State    string    `json:"state" enum:"in,out"`
	Source   string    `json:"source" doc:"Where it was heard: keyword, provider, api, import, or what you gave"`
	At       time.Time `json:"at"`
}

// ConsentRequest states a person's word on messages.
type ConsentRequest struct {
	Channel  string     `json:"channel,omitempty" enum:"whatsapp" doc:"Default: whatsapp"`
	Category string     `json:"category,omitempty" enum:"all,marketing,utility,authentication" doc:"Default: all"`
	State    string     `json:"state" enum:"in,out"`
	Source   string     `json:"source,omitempty" maxLength:"128" doc:"Where you have it from, to be shown later. Default: api" example:"checkout form"`
	At       *time.Time `json:"at,omitempty" doc:"When they said it; default now. A later word stands"`
}

// ConsentsRequest is the body of PUT /v1/contacts/{contact}/consents; what it does not name stays.
type ConsentsRequest struct {
	Consents []ConsentRequest `json:"consents" minItems:"1" maxItems:"20"`
}

// ConsentList is what somebody said.
type ConsentList struct {
	Consents []Consent `json:"consents"`
}

// OptOut is one opt-out to be taken over from another system.
type OptOut struct {
	Contact  string     `json:"contact" maxLength:"140" doc:"E.164 or WhatsApp user id" example:"+919812345678"`
	Channel  string     `json:"channel,omitempty" enum:"whatsapp" doc:"Default: whatsapp"`
	Category string     `json:"category,omitempty" enum:"all,marketing,utility,authentication" doc:"Default: all"`
	Source   string     `json:"source,omitempty" maxLength:"128" doc:"Default: import"`
	At       *time.Time `json:"at,omitempty" doc:"Default: now"`
}

// OptOutImport is the body of POST /v1/opt-outs: all of them, or none where one is wrong.
type OptOutImport struct {
	OptOuts []OptOut `json:"opt_outs" minItems:"1" maxItems:"1000"`
}

// OptOutImported answers it.
type OptOutImported struct {
	Accepted int `json:"accepted"`
	Changed  int `json:"changed" doc:"Of these, who had not opted out before"`
}

// OptOutPage is a page of opt-outs, in the order of contact, channel and category.
type OptOutPage struct {
	OptOuts    []Consent `json:"opt_outs"`
	NextCursor string    `json:"next_cursor,omitempty" doc:"Absent on the last page"`
}
