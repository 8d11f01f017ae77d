package send

import (
	"time"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/provider"
)

// Templates know which templates can be sent now.
type Templates interface {
	// Held tells why a message of a template is not to be sent now, by the code and the reason of its delivery.
	Held(integrationID, name, language string) (code, reason string)
	// Category is a template's, such as marketing; empty when it is not known.
	Category(integrationID, name, language string) string
	// Answered notes what a call was answered of its message's template, and tells whether the message is to wait for it.
	Answered(in *peal.Integration, t *api.Template, w *peal.TemplateWord) (code, reason string)
	// Parked is told of a delivery that waits for its template, when that is on disk.
	Parked(integrationID, name, language string)
}

// templateWait is how long a delivery waits for its template before that is looked at again: it is woken when it can go.
const templateWait = 6 * time.Hour

// held is what becomes of a delivery whose template cannot be sent now: it waits, and the others go on. To one that can be
// sent it gives its category.
func (s *shift) held(d *peal.Delivery, m *provider.Message, look *looked, at time.Time) (a peal.Attempt, held bool) {
	t := m.Content.Template
	if t == nil || s.cfg.Templates == nil {
		return a, false
	}
	code, reason := s.cfg.Templates.Held(s.id, t.Name, t.Language)
	if code == "" {
		m.Category = s.cfg.Templates.Category(s.id, t.Name, t.Language)
		return a, false
	}
	a = s.decide(d, peal.Outcome{Class: peal.ClassNone, Code: code, Reason: reason}, at)
	a.Due = s.parkUntil(d)
	look.template = t
	return a, true
}

// answered notes what a call's outcome says of the message's template. Where that cannot be sent now, the outcome becomes one
// of which the delivery waits.
func (s *shift) answered(t *api.Template, look *looked, o *peal.Outcome) {
	if t == nil || s.cfg.Templates == nil || o.Template.Status == "" {
		return
	}
	if code, reason := s.cfg.Templates.Answered(s.in, t, &o.Template); code != "" {
		look.template = t
		o.Class, o.Code, o.Reason, o.Pause, o.Quiet = peal.ClassThrottled, code, reason, "", ""
	}
}

// parkUntil is when a delivery that waits for its template is looked at again; at its end at the latest, to expire.
func (s *shift) parkUntil(d *peal.Delivery) time.Time {
	due := s.cfg.Now().Add(templateWait + time.Duration(s.cfg.Jitter()*float64(templateWait)/10))
	if !d.ExpiresAt.IsZero() && due.After(d.ExpiresAt) {
		return d.ExpiresAt
	}
	return due
}

// parked tells of those of a batch that wait for their template now.
func (s *shift) parked(batch []done) {
	for i := range batch {
		if t := batch[i].template; t != nil {
			s.cfg.Templates.Parked(s.id, t.Name, t.Language)
		}
	}
}
