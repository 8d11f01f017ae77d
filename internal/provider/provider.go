// Package provider is the contract between Peal and those who carry its messages.
//
// A kind of provider (wasender, later whatsapp_cloud, fcm, apns, webpush) is a folder below this one. It checks an
// integration's settings, opens clients, and understands its webhooks; it never retries, limits or records: that is
// the pipeline's. The suite in providertest says what every kind must do, and provider/all lists them.
package provider

import (
	"context"
	"net/http"
	"time"

	"peal/api"
	"peal/internal/peal"
)

// Kind is a kind of provider.
type Kind interface {
	// Name is what integrations call it, such as "wasender".
	Name() string
	// Channel is the channel that it serves, such as peal.ChannelWhatsApp.
	Channel() string
	// Credentials names what an integration of this kind needs to know, all of it secret.
	Credentials() []Credential
	// Defaults are the settings that hold where an integration names none.
	Defaults() Defaults
	// CheckContent says which fields of a content the provider cannot take; nil when it takes it.
	// Paths are relative to the content.
	CheckContent(c *api.Content) []peal.Field
	// Open makes a client of one account. It does not call out. The transport is the one that all clients share and
	// guards the network.
	Open(in *peal.Integration, transport http.RoundTripper) (Client, error)
	// ParseWebhook understands a webhook's body. What it does not know it leaves out; an error means that the body
	// is not what the provider sends at all. It must never panic.
	ParseWebhook(header http.Header, body []byte) ([]Fact, error)
	// CheckWebhook tells in constant time whether a webhook carries the integration's secret.
	CheckWebhook(in *peal.Integration, header http.Header, body []byte) bool
}

// Credential is one secret of an integration.
type Credential struct {
	Name     string
	Required bool
	MinLen   int
	Help     string
}

// Defaults of a kind.
type Defaults struct {
	BaseURL        string
	Limit          peal.Limit
	RecipientLimit peal.Limit // of each recipient on its own; the zero value: none
	OnUnknown      peal.OnUnknown
	// MayDouble says that sending twice does no harm (a collapse id makes it one), so no intent need be written.
	MayDouble bool
	// Checks are the times after a send at which it is looked up if no receipt has come. Empty: never.
	Checks []time.Duration
	// Finds are the times after a call without an answer at which it is looked for in the account's own log of messages.
	// Empty: never. Its clients are LogReaders.
	Finds []time.Duration
}

// Message is what a client is to send.
type Message struct {
	DeliveryID string
	To         string // E.164 without spaces, with +
	Content    api.Content
}

// Client is one account at a provider, safe for concurrent use.
type Client interface {
	// Send makes exactly one call and says what came of it; it never retries by itself. The error texts carry no
	// secret and no phone number.
	Send(ctx context.Context, m *Message) peal.Outcome
	// Lookup asks what became of a message, by the id of the answer to its send.
	// It fails with an *Error; class permanent says that the provider does not know the message.
	Lookup(ctx context.Context, messageID string) (peal.Evidence, error)
	// Probe asks whether the account can send now. For a pause of code PauseSession it is asked again and again.
	Probe(ctx context.Context) Health
	// Close lets go of idle connections.
	Close()
}

// LogReader is a Client whose account keeps a log of what it sent. It is for messages whose send was not answered: there
// is no id to ask by, so they have to be known again by what they say and to whom.
type LogReader interface {
	// ReadLog reads one page of the log; the first is 1, and holds the newest entries. It fails with an *Error; class
	// permanent says that there is no reading it as long as the integration is not changed.
	ReadLog(ctx context.Context, page int) (LogPage, error)
	// Print is a content's fingerprint: entries of the log that say the same have the same.
	Print(c *api.Content) string
}

// LogPage is a page of an account's log.
type LogPage struct {
	Entries []LogEntry
	Last    bool // there is none after it
}

// LogEntry is one message in an account's log. Whatever of it is not understood stays empty, which is evidence of nothing.
type LogEntry struct {
	ID     string // the message's, by which Lookup asks
	To     string // E.164
	Print  string // the content's fingerprint
	At     time.Time
	Status peal.Status // Sent, Failed, or empty when the provider has not come to it yet
}

// Health is an account's state by the provider's word.
type Health struct {
	OK     bool
	State  string // the provider's word, such as "connected" or "need_scan"
	Reason string // what went wrong when it is not OK
}

// Fact is one thing that a webhook says: evidence of a delivery, or the state of the account.
type Fact struct {
	Evidence *peal.Evidence // IntegrationID is for the caller to fill in
	Session  *Health
}

// Error is what Lookup fails with.
type Error struct {
	Class      peal.Class // temporary, throttled, integration, or permanent: not known there
	Code       string
	RetryAfter time.Duration
	Err        error
}

// Error tells code and cause.
func (e *Error) Error() string {
	if e.Err != nil {
		return e.Code + ": " + e.Err.Error()
	}
	return e.Code
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }
