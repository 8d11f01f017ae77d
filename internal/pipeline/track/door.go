package track

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
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

// Door takes webhooks in. It touches no database.
type Door struct {
	Integrations Integrations
	Keeper       Keeper
	Sealer       Sealer
	Metrics      *metrics.Metrics
	Now          func() time.Time
}

// Errors of Take, by kind.
const (
	Unauthorized peal.Kind = "unauthorized"
)

// Known tells whether there is such a webhook address.
func (d *Door) Known(kindName, token string) bool {
	in := d.Integrations.ByHook(token)
	return in != nil && in.Kind == kindName
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
		return peal.Errorf(Unauthorized, "the webhook does not carry the integration's secret")
	}
	raw, err := json.Marshal(pipeline.Callback{IntegrationID: in.ID, ReceivedAt: d.Now(), Header: kept(header), Body: body})
	if err != nil {
		return fmt.Errorf("write webhook: %w", err)
	}
	if err := d.Keeper.Keep(ctx, in.ID, d.Sealer.Seal(raw, "callback:"+in.ID)); err != nil {
		return &peal.Error{Kind: peal.Unavailable, Message: "the webhook could not be kept; send it again", Err: err}
	}
	d.Metrics.Callbacks.WithLabelValues(in.ID).Inc()
	return nil
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
