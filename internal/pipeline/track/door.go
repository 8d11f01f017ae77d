package track

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"peal/internal/metrics"
	"peal/internal/peal"
	"peal/internal/pipeline"
	"peal/internal/provider"
)

// MaxWebhook is how large a webhook's body may be, in bytes.
const MaxWebhook = 3 << 20

// Integrations are the accounts that webhooks come from.
type Integrations interface {
	All() []*peal.Integration
	ByID(id string) *peal.Integration
	ByHook(token string) *peal.Integration
	Kind(name string) (provider.Kind, bool)
	Pause(ctx context.Context, id string, version int64, p *peal.Pause) error
	Lift(ctx context.Context, in *peal.Integration) error
}

// Keeper keeps a webhook; when it returns without error, that is on disk.
type Keeper interface {
	Keep(ctx context.Context, integrationID string, sealed []byte) error
}

// Sealer keeps what webhooks say from whoever reads the disk: they hold phone numbers, texts, and of one provider the
// account's API key.
type Sealer interface {
	Seal(plain []byte, belongs string) []byte
	Open(sealed []byte, belongs string) ([]byte, error)
}

// Holder keeps a webhook in the records; when it returns without error, that is on disk.
type Holder interface {
	HoldCallback(ctx context.Context, integrationID string, received time.Time, sealed []byte) error
}

// keepTime is how long the broker, and how long the records, may take to keep a webhook before they count as away.
const keepTime = 2 * time.Second

// Door takes webhooks in. It touches the database only while the broker is away.
type Door struct {
	Integrations Integrations
	Keeper       Keeper
	Holder       Holder // nil: without the broker webhooks are refused
	Sealer       Sealer
	Metrics      *metrics.Metrics
	Log          *slog.Logger // nil: none
	Now          func() time.Time
	Sightings    *Sightings // nil: nothing is noted

	broker breaker
}

// Errors of Take, by kind.
const (
	Unauthorized peal.Kind = "unauthorized"
	NoHandshake  peal.Kind = "method_not_allowed" // of Handshake: this kind of provider only posts
)

// Known tells whether there is such a webhook address.
func (d *Door) Known(kindName, token string) bool {
	in := d.Integrations.ByHook(token)
	return in != nil && in.Kind == kindName
}

// Handshake answers a provider that asks whether it has the right address. It fails with NotFound, NoHandshake,
// or Unauthorized when whoever asks does not know the integration's verify token.
func (d *Door) Handshake(kindName, token string, query url.Values) (string, error) {
	in := d.Integrations.ByHook(token)
	if in == nil || in.Kind != kindName {
		return "", peal.Errorf(peal.NotFound, "there is no such webhook address")
	}
	kind, _ := d.Integrations.Kind(in.Kind)
	h, ok := kind.(provider.Handshaker)
	if !ok {
		return "", peal.Errorf(NoHandshake, "it takes POST")
	}
	answer, ok := h.Handshake(in, query)
	if !ok {
		return "", peal.Errorf(Unauthorized, "the handshake does not name the integration's verify token")
	}
	return answer, nil
}

// Take checks a webhook's token and secret, in constant time, and keeps it. Of a webhook without the right secret
// nothing is kept. It fails with NotFound, Unauthorized, or Unavailable when it could not be kept: then the provider
// should come again.
func (d *Door) Take(ctx context.Context, kindName, token string, header http.Header, body []byte) error {
	in := d.Integrations.ByHook(token)
	if in == nil || in.Kind != kindName {
		return peal.Errorf(peal.NotFound, "there is no such webhook address")
	}
	kind, ok := d.Integrations.Kind(in.Kind)
	if !ok {
		return peal.Errorf(peal.NotFound, "there is no such webhook address")
	}
	if !kind.CheckWebhook(in, header, body) {
		d.Sightings.webhook(in.ID, false)
		return peal.Errorf(Unauthorized, "the webhook does not carry the integration's secret")
	}
	now := d.Now()
	raw, err := pipeline.EncodeCallback(&pipeline.Callback{ReceivedAt: now, Header: kept(header), Body: body})
	if err != nil {
		return fmt.Errorf("write webhook: %w", err)
	}
	if err := d.keep(ctx, in.ID, now, d.Sealer.Seal(raw, "callback:"+in.ID)); err != nil {
		return &peal.Error{Kind: peal.Unavailable, Message: "the webhook could not be kept; send it again", Err: err}
	}
	d.Metrics.Callbacks.WithLabelValues(in.ID).Inc()
	d.Sightings.webhook(in.ID, true)
	return nil
}

// keep gives a webhook to the broker, and to the records while that is away. One that the broker kept without saying so in
// time is kept twice, and folded twice, which changes nothing.
func (d *Door) keep(ctx context.Context, integrationID string, now time.Time, sealed []byte) error {
	if d.Holder == nil {
		return d.Keeper.Keep(ctx, integrationID, sealed)
	}
	tried := d.broker.try(time.Now())
	var away error
	if tried {
		if away = d.tryBroker(ctx, integrationID, sealed); away == nil {
			return nil
		}
	}
	hctx, cancel := context.WithTimeout(ctx, keepTime)
	defer cancel()
	err := d.Holder.HoldCallback(hctx, integrationID, now, sealed)
	if err != nil && !tried { // neither is sure to be there; the broker may have come back meanwhile
		if away = d.tryBroker(ctx, integrationID, sealed); away == nil {
			return nil
		}
	}
	if err != nil {
		return errors.Join(away, err)
	}
	d.Metrics.Held.Inc()
	return nil
}

func (d *Door) tryBroker(ctx context.Context, integrationID string, sealed []byte) error {
	kctx, cancel := context.WithTimeout(ctx, keepTime)
	defer cancel()
	err := d.Keeper.Keep(kctx, integrationID, sealed)
	if err != nil && ctx.Err() != nil {
		return err // who brought it has gone away; that says nothing of the broker
	}
	if news := d.broker.went(err == nil, time.Now()); news && d.Log != nil {
		if err != nil {
			d.Log.Error("the broker does not keep webhooks; the records hold them until they are folded in", "error", err)
		} else {
			d.Log.Info("the broker keeps webhooks again")
		}
	}
	return err
}

// kept are the headers worth keeping: what the body is. Secrets have done their work.
func kept(h http.Header) http.Header {
	out := http.Header{}
	for _, name := range []string{"Content-Type", "User-Agent"} {
		if v := h.Values(name); len(v) > 0 {
			out[name] = v
		}
	}
	return out
}
