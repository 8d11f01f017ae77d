package integration

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/url"
	"time"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/provider"
)

// Defaults and bounds of what every kind of provider has in common.
const (
	defaultConcurrency = 32
	defaultTimeout     = 15 * time.Second
	maxTimeout         = 60 * time.Second
	defaultAttempts    = 5
	defaultRetryBase   = 5 * time.Second
	defaultRetryCap    = time.Hour
	maxReceiptTimeout  = 7 * 24 * time.Hour
	maxCA              = 64 << 10    // bytes
	maxPeriod          = time.Minute // a queue's new owner holds off for a period: it does not know what was sent before
)

// cloudKind is the one kind that has settings of its own.
const cloudKind = "whatsapp_cloud"

// applySettings fills in an integration's parsed settings, with defaults where it names none. The error is a
// *peal.Error that names every field that is wrong.
func applySettings(in *peal.Integration, kind provider.Kind) error {
	var s api.Settings
	if len(in.Settings) > 0 {
		if err := json.Unmarshal(in.Settings, &s); err != nil {
			return fmt.Errorf("read settings: %w", err)
		}
	}
	def := kind.Defaults()
	c := &checker{}
	if in.BaseURL = s.BaseURL; s.BaseURL != "" || def.BaseURL != "" { // a kind without one calls the URLs that devices bring
		in.BaseURL = c.baseURL("settings.base_url", orDefault(s.BaseURL, def.BaseURL))
	}
	in.Limit = c.limit("settings.limit", s.Limit, def.Limit)
	in.RecipientLimit = c.recipientLimit(s.RecipientLimit, def.RecipientLimit)
	in.LookupLimit = c.limit("settings.lookup_limit", s.LookupLimit, orDefault(def.LookupLimit, def.Limit))
	in.ReceiptTimeout = c.receiptTimeout(s.ReceiptTimeout, def.ReceiptTimeout)
	in.Concurrency = orDefault(s.Concurrency, orDefault(def.Concurrency, defaultConcurrency))
	in.Timeout = c.duration("settings.timeout", s.Timeout, defaultTimeout, 100*time.Millisecond, maxTimeout)
	in.MaxAttempts = orDefault(s.MaxAttempts, defaultAttempts)
	in.RetryBase = c.duration("settings.retry_base", s.RetryBase, defaultRetryBase, 100*time.Millisecond, time.Hour)
	in.RetryCap = c.duration("settings.retry_cap", s.RetryCap, defaultRetryCap, in.RetryBase, 24*time.Hour)
	in.Apps, in.CA = s.Apps, s.CA
	c.apps(s.Apps, kind)
	c.ca(s.CA)
	if s.WhatsAppCloud != nil && kind.Name() != cloudKind {
		c.bad("settings.whatsapp_cloud", "unknown", "leave it out: only integrations of kind %s have these", cloudKind)
	}
	in.Window = def.Window && (s.WhatsAppCloud == nil || s.WhatsAppCloud.Window != windowOff)
	c.consent(in, &s)
	in.OnUnknown = orDefault(peal.OnUnknown(s.OnUnknown), def.OnUnknown)
	if len(c.fields) > 0 {
		return &peal.Error{Kind: peal.Invalid, Message: "the settings are not right", Fields: c.fields}
	}
	return nil
}

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

// checker gathers what is wrong.
type checker struct{ fields []peal.Field }

func (c *checker) bad(path, code, format string, args ...any) {
	c.fields = append(c.fields, peal.Field{Path: path, Code: code, Message: fmt.Sprintf(format, args...)})
}

func (c *checker) baseURL(path, s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		c.bad(path, "invalid", "give an http or https URL without user, query and fragment, such as https://www.wasenderapi.com/api")
		return ""
	}
	for len(u.Path) > 0 && u.Path[len(u.Path)-1] == '/' {
		u.Path = u.Path[:len(u.Path)-1]
	}
	return u.String()
}

// ca checks certificates that are trusted beside the system's.
func (c *checker) ca(s string) {
	if s == "" {
		return
	}
	if len(s) > maxCA {
		c.bad("settings.ca", "too_long", "it has %d bytes; give at most %d", len(s), maxCA)
		return
	}
	rest, n := []byte(s), 0
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if _, err := x509.ParseCertificate(block.Bytes); block.Type != "CERTIFICATE" || err != nil {
			c.bad("settings.ca", "invalid", "block %d of it is no certificate; give certificates in PEM only, and no key", n+1)
			return
		}
		n++
	}
	if n == 0 || len(bytes.TrimSpace(rest)) > 0 {
		c.bad("settings.ca", "invalid", "give certificates in PEM: -----BEGIN CERTIFICATE----- and so on")
	}
}

func (c *checker) limit(path string, l *api.Limit, def peal.Limit) peal.Limit {
	if l == nil {
		return def
	}
	out := peal.Limit{Rate: l.Rate, Burst: l.Burst}
	out.Period = c.duration(path+".period", l.Period, time.Second, 10*time.Millisecond, maxPeriod)
	if l.Burst > l.Rate {
		c.bad(path+".burst", "invalid", "a burst of %d is more than the rate of %d; give at most the rate", l.Burst, l.Rate)
	}
	if out.Burst == 0 {
		out.Burst = max(1, out.Rate/10)
	}
	return out
}

func (c *checker) recipientLimit(l *api.RecipientLimit, def peal.Limit) peal.Limit {
	if l == nil {
		return def
	}
	period := c.duration("settings.recipient_limit.period", l.Period, time.Second, 10*time.Millisecond, time.Hour)
	return peal.Limit{Rate: l.Rate, Period: period, Burst: max(1, l.Burst)}
}

// receiptTimeout is how long a receipt may take; 0 for as long as it likes.
func (c *checker) receiptTimeout(s string, def time.Duration) time.Duration {
	const path = "settings.receipt_timeout"
	if s != "" && def == 0 {
		c.bad(path, "unknown", "leave it out: of this kind of provider there are no receipts")
		return 0
	}
	if d, err := time.ParseDuration(s); err == nil && d == 0 {
		return 0
	}
	return c.duration(path, s, def, time.Second, maxReceiptTimeout)
}

func (c *checker) duration(path, s string, def, least, most time.Duration) time.Duration {
	if s == "" {
		return def
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		c.bad(path, "invalid", "%q is no duration; write it like 15s, 500ms or 1h", s)
		return def
	}
	if d < least || d > most {
		c.bad(path, "out_of_range", "give between %s and %s", least, most)
		return def
	}
	return d
}
