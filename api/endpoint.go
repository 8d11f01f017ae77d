package api

import "time"

// EndpointRequest makes an endpoint: an address of the tenant's own that is told what happens.
type EndpointRequest struct {
	Name    string   `json:"name" minLength:"1" maxLength:"64" doc:"The tenant's own name of it" example:"orders"`
	URL     string   `json:"url" minLength:"1" maxLength:"2000" doc:"https URL that takes a POST for each event" example:"https://example.com/hooks/peal"`
	Types   []string `json:"types,omitempty" maxItems:"50" doc:"Types of events that it is told, or families such as delivery.*; default: all" example:"[\"delivery.*\"]"`
	Timeout string   `json:"timeout,omitempty" doc:"How long a call may take, from 1s to 30s; default 15s" example:"15s"`
	Secret  string   `json:"secret,omitempty" maxLength:"100" doc:"What signs: whsec_ and the base64 of 24 to 64 bytes. Default: Peal makes one, and shows it once"`
}

// EndpointPatch changes what it names.
type EndpointPatch struct {
	Name     *string   `json:"name,omitempty" minLength:"1" maxLength:"64"`
	URL      *string   `json:"url,omitempty" minLength:"1" maxLength:"2000"`
	Types    *[]string `json:"types,omitempty" maxItems:"50" doc:"An empty list: all"`
	Timeout  *string   `json:"timeout,omitempty"`
	Disabled *bool     `json:"disabled,omitempty" doc:"true: it is told nothing until it is enabled; false: as enable, from where it was"`
}

// Endpoint is an address of the tenant's own that is told what happens.
type Endpoint struct {
	ID          string            `json:"id"`
	Name        string            `json:"name"`
	URL         string            `json:"url"`
	Types       []string          `json:"types,omitempty" doc:"Absent: all"`
	Timeout     string            `json:"timeout"`
	Secret      string            `json:"secret,omitempty" doc:"Shown once: where it was made"`
	Secrets     int               `json:"secrets" doc:"How many sign: more than one while a rotation's overlap lasts"`
	State       string            `json:"state" enum:"ok,failing,disabled"`
	Disabled    *EndpointDisabled `json:"disabled,omitempty"`
	FailingFrom *time.Time        `json:"failing_from,omitempty" doc:"Since when it has answered nothing but failures"`
	LastOKAt    *time.Time        `json:"last_ok_at,omitempty"`
	LastFailAt  *time.Time        `json:"last_fail_at,omitempty"`
	LastError   string            `json:"last_error,omitempty" doc:"Of the last failure, while it fails"`
	ToldUntil   *time.Time        `json:"told_until,omitempty" doc:"When the event happened up to which it was told everything, but for what waits and what failed"`
	Waiting     int64             `json:"waiting" doc:"Events that wait for another try, or behind one that does; 0 in lists"`
	Failed      int64             `json:"failed" doc:"Events that ran out of tries; a replay tells them again; 0 in lists"`
	Replaying   *time.Time        `json:"replaying_since,omitempty" doc:"While a replay goes on: what it tells from"`
	CreatedAt   time.Time         `json:"created_at"`
	UpdatedAt   time.Time         `json:"updated_at"`
}

// EndpointDisabled is why an endpoint is told nothing.
type EndpointDisabled struct {
	Code   string    `json:"code" enum:"failing,gone,manual"`
	Reason string    `json:"reason,omitempty"`
	Since  time.Time `json:"since"`
}

// EndpointList is the answer of GET /v1/endpoints.
type EndpointList struct {
	Endpoints []Endpoint `json:"endpoints"`
}

// RotateRequest gives an endpoint another secret.
type RotateRequest struct {
	Secret  string  `json:"secret,omitempty" maxLength:"100" doc:"The new one; default: Peal makes it, and shows it once"`
	Overlap *string `json:"overlap,omitempty" doc:"How long the old one signs too, from 0s to 168h; default 24h" example:"24h"`
}

// EnableRequest has a disabled endpoint told again.
type EnableRequest struct {
	From string `json:"from,omitempty" enum:"cursor,now" doc:"cursor: with all that has happened meanwhile, as far as the log goes back; now: what waits counts as failed. Default cursor"`
}

// EndpointReplayRequest has an endpoint told again what has happened.
type EndpointReplayRequest struct {
	Since   *time.Time `json:"since,omitempty" doc:"What happened then or later. The log goes back 7 days"`
	Types   []string   `json:"types,omitempty" maxItems:"50" doc:"Only of these types or families"`
	EventID string     `json:"event_id,omitempty" maxLength:"128" doc:"This event alone, whether it was told, waits or failed"`
	Failed  bool       `json:"failed,omitempty" doc:"Only what ran out of tries, up to 5000 at once"`
}

// EndpointReplayResult is the answer of POST /v1/endpoints/{id}/replay.
type EndpointReplayResult struct {
	Queued int64 `json:"queued" doc:"Events that are told again now; of a replay since a time 0, for these are read step by step"`
}

// EndpointAttempt is one call of an endpoint.
type EndpointAttempt struct {
	ID        string     `json:"id"`
	EventID   string     `json:"event_id"`
	Type      string     `json:"type"`
	Try       int        `json:"try" doc:"The first is 1"`
	At        time.Time  `json:"at"`
	TookMS    float64    `json:"took_ms"`
	OK        bool       `json:"ok"`
	Status    int        `json:"status,omitempty" doc:"Of HTTP; absent when there was no answer"`
	Code      string     `json:"code,omitempty" doc:"http_<status>, timeout, dns, tls, connect, address_refused, no_answer, or lost: the event log had let go of events before they could be told"`
	Error     string     `json:"error,omitempty"`
	NextTryAt *time.Time `json:"next_try_at,omitempty" doc:"Absent after a success, and when it is not tried again"`
}

// EndpointAttemptPage is a page of calls, newest first.
type EndpointAttemptPage struct {
	Attempts   []EndpointAttempt `json:"attempts"`
	NextCursor string            `json:"next_cursor,omitempty"`
}
