package whatsappcloud

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"time"
)

// delivery is one post on its way to an account's URL.
type delivery struct {
	url, secret string
	body        []byte
	changes     []change
	tries       int
	first       time.Time
}

// Sign is the X-Hub-Signature-256 of a body.
func Sign(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = mac.Write(body) // never fails
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// deliver posts once. When that fails, the further tries are tasks of their
// own, so that the posts behind are not held up: they come out of order.
func (s *Server) deliver(ctx context.Context, d *delivery) {
	if s.outbox.keep(d) {
		return
	}
	p := s.player
	d.tries++
	err := p.post(ctx, d)
	if err == nil {
		p.tally(func(c *WebhookCounts) {
			c.Posted++
			c.Changes += int64(len(d.changes))
			c.LargestBody = max(c.LargestBody, len(d.body))
		})
		s.settle(d, "DELIVERED", "")
		return
	}
	if ctx.Err() != nil {
		return
	}
	p.tally(func(c *WebhookCounts) { c.Failed++ })
	backoff := min(s.opt.Webhooks.Backoff<<min(d.tries-1, 40), s.opt.Webhooks.MaxBackoff)
	if backoff <= 0 {
		backoff = s.opt.Webhooks.MaxBackoff
	}
	due := time.Now().Add(backoff)
	if p.opt.Tries > 0 && d.tries >= p.opt.Tries || due.Sub(d.first) > p.opt.GiveUp {
		p.tally(func(c *WebhookCounts) { c.GaveUp++ })
		s.settle(d, "FAILED", err.Error())
		p.log.Debug("webhook given up", "changes", len(d.changes), "tries", d.tries)
		return
	}
	s.settle(d, "RETRYING", err.Error())
	p.add(&task{due: due, run: func(ctx context.Context) time.Time {
		s.deliver(ctx, d)
		return time.Time{}
	}})
}

// settle tells the history of the statuses in the post.
func (s *Server) settle(d *delivery, state, text string) {
	for _, ch := range d.changes {
		if ch.msg != nil {
			s.setWebhook(ch.msg, ch.at, state, text)
		}
	}
}

func (p *player) post(ctx context.Context, d *delivery) error {
	ctx, cancel := context.WithTimeout(ctx, p.opt.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.url, bytes.NewReader(d.body))
	if err != nil {
		return err
	}
	// A retry by net/http itself would be a webhook that nobody counted.
	req.GetBody = nil
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "facebookexternalua")
	req.Header.Set("X-Hub-Signature-256", Sign(d.secret, d.body))
	resp, err := p.opt.Client.Do(req)
	if err != nil {
		return fmt.Errorf("webhook endpoint could not be reached: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10) // to reuse the connection
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Errorf("webhook endpoint returned HTTP %d", resp.StatusCode)
	}
	return nil
}
