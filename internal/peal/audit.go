package peal

import (
	"fmt"
	"time"

	"github.com/google/uuid"
)

// HourOf gives the hours since 1970 that a time-ordered id (UUIDv7) tells; 0 of what is no id.
func HourOf(id string) int64 {
	u, err := uuid.Parse(id)
	if err != nil {
		return 0
	}
	var ms int64
	for _, b := range u[:6] {
		ms = ms<<8 | int64(b)
	}
	return ms / time.Hour.Milliseconds()
}

// HourRange gives the bounds of the ids of an hour: from the first, and below the second.
func HourRange(hour int64) (from, to string) {
	return FirstID(time.UnixMilli(hour * time.Hour.Milliseconds())), FirstID(time.UnixMilli((hour + 1) * time.Hour.Milliseconds()))
}

// FirstID is below every time-ordered id of the time or later, and above those from before.
func FirstID(t time.Time) string {
	ms := uint64(max(0, t.UnixMilli())) & (1<<48 - 1)
	return fmt.Sprintf("%08x-%04x-0000-0000-000000000000", ms>>16, ms&0xffff)
}

// Span is a stretch of the records: whole hours, or a part of one.
type Span struct {
	FromHour, ToHour int64  // the first, and the one after the last
	From, To         string // the bounds of its ids: from the first, and below the second
	Part             bool   // only a part of the hour, so its rows cannot be held to the hour's counters
	CountOnly        bool   // only how many rows there are, which is quick, for an hour whose rows are looked at in parts
}

// Covers tells whether a difference would be found by looking at the span again.
func (sp *Span) Covers(d *Difference) bool {
	switch {
	case d.Hour < sp.FromHour || d.Hour >= sp.ToHour:
		return false
	case d.Kind == DiffNotifications, d.Kind == DiffDeliveries, d.Kind == DiffVanished:
		return !sp.Part
	default:
		return !sp.CountOnly && d.ID >= sp.From && d.ID < sp.To
	}
}

// HourSpan is the span of the hours from one until another.
func HourSpan(from, to int64) Span {
	low, _ := HourRange(from)
	high, _ := HourRange(to)
	return Span{FromHour: from, ToHour: to, From: low, To: high}
}

// HourCount is what was counted as accepted in an hour.
type HourCount struct {
	Hour          int64
	Notifications int64
	Deliveries    int64
}

// Tally is what a tenant's records of a span come to: the counters that were written as it was accepted, and beside them
// the rows.
type Tally struct {
	TenantID      string
	Notifications int64 // counted
	Deliveries    int64 // counted

	NotificationRows int64
	DeliveryRows     int64
	ByStatus         map[Status]int64 // of the delivery rows
	Uncounted        int64            // rows of notifications that are older than the counters; NotificationRows leaves them out
	Wrong            int64            // delivery rows whose columns contradict each other
}

// Add adds another tally of the same tenant.
func (t *Tally) Add(o *Tally) {
	t.Notifications += o.Notifications
	t.Deliveries += o.Deliveries
	t.NotificationRows += o.NotificationRows
	t.DeliveryRows += o.DeliveryRows
	t.Uncounted += o.Uncounted
	t.Wrong += o.Wrong
	if t.ByStatus == nil {
		t.ByStatus = map[Status]int64{}
	}
	for s, n := range o.ByStatus {
		t.ByStatus[s] += n
	}
}

// InFlight is how many of the deliveries are.
func (t *Tally) InFlight() (n int64) {
	for s, of := range t.ByStatus {
		if s.InFlight() {
			n += of
		}
	}
	return n
}

// Balanced tells whether there are as many rows as were counted.
func (t *Tally) Balanced() bool {
	return t.Notifications == t.NotificationRows && (t.Uncounted > 0 || t.Deliveries == t.DeliveryRows)
}

// DifferenceKind says what does not agree.
type DifferenceKind string

// What the audit holds against each other.
const (
	DiffNotifications DifferenceKind = "notifications" // an hour has not as many notifications as were counted
	DiffDeliveries    DifferenceKind = "deliveries"    // an hour has not as many deliveries as were counted
	DiffPlan          DifferenceKind = "plan"          // a notification has not as many deliveries as were planned
	DiffOrphan        DifferenceKind = "orphan"        // there are deliveries of a notification that is not there
	DiffVanished      DifferenceKind = "vanished"      // something speaks of a row that is not there
	DiffState         DifferenceKind = "state"         // the columns of a delivery contradict each other
	DiffStuck         DifferenceKind = "stuck"         // a delivery is being sent for longer than any call takes
	DiffJob           DifferenceKind = "job"           // a delivery in flight had no job
)

// DifferenceKinds lists all of them.
func DifferenceKinds() []DifferenceKind {
	return []DifferenceKind{
		DiffNotifications, DiffDeliveries, DiffPlan, DiffOrphan, DiffVanished, DiffState, DiffStuck, DiffJob,
	}
}

// Difference is one thing of a tenant that does not agree.
type Difference struct {
	Kind     DifferenceKind
	TenantID string
	ID       string // of a delivery or notification; of a count the hour, as 2026-01-31T15
	Hour     int64  // that it belongs to
	Detail   string
}

// HourName is how an hour is written.
func HourName(hour int64) string { return time.Unix(hour*3600, 0).UTC().Format("2006-01-02T15") }
