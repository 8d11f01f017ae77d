package webpush

import (
	"container/list"
	"context"
	"math/bits"
	"sync"
	"time"

	"peal/internal/peal"
)

// How origins are treated.
const (
	maxOrigins = 1024 // that are remembered; the one that was called longest ago gives way

	breakAfter = 5                // calls without an answer in a row, and the origin is left in peace
	breakFor   = 30 * time.Second // for so long; then one call tries it again
	trialWait  = time.Second      // others wait meanwhile

	// An origin that has not shown to be quick gets a quarter of the places: anybody can name an origin, and a slow one must
	// not keep the others' messages waiting.
	share     = 4
	leastCall = 4
	quick     = time.Second
	stalled   = 2 * time.Second
	patience  = time.Second     // how long a call waits for a place of its origin
	crowded   = 5 * time.Second // and how long the others then do

	// Refusals of who we are: so many of the last ones, and more than half, are no matter of single subscriptions.
	window   = 50
	burst    = 20
	provenIn = time.Hour // another origin's word for our key counts so long
	doubtful = 3         // refusals in a row without anybody's word for our key
)

// fate is how a call ended, to its origin.
type fate int

const (
	answered  fate = iota // somehow
	welcome               // it was taken
	unwelcome             // it refused who we are
	unanswered
	untold // the call was given up on our side, which says nothing
)

// origin is a push service, as far as this client knows it.
type origin struct {
	name     string
	place    *list.Element
	token    string
	renew    time.Time // when a new token is due
	inFlight int
	progress time.Time     // when an answer came, or calls began after a pause
	took     time.Duration // the last answer; 0: none yet
	failures int           // calls without an answer in a row
	shutTill time.Time
	refused  uint64 // the last calls that were taken or refused, a bit each: 1 is refused
	judged   int
	welcomed time.Time     // when it last took something
	moved    chan struct{} // closed when a call has ended; nil when nobody waits
}

// origins are all that a client has called lately.
type origins struct {
	signer *signer
	places int // of the integration
	now    func() time.Time

	mu     sync.Mutex
	all    map[string]*origin
	recent *list.List // of *origin, the one called last in front
}

func newOrigins(s *signer, places int) *origins {
	return &origins{signer: s, places: places, now: time.Now, all: map[string]*origin{}, recent: list.New()}
}

// enter begins a call: it gives the header that proves who we are, or says why there is to be no call now. Every call that
// has begun ends with leave.
func (o *origins) enter(ctx context.Context, name string) (string, *peal.Outcome) {
	var patient <-chan time.Time
	for {
		authorization, wait, refused := o.try(name)
		if wait == nil {
			return authorization, refused
		}
		if patient == nil {
			t := time.NewTimer(patience)
			defer t.Stop()
			patient = t.C
		}
		select {
		case <-wait:
		case <-patient:
			return "", quiet(name, codeBusy, "its push service is slow and has as many calls as it may have", crowded)
		case <-ctx.Done():
			return "", quiet(name, codeBusy, "its push service is slow and has as many calls as it may have", crowded)
		}
	}
}

// try is one attempt of enter. With wait it is to be tried again when that is closed.
func (o *origins) try(name string) (authorization string, wait <-chan struct{}, refused *peal.Outcome) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.now()
	g := o.get(name)
	switch {
	case now.Before(g.shutTill):
		return "", nil, quiet(name, codeDown, "its push service did not answer lately", g.shutTill.Sub(now))
	case g.failures >= breakAfter && g.inFlight > 0:
		return "", nil, quiet(name, codeDown, "its push service did not answer lately and is being tried", trialWait)
	case !g.room(o.places, now):
		if g.moved == nil {
			g.moved = make(chan struct{})
		}
		return "", g.moved, nil
	}
	if g.token == "" || !now.Before(g.renew) {
		token, err := o.signer.authorization(name, now)
		if err != nil {
			return "", nil, &peal.Outcome{Class: peal.ClassIntegration, Pause: peal.PauseCredentials, Code: codeKey, Reason: "the VAPID key does not sign"}
		}
		g.token, g.renew = token, now.Add(tokenUse)
	}
	if g.inFlight == 0 {
		g.progress = now
	}
	g.inFlight++
	return g.token, nil, nil
}

// room tells whether an origin may have one more call.
func (g *origin) room(places int, now time.Time) bool {
	if places <= 0 || g.inFlight < max(leastCall, places/share) {
		return true
	}
	return g.took > 0 && g.took < quick && now.Sub(g.progress) < stalled
}

// get gives an origin and puts it in front.
func (o *origins) get(name string) *origin {
	if g := o.all[name]; g != nil {
		o.recent.MoveToFront(g.place)
		return g
	}
	for e := o.recent.Back(); e != nil && len(o.all) >= maxOrigins; {
		old, before := e.Value.(*origin), e.Prev() //nolint:forcetypeassert // nothing else is put there
		if old.inFlight == 0 && old.moved == nil {
			o.recent.Remove(e)
			delete(o.all, old.name)
		}
		e = before
	}
	g := &origin{name: name}
	g.place = o.recent.PushFront(g)
	o.all[name] = g
	return g
}

// standing is what is known of our key when an origin has refused it.
type standing int

const (
	trusted  standing = iota // the key is good, as this or another origin has shown
	unproven                 // nobody has said so lately
	rejected                 // nobody has said so lately, and many have refused it
)

// leave ends a call. Of one that was unwelcome it says what to think of that.
func (o *origins) leave(name string, f fate, took time.Duration) standing {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.now()
	g := o.all[name] // it is there: those with calls in flight do not give way
	g.inFlight--
	if g.moved != nil {
		close(g.moved)
		g.moved = nil
	}
	switch f {
	case untold:
		return trusted
	case unanswered:
		if g.failures++; g.failures >= breakAfter {
			g.shutTill = now.Add(breakFor)
		}
		return trusted
	default:
		g.failures, g.progress, g.took = 0, now, max(took, 1)
	}
	switch f { //nolint:exhaustive // the others say nothing of who we are
	case welcome:
		g.refused, g.judged, g.welcomed = g.refused<<1, min(g.judged+1, window), now
	case unwelcome:
		g.refused, g.judged = g.refused<<1|1, min(g.judged+1, window)
		return o.standing(g, now)
	}
	return trusted
}

func (o *origins) standing(g *origin, now time.Time) standing {
	for _, other := range o.all {
		if other != g && !other.welcomed.IsZero() && now.Sub(other.welcomed) < provenIn {
			return trusted // so it is this origin that is wrong, or all of its subscriptions are
		}
	}
	refused := bits.OnesCount64(g.refused & (1<<window - 1))
	switch {
	case refused >= burst && 2*refused > g.judged:
		return rejected
	case refused == g.judged && refused >= doubtful:
		return unproven
	default:
		return trusted
	}
}

// quiet is the outcome of a call that was not made for its origin's sake.
func quiet(origin, code, reason string, wait time.Duration) *peal.Outcome {
	return &peal.Outcome{
		Class: peal.ClassThrottled, Pause: peal.PauseThrottled, Code: code, Reason: reason, RetryAfter: wait, Quiet: groupOf(origin),
	}
}
