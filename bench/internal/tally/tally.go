// Package tally follows every message of a run by its number: when it was sent to Peal, when Peal accepted it, and when
// it came to the provider. It is shared by the generator and the stand-in, and so is its clock.
package tally

import (
	"sync/atomic"
	"time"
)

// Phones are +9198 and 8 digits: every one of them is a valid Indian mobile number.
const (
	PhonePrefix = "+9198"
	PhoneDigits = 8
	phones      = 100_000_000
)

// Tally has a slot for every sequence number, made beforehand, so that recording costs no lock and no allocation.
type Tally struct {
	run        int
	phoneBase  int
	recipients int
	base       time.Time

	sent     []int64 // written by the one who sends the message
	accepted []int64 // written by the one who reads its 202
	arrived  []int64 // written by the stand-in, atomically: a second arrival must be noticed

	distinct   atomic.Int64
	duplicates atomic.Int64
}

// New makes a tally for up to capacity messages. The run number tells its messages from those of other tallies, the
// phone base sets their phone numbers apart.
func New(run, phoneBase, capacity int) *Tally {
	return &Tally{
		run: run, phoneBase: phoneBase, recipients: phones,
		base: time.Now().Add(-time.Second), // zero means "never"
		sent: make([]int64, capacity), accepted: make([]int64, capacity), arrived: make([]int64, capacity),
	}
}

// Among has the messages go to so many recipients, one after another and again from the first: devices, of which there
// are fewer than there are phone numbers.
func (t *Tally) Among(recipients int) { t.recipients = recipients }

// Run is the number in the markers of the tally's messages.
func (t *Tally) Run() int { return t.run }

// Capacity is the first sequence number that there is no slot for.
func (t *Tally) Capacity() int { return len(t.sent) }

// Now is the time in nanoseconds by the tally's own clock; it is monotonic.
func (t *Tally) Now() int64 { return int64(time.Since(t.base)) }

// Phone is the number after PhonePrefix of a message's recipient, or the number of its device.
func (t *Tally) Phone(seq int) int { return (t.phoneBase + seq) % t.recipients }

// Sent records when the message was sent, or in an open loop when it was due.
func (t *Tally) Sent(seq int, at int64) { t.sent[seq] = at }

// Accepted records when the 202 was read.
func (t *Tally) Accepted(seq int, at int64) { t.accepted[seq] = at }

// Arrived records that the provider has the message. It reports whether the number is one of this tally.
func (t *Tally) Arrived(seq int, at int64) bool {
	if seq < 0 || seq >= len(t.arrived) {
		return false
	}
	if atomic.CompareAndSwapInt64(&t.arrived[seq], 0, at) {
		t.distinct.Add(1)
	} else {
		t.duplicates.Add(1)
	}
	return true
}

// Distinct counts the messages that have arrived, each once.
func (t *Tally) Distinct() int { return int(t.distinct.Load()) }

// CountAccepted counts the messages that were answered with 202; nobody may send any more.
func (t *Tally) CountAccepted() int {
	n := 0
	for _, at := range t.accepted {
		if at != 0 {
			n++
		}
	}
	return n
}
