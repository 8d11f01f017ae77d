package api

import (
	"encoding/json"
	"strings"
	"time"
)

// EventMessage is what a tenant's own systems are told: an entry of the tenant's event log, as GET /v1/events streams it and
// as endpoints are sent it.
type EventMessage struct {
	ID        string          `json:"id" doc:"The same however often it is told: whoever has seen it need do nothing"`
	Type      string          `json:"type" example:"delivery.delivered"`
	Timestamp time.Time       `json:"timestamp" doc:"When Peal learned it"`
	Data      json.RawMessage `json:"data" doc:"By type; docs/events.md has each with an example"`
}

// EventPage is a page of the event log, oldest first.
type EventPage struct {
	Events []EventMessage `json:"events"`
	Next   string         `json:"next" doc:"Pass it as after for what comes next, also when the page is empty"`
	More   bool           `json:"more,omitempty" doc:"There is more already: ask again at once"`
	Reset  bool           `json:"reset,omitempty" doc:"What came after the place that was asked for is not kept any more, or the records went back to a backup: the page goes on with the oldest that is there"`
}

// EventType is one of the types of events, with what it says.
type EventType struct {
	Name    string
	Says    string // for docs/events.md
	Example any    // its data: a pointer to one of the structs below
}

// EventReset is the name of the server-sent event that tells a reader of a gap. It is not part of the log.
const EventReset = "reset"

// MatchEventTypes gives the types that any of the patterns names: a type, or the beginning of several with ".*" behind it.
// Unknown are patterns that name none.
func MatchEventTypes(patterns []string) (types, unknown []string) {
	matched := map[string]bool{}
	for _, p := range patterns {
		found := false
		for _, t := range EventTypes() {
			prefix, many := strings.CutSuffix(p, "*")
			if t.Name == p || many && strings.HasSuffix(prefix, ".") && strings.HasPrefix(t.Name, prefix) || p == "*" {
				matched[t.Name], found = true, true
			}
		}
		if !found {
			unknown = append(unknown, p)
		}
	}
	for _, t := range EventTypes() {
		if matched[t.Name] {
			types = append(types, t.Name)
		}
	}
	return types, unknown
}
