package whatsappcloud

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
)

// outcome says how a send ended, for the counters.
type outcome int

const (
	outcomeOther outcome = iota
	outcomeUnauthorized
	outcomeMalformed
	outcomeInvalid
	outcomeThrottled
	outcomePair
	outcomeRefused
	outcomeFaulted
)

func (o outcome) count(c *NumberCounts) {
	switch o {
	case outcomeOther:
	case outcomeUnauthorized:
		c.Unauthorized++
	case outcomeMalformed:
		c.Malformed++
	case outcomeInvalid:
		c.Invalid++
	case outcomeThrottled:
		c.Throttled++
	case outcomePair:
		c.PairLimited++
	case outcomeRefused:
		c.Refused++
	case outcomeFaulted:
		c.Faulted++
	}
}

// reply is an answer that is not written yet, so that a fault can change it.
type reply struct {
	status  int
	body    []byte
	mime    string // default JSON
	header  map[string]string
	outcome outcome
	code    int    // Meta's error code + 1, 0 for none
	msgID   string // the message taken, if any
	drop    bool   // close the connection instead
}

func (r reply) as(o outcome) reply {
	r.outcome = o
	return r
}

// object is a JSON object; keys are written in sorted order.
type object = map[string]any

func jsonReply(status int, v any) reply {
	body, err := json.Marshal(v)
	if err != nil { // only our own types come here
		return reply{status: http.StatusInternalServerError, body: []byte(`{"error":{"message":"marshal"}}`)}
	}
	return reply{status: status, body: body}
}

func done() reply { return jsonReply(http.StatusOK, object{"success": true}) }

// refused is Meta's error answer. Throttled answers carry the usage headers of
// the Graph API; no Retry-After is documented, so none is sent.
func (s *Server) refused(r *refusal) reply {
	rep := jsonReply(r.HTTP, r.body(s.trace())).as(outcomeRefused)
	rep.code = r.Code + 1
	switch r.Code {
	case 4:
		rep.header = map[string]string{"X-App-Usage": `{"call_count":100,"total_cputime":100,"total_time":100}`}
	case 80007:
		rep.header = map[string]string{"X-Business-Use-Case-Usage": fmt.Sprintf(
			`{%q:[{"type":"whatsapp","call_count":100,"total_cputime":100,"total_time":100,"estimated_time_to_regain_access":1}]}`, s.accountIDs[0])}
	case 131056:
		rep.outcome = outcomePair
	case 130429:
		rep.outcome = outcomeThrottled
	}
	return rep
}

func (s *Server) trace() string { return "A" + scramble(s.next())[:22] }

// next is a new serial number.
func (s *Server) next() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serial++
	return s.serial
}

// scramble makes 32 hex digits of a number: no two alike (the mixing is one to
// one), but not to be guessed by eye.
func scramble(x uint64) string {
	mix := func(x uint64) uint64 {
		x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
		x = (x ^ x>>27) * 0x94d049bb133111eb
		return x ^ x>>31
	}
	return fmt.Sprintf("%016X%016X", mix(x), mix(^x))
}

func (s *Server) countArrival(req *request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.numbers[req.id]; n != nil {
		n.counts.Arrived++
		n.arrived.add(s.ns(req.now))
		return
	}
	s.noNumber.Arrived++
}

// finish counts the answer of a send and writes it.
func (s *Server) finish(w http.ResponseWriter, req *request, rep reply) {
	if req.route == routeSend {
		s.mu.Lock()
		counts := &s.noNumber
		if n := s.numbers[req.id]; n != nil {
			counts = &n.counts
			if rep.code > 0 {
				n.byCode[rep.code-1]++
			}
		}
		rep.outcome.count(counts)
		status := rep.status
		if rep.drop {
			status = 0
		}
		s.byStatus[status]++
		s.mu.Unlock()
	}
	if rep.drop {
		// net/http closes the connection without an answer, and without a log line.
		panic(http.ErrAbortHandler)
	}
	h := w.Header()
	for k, v := range rep.header {
		h.Set(k, v)
	}
	if rep.mime == "" {
		rep.mime = "application/json"
	}
	h.Set("Content-Type", rep.mime)
	if req.version != "" {
		h.Set("Facebook-Api-Version", req.version)
	}
	h.Set("Content-Length", strconv.Itoa(len(rep.body)))
	w.WriteHeader(rep.status)
	_, _ = w.Write(rep.body) // nobody to tell when the caller has gone
}
