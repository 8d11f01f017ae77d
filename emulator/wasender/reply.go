package wasender

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// outcome says how a send ended, for the counters.
type outcome int

const (
	outcomeOther outcome = iota
	outcomeUnauthorized
	outcomeMalformed
	outcomeInvalid
	outcomeNotConnected
	outcomeRateLimited
	outcomeFaulted
)

func (o outcome) count(c *SessionCounts) {
	switch o {
	case outcomeOther:
	case outcomeUnauthorized:
		c.Unauthorized++
	case outcomeMalformed:
		c.Malformed++
	case outcomeInvalid:
		c.Invalid++
	case outcomeNotConnected:
		c.NotConnected++
	case outcomeRateLimited:
		c.RateLimited++
	case outcomeFaulted:
		c.Faulted++
	}
}

// reply is an answer that is not written yet, so that a fault can change it.
type reply struct {
	status     int
	body       []byte
	retryAfter string // header, faults only
	outcome    outcome
	view       *limitView // default: the session's send limit
	msgID      int64      // the message taken, if any
	drop       bool       // close the connection instead
}

func (r reply) as(o outcome) reply {
	r.outcome = o
	return r
}

func jsonReply(status int, v any) reply {
	body, err := json.Marshal(v)
	if err != nil { // only our own types come here
		return fail(http.StatusInternalServerError, "Server Error")
	}
	return reply{status: status, body: body}
}

// object is a JSON object of an answer; keys are written in sorted order.
type object = map[string]any

// success is the vendor's envelope.
func success(status int, data any) reply {
	return jsonReply(status, object{"success": true, "data": data})
}

// done is the envelope with a message beside the data; the npm package's types
// expect one on edits, deletes and disconnects. The texts are chosen.
func done(message string, data any) reply {
	return jsonReply(http.StatusOK, object{"success": true, "message": message, "data": data})
}

func fail(status int, message string) reply {
	return jsonReply(status, object{"success": false, "message": message})
}

func notFound(path string) reply {
	return fail(http.StatusNotFound, "The route "+path+" could not be found.")
}

// unauthenticated is Laravel's usual text; the vendor prints none.
func unauthenticated() reply {
	return fail(http.StatusUnauthorized, "Unauthenticated.").as(outcomeUnauthorized)
}

// tooMany is the vendor's 429, which has no "success" key. Whether a
// Retry-After header comes with it is not documented: none is sent here.
func tooMany(message string, wait time.Duration) reply {
	return jsonReply(http.StatusTooManyRequests, object{
		"message":     message,
		"retry_after": max(1, seconds(wait)),
	}).as(outcomeRateLimited)
}

func writeReply(w http.ResponseWriter, rep reply, view limitView, now time.Time) {
	h := w.Header()
	view.write(h, now)
	if rep.retryAfter != "" {
		h.Set("Retry-After", rep.retryAfter)
	}
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(rep.body)))
	w.WriteHeader(rep.status)
	_, _ = w.Write(rep.body) // nobody to tell when the caller has gone
}
