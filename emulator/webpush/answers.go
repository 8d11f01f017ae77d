package webpush

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// reply is an answer on its way out.
type reply struct {
	status  int
	header  map[string]string
	body    []byte
	drop    bool // close the connection instead
	outcome outcome
	message *Message // taken
	why     string   // a refusal's reason, for the log
}

func (r reply) with(name, value string) reply {
	header := map[string]string{name: value}
	for k, v := range r.header {
		if k != name {
			header[k] = v
		}
	}
	r.header = header
	return r
}

func jsonReply(status int, value any) reply {
	body, err := json.Marshal(value)
	if err != nil { // only for values that we write ourselves
		panic("webpush: " + err.Error())
	}
	return reply{status: status, body: body}.with("Content-Type", "application/json")
}

// Error numbers of autopush; the facts of it that matter are the numbers and
// the shape, the texts are chosen.
const (
	errnoMissingKeys = 101
	errnoEndpoint    = 102
	errnoExpired     = 103
	errnoTooLarge    = 104
	errnoInvalid     = 106
	errnoAuth        = 109
	errnoCrypto      = 110
	errnoHeader      = 111
	errnoTTL         = 112
	errnoTopic       = 113
	errnoBusy        = 201
)

// refuse is an error in the shape of autopush.
func refuse(status, errno int, message string) reply {
	rep := jsonReply(status, map[string]any{
		"code": status, "errno": errno, "error": http.StatusText(status), "message": message,
		"more_info": "http://autopush.readthedocs.io/en/latest/http.html#error-codes",
	})
	rep.why, rep.outcome = message, outcomeInvalid
	return rep
}

// refuseNtfy is an error in the shape of ntfy.
func refuseNtfy(status, code int, message string) reply {
	rep := jsonReply(status, map[string]any{"code": code, "http": status, "error": message})
	rep.why, rep.outcome = message, outcomeInvalid
	return rep
}

// defaultBody is what a fault answers when it names no body.
func (f *Fault) defaultBody(message string) reply {
	message = firstOf(message, "A fault was asked for.")
	if f.Reason != "" { // Apple's shape
		return jsonReply(f.Status, map[string]any{"reason": f.Reason})
	}
	switch {
	case f.Status < 300:
		return reply{status: f.Status}
	case f.Errno != 0:
		return refuse(f.Status, f.Errno, message)
	}
	switch f.Status {
	case http.StatusBadRequest:
		return refuse(f.Status, errnoCrypto, message)
	case http.StatusUnauthorized, http.StatusForbidden:
		return refuse(f.Status, errnoAuth, message)
	case http.StatusNotFound:
		return refuse(f.Status, errnoEndpoint, message)
	case http.StatusGone:
		return refuse(f.Status, errnoInvalid, message)
	case http.StatusRequestEntityTooLarge:
		return refuse(f.Status, errnoTooLarge, message)
	case http.StatusTooManyRequests:
		return refuseNtfy(f.Status, 42901, "limit reached: too many requests")
	case http.StatusInsufficientStorage:
		return refuseNtfy(f.Status, 50701, "cannot publish to UnifiedPush topic without previously active subscriber")
	case http.StatusMovedPermanently, http.StatusPermanentRedirect, http.StatusFound, http.StatusTemporaryRedirect:
		return reply{status: f.Status}
	}
	return refuse(f.Status, errnoBusy, message)
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// answer is the answer of a FaultStatus.
func (f *Fault) answer(now time.Time) reply {
	rep := reply{status: f.Status, body: []byte(f.Body)}
	if f.Body == "" {
		rep = f.defaultBody("")
	} else if f.ContentType != "" {
		rep = rep.with("Content-Type", f.ContentType)
	}
	if f.Status == http.StatusNoContent || f.Status == http.StatusNotModified {
		rep.body = nil // HTTP allows none
	}
	switch {
	case f.RetryAfter != "":
		rep = rep.with("Retry-After", f.RetryAfter)
	case f.RetryAfterIn > 0:
		rep = rep.with("Retry-After", now.Add(f.RetryAfterIn).UTC().Format(http.TimeFormat))
	}
	if f.Location != "" {
		rep = rep.with("Location", f.Location)
	}
	return rep
}

func writeReply(w http.ResponseWriter, rep reply) {
	for name, value := range rep.header {
		w.Header().Set(name, value)
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(rep.body)))
	if rep.status == http.StatusNoContent || rep.status == http.StatusNotModified {
		w.Header().Del("Content-Length")
	}
	w.WriteHeader(rep.status)
	_, _ = w.Write(rep.body) // nobody to tell when the caller has gone
}
