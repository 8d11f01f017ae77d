package peal

import "time"

// Audience chooses many devices of a tenant: those that match every field that is given. The zero value chooses all.
type Audience struct {
	AppID    string `json:"app_id,omitempty"`
	Platform string `json:"platform,omitempty"`
	Locale   string `json:"locale,omitempty"` // en chooses en-IN, too
}

// AudienceGroup counts devices of an audience that are alike in what decides how they are sent to.
type AudienceGroup struct {
	Kind       DeviceKind
	AppID      string
	Permission Permission
	Devices    int64
}

// ExpansionEnd is how the expansion of an audience ended.
type ExpansionEnd string

// The ends of an expansion. Only after ExpansionDone every device was planned for.
const (
	ExpansionOpen          ExpansionEnd = ""
	ExpansionDone          ExpansionEnd = "done"
	ExpansionCanceled      ExpansionEnd = "canceled"
	ExpansionExpired       ExpansionEnd = "expired"
	ExpansionNoIntegration ExpansionEnd = "no_integration" // the one that it was to go over is no more
	ExpansionRestored      ExpansionEnd = "restored"       // the records went back to an earlier moment
	ExpansionFailed        ExpansionEnd = "failed"         // it cannot be read
)

// Expansion is how far a notification to an audience has come.
type Expansion struct {
	Request   []byte // pipeline.ExpansionRequest as JSON
	Planned   int64  // deliveries so far
	StartedAt time.Time
	EndedAt   time.Time
	End       ExpansionEnd
	Counts    map[Status]int64 // the deliveries by status
}

// Status sums the deliveries up. While it goes on there are more to come, which wait.
func (x *Expansion) Status() Status {
	var all []Status
	for s, n := range x.Counts {
		if n > 0 {
			all = append(all, s)
		}
	}
	switch x.End {
	case ExpansionOpen:
		all = append(all, Queued)
	case ExpansionCanceled, ExpansionNoIntegration, ExpansionRestored, ExpansionFailed:
		all = append(all, Canceled)
	case ExpansionExpired:
		all = append(all, Expired)
	case ExpansionDone:
	}
	return Sum(all)
}
