package tally

import "sync/atomic"

// Report is what became of the messages of a tally.
type Report struct {
	Accepted   int   // answered with 202
	Arrived    int   // came to the provider, each counted once
	Missing    int   // accepted and never arrived
	Duplicates int   // arrivals after the first
	Uninvited  int   // arrived without having been accepted
	MissingSeq []int // the first few of the missing

	FirstSent, LastAccepted, LastArrived int64

	Accept     []int64 // from sent to the 202
	ToProvider []int64 // from sent to the arrival at the provider
	After202   []int64 // from the 202 to the arrival; negative where the provider was first
}

// ExactlyOnce says whether every accepted message arrived once, and no other.
func (r *Report) ExactlyOnce() bool { return r.Missing == 0 && r.Duplicates == 0 && r.Uninvited == 0 }

// Report sums up the tally. Nobody may send any more; a message may still arrive.
func (t *Tally) Report() Report {
	const named = 5
	r := Report{Duplicates: int(t.duplicates.Load())}
	for seq, sent := range t.sent {
		if sent == 0 {
			continue
		}
		if r.FirstSent == 0 || sent < r.FirstSent {
			r.FirstSent = sent
		}
		accepted, arrived := t.accepted[seq], atomic.LoadInt64(&t.arrived[seq])
		if accepted != 0 {
			r.Accepted++
			r.LastAccepted = max(r.LastAccepted, accepted)
			r.Accept = append(r.Accept, accepted-sent)
		}
		if arrived != 0 {
			r.Arrived++
			r.LastArrived = max(r.LastArrived, arrived)
		}
		switch {
		case accepted != 0 && arrived != 0:
			r.ToProvider = append(r.ToProvider, arrived-sent)
			r.After202 = append(r.After202, arrived-accepted)
		case accepted != 0:
			r.Missing++
			if len(r.MissingSeq) < named {
				r.MissingSeq = append(r.MissingSeq, seq)
			}
		case arrived != 0:
			r.Uninvited++
		}
	}
	return r
}
