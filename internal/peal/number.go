package peal

import "time"

// NumberState is what a provider says of the number that an account sends from. What is empty was not said.
type NumberState struct {
	ID         string    `json:"id,omitempty"`          // the provider's
	Phone      string    `json:"phone,omitempty"`       // without +
	Status     string    `json:"status,omitempty"`      // such as CONNECTED
	Quality    string    `json:"quality,omitempty"`     // GREEN, YELLOW, RED or NA
	NameStatus string    `json:"name_status,omitempty"` // whether the name that people see is approved
	Tier       string    `json:"tier,omitempty"`        // the provider's word for the next
	Limit      int64     `json:"limit,omitempty"`       // how many people may be written to first in any 24 h; NoLimit: any number
	Level      string    `json:"level,omitempty"`       // the provider's word for the next
	Throughput int       `json:"throughput,omitempty"`  // messages a second
	Alert      string    `json:"alert,omitempty"`       // what the provider last warned of
	AlertAt    time.Time `json:"alert_at,omitzero"`
	Used       int64     `json:"used,omitempty"` // of Limit, as far as Peal knows
	UsedAt     time.Time `json:"used_at,omitzero"`
	At         time.Time `json:"at,omitzero"`       // when it was said
	AskedAt    time.Time `json:"asked_at,omitzero"` // when Peal last asked
}

// NoLimit is NumberState.Limit where there is none.
const NoLimit = -1

// With is the state with what later news say. What they do not say stays. Older news say nothing.
func (s NumberState) With(news NumberState) NumberState {
	if news.At.Before(s.At) {
		return s
	}
	if s.Phone != "" && news.Phone != "" && s.Phone != news.Phone && news.ID == "" {
		return s // they are of another number of the same account
	}
	set(&s.ID, news.ID)
	set(&s.Phone, news.Phone)
	set(&s.Status, news.Status)
	set(&s.Quality, news.Quality)
	set(&s.NameStatus, news.NameStatus)
	set(&s.Alert, news.Alert)
	if news.Tier != "" {
		s.Tier, s.Limit = news.Tier, news.Limit
	}
	if news.Level != "" {
		s.Level, s.Throughput = news.Level, news.Throughput
	}
	for _, t := range []struct{ of, by *time.Time }{{&s.AlertAt, &news.AlertAt}, {&s.At, &news.At}, {&s.AskedAt, &news.AskedAt}} {
		if !t.by.IsZero() {
			*t.of = *t.by
		}
	}
	if !news.UsedAt.IsZero() {
		s.Used, s.UsedAt = news.Used, news.UsedAt
	}
	return s
}

func set(s *string, news string) {
	if news != "" {
		*s = news
	}
}

// Same tells whether nothing has changed that anybody would want to be told.
func (s NumberState) Same(o NumberState) bool {
	s.Used, s.UsedAt, s.At, s.AskedAt = o.Used, o.UsedAt, o.At, o.AskedAt
	return s == o
}
