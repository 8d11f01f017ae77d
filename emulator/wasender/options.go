package wasender

import (
	"cmp"
	"log/slog"
	"time"
)

const (
	// DefaultAPIKey is the key of the session that New makes when none is given.
	DefaultAPIKey = "wasender-key-1"
	// DefaultWebhookSecret is that session's webhook secret.
	DefaultWebhookSecret = "wasender-secret-1"
	// DefaultPAT is the personal access token unless Options names one.
	DefaultPAT = "wasender-pat"
)

// Options configure a Server. Every zero field has a default.
type Options struct {
	// Sessions that exist at the start. Default: one connected, unlimited
	// session with DefaultAPIKey, DefaultWebhookSecret and message logs on.
	Sessions []Session
	// PAT is the personal access token of the account. Default DefaultPAT.
	PAT string
	// BasePath comes before every vendor route. Default "/api", as at the vendor.
	BasePath string
	// Now is the clock of limits, taken times and event timestamps.
	Now func() time.Time
	// Logger gets one debug line per odd event; default: none. Never a key,
	// secret, body or phone number.
	Logger *slog.Logger
	// Script of webhooks for each message. Default DefaultScript().
	Script *Script
	// KeepMessages is how many messages are kept whole. Default 100,000.
	KeepMessages int
	// KeepTimes is how many send times per session MaxInWindow can look at.
	// Default 1,000,000.
	KeepTimes int
	// MaxBody is the size limit of every request body. Default 1 MiB.
	MaxBody int64
	// FirstMsgID is the first msgId given. The default comes from the wall
	// clock in microseconds, so that ids are not repeated after a restart
	// against a caller who kept its records.
	FirstMsgID int64
	// NotConnectedStatus answers sends of a session that is not connected.
	// Chosen, the vendor prints none: 400.
	NotConnectedStatus int
	// NotOnWhatsApp are numbers that /on-whatsapp denies; a message to one is
	// taken and its only event is status 0 (ERROR). Chosen.
	NotOnWhatsApp []string
	// Webhooks tune the webhook player.
	Webhooks WebhookOptions
}

// WebhookOptions tune the webhook player. The vendor documents no timeout and
// no retries; all of this is chosen.
type WebhookOptions struct {
	// Workers post at the same time at most. Default 16.
	Workers int
	// Timeout of one post. Default 5 s.
	Timeout time.Duration
	// Tries per event, the first included. Default 3.
	Tries int
	// Backoff before the second try, doubled for each further one. Default 200 ms.
	Backoff time.Duration
	// MaxPending messages may wait for events; those of further ones are lost
	// and counted as overflowed. Default 500,000.
	MaxPending int
}

// idEpoch is the zero of the default FirstMsgID (2025-01-01).
const idEpoch = 1735689600

func (o Options) withDefaults() Options {
	o.PAT = cmp.Or(o.PAT, DefaultPAT)
	o.BasePath = cmp.Or(o.BasePath, "/api")
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Script == nil {
		def := DefaultScript()
		o.Script = &def
	}
	if len(o.Sessions) == 0 {
		o.Sessions = []Session{{LogMessages: true}}
	}
	o.KeepMessages = cmp.Or(o.KeepMessages, 100_000)
	o.KeepTimes = cmp.Or(o.KeepTimes, 1_000_000)
	o.MaxBody = cmp.Or(o.MaxBody, 1<<20)
	o.FirstMsgID = cmp.Or(o.FirstMsgID, time.Now().UnixMicro()-idEpoch*1_000_000)
	o.NotConnectedStatus = cmp.Or(o.NotConnectedStatus, 400)
	w := &o.Webhooks
	w.Workers = cmp.Or(w.Workers, 16)
	w.Timeout = cmp.Or(w.Timeout, 5*time.Second)
	w.Tries = cmp.Or(w.Tries, 3)
	w.Backoff = cmp.Or(w.Backoff, 200*time.Millisecond)
	w.MaxPending = cmp.Or(w.MaxPending, 500_000)
	return o
}
