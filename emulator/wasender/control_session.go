package wasender

import (
	"errors"
	"fmt"
	"time"
)

// limitJSON is a Limit on the wire.
type limitJSON struct {
	Requests int      `json:"requests"`
	Period   duration `json:"period"`
}

// sessionJSON is a Session on the wire of the control routes; a missing field
// is left as it is.
type sessionJSON struct {
	ID                *int64     `json:"id,omitempty"`
	Name              *string    `json:"name,omitempty"`
	PhoneNumber       *string    `json:"phone_number,omitempty"`
	APIKey            *string    `json:"api_key,omitempty"`
	WebhookURL        *string    `json:"webhook_url,omitempty"`
	WebhookSecret     *string    `json:"webhook_secret,omitempty"`
	WebhookEnabled    *bool      `json:"webhook_enabled,omitempty"`
	WebhookEvents     *[]string  `json:"webhook_events,omitempty"`
	Plan              *Plan      `json:"plan,omitempty"`
	Limit             *limitJSON `json:"limit,omitempty"`
	AccountProtection *bool      `json:"account_protection,omitempty"`
	LogMessages       *bool      `json:"log_messages,omitempty"`
	ResetInSeconds    *bool      `json:"reset_in_seconds,omitempty"`
	State             *State     `json:"state,omitempty"`
}

func set[T any](into *T, from *T) {
	if from != nil {
		*into = *from
	}
}

func (in *sessionJSON) apply(c *Session) {
	set(&c.Name, in.Name)
	set(&c.PhoneNumber, in.PhoneNumber)
	set(&c.APIKey, in.APIKey)
	set(&c.WebhookURL, in.WebhookURL)
	set(&c.WebhookSecret, in.WebhookSecret)
	set(&c.WebhookEvents, in.WebhookEvents)
	set(&c.Plan, in.Plan)
	set(&c.AccountProtection, in.AccountProtection)
	set(&c.LogMessages, in.LogMessages)
	set(&c.ResetInSeconds, in.ResetInSeconds)
	set(&c.State, in.State)
	if in.WebhookEnabled != nil {
		c.WebhookDisabled = !*in.WebhookEnabled
	}
	if in.Limit != nil {
		c.Limit = Limit{Requests: in.Limit.Requests, Period: time.Duration(in.Limit.Period)}
	}
}

func controlView(c Session) sessionJSON {
	enabled := !c.WebhookDisabled
	events := append([]string{}, c.WebhookEvents...)
	out := sessionJSON{
		ID: &c.ID, Name: &c.Name, PhoneNumber: &c.PhoneNumber, APIKey: &c.APIKey,
		WebhookURL: &c.WebhookURL, WebhookSecret: &c.WebhookSecret, WebhookEnabled: &enabled,
		WebhookEvents: &events, Plan: &c.Plan, AccountProtection: &c.AccountProtection,
		LogMessages: &c.LogMessages, ResetInSeconds: &c.ResetInSeconds, State: &c.State,
	}
	if c.Limit != (Limit{}) {
		out.Limit = &limitJSON{Requests: c.Limit.Requests, Period: duration(c.Limit.Period)}
	}
	return out
}

func (s *Server) controlSessions(*request) (any, error) {
	list := []sessionJSON{}
	for _, c := range s.Sessions() {
		list = append(list, controlView(c))
	}
	return object{"sessions": list}, nil
}

func (s *Server) controlSession(req *request) (any, error) {
	id, _ := req.number(0)
	c, ok := s.Session(id)
	if !ok {
		return nil, missing(fmt.Errorf("session %s: not found", req.args[0]))
	}
	return controlView(c), nil
}

func (s *Server) controlAddSession(req *request) (any, error) {
	var in sessionJSON
	if err := req.decode(&in); err != nil {
		return nil, err
	}
	var c Session
	set(&c.ID, in.ID)
	in.apply(&c)
	c, err := s.AddSession(c)
	if err != nil {
		return nil, err
	}
	return controlView(c), nil
}

func (s *Server) controlUpdateSession(req *request) (any, error) {
	var in sessionJSON
	if err := req.decode(&in); err != nil {
		return nil, err
	}
	if in.ID != nil {
		return nil, errors.New("id: cannot be changed")
	}
	id, _ := req.number(0)
	if _, ok := s.Session(id); !ok {
		return nil, missing(fmt.Errorf("session %s: not found", req.args[0]))
	}
	c, err := s.UpdateSession(id, in.apply)
	if err != nil {
		return nil, err
	}
	return controlView(c), nil
}
