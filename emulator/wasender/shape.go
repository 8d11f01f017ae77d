package wasender

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// Shape is how an event is written. The vendor's events come in all of these;
// the zero Shape is its documentation's example of each event.
type Shape struct {
	Data      string `json:"data,omitempty"`       // "object" (default) or "array"
	Messages  string `json:"messages,omitempty"`   // data.messages of messages.received: "object" (default) or "array" (old)
	Status    string `json:"status,omitempty"`     // "int" (default) or "string" ("delivered")
	Timestamp string `json:"timestamp,omitempty"`  // "ms" or "s"; default as in the example of the event
	RemoteJID string `json:"remote_jid,omitempty"` // "pn" (default, ...@s.whatsapp.net) or "lid" (...@lid)
	SessionID string `json:"session_id,omitempty"` // "key" (default: the API key), "id" or "none"
	Mixed     bool   `json:"mixed,omitempty"`      // each empty field by chance, from the script's seed
}

// shapeField is a field with its allowed values.
type shapeField struct {
	name   string
	value  *string
	values []string
}

func (sh *Shape) fields() []shapeField {
	return []shapeField{
		{"data", &sh.Data, []string{"object", "array"}},
		{"messages", &sh.Messages, []string{"object", "array"}},
		{"status", &sh.Status, []string{"int", "string"}},
		{"timestamp", &sh.Timestamp, []string{"ms", "s"}},
		{"remote_jid", &sh.RemoteJID, []string{"pn", "lid"}},
		{"session_id", &sh.SessionID, []string{"key", "id", "none"}},
	}
}

func (sh *Shape) validate() error {
	for _, f := range sh.fields() {
		if *f.value != "" && !slices.Contains(f.values, *f.value) {
			return fmt.Errorf("shape.%s: %q is none of %v", f.name, *f.value, f.values)
		}
	}
	return nil
}

// pick settles a mixed shape.
func (sh Shape) pick(rng *rand.Rand) Shape {
	if !sh.Mixed {
		return sh
	}
	for _, f := range sh.fields() {
		if *f.value == "" {
			*f.value = f.values[rng.IntN(len(f.values))]
		}
	}
	return sh
}
