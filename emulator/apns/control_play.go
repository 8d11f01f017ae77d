package apns

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// duration is a time.Duration in JSON: a Go string.
type duration time.Duration

// MarshalJSON writes "1.5s".
func (d duration) MarshalJSON() ([]byte, error) {
	return json.Marshal(time.Duration(d).String())
}

// UnmarshalJSON reads "1.5s".
func (d *duration) UnmarshalJSON(b []byte) error {
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return fmt.Errorf("a duration must be a string such as \"150ms\", is %s", b)
	}
	v, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("a duration must be a string such as \"150ms\", is %q", text)
	}
	*d = duration(v)
	return nil
}

// faultJSON is a Fault on the wire.
type faultJSON struct {
	ID          int64     `json:"id,omitempty"`
	Kind        FaultKind `json:"kind"`
	Token       string    `json:"token,omitempty"`
	Topic       string    `json:"topic,omitempty"`
	Type        string    `json:"push_type,omitempty"`
	Times       int       `json:"times,omitempty"`
	Every       bool      `json:"every,omitempty"`
	Probability float64   `json:"probability,omitempty"`
	Seed        uint64    `json:"seed,omitempty"`
	Skip        int       `json:"skip,omitempty"`
	Delay       duration  `json:"delay,omitempty"`
	TakeFirst   bool      `json:"take_first,omitempty"`
	Reason      string    `json:"reason,omitempty"`
	Status      int       `json:"status,omitempty"`
	Timestamp   time.Time `json:"timestamp,omitzero"`
	Body        string    `json:"body,omitempty"`
	RetryAfter  string    `json:"retry_after,omitempty"`
	Code        uint32    `json:"code,omitempty"`
	Hits        int       `json:"hits"`
	Done        bool      `json:"done"`
}

func (s *Server) controlFaults(*http.Request) (any, error) {
	list := []faultJSON{}
	for _, f := range s.Faults() {
		list = append(list, faultJSON{
			ID: f.ID, Kind: f.Kind, Token: f.Token, Topic: f.Topic, Type: f.Type,
			Times: f.Times, Every: f.Every, Probability: f.Probability, Seed: f.Seed, Skip: f.Skip,
			Delay: duration(f.Delay), TakeFirst: f.TakeFirst, Reason: f.Reason, Status: f.Status, Timestamp: f.Timestamp,
			Body: f.Body, RetryAfter: f.RetryAfter, Code: f.Code, Hits: f.Hits, Done: f.Done,
		})
	}
	return object{"faults": list}, nil
}

func (s *Server) controlAddFault(r *http.Request) (any, error) {
	var f faultJSON
	if err := decode(r, &f); err != nil {
		return nil, err
	}
	if f.ID != 0 || f.Hits != 0 || f.Done {
		return nil, errors.New("id, hits, done: are given by the emulator")
	}
	id, err := s.AddFault(Fault{
		Kind: f.Kind, Token: f.Token, Topic: f.Topic, Type: f.Type,
		Times: f.Times, Every: f.Every, Probability: f.Probability, Seed: f.Seed, Skip: f.Skip,
		Delay: time.Duration(f.Delay), TakeFirst: f.TakeFirst, Reason: f.Reason, Status: f.Status, Timestamp: f.Timestamp,
		Body: f.Body, RetryAfter: f.RetryAfter, Code: f.Code,
	})
	if err != nil {
		return nil, err
	}
	return object{"id": id}, nil
}

func (s *Server) controlClearFaults(r *http.Request) (any, error) {
	s.ClearFaults()
	return s.controlFaults(r)
}

func (s *Server) controlRemoveFault(r *http.Request) (any, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err == nil {
		err = s.RemoveFault(id)
	}
	if err != nil {
		return nil, missing(fmt.Errorf("fault %s: not found", r.PathValue("id")))
	}
	return s.controlFaults(r)
}

func (s *Server) controlLatency(r *http.Request) (any, error) {
	var in struct {
		Latency duration `json:"latency"`
	}
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	if in.Latency < 0 || time.Duration(in.Latency) > maxFaultDelay {
		return nil, fmt.Errorf("latency: must be 0 to %s", maxFaultDelay)
	}
	s.SetLatency(time.Duration(in.Latency))
	return in, nil
}

func (s *Server) controlAddApp(r *http.Request) (any, error) {
	var a App
	if err := decode(r, &a); err != nil {
		return nil, err
	}
	if a.Bundle == "" {
		return nil, errors.New("bundle: is required")
	}
	s.AddApp(a)
	return a, nil
}

func (s *Server) controlDevices(*http.Request) (any, error) {
	return object{"devices": s.Devices()}, nil
}

func (s *Server) controlRegister(r *http.Request) (any, error) {
	var d Device
	if err := decode(r, &d); err != nil {
		return nil, err
	}
	if err := s.Register(d); err != nil {
		return nil, err
	}
	return s.deviceAnswer(d.Token)
}

func (s *Server) deviceAnswer(token string) (any, error) {
	d, ok := s.Device(token)
	if !ok {
		return nil, missing(errors.New("token: no such device"))
	}
	return d, nil
}

func (s *Server) controlDevice(r *http.Request) (any, error) {
	return s.deviceAnswer(r.PathValue("token"))
}

// controlChangeDevice turns a device off or on, or takes the app from it.
func (s *Server) controlChangeDevice(r *http.Request) (any, error) {
	var in struct {
		Offline *bool     `json:"offline"`
		Gone    string    `json:"gone"`
		GoneAt  time.Time `json:"gone_at"`
	}
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	token := r.PathValue("token")
	if in.GoneAt.IsZero() {
		in.GoneAt = s.opt.Clock()
	}
	if _, err := s.deviceAnswer(token); err != nil {
		return nil, err
	}
	var err error
	switch in.Gone {
	case "":
	case unregistered:
		err = s.Unregister(token, in.GoneAt)
	case expiredToken:
		err = s.Expire(token, in.GoneAt)
	default:
		err = errors.New("gone: must be Unregistered or ExpiredToken")
	}
	if err == nil && in.Offline != nil {
		err = s.SetOffline(token, *in.Offline)
	}
	if err != nil {
		return nil, err
	}
	return s.deviceAnswer(token)
}

func (s *Server) controlShown(r *http.Request) (any, error) {
	if _, err := s.deviceAnswer(r.PathValue("token")); err != nil {
		return nil, err
	}
	return object{"shown": s.Shown(r.PathValue("token"))}, nil
}

func (s *Server) controlScreen(r *http.Request) (any, error) {
	if _, err := s.deviceAnswer(r.PathValue("token")); err != nil {
		return nil, err
	}
	return object{"screen": s.Screen(r.PathValue("token"))}, nil
}
