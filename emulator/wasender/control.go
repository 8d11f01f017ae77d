package wasender

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// controlRoute is a route under /_emulator/. An error becomes a 400, or what
// its controlError says.
type controlRoute struct {
	method, path string
	serve        func(*Server, *request) (any, error)
}

type controlError struct {
	status int
	err    error
}

func (e controlError) Error() string { return e.err.Error() }

func missing(err error) error { return controlError{http.StatusNotFound, err} }

func controlRoutes() []controlRoute {
	return []controlRoute{
		{"GET", "health", (*Server).controlHealth},
		{"POST", "reset", (*Server).controlReset},
		{"GET", "idle", (*Server).controlIdle},
		{"GET", "messages", (*Server).controlMessages},
		{"GET", "messages/*", (*Server).controlMessage},
		{"POST", "messages/*/status", (*Server).controlStatus},
		{"GET", "counts", (*Server).controlCounts},
		{"GET", "faults", (*Server).controlFaults},
		{"POST", "faults", (*Server).controlAddFault},
		{"DELETE", "faults", (*Server).controlClearFaults},
		{"DELETE", "faults/*", (*Server).controlRemoveFault},
		{"GET", "script", (*Server).controlScript},
		{"PUT", "script", (*Server).controlSetScript},
		{"GET", "sessions", (*Server).controlSessions},
		{"POST", "sessions", (*Server).controlAddSession},
		{"GET", "sessions/*", (*Server).controlSession},
		{"PUT", "sessions/*", (*Server).controlUpdateSession},
		{"POST", "inbound", (*Server).controlInbound},
		{"POST", "webhook", (*Server).controlWebhook},
	}
}

func (s *Server) control(w http.ResponseWriter, req *request, path string, bodyErr error) {
	status, answer := http.StatusNotFound, any(object{"error": "no such control route: " + req.Method + " /_emulator/" + path})
	for _, rt := range controlRoutes() {
		args, ok := matchPath(rt.path, path)
		if !ok || rt.method != req.Method {
			continue
		}
		req.args = args
		status = http.StatusOK
		err := bodyErr
		if err == nil {
			answer, err = rt.serve(s, req)
		}
		if err != nil {
			status, answer = http.StatusBadRequest, object{"error": err.Error()}
			if ce := (controlError{}); errors.As(err, &ce) {
				status = ce.status
			} else if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
				status = http.StatusRequestEntityTooLarge
			}
		}
		break
	}
	rep := jsonReply(status, answer)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(rep.status)
	_, _ = w.Write(append(rep.body, '\n')) // nobody to tell when the caller has gone
}

// decode reads exactly one JSON value without unknown fields.
func (r *request) decode(into any) error {
	dec := json.NewDecoder(bytes.NewReader(r.body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		if errors.Is(err, io.EOF) {
			return errors.New("body: empty, a JSON object is expected")
		}
		return fmt.Errorf("body: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("body: more than one JSON value")
	}
	return nil
}

// params refuses query parameters that the route does not know.
func (r *request) params(known ...string) (url.Values, error) {
	query := r.URL.Query()
	for name := range query {
		ok := false
		for _, k := range known {
			ok = ok || k == name
		}
		if !ok {
			return nil, fmt.Errorf("query: unknown parameter %q (known: %s)", name, strings.Join(known, ", "))
		}
	}
	return query, nil
}

func intParam(query url.Values, name string, unset int64) (int64, error) {
	text := query.Get(name)
	if text == "" {
		return unset, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%s: must be a whole number", name)
	}
	return n, nil
}

func (s *Server) controlHealth(*request) (any, error) {
	return object{"status": "ok"}, nil
}

func (s *Server) controlReset(*request) (any, error) {
	s.Reset()
	return object{"status": "reset"}, nil
}

func (s *Server) controlIdle(req *request) (any, error) {
	query, err := req.params("timeout")
	if err != nil {
		return nil, err
	}
	timeout := 10 * time.Second
	if text := query.Get("timeout"); text != "" {
		if timeout, err = time.ParseDuration(text); err != nil || timeout <= 0 || timeout > time.Minute {
			return nil, errors.New("timeout: must be a duration up to 1m")
		}
	}
	ctx, cancel := context.WithTimeout(req.Context(), timeout)
	defer cancel()
	if err := s.Idle(ctx); err != nil {
		return nil, controlError{http.StatusGatewayTimeout, errors.New("not idle within " + timeout.String())}
	}
	return object{"idle": true}, nil
}

func (s *Server) query(req *request, more ...string) (Query, url.Values, error) {
	values, err := req.params(append([]string{"session", "to", "contains"}, more...)...)
	if err != nil {
		return Query{}, nil, err
	}
	q := Query{To: values.Get("to"), Contains: values.Get("contains")}
	q.Session, err = intParam(values, "session", 0)
	return q, values, err
}

func (s *Server) controlMessages(req *request) (any, error) {
	q, values, err := s.query(req, "limit")
	if err != nil {
		return nil, err
	}
	limit, err := intParam(values, "limit", 100)
	if err != nil || limit < 1 || limit > 10_000 {
		return nil, errors.New("limit: must be 1 to 10000")
	}
	q.Limit = int(limit)
	return object{"messages": s.Messages(q)}, nil
}

func (s *Server) controlMessage(req *request) (any, error) {
	if id, ok := req.number(0); ok {
		if m, found := s.Message(id); found {
			return m, nil
		}
	}
	return nil, missing(errors.New("message " + req.args[0] + ": not found"))
}

// controlCounts adds to the counters how many kept messages match, and with
// session and window the high-water marks.
func (s *Server) controlCounts(req *request) (any, error) {
	q, values, err := s.query(req, "window")
	if err != nil {
		return nil, err
	}
	answer := struct {
		Counts
		Matching  *int `json:"matching,omitempty"`
		MaxWindow *int `json:"max_in_window,omitempty"`
		MaxArrive *int `json:"max_arrived_in_window,omitempty"`
	}{Counts: s.Counts()}
	if q != (Query{}) {
		n := s.count(q)
		answer.Matching = &n
	}
	if text := values.Get("window"); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil || d <= 0 {
			return nil, errors.New("window: must be a duration such as 1s")
		}
		c, err := s.sessionOrFirst(q.Session)
		if err != nil {
			return nil, missing(err)
		}
		taken, arrived := s.MaxInWindow(c.ID, d), s.MaxArrivedInWindow(c.ID, d)
		answer.MaxWindow, answer.MaxArrive = &taken, &arrived
	}
	return answer, nil
}
