package pipeline

import (
	"encoding/json"
	"time"

	"peal/api"
	"peal/internal/peal"
)

// Expansion is a notification to an audience that is still to become deliveries, or to become more of them.
type Expansion struct {
	TenantID       string
	NotificationID string
	Request        json.RawMessage // an ExpansionRequest
	Priority       peal.Priority
	DueAt          time.Time // zero: at once
	ExpiresAt      time.Time
	CreatedAt      time.Time
	Cursor         string // the device that was reached last; empty before the first
}

// ExpansionRequest is what an expansion is to say, and to whom.
type ExpansionRequest struct {
	Content       *api.Content  `json:"content"` // as devices are told it
	Audience      peal.Audience `json:"audience"`
	IntegrationID string        `json:"integration_id,omitempty"` // the only one that it is to go over
}

// ExpansionStep is the next stretch of an expansion. It is written as a whole, and only where the one before it has ended.
type ExpansionStep struct {
	Expansion

	Next       string // where the cursor moves to
	Deliveries []peal.Delivery
	End        peal.ExpansionEnd // how the expansion ends with it; empty: it goes on
	At         time.Time
}

// Jobs are those that a step asks for.
func (s *ExpansionStep) Jobs() []Job { return jobsOf(s.Deliveries) }
