package peal

import "slices"

// Status is the state of a delivery; docs/states.md draws them.
type Status string

// The states. Sent means that the provider took it, never that it arrived.
const (
	Queued    Status = "queued"
	Sending   Status = "sending"   // a call is being made, or ended without a recorded word
	Uncertain Status = "uncertain" // a call ended without an answer: it may or may not have gone out
	Sent      Status = "sent"
	Delivered Status = "delivered"
	Read      Status = "read"
	Failed    Status = "failed"
	Skipped   Status = "skipped"
	Canceled  Status = "canceled"
	Expired   Status = "expired"
)

// Statuses lists all of them.
func Statuses() []Status {
	return []Status{Queued, Sending, Uncertain, Sent, Delivered, Read, Failed, Skipped, Canceled, Expired}
}

// Valid tells whether s is one of Statuses.
func (s Status) Valid() bool {
	return slices.Contains(Statuses(), s)
}

// Rank orders the states that receipts move through. Ends without success have none (-1).
func (s Status) Rank() int {
	switch s {
	case Queued:
		return 0
	case Sending, Uncertain:
		return 1
	case Sent:
		return 2
	case Delivered:
		return 3
	case Read:
		return 4
	default:
		return -1
	}
}

// InFlight tells whether Peal still has something to do for it.
func (s Status) InFlight() bool { return s == Queued || s == Sending || s == Uncertain }

// FlagReceiptAfterEnd marks a delivery that was thought to have failed, and of which a receipt proved otherwise.
const FlagReceiptAfterEnd = "receipt_after_failure"

// After says where evidence of state seen takes a delivery in state s, and whether the two contradict each other: it
// failed, and it arrived. Rank never falls, and the order in which the two are told makes no difference: proof of life
// wins. A receipt of failure counts only while nothing better is known.
func (s Status) After(seen Status) (next Status, flagged bool) {
	if seen == Failed {
		if r := s.Rank(); r >= 0 && r <= Sent.Rank() {
			return Failed, false
		}
		return s, s.Rank() >= Delivered.Rank()
	}
	if s.Rank() < 0 { // an end without success: proof of life wins, "sent" is no proof
		if seen.Rank() >= Delivered.Rank() {
			return seen, true
		}
		return s, false
	}
	if seen.Rank() > s.Rank() {
		return seen, false
	}
	return s, false
}

// Sum tells a notification's status from its deliveries': in flight as long as one is, else the best end reached.
func Sum(statuses []Status) Status {
	best := Skipped
	for _, s := range statuses {
		if s.InFlight() && (!best.InFlight() || s.Rank() < best.Rank()) {
			best = s
			continue
		}
		if !best.InFlight() && endOrder(s) > endOrder(best) {
			best = s
		}
	}
	return best
}

// endOrder ranks what a notification has come to when nothing is in flight.
func endOrder(s Status) int {
	switch s {
	case Skipped:
		return 0
	case Canceled:
		return 1
	case Expired:
		return 2
	case Failed:
		return 3
	default:
		return 4 + s.Rank()
	}
}
