package peal

import "time"

// Watch is what was heard of an integration, and what is thought of it.
type Watch struct {
	IntegrationID string
	Since         time.Time // from when on it is watched
	LastWebhook   time.Time
	LastReceipt   time.Time
	Refused       int64     // webhooks without the right secret, since the last with it
	Heard         string    // the state of its session, by the provider's last word; empty: none
	HeardAt       time.Time // when it was said to Peal
	Session       string    // as its tenant was told
	SessionAt     time.Time
	SuspectSince  time.Time // zero: it is above suspicion
	SuspectReason string
}

// Sighting is what a node has heard of an integration since it told last. Zero times tell nothing.
type Sighting struct {
	IntegrationID string
	Webhook       time.Time
	Receipt       time.Time
	Refused       int64
	Session       string
	SessionAt     time.Time
}
