package peal

import (
	"encoding/json"
	"time"
)

// Tenant is one customer of the installation.
type Tenant struct {
	ID        string
	Name      string
	Disabled  bool
	Limits    TenantLimits
	CreatedAt time.Time
}

// TenantLimits are a tenant's own bounds. A nil one is the installation's; 0 is none.
type TenantLimits struct {
	Rate   *int // notifications per second
	Queued *int // deliveries in flight
}

// Key is an API key, without its secret.
type Key struct {
	ID        string
	TenantID  string
	Name      string
	Hash      []byte // SHA-256 of the secret part
	Scopes    []string
	CreatedAt time.Time
	ExpiresAt time.Time
	RevokedAt time.Time
	Disabled  bool // the tenant is
}

// UserKey signs the tokens that a tenant's backend gives to its users.
type UserKey struct {
	ID        string
	TenantID  string
	Name      string
	Algorithm string // HS256 or EdDSA
	PublicKey []byte // of EdDSA
	Secret    []byte // of HS256, sealed
	CreatedAt time.Time
	RevokedAt time.Time
	Disabled  bool // the tenant is
}

// User is a person the tenant wants to reach.
type User struct {
	ID             string
	Phone          string
	WhatsAppUserID string // of one whose number is not known, or beside it
	Email          string
	Locale         string // BCP 47
	TimeZone       string // IANA
	Attributes     json.RawMessage
	UpdatedAt      time.Time
}

// SealedIntegration is an integration as it is kept: its secrets sealed.
type SealedIntegration struct {
	ID        string
	TenantID  string
	Name      string
	Kind      string
	Channel   string
	Settings  json.RawMessage
	Secrets   []byte
	Pause     *Pause
	Version   int64
	CreatedAt time.Time
	UpdatedAt time.Time
}

// LogFilter chooses rows of the communications log; empty fields match everything.
type LogFilter struct {
	Recipient      string
	MessageID      string // the provider's id, from its answer or as its webhooks name it
	NotificationID string
	IntegrationID  string
	Channel        string
	Status         Status
	Since, Until   time.Time // by the time that they were accepted; of dead letters, that they died
	Dead           bool      // only dead letters
	ErrorCode      string
	Before         string // the last id of the page before; empty for the first page
	Limit          int
}

// DeadFilter chooses dead letters of a tenant; empty fields match everything.
type DeadFilter struct {
	IDs           []string
	IntegrationID string
	ErrorCode     string
	Since, Until  time.Time // by the time that they died
}

// UncertainFilter chooses uncertain deliveries of a tenant; empty fields match everything.
type UncertainFilter struct {
	IDs           []string
	IntegrationID string
	ErrorCode     string
	Since, Until  time.Time // by the time that they became uncertain
}

// Verdict is a person's word on uncertain deliveries.
type Verdict struct {
	As   Status // Sent, Failed, or Queued to send them, perhaps again
	Note string
	Pace Pace // for Queued
}

// DeadGroup counts the dead letters of one integration and error code.
type DeadGroup struct {
	IntegrationID  string
	ErrorCode      string
	Count          int64
	Oldest, Newest time.Time
	Sample         Delivery
}

// Folded is what evidence came to.
type Folded struct {
	Moved  []Moved  // deliveries that reached a state
	Parked []string // integrations of evidence whose message no row knows yet
}

// Moved is a delivery of an integration that reached a state.
type Moved struct {
	IntegrationID string
	Status        Status
}

// Depth is how much an integration has in flight.
type Depth struct {
	IntegrationID string
	Queued        int64
	Uncertain     int64
	Dead          int64
	Oldest        time.Time // when the oldest queued one was accepted
}

// Pace spreads re-driven deliveries out: the first falls due after Start, each next one after Spacing more.
type Pace struct{ Start, Spacing time.Duration }
