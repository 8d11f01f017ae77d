package track

import (
	"bytes"
	"context"
	"slices"
	"time"

	"peal/internal/peal"
	"peal/internal/pipeline"
	"peal/internal/provider"
)

// People are those who write to the tenants' accounts.
type People interface {
	Hear(ctx context.Context, heard []peal.Heard) (peal.News, error)
	Listen(ctx context.Context, integrationID string, since time.Time) error
	FallBack(ctx context.Context, evidence []peal.Evidence) (pipeline.FellBack, error)
}

// fallBack takes what was refused outside of the 24-hour window, and has a fallback, out of a webhook's evidence: that goes
// in its place.
func (f *Folder) fallBack(o *opened) error {
	var shut []peal.Evidence
	rest := make([]peal.Evidence, 0, len(o.evidence))
	for i := range o.evidence {
		if e := &o.evidence[i]; e.WindowClosed && e.Status == peal.Failed {
			shut = append(shut, *e)
		} else {
			rest = append(rest, *e)
		}
	}
	if len(shut) == 0 || f.People == nil || f.Jobs == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), foldTime)
	defer cancel()
	return f.guard("falling back", func() error {
		fell, err := f.People.FallBack(ctx, shut)
		if err != nil {
			return err
		}
		f.Jobs.Publish(fell.Jobs)
		o.evidence, o.again = slices.Concat(rest, fell.Rest), o.again || fell.Wait // it may have been tried before
		return nil
	})
}

// said completes what a webhook tells of people; false when it tells nothing.
func (f *Folder) said(in *peal.Integration, fact *provider.Fact, received time.Time) (h peal.Heard, ok bool) {
	if received.IsZero() {
		received = f.Now()
	}
	received = received.UTC().Truncate(time.Microsecond)
	if m := fact.Inbound; m != nil {
		m.TenantID, m.IntegrationID, m.ID, m.ReceivedAt = in.TenantID, in.ID, peal.NewID(), received
		m.At = until(m.At, received)
		m.Content = bytes.ToValidUTF8(m.Content, []byte("\uFFFD")) // tenants' systems are handed it as JSON
		h.Inbound, h.Consent = m, meant(in, m)
	}
	if c := fact.Consent; c != nil {
		c.TenantID, c.IntegrationID, c.Channel = in.TenantID, in.ID, in.Channel
		c.At = until(c.At, received)
		h.Consent = c
	}
	if m := fact.Move; m != nil {
		m.TenantID, m.IntegrationID, m.At = in.TenantID, in.ID, until(m.At, received)
		h.Move = m
	}
	return h, h.Inbound != nil || h.Consent != nil || h.Move != nil
}

// until is a provider's time, which is no later than when it told it.
func until(at, received time.Time) time.Time {
	if at.IsZero() || at.After(received) {
		return received
	}
	return at
}

// hear keeps what people say.
func (f *Folder) hear(heard []peal.Heard) error {
	if len(heard) == 0 || f.People == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), foldTime)
	defer cancel()
	return f.guard("hearing", func() error {
		news, err := f.People.Hear(ctx, heard)
		if err != nil {
			return err
		}
		for i := range news.Consents {
			c := &news.Consents[i]
			f.Log.Info("a person has opted "+string(c.State), "tenant_id", c.TenantID, "integration_id", c.IntegrationID, "category", c.Category, "source", c.Source)
		}
		return nil
	})
}

// listenAgain is when it is noted again that webhooks of an integration come: peal doubt forgets it.
const listenAgain = time.Hour

// listen notes now and then that webhooks of an integration come: from the first time on it is known who did not write.
func (f *Folder) listen(o *opened) {
	id := o.callback.IntegrationID
	if f.People == nil || o.err != nil {
		return
	}
	now := f.Now()
	if at, _ := f.listens.Load(id); at != nil && now.Before(at.(time.Time).Add(listenAgain)) { //nolint:forcetypeassert // it is ours
		return
	}
	if in := f.Integrations.ByID(id); in == nil || !in.Window {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), foldTime)
	defer cancel()
	if err := f.People.Listen(ctx, id, until(o.callback.ReceivedAt, f.Now())); err != nil {
		f.Log.Warn("not noted that webhooks come; the next one will be", "integration_id", id, "error", err)
		return
	}
	f.listens.Store(id, now)
}
