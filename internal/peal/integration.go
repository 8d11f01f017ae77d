package peal

import (
	"encoding/json"
	"time"
)

// ChannelWhatsApp is a way to reach somebody, whatever the provider.
const ChannelWhatsApp = "whatsapp"

// OnUnknown says what becomes of a delivery whose outcome is unknown.
type OnUnknown string

// The policies.
const (
	Reconcile OnUnknown = "reconcile" // wait for evidence, a receipt or a look-up, or for a person; never send again blindly
	Hold      OnUnknown = "hold"      // leave it to a person
	Resend    OnUnknown = "resend"    // send again: a repeat does no harm
)

// PauseCode names why an integration does not send.
type PauseCode string

// The reasons of a pause. Those but PauseThrottled last until somebody mends the integration.
const (
	PauseThrottled   PauseCode = "throttled"
	PauseCredentials PauseCode = "credentials"
	PauseSession     PauseCode = "session" // the account's session is not connected; probed until it is
	PausePayment     PauseCode = "payment"
	PauseBlocked     PauseCode = "blocked"
	PauseManual      PauseCode = "manual"
)

// Limit allows at most Rate in any window of Period, Burst of them back to back after a quiet time. Rate 0: no limit.
type Limit struct {
	Rate   int
	Period time.Duration
	Burst  int
}

// Integration is a tenant's account at a provider, its credentials opened.
type Integration struct {
	TenantID    string
	ID          string
	Name        string
	Kind        string
	Channel     string
	Settings    json.RawMessage // as api.Settings
	Credentials map[string]string
	HookToken   string
	Version     int64 // rises with every change; what was opened with an older one is stale

	// Settings, parsed and with defaults:
	BaseURL        string
	Limit          Limit
	RecipientLimit Limit // of each recipient on its own
	LookupLimit    Limit
	ReceiptTimeout time.Duration // after it a sent message without a receipt is looked up; 0: never
	Concurrency    int
	Timeout        time.Duration
	MaxAttempts    int
	RetryBase      time.Duration
	RetryCap       time.Duration
	OnUnknown      OnUnknown
	Apps           []string // app ids that it serves; none: all that no other integration names
	CA             string   // certificates in PEM, trusted beside the system's
	Window         bool     // what is no template is only sent to who wrote in the last 24 hours
	StopWords      []string // with which people opt out; nil: those that are known
	StartWords     []string // and in again
	RequireOptIn   []string // categories that nobody is sent who has not asked for them

	Pause     *Pause
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Pause is why and how long an integration does not send.
type Pause struct {
	Code   PauseCode
	Reason string
	Since  time.Time
	Until  time.Time // zero: until it is changed or resumed
}

// Paused tells whether it may not send now.
func (i *Integration) Paused(now time.Time) bool {
	return i.Pause != nil && (i.Pause.Until.IsZero() || now.Before(i.Pause.Until))
}
