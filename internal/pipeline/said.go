package pipeline

import (
	"encoding/json"
	"fmt"

	"peal/api"
)

// Said is a delivery's payload: what is to be said, and what send has to know of that.
type Said struct {
	api.Content

	Category string `json:"category,omitempty"`
	// FellBack is why its fallback is sent in its place from now on: the provider's code. Instead is the id of the message
	// that was refused.
	FellBack string `json:"fell_back,omitempty"`
	Instead  string `json:"instead,omitempty"`
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
