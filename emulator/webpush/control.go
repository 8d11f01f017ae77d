package webpush

import (
	"bytes"
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

// maxControlBody bounds the body of a control request.
const maxControlBody = 1 << 20

// object is a JSON object of an answer.
type object = map[string]any

// call is a control request.
type call struct {
	*http.Request

	body []byte
	arg  string // the part of the path marked * in the route
}

type controlRoute struct {
	method, path string
	serve        func(*Server, *call) (any, error)
}

// controlError has another status than 400.
type controlError struct {
	status int
	err    error
}

func (e controlError) Error() string { return e.err.Error() }

func missing(err error) error { return controlError{http.StatusNotFound, err} }

func controlRoutes() []controlRoute {
	return []controlRoute{
		{"GET", "health", func(*Server, *call) (any, error) { return object{"status": "ok"}, nil }},
		{"POST", "reset", (*Server).controlReset},
		{"GET", "counts", (*Server).controlCounts},
		{"GET", "messages", (*Server).controlMessages},
		{"GET", "messages/*", func(s *Server, c *call) (any, error) { return s.Message(c.arg) }},
		{"GET", "subscriptions", (*Server).controlSubscriptions},
		{"POST", "subscriptions", (*Server).controlSubscribe},
		{"PUT", "subscriptions", (*Server).controlChange},
		{"GET", "faults", (*Server).controlFaults},
		{"POST", "faults", (*Server).controlAddFault},
		{"DELETE", "faults", (*Server).controlClearFaults},
		{"DELETE", "faults/*", (*Server).controlRemoveFault},
		{"PUT", "latency", (*Server).controlLatency},
	}
}

func (s *Server) control(w http.ResponseWriter, r *http.Request, path string) {
	status, answer := http.StatusNotFound, any(object{"error": "no such control route: " + r.Method + " /_emulator/" + path})
	head, arg, deep := strings.Cut(path, "/")
	for _, rt := range controlRoutes() {
		if rt.method != r.Method || (rt.path != path && (!deep || arg == "" || rt.path != head+"/*")) {
			continue
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxControlBody))
		status = http.StatusOK
		if err == nil {
			answer, err = rt.serve(s, &call{Request: r, body: body, arg: arg})
		}
		if err != nil {
			status, answer = http.StatusBadRequest, object{"error": err.Error()}
			if ce, ok := errors.AsType[controlError](err); ok {
				status = ce.status
			} else if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
				status = http.StatusRequestEntityTooLarge
			}
		}
		break
	}
	rep := jsonReply(status, answer)
	rep.body = append(rep.body, '\n')
	writeReply(w, rep)
}

// decode reads exactly one JSON value without unknown fields.
func (c *call) decode(into any) error {
	dec := json.NewDecoder(bytes.NewReader(c.body))
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
func (c *call) params(known ...string) (url.Values, error) {
	query := c.URL.Query()
	for name := range query {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("query: unknown parameter %q (known: %s)", name, strings.Join(known, ", "))
		}
	}
	return query, nil
}

func limitParam(query url.Values) (int, error) {
	text := query.Get("limit")
	if text == "" {
		return 100, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 10_000 {
		return 0, errors.New("limit: must be 1 to 10000")
	}
	return n, nil
}

func (s *Server) controlReset(*call) (any, error) {
	s.Reset()
	return object{"status": "reset"}, nil
}

func (s *Server) controlCounts(c *call) (any, error) {
	query, err := c.params("endpoint")
	if err != nil {
		return nil, err
	}
	if endpoint := query.Get("endpoint"); endpoint != "" {
		return s.CountsOf(endpoint)
	}
	return s.Counts(), nil
}

func (s *Server) controlMessages(c *call) (any, error) {
	query, err := c.params("endpoint", "contains", "limit")
	if err != nil {
		return nil, err
	}
	limit, err := limitParam(query)
	if err != nil {
		return nil, err
	}
	return object{"messages": s.Messages(Query{Endpoint: query.Get("endpoint"), Contains: query.Get("contains"), Limit: limit})}, nil
}

func (s *Server) controlSubscriptions(c *call) (any, error) {
	query, err := c.params("limit")
	if err != nil {
		return nil, err
	}
	limit, err := limitParam(query)
	if err != nil {
		return nil, err
	}
	return object{"subscriptions": s.Subscriptions(limit)}, nil
}

// maxSubscribe is how many subscriptions one call makes at most.
const maxSubscribe = 100_000

func (s *Server) controlSubscribe(c *call) (any, error) {
	var in struct {
		VAPIDPublicKey string   `json:"vapid_public_key"`
		Count          int      `json:"count"`
		Platform       string   `json:"platform"`
		Ntfy           bool     `json:"ntfy"`
		Lifetime       duration `json:"lifetime"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	count := max(in.Count, 1)
	if in.Count < 0 || count > maxSubscribe {
		return nil, fmt.Errorf("count: must be 1 to %d", maxSubscribe)
	}
	s.adoptOrigin(c.Request)
	list := make([]Subscription, count)
	for i := range list {
		sub, err := s.SubscribeWith(SubscribeOptions{
			VAPIDPublicKey: in.VAPIDPublicKey, Platform: in.Platform, Ntfy: in.Ntfy, Lifetime: time.Duration(in.Lifetime),
		})
		if err != nil {
			return nil, err
		}
		list[i] = sub
	}
	return object{"subscriptions": list}, nil
}

// adoptOrigin makes endpoints begin as the request does when nobody set an
// origin.
func (s *Server) adoptOrigin(r *http.Request) {
	s.mu.Lock()
	none := s.origin == ""
	s.mu.Unlock()
	if !none {
		return
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	_ = s.SetOrigin(scheme + "://" + r.Host) // no good host: Subscribe says that there is none
}

func (s *Server) controlChange(c *call) (any, error) {
	var in struct {
		Endpoint string `json:"endpoint"`
		Online   *bool  `json:"online"`
		Gone     *int   `json:"gone"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if in.Online == nil && in.Gone == nil {
		return nil, errors.New("online, gone: one of them is required")
	}
	if in.Gone != nil {
		if err := s.SetGone(in.Endpoint, *in.Gone); err != nil {
			return nil, err
		}
	}
	if in.Online != nil {
		if err := s.SetOnline(in.Endpoint, *in.Online); err != nil {
			return nil, err
		}
	}
	return object{"status": "changed"}, nil
}
