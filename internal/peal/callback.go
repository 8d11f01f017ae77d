package peal

import (
	"crypto/sha256"
	"encoding/base64"
	"time"
)

// Unreadable is a webhook that could not be understood, sealed.
type Unreadable struct {
	ID            int64
	IntegrationID string
	ReceivedAt    time.Time
	Reason        string
	Mark          string // see CallbackMark
	Body          []byte
}

// CallbackMark is what a sealed webhook is known by, wherever it is kept: no two are sealed alike.
func CallbackMark(sealed []byte) string {
	sum := sha256.Sum256(sealed)
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// CallbackReplay runs kept webhooks through the parser again.
type CallbackReplay struct {
	TenantID      string `json:"-"`
	ID            string `json:"-"`
	IntegrationID string
	Since, Until  time.Time // of their coming; zero: without a bound
	IDs           []string  // these alone; empty: all
	Broken        bool      // only those that could not be understood
	DryRun        bool      // nothing is changed
	CreatedAt     time.Time
	EndedAt       time.Time // zero while it goes on
	Failure       string    // why it could not be finished

	Reached uint64 // how far it is: a place in the archive, or the number of one that could not be understood, or how many of IDs
	Last    uint64 // the last place; 0 before it began
	ReplayCounts
}

// ReplayCounts is what a replay has come to.
type ReplayCounts struct {
	Read       int64 // webhooks
	Facts      int64 // that they hold
	Changed    int64 // deliveries' rows that were moved or told something new
	Mended     int64 // webhooks that could not be understood, and now were
	Unreadable int64 // that still cannot be
}

// Retold is evidence that was heard at a time, which counts where it tells none itself.
type Retold struct {
	Evidence
	HeardAt time.Time
}

// Refolded is what evidence that was folded in before, or should have been, has changed.
type Refolded struct {
	Folded
	Changed int64 // rows
}
