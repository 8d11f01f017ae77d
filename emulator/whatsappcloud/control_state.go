package whatsappcloud

import (
	"encoding/json"
	"errors"
	"time"
)

func (s *Server) controlAccount(req *request) (any, error) {
	for _, a := range s.Accounts() {
		if a.ID != req.id {
			continue
		}
		if err := req.decode(&a, true); err != nil {
			return nil, err
		}
		if err := s.UpdateAccount(req.id, func(now *Account) { *now = a }); err != nil {
			return nil, err
		}
		return object{"accounts": s.Accounts()}, nil
	}
	return nil, missing(errors.New("account " + req.id + ": not found"))
}

func (s *Server) controlNumbers(*request) (any, error) {
	list := []Number{}
	for _, a := range s.Accounts() {
		list = append(list, a.Numbers...)
	}
	return object{"numbers": list}, nil
}

func (s *Server) controlNumber(req *request) (any, error) {
	n, ok := s.Number(req.id)
	if !ok {
		return nil, missing(errors.New("number " + req.id + ": not found"))
	}
	if err := req.decode(&n, true); err != nil {
		return nil, err
	}
	if err := s.UpdateNumber(req.id, func(now *Number) { *now = n }); err != nil {
		return nil, err
	}
	return s.controlNumbers(req)
}

func (s *Server) controlTemplates(req *request) (any, error) {
	query, err := req.params("account")
	if err != nil {
		return nil, err
	}
	return object{"templates": s.Templates(query.Get("account"))}, nil
}

func (s *Server) controlPutTemplate(req *request) (any, error) {
	query, err := req.params("account")
	if err != nil {
		return nil, err
	}
	var t Template
	if err := req.decode(&t, true); err != nil {
		return nil, err
	}
	if err := s.PutTemplate(query.Get("account"), t); err != nil {
		return nil, err
	}
	return s.controlTemplates(req)
}

func (s *Server) controlUser(req *request) (any, error) {
	query, err := req.params("account")
	if err != nil {
		return nil, err
	}
	return s.User(query.Get("account"), req.id)
}

func (s *Server) controlUpdateUser(req *request) (any, error) {
	query, err := req.params("account", "number")
	if err != nil {
		return nil, err
	}
	var in struct {
		Name      *string   `json:"name"`
		Username  *string   `json:"username"`
		HidePhone *bool     `json:"hide_phone"`
		Absent    *bool     `json:"absent"`
		Stopped   *bool     `json:"stopped"`
		Trial     *bool     `json:"experiment"`
		Window    *duration `json:"window"` // how long ago the user's last message is
	}
	if err := req.decode(&in, true); err != nil {
		return nil, err
	}
	err = s.UpdateUser(query.Get("account"), req.id, func(u *User) {
		set(&u.Name, in.Name)
		set(&u.Username, in.Username)
		set(&u.HidePhone, in.HidePhone)
		set(&u.Absent, in.Absent)
		set(&u.Stopped, in.Stopped)
		set(&u.Trial, in.Trial)
	})
	if err == nil && in.Window != nil {
		err = s.OpenWindow(query.Get("number"), req.id, time.Duration(*in.Window))
	}
	if err != nil {
		return nil, err
	}
	return s.User(query.Get("account"), req.id)
}

func set[T any](into *T, v *T) {
	if v != nil {
		*into = *v
	}
}

func (s *Server) controlInbound(req *request) (any, error) {
	var in struct {
		Number    string          `json:"number"`
		From      string          `json:"from"`
		Type      string          `json:"type"`
		Text      string          `json:"text"`
		Payload   string          `json:"payload"`
		List      bool            `json:"list"`
		ReplyTo   string          `json:"reply_to"`
		Media     []byte          `json:"media"` // base64
		MediaType string          `json:"media_type"`
		Filename  string          `json:"filename"`
		Content   json.RawMessage `json:"content"`
		ID        string          `json:"id"`
		Times     int             `json:"times"`
	}
	if err := req.decode(&in, true); err != nil {
		return nil, err
	}
	id, err := s.PlayInbound(Inbound(in))
	return object{"id": id}, err
}

func (s *Server) controlPreference(req *request) (any, error) {
	var in struct {
		Number string `json:"number"`
		User   string `json:"user"`
		Value  string `json:"value"`
	}
	if err := req.decode(&in, true); err != nil {
		return nil, err
	}
	return queued(s.PlayPreference(in.Number, in.User, in.Value))
}

func (s *Server) controlMoved(req *request) (any, error) {
	var in struct {
		Number string `json:"number"`
		User   string `json:"user"`
		Phone  string `json:"phone"`
		Kind   string `json:"kind"`
	}
	if err := req.decode(&in, true); err != nil {
		return nil, err
	}
	if in.Kind == "" {
		in.Kind = "user_changed_number"
	}
	return queued(s.PlaySystem(in.Number, in.User, in.Kind, in.Phone))
}

func (s *Server) controlVerify(req *request) (any, error) {
	var in struct {
		Account string `json:"account"`
	}
	if err := req.decode(&in, true); err != nil {
		return nil, err
	}
	return object{"verified": true}, s.Verify(req.Context(), in.Account)
}

func (s *Server) controlHold(req *request) (any, error) {
	var in struct {
		Hold bool `json:"hold"`
	}
	if err := req.decode(&in, true); err != nil {
		return nil, err
	}
	s.HoldWebhooks(in.Hold)
	return in, nil
}

func (s *Server) controlWebhook(req *request) (any, error) {
	var in struct {
		Account string         `json:"account"`
		Field   string         `json:"field"`
		Value   map[string]any `json:"value"`
		Raw     *string        `json:"raw"`
	}
	if err := req.decode(&in, true); err != nil {
		return nil, err
	}
	if in.Raw != nil {
		if in.Field != "" || in.Value != nil {
			return nil, errors.New("raw: not with field and value")
		}
		return queued(s.PostWebhook(in.Account, []byte(*in.Raw)))
	}
	return queued(s.PlayChange(in.Account, in.Field, in.Value))
}
