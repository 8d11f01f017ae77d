package webpush

import (
	"cmp"
	"log/slog"
	"time"
)

const (
	// MaxBody is how many bytes of ciphertext a push service must take, and
	// this one takes no more.
	MaxBody = 4096
	// maxToken is how far ahead a VAPID token may expire (RFC 8292).
	maxToken = 24 * time.Hour
	// ntfyKeeps is how long ntfy keeps a message, whatever its TTL.
	ntfyKeeps = 12 * time.Hour
)

// Options configure a Server. Every zero field has a default.
type Options struct {
	// Origin is scheme, host and port of the endpoints, such as
	// "http://127.0.0.1:4000". It can be set later with SetOrigin; the control
	// route takes it from the request when there is none.
	Origin string
	// Clock tells the time to TTLs, tokens and timestamps. Default time.Now.
	Clock func() time.Time
	// Show is called for each message that a browser takes, without any lock
	// held, by the request that brought it (or the call that brought the browser
	// back).
	Show func(Shown)
	// Logger gets one debug line per refusal; default: none. Never a token, an
	// endpoint or a text.
	Logger *slog.Logger
	// Latency comes before each answer to a push. SetLatency changes it.
	Latency time.Duration
	// MaxTTL is the longest TTL granted; a longer one is cut silently, and the
	// TTL of the answer says so. Default 30 days, as at autopush.
	MaxTTL time.Duration
	// Keep is how many messages are kept whole. Default 10,000.
	Keep int
	// MaxWaiting is how many messages wait for one browser that is away; the
	// oldest gives way (chosen). Default 100.
	MaxWaiting int
	// Blind answers 201 to what cannot be decrypted, as a real push service does.
	Blind bool
	// DecryptOneIn decrypts only one of so many messages; the others are
	// counted and kept without their text, and not shown. For load runs, where
	// the browsers' work would be measured too. Default 1: all.
	DecryptOneIn int
	// AllowEmpty takes a push without a body, as browsers do (it wakes the
	// service worker). UnifiedPush has no such thing; the default is 400.
	AllowEmpty bool
	// AllowNoSubject takes VAPID tokens without a sub claim. RFC 8292 only says
	// that they should have one, Apple insists; the default is to insist.
	AllowNoSubject bool
}

func (o Options) withDefaults() Options {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.MaxTTL = cmp.Or(o.MaxTTL, 30*24*time.Hour)
	o.Keep = cmp.Or(o.Keep, 10_000)
	o.MaxWaiting = cmp.Or(o.MaxWaiting, 100)
	o.DecryptOneIn = cmp.Or(o.DecryptOneIn, 1)
	return o
}
