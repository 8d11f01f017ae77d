package apns

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// object is a JSON object of an answer.
type object = map[string]any

// controlRoute is a route under /_emulator/. An error becomes a 400, or what
// its controlError says.
type controlRoute struct {
	pattern string
	serve   func(*Server, *http.Request) (any, error)
}

type controlError struct {
	status int
	err    error
}

func (e controlError) Error() string { return e.err.Error() }

func missing(err error) error { return controlError{http.StatusNotFound, err} }

func controlRoutes() []controlRoute {
	return []controlRoute{
		{"GET /_emulator/health", (*Server).controlHealth},
		{"GET /_emulator/ca", (*Server).controlCA},
		{"POST /_emulator/reset", (*Server).controlReset},
		{"GET /_emulator/pushes", (*Server).controlPushes},
		{"GET /_emulator/counts", (*Server).controlCounts},
		{"GET /_emulator/connections", (*Server).controlConnections},
		{"POST /_emulator/connections", (*Server).controlChangeConnections},
		{"GET /_emulator/tokens", (*Server).controlTokens},
		{"POST /_emulator/keys", (*Server).controlAddKey},
		{"DELETE /_emulator/keys/{id}", (*Server).controlRemoveKey},
		{"PUT /_emulator/apps", (*Server).controlAddApp},
		{"GET /_emulator/devices", (*Server).controlDevices},
		{"PUT /_emulator/devices", (*Server).controlRegister},
		{"GET /_emulator/devices/{token}", (*Server).controlDevice},
		{"PUT /_emulator/devices/{token}", (*Server).controlChangeDevice},
		{"GET /_emulator/devices/{token}/shown", (*Server).controlShown},
		{"GET /_emulator/devices/{token}/screen", (*Server).controlScreen},
		{"GET /_emulator/faults", (*Server).controlFaults},
		{"POST /_emulator/faults", (*Server).controlAddFault},
		{"DELETE /_emulator/faults", (*Server).controlClearFaults},
		{"DELETE /_emulator/faults/{id}", (*Server).controlRemoveFault},
		{"PUT /_emulator/latency", (*Server).controlLatency},
	}
}

// Control serves the control routes, over plain HTTP on a port of their own.
func (s *Server) Control() http.Handler {
	mux := http.NewServeMux()
	for _, rt := range controlRoutes() {
		mux.HandleFunc(rt.pattern, func(w http.ResponseWriter, r *http.Request) {
			r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
			answer, err := rt.serve(s, r)
			status := http.StatusOK
			if err != nil {
				status, answer = http.StatusBadRequest, object{"error": err.Error()}
				if ce, ok := errors.AsType[controlError](err); ok {
					status = ce.status
				}
			}
			writeControl(w, status, answer)
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeControl(w, http.StatusNotFound, object{"error": "no such control route: " + r.Method + " " + r.URL.Path})
	})
	return mux
}

func writeControl(w http.ResponseWriter, status int, answer any) {
	raw, err := json.Marshal(answer)
	if err != nil {
		status, raw = http.StatusInternalServerError, []byte(`{"error":"the answer is no JSON"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(raw, '\n')) // nobody to tell when the caller has gone
}

// decode reads exactly one JSON value without unknown fields.
func decode(r *http.Request, into any) error {
	dec := json.NewDecoder(r.Body)
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
func params(r *http.Request, known ...string) (url.Values, error) {
	query := r.URL.Query()
	for name := range query {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("query: unknown parameter %q (known: %s)", name, strings.Join(known, ", "))
		}
	}
	return query, nil
}

func (s *Server) controlHealth(*http.Request) (any, error) {
	return object{"status": "ok", "environment": s.opt.Environment}, nil
}

func (s *Server) controlCA(*http.Request) (any, error) {
	return object{"pem": string(s.CA())}, nil
}

func (s *Server) controlReset(*http.Request) (any, error) {
	if err := s.Reset(); err != nil {
		return nil, err
	}
	return object{"status": "reset"}, nil
}

func (s *Server) controlPushes(r *http.Request) (any, error) {
	query, err := params(r, "token", "status", "reason", "contains", "limit")
	if err != nil {
		return nil, err
	}
	q := Query{Token: query.Get("token"), Reason: query.Get("reason"), Contains: query.Get("contains"), Limit: 100}
	for name, into := range map[string]*int{"status": &q.Status, "limit": &q.Limit} {
		if text := query.Get(name); text != "" {
			if *into, err = strconv.Atoi(text); err != nil || *into < 1 || *into > 10_000 {
				return nil, errors.New(name + ": must be 1 to 10000")
			}
		}
	}
	return object{"pushes": s.Pushes(q)}, nil
}

func (s *Server) controlCounts(*http.Request) (any, error) { return s.Counts(), nil }

func (s *Server) controlConnections(*http.Request) (any, error) {
	return object{"connections": s.Connections()}, nil
}

func (s *Server) controlTokens(*http.Request) (any, error) {
	return object{"tokens": s.Tokens()}, nil
}

// controlChangeConnections does something to all open connections.
func (s *Server) controlChangeConnections(r *http.Request) (any, error) {
	var in struct {
		Do      string `json:"do"`
		Reason  string `json:"reason"`
		Streams uint32 `json:"streams"`
	}
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	switch in.Do {
	case "goaway":
		s.GoAway(in.Reason)
	case "drop":
		s.DropConnections()
	case "refuse", "allow":
		s.RefuseConnections(in.Do == "refuse")
	case "streams":
		s.SetStreams(in.Streams)
	default:
		return nil, fmt.Errorf("do: %q is none of goaway, drop, refuse, allow, streams", in.Do)
	}
	return s.controlConnections(r)
}

func (s *Server) controlAddKey(r *http.Request) (any, error) {
	var in struct {
		Team        string      `json:"team"`
		ID          string      `json:"id"`
		PEM         string      `json:"pem"`
		Environment Environment `json:"environment"`
		Topics      []string    `json:"topics"`
	}
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	answer := object{"team": in.Team, "id": in.ID}
	if in.PEM == "" {
		p8, err := newP8()
		if err != nil {
			return nil, err
		}
		in.PEM = string(p8)
		answer["p8"] = in.PEM
	}
	err := s.AddKey(Key{Team: in.Team, ID: in.ID, PEM: []byte(in.PEM), Environment: in.Environment, Topics: in.Topics})
	if err != nil {
		return nil, err
	}
	return answer, nil
}

func (s *Server) controlRemoveKey(r *http.Request) (any, error) {
	s.RemoveKey(r.PathValue("id"))
	return object{"removed": true}, nil
}
