package webpush

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

// faultJSON is a fault on the wire.
type faultJSON struct {
	FaultInfo

	Delay        duration `json:"delay,omitempty"`
	RetryAfterIn duration `json:"retry_after_in,omitempty"`
}

func (s *Server) controlFaults(*call) (any, error) {
	list := []faultJSON{}
	for _, f := range s.Faults() {
		list = append(list, faultJSON{FaultInfo: f, Delay: duration(f.Delay), RetryAfterIn: duration(f.RetryAfterIn)})
	}
	return object{"faults": list}, nil
}

func (s *Server) controlAddFault(c *call) (any, error) {
	var in faultJSON
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if in.ID != 0 || in.Hits != 0 || in.Done {
		return nil, errors.New("id, hits, done: are given by the emulator")
	}
	in.Fault.Delay, in.Fault.RetryAfterIn = time.Duration(in.Delay), time.Duration(in.RetryAfterIn)
	id, err := s.AddFault(in.Fault)
	if err != nil {
		return nil, err
	}
	return object{"id": id}, nil
}

func (s *Server) controlClearFaults(c *call) (any, error) {
	s.ClearFaults()
	return s.controlFaults(c)
}

func (s *Server) controlRemoveFault(c *call) (any, error) {
	id, err := strconv.ParseInt(c.arg, 10, 64)
	if err != nil {
		return nil, missing(fmt.Errorf("fault %s: not found", c.arg))
	}
	if err := s.RemoveFault(id); err != nil {
		return nil, err
	}
	return s.controlFaults(c)
}

func (s *Server) controlLatency(c *call) (any, error) {
	var in struct {
		Latency duration `json:"latency"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if in.Latency < 0 || time.Duration(in.Latency) > maxFaultDelay {
		return nil, fmt.Errorf("latency: must be 0 to %s", maxFaultDelay)
	}
	s.SetLatency(time.Duration(in.Latency))
	return object{"latency": in.Latency}, nil
}
