package peal

import "time"

// Media is a file that a provider keeps for an integration.
type Media struct {
	TenantID      string
	IntegrationID string
	Scope         string // whose account there
	SHA256        string // in hexadecimal
	Type          string
	ID            string // the provider's
	Size          int64
	ExpiresAt     time.Time
}
