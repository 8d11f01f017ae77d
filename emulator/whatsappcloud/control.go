package whatsappcloud

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// controlRoute is a route under /_emulator/. An error becomes a 400, or what
// its controlError says.
type controlRoute struct {
	method, path string // * at the end stands for one part
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
		{"GET", "health", func(*Server, *request) (any, error) { return object{"status": "ok"}, nil }},
		{"POST", "reset", (*Server).controlReset},
		{"GET", "idle", (*Server).controlIdle},
		{"GET", "messages", (*Server).controlMessages},
		{"GET", "messages/*", (*Server).controlMessage},
		{"POST", "messages/*/status", (*Server).controlStatus},
		{"GET", "counts", (*Server).controlCounts},
		{"GET", "errors", func(*Server, *request) (any, error) { return object{"errors": Errors()}, nil }},
		{"GET", "faults", (*Server).controlFaults},
		{"POST", "faults", (*Server).controlAddFault},
		{"DELETE", "faults", (*Server).controlClearFaults},
		{"DELETE", "faults/*", (*Server).controlRemoveFault},
		{"GET", "script", (*Server).controlScript},
		{"PUT", "script", (*Server).controlSetScript},
		{"GET", "accounts", func(s *Server, _ *request) (any, error) { return object{"accounts": s.Accounts()}, nil }},
		{"PUT", "accounts/*", (*Server).controlAccount},
		{"GET", "numbers", (*Server).controlNumbers},
		{"PUT", "numbers/*", (*Server).controlNumber},
		{"GET", "templates", (*Server).controlTemplates},
		{"PUT", "templates", (*Server).controlPutTemplate},
		{"GET", "users/*", (*Server).controlUser},
		{"PUT", "users/*", (*Server).controlUpdateUser},
		{"POST", "inbound", (*Server).controlInbound},
		{"POST", "preference", (*Server).controlPreference},
		{"POST", "moved", (*Server).controlMoved},
		{"POST", "verify", (*Server).controlVerify},
		{"POST", "webhook", (*Server).controlWebhook},
		{"POST", "hold", (*Server).controlHold},
	}
}

// matchControl returns the part of path at the pattern's star. Message ids may
// have slashes in them.
func matchControl(pattern, path string) (arg string, ok bool) {
	before, after, star := strings.Cut(pattern, "*")
	if !star {
		return "", pattern == path
	}
	arg, ok = strings.CutPrefix(path, before)
	if ok {
		arg, ok = strings.CutSuffix(arg, after)
	}
	return arg, ok && arg != ""
}

func (s *Server) control(w http.ResponseWriter, req *request, path string, bodyErr error) {
	status, answer := http.StatusNotFound, any(object{"error": "no such control route: " + req.Method + " /_emulator/" + path})
	for _, rt := range controlRoutes() {
		arg, ok := matchControl(rt.path, path)
		if !ok || rt.method != req.Method {
			continue
		}
		req.id = arg
		status = http.StatusOK
		err := bodyErr
		if err == nil {
			answer, err = rt.serve(s, req)
		}
		if err != nil {
			status, answer = http.StatusBadRequest, object{"error": err.Error()}
			if ce := (controlError{}); errors.As(err, &ce) {
				status = ce.status
			}
		}
		break
	}
	rep := jsonReply(status, answer)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(rep.status)
	_, _ = w.Write(append(rep.body, '\n')) // nobody to tell when the caller has gone
}

// decode reads exactly one JSON value, strictly without unknown fields.
func (r *request) decode(into any, strict bool) error {
	dec := json.NewDecoder(bytes.NewReader(r.body))
	if strict {
		dec.DisallowUnknownFields()
	}
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
	for _, name := range sortedKeys(query) {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("query: unknown parameter %q (known: %s)", name, strings.Join(known, ", "))
		}
	}
	return query, nil
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

func (r *request) query(more ...string) (Query, url.Values, error) {
	v, err := r.params(append([]string{"number", "to", "contains"}, more...)...)
	if err != nil {
		return Query{}, nil, err
	}
	return Query{Number: v.Get("number"), To: v.Get("to"), Contains: v.Get("contains")}, v, nil
}

func (s *Server) controlMessages(req *request) (any, error) {
	q, values, err := req.query("limit")
	if err != nil {
		return nil, err
	}
	q.Limit = 100
	if text := values.Get("limit"); text != "" {
		if q.Limit, err = strconv.Atoi(text); err != nil || q.Limit < 1 || q.Limit > 10_000 {
			return nil, errors.New("limit: must be 1 to 10000")
		}
	}
	return object{"messages": s.Messages(q)}, nil
}

func (s *Server) controlMessage(req *request) (any, error) {
	if m, found := s.Message(req.id); found {
		return m, nil
	}
	return nil, missing(errors.New("message " + req.id + ": not found"))
}

// controlCounts adds to the counters how many kept messages match, and with
// window the high-water marks of the number and its busiest (or named) pair.
func (s *Server) controlCounts(req *request) (any, error) {
	q, values, err := req.query("window")
	if err != nil {
		return nil, err
	}
	answer := struct {
		Counts
		Matching  *int `json:"matching,omitempty"`
		MaxWindow *int `json:"max_in_window,omitempty"`
		MaxArrive *int `json:"max_arrived_in_window,omitempty"`
		MaxPair   *int `json:"max_pair_in_window,omitempty"`
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
		taken, arrived, pair := s.MaxInWindow(q.Number, d), s.MaxArrivedInWindow(q.Number, d), s.MaxPairInWindow(q.Number, q.To, d)
		answer.MaxWindow, answer.MaxArrive, answer.MaxPair = &taken, &arrived, &pair
	}
	return answer, nil
}
