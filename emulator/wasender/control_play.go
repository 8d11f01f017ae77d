package wasender

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
	Method      string    `json:"method,omitempty"`
	Path        string    `json:"path,omitempty"`
	To          string    `json:"to,omitempty"`
	Session     int64     `json:"session,omitempty"`
	Times       int       `json:"times,omitempty"`
	Every       bool      `json:"every,omitempty"`
	Probability float64   `json:"probability,omitempty"`
	Seed        uint64    `json:"seed,omitempty"`
	Delay       duration  `json:"delay,omitempty"`
	TakeFirst   bool      `json:"take_first,omitempty"`
	Status      int       `json:"status,omitempty"`
	Body        string    `json:"body,omitempty"`
	RetryAfter  string    `json:"retry_after,omitempty"`
	Hits        int       `json:"hits"`
	Done        bool      `json:"done"`
}

func (s *Server) controlFaults(*request) (any, error) {
	list := []faultJSON{}
	for _, f := range s.Faults() {
		list = append(list, faultJSON{
			ID: f.ID, Kind: f.Kind, Method: f.Method, Path: f.Path, To: f.To, Session: f.Session,
			Times: f.Times, Every: f.Every, Probability: f.Probability, Seed: f.Seed,
			Delay: duration(f.Delay), TakeFirst: f.TakeFirst, Status: f.Status, Body: f.Body,
			RetryAfter: f.RetryAfter, Hits: f.Hits, Done: f.Done,
		})
	}
	return object{"faults": list}, nil
}

func (s *Server) controlAddFault(req *request) (any, error) {
	var f faultJSON
	if err := req.decode(&f); err != nil {
		return nil, err
	}
	if f.ID != 0 || f.Hits != 0 || f.Done {
		return nil, errors.New("id, hits, done: are given by the emulator")
	}
	id, err := s.AddFault(Fault{
		Kind: f.Kind, Method: f.Method, Path: f.Path, To: f.To, Session: f.Session,
		Times: f.Times, Every: f.Every, Probability: f.Probability, Seed: f.Seed,
		Delay: time.Duration(f.Delay), TakeFirst: f.TakeFirst, Status: f.Status, Body: f.Body,
		RetryAfter: f.RetryAfter,
	})
	if err != nil {
		return nil, err
	}
	return object{"id": id}, nil
}

func (s *Server) controlClearFaults(*request) (any, error) {
	s.ClearFaults()
	return s.controlFaults(nil)
}

func (s *Server) controlRemoveFault(req *request) (any, error) {
	id, _ := req.number(0)
	if err := s.RemoveFault(id); err != nil {
		return nil, missing(fmt.Errorf("fault %s: not found", req.args[0]))
	}
	return s.controlFaults(req)
}

type stepJSON struct {
	Event        string   `json:"event,omitempty"`
	Status       int      `json:"status"`
	Delay        duration `json:"delay,omitempty"`
	Times        int      `json:"times,omitempty"`
	Drop         bool     `json:"drop,omitempty"`
	BeforeAnswer bool     `json:"before_answer,omitempty"`
	Shape        *Shape   `json:"shape,omitempty"`
}

type scriptJSON struct {
	Steps           []stepJSON `json:"steps"`
	Order           Order      `json:"order,omitempty"`
	Seed            uint64     `json:"seed,omitempty"`
	DropChance      float64    `json:"drop_chance,omitempty"`
	DuplicateChance float64    `json:"duplicate_chance,omitempty"`
	Shape           Shape      `json:"shape"`
	MessageSent     bool       `json:"message_sent,omitempty"`
}

func (s *Server) controlScript(req *request) (any, error) {
	query, err := req.params("to")
	if err != nil {
		return nil, err
	}
	sc := s.Script(query.Get("to"))
	out := scriptJSON{
		Steps: []stepJSON{}, Order: sc.Order, Seed: sc.Seed, DropChance: sc.DropChance,
		DuplicateChance: sc.DuplicateChance, Shape: sc.Shape, MessageSent: sc.MessageSent,
	}
	for _, st := range sc.Steps {
		out.Steps = append(out.Steps, stepJSON{
			Event: st.Event, Status: st.Status, Delay: duration(st.Delay), Times: st.Times,
			Drop: st.Drop, BeforeAnswer: st.BeforeAnswer, Shape: st.Shape,
		})
	}
	return out, nil
}

func (s *Server) controlSetScript(req *request) (any, error) {
	query, err := req.params("to")
	if err != nil {
		return nil, err
	}
	var in scriptJSON
	if err := req.decode(&in); err != nil {
		return nil, err
	}
	sc := Script{
		Order: in.Order, Seed: in.Seed, DropChance: in.DropChance,
		DuplicateChance: in.DuplicateChance, Shape: in.Shape, MessageSent: in.MessageSent,
	}
	for _, st := range in.Steps {
		sc.Steps = append(sc.Steps, Step{
			Event: st.Event, Status: st.Status, Delay: time.Duration(st.Delay), Times: st.Times,
			Drop: st.Drop, BeforeAnswer: st.BeforeAnswer, Shape: st.Shape,
		})
	}
	if err := s.SetScriptFor(query.Get("to"), sc); err != nil {
		return nil, err
	}
	return s.controlScript(req)
}

func (s *Server) controlStatus(req *request) (any, error) {
	var in struct {
		Status *int  `json:"status"`
		Shape  Shape `json:"shape"`
	}
	if err := req.decode(&in); err != nil {
		return nil, err
	}
	if in.Status == nil {
		return nil, errors.New("status: is required")
	}
	id, err := strconv.ParseInt(req.args[0], 10, 64)
	if _, ok := s.Message(id); err != nil || !ok {
		return nil, missing(errors.New("message " + req.args[0] + ": not found"))
	}
	if err := s.PlayStatus(id, *in.Status, in.Shape); err != nil {
		return nil, err
	}
	return object{"queued": true}, nil
}

func (s *Server) controlInbound(req *request) (any, error) {
	var in struct {
		Session int64  `json:"session"`
		From    string `json:"from"`
		Text    string `json:"text"`
		Event   string `json:"event"`
		KeyID   string `json:"key_id"`
		Shape   Shape  `json:"shape"`
	}
	if err := req.decode(&in); err != nil {
		return nil, err
	}
	id, err := s.PlayInbound(Inbound(in))
	if err != nil {
		return nil, err
	}
	return object{"key_id": id}, nil
}

func (s *Server) controlWebhook(req *request) (any, error) {
	var in struct {
		Session int64           `json:"session"`
		Body    json.RawMessage `json:"body"`
	}
	if err := req.decode(&in); err != nil {
		return nil, err
	}
	if err := s.PostWebhook(in.Session, in.Body); err != nil {
		return nil, err
	}
	return object{"queued": true}, nil
}
