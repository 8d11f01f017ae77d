// Package provider is the contract between Peal and those who carry its messages.
//
// A kind of provider (wasender, whatsapp_cloud, fcm, apns, webpush) is a folder below this one. It checks an
// integration's settings, opens clients, and understands its webhooks; it never retries, limits or records: that is
// the pipeline's. The suite in providertest says what every kind must do, and provider/all lists them.
package provider

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
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
	// Open makes a client of one account. It does not call out.
	Open(in *peal.Integration, env Env) (Client, error)
	// ParseWebhook understands a webhook's body. What it does not know it leaves out; an error means that the body
	// is not what the provider sends at all. It must never panic.
	ParseWebhook(header http.Header, body []byte) ([]Fact, error)
	// CheckWebhook tells in constant time whether a webhook carries the integration's secret.
	CheckWebhook(in *peal.Integration, header http.Header, body []byte) bool
}

// Env is what a client has of the process that it runs in.
type Env struct {
	// Transport is the one that all clients share. It guards the network, and follows no redirect.
	Transport http.RoundTripper
	// Dial is the same guard for clients that keep connections of their own. A proxy is not dialed through.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Tokens are shared by the nodes.
	Tokens Tokens
}

// Tokens are short-lived credentials that providers want made rarely, whatever the number of nodes: the nodes share them.
type Tokens interface {
	// SwapToken puts a token in the place of the one of that name that was made at old (zero: there is none), unless
	// another node was faster. It gives the one that stands now; without its value when it can no longer be read. With a
	// next that is zero it only reads.
	SwapToken(ctx context.Context, name string, old time.Time, next Token) (Token, error)
}

// Token is a short-lived credential.
type Token struct {
	Value  string
	MadeAt time.Time // to the microsecond
}

// PushKind is a Kind that reaches devices.
type PushKind interface {
	Kind
	// Devices are the kinds of devices that it reaches.
	Devices() []peal.DeviceKind
	// CheckDevice says what is wrong with a device that is to be registered; nil when nothing is. Paths are relative to
	// the request that registers it.
	CheckDevice(d *peal.Device) []peal.Field
}

// Maker is a Kind that makes credentials which a new integration was not given, such as a pair of keys.
type Maker interface {
	MakeCredentials(given map[string]string) error
}

// Publisher is a Kind of which clients have to know something that is no secret, such as a public key.
type Publisher interface {
	Public(in *peal.Integration) map[string]string
}

// Handshaker is a Kind whose provider asks a webhook's address for an answer before it uses it.
type Handshaker interface {
	// VerifyToken is what the provider is to be given beside the address.
	VerifyToken(in *peal.Integration) string
	// Handshake answers a GET of the address; ok is false when it does not prove, in constant time, that it may ask.
	Handshake(in *peal.Integration, query url.Values) (answer string, ok bool)
}

// Warner is a Kind whose integrations may be about to stop working.
type Warner interface {
	// Warning says what is to be done before then; empty: nothing.
	Warning(in *peal.Integration, now time.Time) string
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
	BaseURL        string // empty: it has none, each device brings its own
	Limit          peal.Limit
	Concurrency    int        // calls in flight at once; 0: as most
	RecipientLimit peal.Limit // of each recipient on its own; the zero value: none
	OnUnknown      peal.OnUnknown
	// MayDouble says that sending twice does no harm (a collapse id makes it one), so no intent need be written.
	MayDouble bool
	// Checks are the times after a send at which it is looked up if no receipt has come. Empty: never.
	Checks []time.Duration
	// UserIDs says that it reaches people by their WhatsApp user id, too.
	UserIDs bool
	// Window says that only a template reaches somebody who has not written in the last 24 hours.
	Window bool
	// ReceiptTimeout is how long after a send a receipt should have come: what has none by then is looked up, and an
	// integration that brings none at all is suspect. 0: of this kind there are no receipts.
	ReceiptTimeout time.Duration
	// LookupLimit is of look-ups; the zero value: Limit.
	LookupLimit peal.Limit
	// Finds are the times after a call without an answer at which it is looked for in the account's own log of messages.
	// Empty: never. Its clients are LogReaders.
	Finds []time.Duration
}

// Message is what a client is to send.
type Message struct {
	DeliveryID string
	To         string // E.164 without spaces, with +, or a WhatsApp user id; of a push, the device's id
	Content    api.Content
	Category   string       // of the template, such as marketing, by its catalogue; empty: there is none, or it is not known
	Device     *peal.Device // of a push
	Priority   peal.Priority
	From       time.Time // since when it may be sent; zero: now
	ExpiresAt  time.Time // worthless from then on; zero: never
}

// Keep is how much is left of the time that a content asks to be kept for, which counts from when it might be sent first:
// a later attempt is kept no longer than the first.
func (m *Message) Keep(ttl time.Duration, now time.Time) time.Duration {
	if m.From.IsZero() || now.Before(m.From) {
		return ttl
	}
	return max(0, ttl-now.Sub(m.From))
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

// Grouper is a Client of which a provider may slow down a part: an outcome's Quiet names the group.
type Grouper interface {
	// Groups are those that a message belongs to.
	Groups(m *Message) []string
}

// Budgeter is a Client whose provider takes fewer of some messages to a recipient than of the others.
type Budgeter interface {
	// Budget is their limit, of each recipient on its own.
	Budget() peal.Limit
	// Within tells whether a message is one of them.
	Within(m *Message) bool
}

// Previewer is a Client that shows what it would send, without sending it. There is no secret in it.
type Previewer interface {
	Preview(m *Message) (Preview, error)
}

// Preview is a request as it would be made.
type Preview struct {
	URL    string
	Header map[string]string
	Body   json.RawMessage // before encryption, where the provider wants it encrypted
}

// Media is a file that somebody sent, as it comes from the provider. The reader of Body closes it.
type Media struct {
	Body io.ReadCloser
	Type string // empty: not said
	Size int64  // -1: not said
}

// MediaReader is a Client that fetches the files of inbound messages.
type MediaReader interface {
	// Media begins to fetch the file of a message. The context has to live until the body is closed. It fails with an
	// *Error; class permanent says that it is not there any more.
	Media(ctx context.Context, m *peal.Inbound) (*Media, error)
}

// Validator is a Client whose provider says whether it would take a message, and shows it to nobody.
type Validator interface {
	Validate(ctx context.Context, m *Message) peal.Outcome
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
	State  string    // the provider's word, such as "connected" or "need_scan"
	Reason string    // what went wrong when it is not OK
	At     time.Time // since when, by the provider's clock; zero when it did not say
}

// Fact is one thing that a webhook says: evidence of a delivery, the state of the account, or something of people. Tenant,
// integration, channel and what else is ours is for the caller to fill in.
type Fact struct {
	Evidence *peal.Evidence
	Session  *Health
	Template *peal.TemplateState // without a name it only says that the catalogue is to be read
	Inbound  *peal.Inbound
	Consent  *peal.Consent
	Move     *peal.Move
	Number   *peal.NumberState // of what is asked for, and when, the caller knows
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
