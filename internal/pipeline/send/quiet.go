package send

import (
	"sync"
	"time"

	"peal/internal/peal"
	"peal/internal/provider"
)

// sweepEvery is how often room is made among what is remembered.
const sweepEvery = time.Second

// maxQuiet is how many recipients and groups are remembered that are to be left in peace.
const maxQuiet = 10_000

// quiet remembers whom alone a provider wants left in peace, and until when: a recipient, or one of its groups of them.
// Their deliveries wait, the others go on. It is safe for concurrent use.
//
// What is remembered is bounded. One that is forgotten for want of room costs a call, which finds it out again.
type quiet struct {
	now    func() time.Time
	jitter func() float64

	mu      sync.Mutex
	version int64 // of the integration
	all     map[string]*silence
	swept   time.Time // when room was last made
}

// silence is how long one is left in peace.
type silence struct {
	until time.Time
	times int // in a row
}

func newQuiet(now func() time.Time, jitter func() float64) *quiet {
	return &quiet{now: now, jitter: jitter, all: map[string]*silence{}}
}

// of forgets all when the integration is another version: who has changed it wants it to send.
func (q *quiet) of(version int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.version != version {
		q.version = version
		clear(q.all)
	}
}

// begin leaves one in peace for as long as the provider asks, or if it does not say, for longer each time, as grow has it. It
// tells how long.
func (q *quiet) begin(key string, asked time.Duration, grow peal.Growth) time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.now()
	s := q.all[key]
	if s != nil && asked <= 0 && now.Before(s.until) { // calls that were in the air together found out the same thing
		return s.until.Sub(now)
	}
	if s == nil {
		s = &silence{}
		if q.forget(now); len(q.all) < maxQuiet {
			q.all[key] = s
		}
	}
	s.times++
	wait := min(asked, maxQuietTime)
	if asked <= 0 {
		if grow.Base <= 0 || grow.Factor < 2 {
			grow = peal.Growth{Base: throttleBase, Most: throttleCap, Factor: 3}
		}
		wait = min(grown(grow, s.times, q.jitter()), maxQuietTime)
	}
	if until := now.Add(wait); until.After(s.until) {
		s.until = until
	}
	return s.until.Sub(now)
}

// maxQuietTime keeps a provider's nonsense from silencing anybody for good.
const maxQuietTime = 24 * time.Hour

// wait tells how long a message that belongs to these is to wait; 0: it may go. Those that wait together come back one
// after the other, within a tenth of the time more.
func (q *quiet) wait(keys []string) (wait time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.all) == 0 {
		return 0
	}
	now := q.now()
	for _, k := range keys {
		if s := q.all[k]; s != nil && s.until.Sub(now) > wait {
			wait = s.until.Sub(now)
		}
	}
	return wait + time.Duration(q.jitter()*float64(wait)/10)
}

// over says that a message of these got through.
func (q *quiet) over(keys []string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.all) == 0 {
		return
	}
	now := q.now()
	for _, k := range keys {
		if s := q.all[k]; s != nil && !now.Before(s.until) {
			delete(q.all, k)
		}
	}
}

// forget makes room, if there is none, by letting go of those whose time is over; not for everyone who wants room.
func (q *quiet) forget(now time.Time) {
	if len(q.all) < maxQuiet || now.Sub(q.swept) < sweepEvery {
		return
	}
	q.swept = now
	for k, s := range q.all {
		if !now.Before(s.until) {
			delete(q.all, k)
		}
	}
}

// quietKey is how an outcome's Quiet is remembered.
func quietKey(d *peal.Delivery, whom string) string {
	if whom == peal.QuietRecipient {
		return recipientKey(d.Recipient)
	}
	return "group " + whom
}

func recipientKey(recipient string) string { return "recipient " + recipient }

// groupsOf are all that may be left in peace of a message.
func (s *shift) groupsOf(m *provider.Message) []string {
	if s.quiet.none() {
		return nil
	}
	keys := []string{recipientKey(m.To)}
	if s.groups != nil {
		for _, g := range s.groups.Groups(m) {
			keys = append(keys, "group "+g)
		}
	}
	return keys
}

// none tells whether nobody is left in peace, as it mostly is.
func (q *quiet) none() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.all) == 0
}
