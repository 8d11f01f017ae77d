package wasender

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"time"
)

// delivery is one event on its way to a session's URL.
type delivery struct {
	url, secret, event string
	body               []byte
	tries              int
}

// deliver posts once. When that fails, the further tries are tasks of their
// own, so that the events behind are not held up (the vendor documents neither
// retries nor whether they block).
func (p *player) deliver(ctx context.Context, d *delivery) {
	d.tries++
	if p.post(ctx, d) {
		p.tally(func(c *WebhookCounts) { c.Posted++ })
		return
	}
	if ctx.Err() != nil {
		return
	}
	p.tally(func(c *WebhookCounts) { c.Failed++ })
	if d.tries >= p.opt.Tries {
		p.tally(func(c *WebhookCounts) { c.GaveUp++ })
		p.log.Debug("webhook given up", "event", d.event, "tries", d.tries)
		return
	}
	backoff := p.opt.Backoff << (d.tries - 1)
	p.add(&task{
		due: time.Now().Add(backoff),
		run: func(ctx context.Context) time.Time {
			p.deliver(ctx, d)
			return time.Time{}
		},
	})
}

func (p *player) post(ctx context.Context, d *delivery) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.url, bytes.NewReader(d.body))
	if err != nil {
		return false
	}
	// A retry by net/http itself would be a webhook that nobody counted.
	req.GetBody = nil
	req.Header.Set("Content-Type", "application/json")
	// The signature is the secret itself, not an HMAC: so the vendor says.
	req.Header.Set("X-Webhook-Signature", d.secret)
	resp, err := p.client.Do(req)
	if err != nil {
		return false
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10) // to reuse the connection
	return resp.StatusCode >= 200 && resp.StatusCode < 300
}
