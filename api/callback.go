package api

import "time"

// Callback is a webhook that was kept as it came. Its body holds people's data: numbers, and what they wrote.
type Callback struct {
	ID            string    `json:"id" doc:"Its place in the archive; with a u before it, its number among those that could not be understood"`
	IntegrationID string    `json:"integration_id"`
	ReceivedAt    time.Time `json:"received_at"`
	KeptAt        time.Time `json:"kept_at" doc:"When it came into the archive, by which since and until choose: later than it was received, if the broker was away then"`
	Bytes         int       `json:"bytes" doc:"Of its body"`
	Unreadable    string    `json:"unreadable,omitempty" doc:"Why it could not be understood when it came; absent when it was"`
	Closed        string    `json:"closed,omitempty" doc:"Why it cannot be opened; absent when it can"`

	Header       map[string][]string `json:"header,omitempty" doc:"Those that were kept. This and all below: of one that is asked for alone"`
	Body         string              `json:"body,omitempty"`
	BodyEncoding string              `json:"body_encoding,omitempty" enum:"base64" doc:"base64 if it is no text"`
	Facts        []CallbackFact      `json:"facts,omitempty" doc:"What it says, as it is understood now"`
	Error        string              `json:"error,omitempty" doc:"Why it is not understood now"`
}

// CallbackFact is one thing that a webhook says.
type CallbackFact struct {
	Type    string         `json:"type" doc:"status, session, or what else it is about"`
	Details map[string]any `json:"details"`
}

// CallbackPage is a page of webhooks, in the order that they came.
type CallbackPage struct {
	Callbacks  []Callback `json:"callbacks"`
	NextCursor string     `json:"next_cursor,omitempty" doc:"Absent on the last page"`
}

// CallbackUnreadable is the state of webhooks that could not be understood.
const CallbackUnreadable = "unreadable"

// ReplayRequest asks that kept webhooks be run through the parser again. Give since, ids or state.
type ReplayRequest struct {
	Integration string     `json:"integration" minLength:"1" maxLength:"64" doc:"Id or name"`
	Since       *time.Time `json:"since,omitempty" doc:"Kept then or later"`
	Until       *time.Time `json:"until,omitempty" doc:"Kept before then"`
	IDs         []string   `json:"ids,omitempty" maxItems:"1000" pattern:"^([0-9]+(\\.[0-9]+)?|[uU][0-9]+)$" patternDescription:"an id as the list has it, such as 4711, 4712.1 or u3" doc:"These alone"`
	State       string     `json:"state,omitempty" enum:"unreadable" doc:"Only those that could not be understood"`
	DryRun      bool       `json:"dry_run,omitempty" doc:"Only understand them, and change nothing"`
}

// Replay is how far such a run is.
type Replay struct {
	ID            string     `json:"id"`
	IntegrationID string     `json:"integration_id"`
	Status        string     `json:"status" enum:"waiting,running,done,failed"`
	DryRun        bool       `json:"dry_run"`
	CreatedAt     time.Time  `json:"created_at"`
	EndedAt       *time.Time `json:"ended_at,omitempty"`
	Failure       string     `json:"failure,omitempty"`
	Read          int64      `json:"read" doc:"Webhooks"`
	Facts         int64      `json:"facts" doc:"What they say"`
	Changed       int64      `json:"changed" doc:"Deliveries that learned something"`
	Mended        int64      `json:"mended" doc:"Webhooks that could not be understood when they came, and can be now"`
	Unreadable    int64      `json:"unreadable" doc:"Webhooks that cannot be understood now"`
}

// ReplayList is a tenant's last replays, the newest first.
type ReplayList struct {
	Replays []Replay `json:"replays"`
}
