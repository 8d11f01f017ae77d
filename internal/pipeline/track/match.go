package track

import (
	"time"

	"peal/internal/peal"
	"peal/internal/pipeline"
	"peal/internal/provider"
)

const (
	// A provider's clock may be off by findSkew, and an entry of the log be made findLate after the call.
	findSkew = 2 * time.Minute
	findLate = 5 * time.Minute
	// findGrace is how long after a call its message may still turn up in the log: before, that it is not there means
	// nothing.
	findGrace = 10 * time.Minute
)

// codeFoundFailed is the code of a message that failed by the log.
const codeFoundFailed = "provider_error"

// told is a delivery with its content's fingerprint.
type told struct {
	pipeline.Told
	mark string
}

// evidence is all there is to judge lost deliveries by. A provider that knows no id of ours makes this a matter of
// exclusion: whatever could be of another is evidence of nothing.
type evidence struct {
	entries []provider.LogEntry // the log from its newest entry back, each once
	whole   bool                // it was read back to before the calls, or to its end
	sorted  bool                // newest first, as far as the entries tell
	owners  map[string]told     // deliveries of ours, by the id of an entry
	others  []told              // deliveries to the same recipients
	now     time.Time
}

// covers tells whether the log was read back to before the call. Where the oldest call of a batch is too far back, the
// younger ones need not be.
func (e *evidence) covers(l *pipeline.Lost) bool {
	if e.whole || !e.sorted || len(e.entries) == 0 {
		return e.whole
	}
	oldest := e.entries[len(e.entries)-1].At
	return !oldest.IsZero() && oldest.Before(l.From.Add(-findSkew))
}

// judge says what became of a lost delivery whose content has this fingerprint, and why it cannot where it cannot.
func (e *evidence) judge(l *pipeline.Lost, mark string) pipeline.Finding {
	f := pipeline.Finding{Lost: *l}
	switch {
	case mark == "":
		f.Detail = "its content cannot be known again"
		return f
	case !e.covers(l):
		f.Detail = "the provider's log since then is too long to be read"
		return f
	}
	if f.Detail = e.rival(l, mark); f.Detail != "" {
		return f
	}
	var match *provider.LogEntry
	claimable := 0
	for i := range e.entries {
		x := &e.entries[i]
		if x.To != l.Recipient || x.Print != mark || e.owned(x) {
			continue
		}
		if e.has(x.ID) {
			f.Detail = "the provider's log has it under the id of a message to another number"
			return f
		}
		claimable++
		if !x.At.Before(l.From.Add(-findSkew)) && !x.At.After(l.To.Add(findLate)) {
			match = x
		}
	}
	switch {
	case claimable > 1:
		f.Detail = "several messages in the provider's log say the same to the same number"
	case claimable == 1 && match == nil:
		f.Detail = "the provider's log has such a message of another time"
	case claimable == 1:
		e.found(&f, match)
	default:
		e.missing(&f)
	}
	return f
}

// rival says which other delivery could be what the log shows.
func (e *evidence) rival(l *pipeline.Lost, mark string) string {
	for i := range e.others {
		o := &e.others[i]
		if o.DeliveryID == l.DeliveryID || o.Recipient != l.Recipient || o.mark != mark {
			continue
		}
		if o.MessageID == "" {
			return "another delivery says the same to the same number, and may be the one in the provider's log"
		}
		if !e.has(o.MessageID) && !o.SentAt.Before(l.From.Add(-findSkew)) {
			return "another delivery says the same to the same number, and the provider's log does not show by its id which is which"
		}
	}
	return ""
}

// owned tells whether an entry is of a delivery of ours: by its id, and to the same number.
func (e *evidence) owned(x *provider.LogEntry) bool {
	of, ok := e.owners[x.ID]
	return ok && of.Recipient == x.To
}

func (e *evidence) has(id string) bool {
	_, ok := e.owners[id]
	return ok
}

// witness tells whether an entry is a delivery of ours by all that is known of it. Then the log's ids are those of the
// answers to sends, and its recipients and contents are understood.
func (e *evidence) witness(x *provider.LogEntry) (of told, ok bool) {
	of, ok = e.owners[x.ID]
	return of, ok && x.ID != "" && x.Print != "" && of.Recipient == x.To && of.mark == x.Print
}

// found makes the one entry that can be it what became of it. That its id is the one to ask by has to be seen in another
// entry; if none shows it in time, the message goes without.
func (e *evidence) found(f *pipeline.Finding, x *provider.LogEntry) {
	for i := range e.entries {
		if _, ok := e.witness(&e.entries[i]); ok {
			f.MessageID = x.ID
			break
		}
	}
	if f.MessageID == "" && e.now.Before(f.To.Add(findGrace)) {
		f.Detail = "the provider's log has it, but no other message that shows what its ids are"
		return
	}
	f.Next, f.At, f.Detail = peal.Sent, x.At, "it is in the provider's log"
	if x.Status == peal.Failed {
		f.Next, f.Code, f.Detail = peal.Failed, codeFoundFailed, "the provider's log says that it failed"
	}
}

// missing says whether it surely was not taken: the log was being kept before the call and after it, nothing in between
// hides what it is, and nothing there to that number is unaccounted for, whatever it says.
func (e *evidence) missing(f *pipeline.Finding) {
	f.Detail = "the provider's log does not have it; whether it should is not certain"
	if e.now.Before(f.To.Add(findGrace)) || !e.sorted {
		return
	}
	after := false
	for i := range e.entries {
		x := &e.entries[i]
		if x.ID == "" || x.To == "" || x.Print == "" || x.At.IsZero() {
			return
		}
		if x.To == f.Recipient && !e.owned(x) {
			return
		}
		switch of, ok := e.witness(x); {
		case !ok:
		case !of.SentAt.Before(f.To):
			after = true
		case after && of.SentAt.Before(f.From):
			f.Next, f.Detail = peal.Queued, "the provider's log has what was sent before and after it, and does not have it: it was not taken"
			return
		}
	}
}
