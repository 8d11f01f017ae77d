package wasender

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"
)

// Plan is the vendor's subscription, which sets the send limit.
type Plan string

// Plans. Their numbers are the vendor's, except PlanUnlimited, which is ours.
const (
	PlanTrial     Plan = "trial"     // 1 send a minute
	PlanPaid      Plan = "paid"      // Basic, Pro, Plus and Enterprise: 256 sends a minute
	PlanUnlimited Plan = "unlimited" // no limit; the default of a zero Session
)

// Limit allows Requests in any window of length Period. The zero Limit means
// none was set.
type Limit struct {
	Requests int
	Period   time.Duration
}

const maxLimitRequests = 1_000_000

func (l Limit) validate() error {
	switch {
	case l == (Limit{}):
		return nil
	case l.Requests < 1 || l.Requests > maxLimitRequests:
		return fmt.Errorf("limit.requests: must be 1 to %d, is %d", maxLimitRequests, l.Requests)
	case l.Period <= 0:
		return errors.New("limit.period: must be more than 0")
	}
	return nil
}

// window counts what happened within the last period, exactly: at most
// limit.Requests times are kept, in a ring.
type window struct {
	limit Limit
	at    []int64 // ns on the server's clock
	head  int
	n     int
}

// limitView is what the X-RateLimit headers say.
type limitView struct {
	limit     int
	remaining int
	reset     time.Duration // until a slot is free, or the window is empty
	asSeconds bool
}

// nominal stands for "no limit" in the headers, which the vendor promises on
// every answer. The number is chosen.
const nominal = 1_000_000

func (w *window) expire(now int64) {
	for w.n > 0 && w.at[w.head] <= now-int64(w.limit.Period) {
		w.head = (w.head + 1) % len(w.at)
		w.n--
	}
}

// take uses a slot. When none is free it reports how long until one is.
func (w *window) take(now int64) (wait time.Duration, ok bool) {
	if w.limit.Requests == 0 {
		return 0, true
	}
	if w.at == nil {
		w.at = make([]int64, w.limit.Requests)
	}
	w.expire(now)
	if w.n == len(w.at) {
		return time.Duration(w.at[w.head] + int64(w.limit.Period) - now), false
	}
	w.at[(w.head+w.n)%len(w.at)] = now
	w.n++
	return 0, true
}

func (w *window) view(now int64) limitView {
	if w.limit.Requests == 0 {
		return limitView{limit: nominal, remaining: nominal}
	}
	w.expire(now)
	v := limitView{limit: w.limit.Requests, remaining: w.limit.Requests - w.n}
	if w.n > 0 {
		v.reset = time.Duration(w.at[w.head] + int64(w.limit.Period) - now)
	}
	return v
}

// seconds rounds up, because waiting shorter than told must not succeed.
func seconds(d time.Duration) int {
	return int(math.Ceil(d.Seconds()))
}

// write sets the headers in the vendor's spelling. Reset is documented both as
// a unix time and as seconds; Session.ResetInSeconds chooses.
func (v limitView) write(h http.Header, now time.Time) {
	reset := now.Add(v.reset).Unix()
	if frac := now.Add(v.reset).Nanosecond(); frac > 0 {
		reset++
	}
	if v.asSeconds {
		reset = int64(seconds(v.reset))
	}
	h["X-RateLimit-Limit"] = []string{strconv.Itoa(v.limit)}
	h["X-RateLimit-Remaining"] = []string{strconv.Itoa(v.remaining)}
	h["X-RateLimit-Reset"] = []string{strconv.FormatInt(reset, 10)}
}

// protectionLimit is account protection's limit, whatever the plan.
func protectionLimit() Limit { return Limit{Requests: 1, Period: 5 * time.Second} }

// effective is the limit in force and the text of its 429. Only the trial's
// text is the vendor's, the others are chosen.
func (c *Session) effective() (Limit, string) {
	switch {
	case c.Limit != (Limit{}):
		return c.Limit, fmt.Sprintf("You can only send %d messages every %s.", c.Limit.Requests, c.Limit.Period)
	case c.AccountProtection:
		return protectionLimit(), "Account protection is enabled. You can only send 1 message every 5 seconds."
	case c.Plan == PlanTrial:
		return Limit{Requests: 1, Period: time.Minute}, "You are on a free trial. You can only send 1 message every 1 minute."
	case c.Plan == PlanPaid:
		return Limit{Requests: 256, Period: time.Minute}, "You have reached the limit of 256 messages per minute."
	}
	return Limit{}, ""
}
