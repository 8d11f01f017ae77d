package track

import (
	"strconv"
	"testing"
	"time"

	"peal/internal/peal"
	"peal/internal/pipeline"
	"peal/internal/provider"
)

const raju = "+919812345678"

// call is when the lost call was made and given up.
var call = struct{ from, to time.Time }{
	time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), time.Date(2026, 3, 1, 12, 0, 15, 0, time.UTC),
}

// scene is a log in which the account sent something before and after the lost call, to others; entries go between.
func scene(waited time.Duration, entries ...provider.LogEntry) *evidence {
	e := &evidence{owners: map[string]told{}, sorted: true, whole: true, now: call.to.Add(waited)}
	own := func(id string, at time.Time) provider.LogEntry {
		e.owners[id] = told{pipeline.Told{DeliveryID: "d-" + id, MessageID: id, Recipient: "+4915", SentAt: at.Add(time.Second)}, "other"}
		return provider.LogEntry{ID: id, To: "+4915", Print: "other", At: at, Status: peal.Sent}
	}
	e.entries = append(e.entries, own("9", call.to.Add(5*time.Second)))
	e.entries = append(e.entries, entries...)
	e.entries = append(e.entries, own("1", call.from.Add(-time.Minute)))
	return e
}

func entry(id int, after time.Duration) provider.LogEntry {
	return provider.LogEntry{ID: strconv.Itoa(id), To: raju, Print: "hello", At: call.from.Add(after), Status: peal.Sent}
}

func with(x provider.LogEntry, change func(*provider.LogEntry)) provider.LogEntry {
	change(&x)
	return x
}

func other(messageID string, mark string, sent time.Time) told {
	return told{pipeline.Told{DeliveryID: "other", MessageID: messageID, Recipient: raju, SentAt: sent}, mark}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	const soon, late = time.Minute, findGrace
	ours := entry(5, time.Second)
	for name, c := range map[string]struct {
		e    *evidence
		next peal.Status
		id   string
	}{
		"one entry is it":                                     {scene(soon, ours), peal.Sent, "5"},
		"and has not come to an end there":                    {scene(soon, with(ours, func(x *provider.LogEntry) { x.Status = "" })), peal.Sent, "5"},
		"and failed there":                                    {scene(soon, with(ours, func(x *provider.LogEntry) { x.Status = peal.Failed })), peal.Failed, "5"},
		"by a clock that is off":                              {scene(soon, entry(5, -findSkew)), peal.Sent, "5"},
		"logged late":                                         {scene(soon, entry(5, 15*time.Second+findLate)), peal.Sent, "5"},
		"of another time before":                              {scene(soon, entry(5, -findSkew-time.Second)), "", ""},
		"of another time after":                               {scene(soon, entry(5, 16*time.Second+findLate)), "", ""},
		"of no time":                                          {scene(soon, with(ours, func(x *provider.LogEntry) { x.At = time.Time{} })), "", ""},
		"two entries":                                         {scene(soon, entry(6, 2*time.Second), ours), "", ""},
		"two entries, one of another time":                    {scene(soon, entry(6, time.Hour), ours), "", ""},
		"to another number":                                   {scene(soon, with(ours, func(x *provider.LogEntry) { x.To = "+4916" })), "", ""},
		"that says something else":                            {scene(soon, with(ours, func(x *provider.LogEntry) { x.Print = "bye" })), "", ""},
		"another's by its id":                                 {scene(soon, ours).ours("5"), "", ""},
		"by its id another's to another number":               {scene(late, ours).theirs("5"), "", ""},
		"not there, and an id is another's to another number": {scene(late, with(ours, func(x *provider.LogEntry) { x.Print = "bye" })).theirs("5"), "", ""},
		"the other one of two":                                {scene(soon, entry(6, 2*time.Second), ours).ours("6").and(other("6", "hello", call.to)), peal.Sent, "5"},
		"another is in doubt, too":                            {scene(soon, ours).and(other("", "hello", time.Time{})), "", ""},
		"another, whose id the log does not show":             {scene(soon, ours).and(other("77", "hello", call.to)), "", ""},
		"another from long before":                            {scene(soon, ours).and(other("77", "hello", call.from.Add(-time.Hour))), peal.Sent, "5"},
		"another that says something else":                    {scene(soon, ours).and(other("", "bye", time.Time{})), peal.Sent, "5"},
		"nothing shows what the ids are":                      {scene(soon, ours).blind(), "", ""},
		"nothing has shown it for long":                       {scene(late, ours).blind(), peal.Sent, ""},
		"the log was too long":                                {scene(soon, ours).cut(), "", ""},
		"the log was too long for others":                     {scene(soon, ours).cutLater(), peal.Sent, "5"},
		"not there yet":                                       {scene(soon), "", ""},
		"not there after all":                                 {scene(late), peal.Queued, ""},
		"not there, others to that number are known":          {scene(late, with(ours, func(x *provider.LogEntry) { x.Print = "bye" })).ours("5"), peal.Queued, ""},
		"something to that number is not ours":                {scene(late, with(ours, func(x *provider.LogEntry) { x.Print = "bye" })), "", ""},
		"something hides its number":                          {scene(late, with(ours, func(x *provider.LogEntry) { x.To = "" })), "", ""},
		"something hides what it says":                        {scene(late, with(entry(5, 0), func(x *provider.LogEntry) { x.To, x.Print = "+4916", "" })), "", ""},
		"something has no id":                                 {scene(late, with(entry(5, 0), func(x *provider.LogEntry) { x.ID, x.To = "", "+4916" })), "", ""},
		"not there, and one alike is in doubt":                {scene(late).and(other("", "hello", time.Time{})), "", ""},
		"not there, in no order":                              {scene(late).shuffled(), "", ""},
		"not there, and nothing shows its ids":                {scene(late).blind(), "", ""},
		"not there, and nothing was sent since":               {scene(late).without(0), "", ""},
		"not there, and nothing was sent before":              {scene(late).without(1), "", ""},
		"an empty log":                                        {scene(late).without(0).without(0), "", ""},
		"not there, too long":                                 {scene(late).cut(), "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := pipeline.Lost{DeliveryID: "lost", Recipient: raju, From: call.from, To: call.to}
			c.e.others = append(c.e.others, told{pipeline.Told{DeliveryID: "lost", Recipient: raju}, "hello"}) // itself is no rival
			f := c.e.judge(&l, "hello")
			if f.Next != c.next || f.MessageID != c.id || f.Detail == "" || f.DeliveryID != "lost" {
				t.Errorf("it is %q, id %q: %s; want %q, id %q", f.Next, f.MessageID, f.Detail, c.next, c.id)
			}
			if (f.Next == peal.Failed) != (f.Code != "") {
				t.Errorf("%s has the code %q", f.Next, f.Code)
			}
			if f := c.e.judge(&l, ""); f.Next != "" {
				t.Errorf("content that cannot be known again is %s", f.Next)
			}
		})
	}
}

// ours makes an entry one of ours, by its id.
func (e *evidence) ours(id string) *evidence {
	e.owners[id] = told{pipeline.Told{DeliveryID: "d-" + id, MessageID: id, Recipient: raju, SentAt: call.to}, "hello"}
	return e
}

// theirs makes it a delivery to another number.
func (e *evidence) theirs(id string) *evidence {
	e.owners[id] = told{pipeline.Told{DeliveryID: "d-" + id, MessageID: id, Recipient: "+4916", SentAt: call.to}, "hello"}
	return e
}

func (e *evidence) and(o told) *evidence {
	e.others = append(e.others, o)
	return e
}

// blind takes away what is known of the ids.
func (e *evidence) blind() *evidence {
	e.owners = map[string]told{}
	return e
}

func (e *evidence) without(i int) *evidence {
	e.entries = append(e.entries[:i:i], e.entries[i+1:]...)
	return e
}

func (e *evidence) shuffled() *evidence {
	e.sorted = false
	return e
}

// cut is a log that could not be read back to the call.
func (e *evidence) cut() *evidence {
	e.whole, e.entries = false, e.entries[:len(e.entries)-1]
	return e
}

// cutLater is one that was read back to this call, but not to the oldest of its batch.
func (e *evidence) cutLater() *evidence {
	e.whole = false
	e.entries[len(e.entries)-1].At = call.from.Add(-2 * findSkew)
	return e
}
