package peal

import (
	"fmt"
	"time"
)

// Rung is a delivery's place on its notification's ladder.
type Rung struct {
	Number int       // 0 goes first
	Unless Status    // such a receipt on a rung before makes it needless: Delivered or Read; empty of what goes anyway
	At     time.Time // its turn, unless the rung before ends without success earlier
}

// What a ladder's timeline and its canceled rungs say.
const (
	CodeLadderSatisfied = "ladder_satisfied" // a receipt on another rung made it needless
	CodeLadderEnded     = "ladder_ended"     // its turn came since the rung before ended without success
	CodeLadderDue       = "ladder_due"       // its turn came since no receipt did
)

// Lost tells of a delivery whether it has ended without success, as far as its ladder is concerned. What a receipt made
// needless has not.
func (d *Delivery) Lost() bool {
	return d.Status.Rank() < 0 && d.ErrorCode != CodeLadderSatisfied
}

// Waits tells of a delivery on a ladder whether its turn is yet to come.
func (d *Delivery) Waits(now time.Time) bool {
	return d.Rung != nil && d.Rung.Number > 0 && d.untouched() && d.DueAt.After(now) && !d.DueAt.After(d.Rung.At)
}

// untouched is so of what waits and was never tried.
func (d *Delivery) untouched() bool { return d.Status == Queued && d.Attempts == 0 && d.Round == 0 }

// Step is what is to happen to a delivery of a ladder.
type Step struct {
	Delivery *Delivery
	Next     Status    // Canceled, or Queued: it falls due
	Due      time.Time // for Queued
	Why      string
}

// Climb tells what is to happen to the deliveries of one ladder: a receipt of what a waiting one asks for cancels it; and
// when all of a rung have ended without success the next one's fall due. What is being sent, or was, stays; and so does
// what a person has queued again.
//
// To take its steps and to climb again changes nothing.
func Climb(ladder []Delivery, now time.Time) (steps []Step) {
	taken := map[*Delivery]bool{}
	for i := range ladder {
		if w := &ladder[i]; w.Status == Queued && w.Round == 0 {
			if r := satisfies(ladder, w); r != nil {
				taken[w] = true
				steps = append(steps, Step{Delivery: w, Next: Canceled, Why: fmt.Sprintf(
					"delivery %s, on rung %d over %s, is %s", r.ID, r.Rung.Number, r.Channel, r.Status)})
			}
		}
	}
	turn, why := time.Time{}, "" // when the rung's turn is, and how the one before has ended
	for n := 0; ; n++ {
		rung := rungOf(ladder, n)
		if len(rung) == 0 {
			return steps
		}
		if at := rung[0].Rung.At; why == "" || at.Before(turn) {
			turn = at
		}
		for _, d := range rung {
			if why != "" && !taken[d] && d.untouched() && d.DueAt.After(turn) {
				steps = append(steps, Step{Delivery: d, Next: Queued, Due: turn, Why: why})
			}
		}
		if why = ended(rung, taken); turn.Before(now) {
			turn = now
		}
	}
}

// satisfies gives the delivery whose receipt makes w needless; nil when there is none. What has not gone yet of a rung
// before the receipt's is held to what that one asks for.
func satisfies(ladder []Delivery, w *Delivery) *Delivery {
	for i := range ladder {
		r := &ladder[i]
		unless := w.Rung.Unless
		if r.Rung.Number > w.Rung.Number {
			unless = r.Rung.Unless
		}
		if r.Rung.Number != w.Rung.Number && unless != "" && r.Status.Rank() >= unless.Rank() {
			return r
		}
	}
	return nil
}

func rungOf(ladder []Delivery, n int) (rung []*Delivery) {
	for i := range ladder {
		if ladder[i].Rung.Number == n {
			rung = append(rung, &ladder[i])
		}
	}
	return rung
}

// ended says how a rung has ended without success; empty when it has not.
func ended(rung []*Delivery, taken map[*Delivery]bool) (why string) {
	for _, d := range rung {
		if !d.Lost() || taken[d] {
			return ""
		}
		if why == "" {
			why = fmt.Sprintf("rung %d over %s ended as %s", d.Rung.Number, d.Channel, d.Status)
			if d.ErrorCode != "" && d.ErrorCode != string(d.Status) {
				why += " (" + d.ErrorCode + ")"
			}
		}
	}
	return why
}

// DueReason is why a delivery on a ladder goes whose turn has come by time; empty of the first rung's.
func (d *Delivery) DueReason() (code, why string) {
	switch r := d.Rung; {
	case r == nil || r.Number == 0:
		return "", ""
	case r.Unless == "":
		return CodeLadderEnded, "the rungs before it had nobody to go to"
	default:
		return CodeLadderDue, fmt.Sprintf("no receipt of %s on a rung before it until %s", r.Unless, r.At.UTC().Format(time.RFC3339))
	}
}

// SumLadder is Sum of the deliveries of a ladder. Rungs whose turn is yet to come do not count unless those before have
// ended without success, and those that a receipt made needless do not count at all.
func SumLadder(ladder []Delivery, now time.Time) Status {
	var gone []Status
	waits, lost := false, true
	for i := range ladder {
		d := &ladder[i]
		switch {
		case d.Waits(now):
			waits = true
		case d.ErrorCode != CodeLadderSatisfied:
			gone = append(gone, d.Status)
			lost = lost && d.Lost()
		}
	}
	if waits && lost {
		return Queued
	}
	return Sum(gone)
}

// NextRung is the first rung of a ladder that has not ended without success: what waits there goes next.
func NextRung(ladder []Delivery) (n int) {
	if len(ladder) == 0 || ladder[0].Rung == nil {
		return 0
	}
	for ; ; n++ {
		rung := rungOf(ladder, n)
		if len(rung) == 0 || ended(rung, nil) == "" {
			return n
		}
	}
}

// OnRung tells whether it is on this rung, or on no ladder at all.
func (d *Delivery) OnRung(n int) bool { return d.Rung == nil || d.Rung.Number == n }

// RungNumber is its rung's; 0 on no ladder.
func (d *Delivery) RungNumber() int {
	if d.Rung == nil {
		return 0
	}
	return d.Rung.Number
}
