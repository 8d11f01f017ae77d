package fcm

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
		{"GET", "counts", (*Server).controlCounts},
		{"GET", "shown", (*Server).controlShown},
		{"GET", "screen", (*Server).controlScreen},
		{"GET", "faults", (*Server).controlFaults},
		{"POST", "faults", (*Server).controlAddFault},
		{"DELETE", "faults", (*Server).controlClearFaults},
		{"GET", "devices", (*Server).controlDevices},
		{"POST", "devices", (*Server).controlRegister},
		{"PUT", "devices", (*Server).controlOnline},
		{"DELETE", "devices", (*Server).controlUnregister},
		{"POST", "service-accounts", (*Server).controlAddAccount},
		{"DELETE", "service-accounts", (*Server).controlRemoveAccounts},
		{"POST", "access-tokens", (*Server).controlIssue},
		{"DELETE", "access-tokens", (*Server).controlRevoke},
		{"PUT", "latency", (*Server).controlLatency},
		{"PUT", "platform-auth", (*Server).controlPlatformAuth},
	}
}

func (s *Server) control(w http.ResponseWriter, req *request, path string) {
	status, answer := http.StatusNotFound, any(object{"error": "no such control route: " + req.Method + " /_emulator/" + path})
	for _, rt := range controlRoutes() {
		if rt.path != path || rt.method != req.Method {
			continue
		}
		status = http.StatusOK
		err := req.bodyErr
		if err == nil {
			answer, err = rt.serve(s, req)
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
	writeReply(w, reply{status: status, body: jsonOf(answer)})
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
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("query: unknown parameter %q (known: %s)", name, strings.Join(known, ", "))
		}
	}
	return query, nil
}

// required is a query parameter that must be there.
func (r *request) required(name string) (string, error) {
	query, err := r.params(name)
	if err == nil && query.Get(name) == "" {
		err = fmt.Errorf("%s: is required", name)
	}
	return query.Get(name), err
}

func done() (any, error) { return object{"status": "done"}, nil }

func (s *Server) controlHealth(*request) (any, error) { return object{"status": "ok"}, nil }

func (s *Server) controlReset(*request) (any, error) {
	s.Reset()
	return object{"status": "reset"}, nil
}

// controlCounts adds to the counters what is known of an address, and with
// project and window the high-water marks.
func (s *Server) controlCounts(req *request) (any, error) {
	query, err := req.params("address", "project", "window")
	if err != nil {
		return nil, err
	}
	answer := struct {
		Counts
		Calls     *int64 `json:"calls,omitempty"`
		Taken     *int64 `json:"taken,omitempty"`
		MaxWindow *int   `json:"max_in_window,omitempty"`
		MaxArrive *int   `json:"max_arrived_in_window,omitempty"`
	}{Counts: s.Counts()}
	if address := query.Get("address"); address != "" {
		calls, taken := s.Calls(address), s.Taken(address)
		answer.Calls, answer.Taken = &calls, &taken
	}
	if text := query.Get("window"); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil || d <= 0 {
			return nil, errors.New("window: must be a duration such as 1s")
		}
		taken, arrived := s.MaxInWindow(query.Get("project"), d), s.MaxArrivedInWindow(query.Get("project"), d)
		answer.MaxWindow, answer.MaxArrive = &taken, &arrived
	}
	return answer, nil
}

func (s *Server) controlShown(req *request) (any, error) {
	query, err := req.params("address")
	return object{"shown": s.Shown(query.Get("address"))}, err
}

func (s *Server) controlScreen(req *request) (any, error) {
	query, err := req.params("address")
	return object{"screen": s.Screen(query.Get("address"))}, err
}

func (s *Server) controlDevices(*request) (any, error) {
	return object{"devices": s.Devices()}, nil
}

func (s *Server) controlRegister(req *request) (any, error) {
	var d Device
	if err := req.decode(&d); err != nil {
		return nil, err
	}
	return s.Register(d)
}

func (s *Server) controlOnline(req *request) (any, error) {
	var in struct {
		Address string `json:"address"`
		Online  *bool  `json:"online"`
	}
	if err := req.decode(&in); err != nil {
		return nil, err
	}
	if in.Online == nil {
		return nil, errors.New("online: is required")
	}
	if err := s.SetOnline(in.Address, *in.Online); err != nil {
		return nil, missing(err)
	}
	return done()
}

func (s *Server) controlUnregister(req *request) (any, error) {
	address, err := req.required("address")
	if err != nil {
		return nil, err
	}
	if err := s.Unregister(address); err != nil {
		return nil, missing(err)
	}
	return done()
}

type projectBody struct {
	Project string `json:"project"`
}

func (s *Server) controlAddAccount(req *request) (any, error) {
	var in projectBody
	if err := req.decode(&in); err != nil {
		return nil, err
	}
	file, err := s.NewServiceAccount(in.Project)
	return json.RawMessage(file), err
}

func (s *Server) controlRemoveAccounts(req *request) (any, error) {
	project, err := req.required("project")
	if err != nil {
		return nil, err
	}
	s.RemoveServiceAccounts(project)
	return done()
}

func (s *Server) controlIssue(req *request) (any, error) {
	var in projectBody
	if err := req.decode(&in); err != nil {
		return nil, err
	}
	if !isProject(in.Project) {
		return nil, errors.New("project: is required, of a-z, 0-9 and -")
	}
	return object{"access_token": s.IssueToken(in.Project)}, nil
}

func (s *Server) controlRevoke(req *request) (any, error) {
	project, err := req.required("project")
	if err != nil {
		return nil, err
	}
	s.RevokeTokens(project)
	return done()
}

func (s *Server) controlPlatformAuth(req *request) (any, error) {
	var in struct {
		Project  string   `json:"project"`
		Platform Platform `json:"platform"`
		OK       bool     `json:"ok"`
	}
	if err := req.decode(&in); err != nil {
		return nil, err
	}
	if !isProject(in.Project) || (in.Platform != IOS && in.Platform != Web) {
		return nil, errors.New("project, platform: are required; platform is ios or web")
	}
	s.SetPlatformAuth(in.Project, in.Platform, in.OK)
	return done()
}

func (s *Server) controlFaults(*request) (any, error) {
	list := []faultView{}
	for _, f := range s.Faults() {
		list = append(list, viewOf(f))
	}
	return object{"faults": list}, nil
}

func (s *Server) controlAddFault(req *request) (any, error) {
	var in faultView
	if err := req.decode(&in); err != nil {
		return nil, err
	}
	f, err := in.fault()
	if err != nil {
		return nil, err
	}
	id, err := s.AddFault(f)
	return object{"id": id}, err
}

// controlClearFaults removes the fault of the id, or all.
func (s *Server) controlClearFaults(req *request) (any, error) {
	query, err := req.params("id")
	if err != nil {
		return nil, err
	}
	if text := query.Get("id"); text != "" {
		id, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, errors.New("id: must be a whole number")
		}
		if err := s.RemoveFault(id); err != nil {
			return nil, missing(err)
		}
		return done()
	}
	s.ClearFaults()
	return done()
}
