package peal

import "fmt"

// Priority says which of an integration's three lanes a delivery waits in. The zero value is Normal.
type Priority uint8

// The priorities, as they are kept.
const (
	Normal   Priority = iota
	Critical          // overtakes everything: a one-time password
	Bulk              // a campaign: goes when nothing else waits, and is never starved
)

// Priorities are all of them, the most urgent first.
func Priorities() [3]Priority { return [3]Priority{Critical, Normal, Bulk} }

// String gives its name in the API and in subjects.
func (p Priority) String() string {
	switch p {
	case Critical:
		return "critical"
	case Normal:
		return "normal"
	case Bulk:
		return "bulk"
	}
	return fmt.Sprintf("priority-%d", uint8(p))
}

// ParsePriority reads a name; empty is Normal.
func ParsePriority(name string) (Priority, bool) {
	if name == "" {
		return Normal, true
	}
	for _, p := range Priorities() {
		if p.String() == name {
			return p, true
		}
	}
	return Normal, false
}
