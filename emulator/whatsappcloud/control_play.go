package whatsappcloud

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// duration is a time.Duration in JSON: a Go string.
type duration time.Duration

// MarshalJSON writes "1.5s".
func (d duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }

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

// faultJSON is a Fault on the wire; its fields are those of Fault in order.
type faultJSON struct {
	Kind        FaultKind `json:"kind"`
	Method      string    `json:"method,omitempty"`
	Route       string    `json:"route,omitempty"`
	To          string    `json:"to,omitempty"`
	Number      string    `json:"number,omitempty"`
	Times       int       `json:"times,omitempty"`
	Every       bool      `json:"every,omitempty"`
	Probability float64   `json:"probability,omitempty"`
	Seed        uint64    `json:"seed,omitempty"`
	Delay       duration  `json:"delay,omitempty"`
	TakeFirst   bool      `json:"take_first,omitempty"`
	Status      int       `json:"status,omitempty"`
	Body        string    `json:"body,omitempty"`
	RetryAfter  string    `json:"retry_after,omitempty"`
	Code        int       `json:"code"`
	Via         Via       `json:"via,omitempty"`
	Details     string    `json:"details,omitempty"`
}

func (f faultJSON) fault() Fault {
	return Fault{
		Kind: f.Kind, Method: f.Method, Route: f.Route, To: f.To, Number: f.Number, Times: f.Times, Every: f.Every,
		Probability: f.Probability, Seed: f.Seed, Delay: time.Duration(f.Delay), TakeFirst: f.TakeFirst, Status: f.Status,
		Body: f.Body, RetryAfter: f.RetryAfter, Code: f.Code, Via: f.Via, Details: f.Details,
	}
}

func (s *Server) controlFaults(*request) (any, error) {
	type shown struct {
		ID int64 `json:"id"`
		faultJSON
		Hits int  `json:"hits"`
		Done bool `json:"done"`
	}
	list := []shown{}
	for _, f := range s.Faults() {
		list = append(list, shown{f.ID, faultJSON{
			Kind: f.Kind, Method: f.Method, Route: f.Route, To: f.To, Number: f.Number, Times: f.Times, Every: f.Every,
			Probability: f.Probability, Seed: f.Seed, Delay: duration(f.Delay), TakeFirst: f.TakeFirst, Status: f.Status,
			Body: f.Body, RetryAfter: f.RetryAfter, Code: f.Code, Via: f.Via, Details: f.Details,
		}, f.Hits, f.Done})
	}
	return object{"faults": list}, nil
}

func (s *Server) controlAddFault(req *request) (any, error) {
	var f faultJSON
	if err := req.decode(&f, true); err != nil {
		return nil, err
	}
	id, err := s.AddFault(f.fault())
	if err != nil {
		return nil, err
	}
	return object{"id": id}, nil
}

func (s *Server) controlClearFaults(req *request) (any, error) {
	s.ClearFaults()
	return s.controlFaults(req)
}

func (s *Server) controlRemoveFault(req *request) (any, error) {
	id, _ := strconv.ParseInt(req.id, 10, 64) // 0 is no fault's
	if err := s.RemoveFault(id); err != nil {
		return nil, missing(fmt.Errorf("fault %s: not found", req.id))
	}
	return s.controlFaults(req)
}

type stepJSON struct {
	Status       string   `json:"status"`
	Code         int      `json:"code,omitempty"`
	Delay        duration `json:"delay,omitempty"`
	Times        int      `json:"times,omitempty"`
	Drop         bool     `json:"drop,omitempty"`
	BeforeAnswer bool     `json:"before_answer,omitempty"`
}

type scriptJSON struct {
	Steps           []stepJSON `json:"steps"`
	Order           Order      `json:"order,omitempty"`
	Seed            uint64     `json:"seed,omitempty"`
	DropChance      float64    `json:"drop_chance,omitempty"`
	DuplicateChance float64    `json:"duplicate_chance,omitempty"`
	Bare            bool       `json:"bare,omitempty"`
}

func (s *Server) controlScript(req *request) (any, error) {
	query, err := req.params("to")
	if err != nil {
		return nil, err
	}
	sc := s.Script(query.Get("to"))
	out := scriptJSON{Steps: []stepJSON{}, Order: sc.Order, Seed: sc.Seed, DropChance: sc.DropChance, DuplicateChance: sc.DuplicateChance, Bare: sc.Bare}
	for _, st := range sc.Steps {
		out.Steps = append(out.Steps, stepJSON{st.Status, st.Code, duration(st.Delay), st.Times, st.Drop, st.BeforeAnswer})
	}
	return out, nil
}

func (s *Server) controlSetScript(req *request) (any, error) {
	query, err := req.params("to")
	if err != nil {
		return nil, err
	}
	var in scriptJSON
	if err := req.decode(&in, true); err != nil {
		return nil, err
	}
	sc := Script{Order: in.Order, Seed: in.Seed, DropChance: in.DropChance, DuplicateChance: in.DuplicateChance, Bare: in.Bare}
	for _, st := range in.Steps {
		sc.Steps = append(sc.Steps, Step{st.Status, st.Code, time.Duration(st.Delay), st.Times, st.Drop, st.BeforeAnswer})
	}
	if err := s.SetScriptFor(query.Get("to"), sc); err != nil {
		return nil, err
	}
	return s.controlScript(req)
}

func (s *Server) controlStatus(req *request) (any, error) {
	var in struct {
		Status string `json:"status"`
		Code   int    `json:"code"`
	}
	if err := req.decode(&in, true); err != nil {
		return nil, err
	}
	if _, ok := s.Message(req.id); !ok {
		return nil, missing(errors.New("message " + req.id + ": not found"))
	}
	return queued(s.PlayStatus(req.id, in.Status, in.Code))
}

// queued is the answer of routes that post later.
func queued(err error) (any, error) { return object{"queued": true}, err }
