package fcm

import (
	"fmt"
	"time"
)

// faultView is a fault as the control routes write and read it. Durations are
// Go strings.
type faultView struct {
	ID          int64     `json:"id,omitempty"`
	Kind        FaultKind `json:"kind"`
	Route       string    `json:"route,omitempty"`
	Project     string    `json:"project,omitempty"`
	Address     string    `json:"address,omitempty"`
	Times       int       `json:"times,omitempty"`
	Every       bool      `json:"every,omitempty"`
	Probability float64   `json:"probability,omitempty"`
	Seed        uint64    `json:"seed,omitempty"`
	Delay       string    `json:"delay,omitempty"`
	TakeFirst   bool      `json:"take_first,omitempty"`
	Failure     Failure   `json:"failure,omitempty"`
	Status      int       `json:"status,omitempty"`
	Message     string    `json:"message,omitempty"`
	Body        string    `json:"body,omitempty"`
	ContentType string    `json:"content_type,omitempty"`
	RetryAfter  string    `json:"retry_after,omitempty"`
	Hits        int       `json:"hits,omitempty"`
	Done        bool      `json:"done,omitempty"`
}

func viewOf(f FaultInfo) faultView {
	v := faultView{
		ID: f.ID, Kind: f.Kind, Route: f.Route, Project: f.Project, Address: f.Address, Times: f.Times, Every: f.Every,
		Probability: f.Probability, Seed: f.Seed, TakeFirst: f.TakeFirst, Failure: f.Failure, Status: f.Status,
		Message: f.Message, Body: f.Body, ContentType: f.ContentType, RetryAfter: f.RetryAfter, Hits: f.Hits, Done: f.Done,
	}
	if f.Delay > 0 {
		v.Delay = f.Delay.String()
	}
	return v
}

func (v faultView) fault() (Fault, error) {
	delay, err := optionalDuration("delay", v.Delay)
	return Fault{
		Kind: v.Kind, Route: v.Route, Project: v.Project, Address: v.Address, Times: v.Times, Every: v.Every,
		Probability: v.Probability, Seed: v.Seed, Delay: delay, TakeFirst: v.TakeFirst, Failure: v.Failure, Status: v.Status,
		Message: v.Message, Body: v.Body, ContentType: v.ContentType, RetryAfter: v.RetryAfter,
	}, err
}

func optionalDuration(name, text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("%s: must be a duration such as 150ms", name)
	}
	return d, nil
}

// controlLatency sets what is named and leaves the rest.
func (s *Server) controlLatency(req *request) (any, error) {
	var in struct {
		Send  string `json:"send"`
		Token string `json:"token"`
	}
	if err := req.decode(&in); err != nil {
		return nil, err
	}
	send, err := optionalDuration("send", in.Send)
	if err != nil {
		return nil, err
	}
	token, err := optionalDuration("token", in.Token)
	if err != nil {
		return nil, err
	}
	if in.Send != "" {
		s.SetLatency(send)
	}
	if in.Token != "" {
		s.SetTokenLatency(token)
	}
	return done()
}
