package send

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	"peal/internal/peal"
	"peal/internal/pipeline"
	"peal/internal/provider"
)

// People are those who write, and say what they want.
type People interface {
	Consents(ctx context.Context, tenantID, channel string, ids []string) (map[string][]peal.Consent, error)
	PutConsents(ctx context.Context, words []peal.Consent) ([]peal.Consent, error)
	LastInbound(ctx context.Context, tenantID, integrationID string, ids []string) (map[string]time.Time, error)
	ListeningSince(ctx context.Context, integrationID string) (time.Time, error)
	SetPayload(ctx context.Context, tenantID, deliveryID string, payload json.RawMessage) error
}

// openFor is how long what is no template may be sent to somebody who wrote.
const openFor = 24 * time.Hour

// codeWindow is of a delivery that would come outside of that time.
const codeWindow = "window_closed"

// person is what a look-up of a delivery's recipient came to.
type person struct {
	said  []peal.Consent
	wrote time.Time // when they last wrote; zero: never, as far as is known
	heard time.Time // since when it would be known; zero: it would not be
}

// lookPeople looks up together what recipients want, and when they last wrote, right before the calls.
func (s *shift) lookPeople(ds []peal.Delivery) func(d *peal.Delivery) looked {
	at := s.cfg.Now()
	ctx, cancel := context.WithTimeout(context.Background(), lookTimeout)
	defer cancel()
	ids, free := make([]string, len(ds)), make([]string, 0, len(ds))
	for i := range ds {
		ids[i] = ds[i].Recipient
		if s.in.Window && !bytes.HasPrefix(ds[i].Payload, []byte(`{"template"`)) {
			free = append(free, ds[i].Recipient)
		}
	}
	said, err := s.cfg.People.Consents(ctx, s.in.TenantID, s.in.Channel, ids)
	var wrote map[string]time.Time
	if err == nil && len(free) > 0 {
		wrote, err = s.cfg.People.LastInbound(ctx, s.in.TenantID, s.in.ID, free)
	}
	var heard time.Time
	if err == nil && len(wrote) < len(free) {
		heard, err = s.cfg.People.ListeningSince(ctx, s.in.ID)
	}
	if err != nil {
		s.log.Warn("recipients not looked up; their deliveries wait", "deliveries", len(ds), "error", err)
	}
	return func(d *peal.Delivery) looked {
		return looked{at: at, err: err, person: person{said[d.Recipient], wrote[d.Recipient], heard}}
	}
}

// closed tells whether it is known that the recipient has not written in the last 24 hours. Where webhooks have not come for
// so long nobody knows: then the call is made, and the provider says.
func (p *person) closed(now time.Time) bool {
	if !p.wrote.IsZero() {
		return now.Sub(p.wrote) >= openFor
	}
	return !p.heard.IsZero() && now.Sub(p.heard) >= openFor
}

// address makes the message the one that may be sent to its recipient now: its content, or its fallback outside of the
// window. Where none may be, it tells what becomes of the delivery.
func (s *shift) address(d *peal.Delivery, said *pipeline.Said, m *provider.Message, look *looked, at time.Time) (a peal.Attempt, ended bool) {
	category, template, shut := said.Category, said.Template, false
	if s.in.Window && template == nil && (said.FellBack != "" || look.person.closed(s.cfg.Now())) {
		if fallback, ok := said.Fallback(); ok {
			m.Content, template, category = fallback, fallback.Template, said.FallbackCategory
		} else {
			shut = true
		}
	}
	if category == "" && template != nil && s.cfg.Templates != nil { // the catalogue may know it since it was accepted
		category = peal.CategoryNamed(s.cfg.Templates.Category(s.id, template.Name, template.Language))
	}
	if code, why := s.in.Unwanted(look.person.said, category); code != "" {
		return skipped(s.decide(d, peal.Outcome{Class: peal.ClassNone, Code: code, Reason: why}, at)), true
	}
	if shut {
		a = s.decide(d, peal.Outcome{Class: peal.ClassNone}, at)
		a.Next, a.Due = peal.Failed, time.Time{}
		a.Outcome = peal.Outcome{
			Class: peal.ClassPermanent, Code: codeWindow,
			Reason: "the recipient has not written in the last 24 hours: only a template reaches them now; give fallback_template to have one sent then",
		}
		return a, true
	}
	return a, false
}

// heardOf takes in what an outcome says of the recipient. When it is that the window is closed, and there is a fallback that
// was not sent yet, the delivery is to go once more, with that.
func (s *shift) heardOf(d *peal.Delivery, said *pipeline.Said, m *provider.Message, o *peal.Outcome) (again bool) {
	ctx, cancel := context.WithTimeout(context.Background(), lookTimeout)
	defer cancel()
	if o.OptedOut {
		_, err := s.cfg.People.PutConsents(ctx, []peal.Consent{{
			TenantID: d.TenantID, IntegrationID: s.in.ID, Contact: d.Recipient, Channel: s.in.Channel, Category: peal.CategoryMarketing,
			State: peal.OptedOut, Source: peal.ConsentByProvider, At: s.cfg.Now().UTC().Truncate(time.Microsecond),
		}})
		if err != nil {
			s.log.Warn("not written that a recipient has opted out; the next answer will tell", "delivery_id", d.ID, "error", err)
		}
	}
	fell := said.Template == nil && m.Content.Template != nil
	if fell && o.Class == peal.ClassAccepted && o.Code == "" {
		o.Code, o.Reason = codeWindow, "the fallback template was sent: the recipient has not written in the last 24 hours"
	}
	if _, ok := said.Fallback(); !o.WindowClosed || fell || !ok {
		return false
	}
	said.FellBack = o.Code
	payload, err := said.Payload()
	if err == nil {
		err = s.cfg.People.SetPayload(ctx, d.TenantID, d.ID, payload)
	}
	if err != nil {
		s.log.Warn("the fallback could not be noted; the delivery fails", "delivery_id", d.ID, "error", err)
	}
	return err == nil
}
