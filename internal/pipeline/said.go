package pipeline

import (
	"encoding/json"
	"fmt"

	"peal/api"
	"peal/internal/peal"
)

// Said is a delivery's payload: what is to be said, and what send has to know of that.
type Said struct {
	api.Content

	Category         string `json:"category,omitempty"`
	FallbackCategory string `json:"fallback_category,omitempty"` // of its fallback, where that goes
	// FellBack is why its fallback is sent in its place from now on: the provider's code. Instead is the id of the message
	// that was refused.
	FellBack string `json:"fell_back,omitempty"`
	Instead  string `json:"instead,omitempty"`
}

// Looked is what was looked up together for all requests of a call.
type Looked struct {
	Devices map[string][]peal.Device  // of users
	Said    map[string][]peal.Consent // what recipients want; of those who said nothing, nothing
	Silent  bool                      // nobody of the tenant's people has said anything
}

// Payload writes it.
func (s *Said) Payload() (json.RawMessage, error) {
	b, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("write content: %w", err)
	}
	return b, nil
}

// Fallback is the content that is sent in its place where the 24-hour window is closed; false when there is none.
func (s *Said) Fallback() (api.Content, bool) {
	if s.FallbackTemplate == nil {
		return api.Content{}, false
	}
	return api.Content{Template: s.FallbackTemplate}, true
}

// FellBack is what the records made of evidence that the 24-hour window is closed.
type FellBack struct {
	Rest []peal.Evidence // of deliveries without a fallback: it is evidence like any other
	Jobs []Job           // of those that are queued again
	Wait bool            // some of it came while the call was going on: it is to come again
}
