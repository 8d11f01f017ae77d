package peal

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// Inbound is a message that a person wrote to an integration's account.
type Inbound struct {
	TenantID      string
	IntegrationID string
	ID            string // ours
	MessageID     string // the provider's
	From          string // E.164; empty where the webhook shows no number
	FromUserID    string // their WhatsApp user id; empty where the provider has none
	Name          string // as they call themselves
	Type          string // text, image, audio, video, document, sticker, location, contacts, reaction, button, interactive, order, system, …
	Text          string // what of it can be read: body, caption, the title of a button, an emoji
	Content       json.RawMessage
	ReplyTo       string // the provider's id of the message that it answers
	DeliveryID    string // of ours, where that is the message that it answers
	MediaID       string // by which its file is fetched
	MediaType     string
	At            time.Time // by the provider's clock; when it came where that does not say
	ReceivedAt    time.Time
}

// InboundSystem is the type of what WhatsApp itself says in a conversation: nobody wrote it.
const InboundSystem = "system"

// Sender is how its person is known: by the number where that is shown.
func (i *Inbound) Sender() string { return cmp.Or(i.From, i.FromUserID) }

// InboundFilter chooses inbound messages of a tenant; empty fields match everything.
type InboundFilter struct {
	IntegrationID string
	From          string // number, or WhatsApp user id
	DeliveryID    string
	Type          string
	Since, Until  time.Time // by the time that they came
	Before        string    // the last id of the page before; empty for the first page
	Limit         int
}

// Contact is a person as one integration's account knows them, by one of their identities.
type Contact struct {
	TenantID      string
	IntegrationID string
	ID            string // E.164 or WhatsApp user id
	Other         string // the other one of the two, where a webhook has shown both
	Name          string
	LastInboundAt time.Time // when they last wrote; zero: never, as far as is known
	UpdatedAt     time.Time
}

// ConsentState is whether somebody wants messages.
type ConsentState string

// The states.
const (
	OptedIn  ConsentState = "in"
	OptedOut ConsentState = "out"
)

// Categories of messages that consent is given for.
const (
	CategoryAll            = "all"
	CategoryMarketing      = "marketing"
	CategoryUtility        = "utility"
	CategoryAuthentication = "authentication"
)

// Categories lists what a message may be of.
func Categories() []string {
	return []string{CategoryMarketing, CategoryUtility, CategoryAuthentication}
}

// CategoryNamed is the category that a provider calls so; empty where it is none of ours.
func CategoryNamed(s string) string {
	if s = strings.ToLower(s); slices.Contains(Categories(), s) {
		return s
	}
	return ""
}

// Where consent was heard of. A tenant may name another place.
const (
	ConsentByMessage  = "keyword"  // they wrote a word that stands for it
	ConsentByProvider = "provider" // the provider said so
	ConsentByAPI      = "api"
	ConsentByImport   = "import"
)

// Consent is a person's word on messages of a category over a channel.
type Consent struct {
	TenantID      string
	IntegrationID string // that heard it; empty where nothing did
	Contact       string // E.164 or WhatsApp user id
	Other         string // the other one, where both are known
	Channel       string
	Category      string
	State         ConsentState
	Source        string
	Keyword       string // that they wrote; it is told, and not kept
	At            time.Time
}

// Wants tells what a person's words come to for a message: the latest one that concerns its category, which may be none,
// counts. Of two at once, the one that says no. Empty: they have not said.
func Wants(words []Consent, category string) ConsentState {
	var last *Consent
	for i := range words {
		w := &words[i]
		if w.Category != CategoryAll && (category == "" || w.Category != category) {
			continue
		}
		if last == nil || w.At.After(last.At) || w.At.Equal(last.At) && w.State == OptedOut {
			last = w
		}
	}
	if last == nil {
		return ""
	}
	return last.State
}

// Why a message is skipped, when it is planned or when it is to be sent.
const (
	SkipOptedOut = "opted_out" // they do not want messages like it
	SkipNoOptIn  = "no_opt_in" // the integration asks for their word first, and there is none
)

// Unwanted tells why a message of a category is not to be sent to somebody who said this; empty when it may be.
func (i *Integration) Unwanted(words []Consent, category string) (code, reason string) {
	wants := Wants(words, category)
	if wants == OptedOut {
		return SkipOptedOut, "the recipient has opted out of " + cmp.Or(category, "all") + " messages over this channel"
	}
	if wants == "" && category != "" && slices.Contains(i.RequireOptIn, category) {
		return SkipNoOptIn, "the integration requires an opt-in for " + category + " messages, and none is known of the recipient"
	}
	return "", ""
}

// Move is somebody who has another number, or another WhatsApp user id, from now on.
type Move struct {
	TenantID      string
	IntegrationID string
	From          string // E.164; empty where it is not told
	FromUserID    string
	To            string
	ToUserID      string
	At            time.Time
}

// Heard is one thing that a webhook tells of people: what of it is set.
type Heard struct {
	Inbound *Inbound
	Consent *Consent // beside an inbound message it is what that says, and counts only the first time
	Move    *Move
}

// News is what was heard for the first time.
type News struct {
	Inbound  []Inbound
	Consents []Consent // those that changed somebody's mind
}

// IsWhatsAppUserID tells whether a text can be a WhatsApp user id: two letters of a country, a dot, and up to 128 letters
// and digits; with ENT. before those where it is of several portfolios.
func IsWhatsAppUserID(s string) bool {
	country, id, ok := strings.Cut(s, ".")
	id = strings.TrimPrefix(id, "ENT.")
	if !ok || len(country) != 2 || id == "" || len(id) > 128 {
		return false
	}
	return onlyFrom(country, false) && onlyFrom(id, true)
}

// onlyFrom tells whether a text has letters alone, or letters and digits.
func onlyFrom(s string, digits bool) bool {
	for i := range len(s) {
		c := s[i]
		if letter := c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'; !letter && (!digits || c < '0' || c > '9') {
			return false
		}
	}
	return true
}
