package peal

import (
	"encoding/json"
	"strings"
	"time"
)

// Endpoint is an address of a tenant's own that is told what happens: its outbound webhook.
type Endpoint struct {
	TenantID   string
	ID         string
	Name       string
	URL        string
	Types      []string // of notices, or their families as "delivery.*"; none for all
	Timeout    time.Duration
	Secrets    []byte // sealed; those that sign now
	Disabled   *EndpointDisabled
	FailingAt  time.Time // since when nothing but failures; zero while all is well
	OKAt       time.Time // when a call last succeeded
	FailedAt   time.Time // when one last failed
	LastError  string
	Waiting    int64 // messages that wait for a retry, or behind one; only where it is asked for
	Failed     int64 // messages that ran out of tries; likewise
	Cursor     string
	CursorAt   time.Time // when the last event happened that it was told
	Replay     *EndpointReplay
	Fails      int   // calls that failed in a row
	Generation int64 // of the run of calls: what an earlier run writes is void
	Version    int64 // rises with what a tenant changes
	CreatedAt  time.Time
	UpdatedAt  time.Time
}

// EndpointDisabled is why an endpoint is told nothing.
type EndpointDisabled struct {
	Code   EndpointCode
	Reason string
	At     time.Time
}

// EndpointCode says why an endpoint was disabled.
type EndpointCode string

// The codes.
const (
	EndpointFailing EndpointCode = "failing" // for days nothing but failures
	EndpointGone    EndpointCode = "gone"    // it answered 410
	EndpointManual  EndpointCode = "manual"  // somebody has done it
)

// EndpointReplay is what an endpoint is being told once more.
type EndpointReplay struct {
	Cursor string // how far it is
	Until  string // the last position that is told again: what comes after is told anyway
	Since  time.Time
	Types  []string
}

// EndpointRun is where whoever calls an endpoint begins.
type EndpointRun struct {
	Endpoint

	Ahead    []string // notices beyond the cursor that were told already
	Messages []EndpointMessage
}

// EndpointMessage is a notice that an endpoint is to be told apart from the log: it failed, stands behind one that did, or
// is told once more.
type EndpointMessage struct {
	NoticeID string
	Type     string
	Subject  string
	Position string
	At       time.Time // when it happened
	Tries    int
	NextAt   time.Time // when it is to be tried; zero for at once, as soon as those before it are done
	Failed   bool      // it ran out of tries
	Data     json.RawMessage
}

// EndpointAttempt is one call of an endpoint.
type EndpointAttempt struct {
	ID       string
	NoticeID string
	Type     string
	Try      int // the first is 1
	At       time.Time
	Took     time.Duration
	Status   int // of HTTP; 0 when there was no answer
	OK       bool
	Code     string // what was wrong
	Error    string
	NextAt   time.Time // when it is tried again; zero: never
}

// EndpointProgress is what a run has come to since it wrote last.
type EndpointProgress struct {
	TenantID   string
	EndpointID string
	Generation int64
	Cursor     string
	CursorAt   time.Time
	Ahead      []string
	Told       []string          // messages that need not be told any more
	Put        []EndpointMessage // messages that are new, or have changed
	Kept       []EndpointMessage // messages that have changed and keep their data
	Attempts   []EndpointAttempt
	FailingAt  time.Time
	OKAt       time.Time
	FailedAt   time.Time
	LastError  string
	Fails      int
	PullIn     bool // what waits is to be tried at once
	Replay     *EndpointReplay
	Disabled   *EndpointDisabled
	Notice     *Notice // that tells of it
}

// AttemptFilter chooses attempts of an endpoint; empty fields match everything.
type AttemptFilter struct {
	NoticeID string
	Failed   bool   // only failures
	Before   string // the last id of the page before
	Limit    int
}

// Before tells whether one place in a tenant's event log is before another.
func Before(a, b string) bool { return len(a) < len(b) || (len(a) == len(b) && a < b) }

// PositionOf is the place in the event log that an event's id begins with; empty for what is no such id.
func PositionOf(id string) string {
	if parts := strings.Split(id, "_"); len(parts) == 3 {
		return parts[1]
	}
	return ""
}
