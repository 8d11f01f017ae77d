package whatsappcloud

import (
	"cmp"
	"log/slog"
	"net/http"
	"time"
)

// What New makes when Options names no account.
const (
	DefaultAccount     = "102290129340398"      // WhatsApp Business Account id
	DefaultNumber      = "106540352242922"      // phone number id
	DefaultPhone       = "15550783881"          // its display phone number
	DefaultToken       = "cloud-token-1"        // bearer token
	DefaultAppSecret   = "cloud-app-secret-1"   // signs webhooks
	DefaultVerifyToken = "cloud-verify-token-1" // of the handshake
	DefaultAPIKey      = "cloud-api-key-1"      // of the gateway's header
)

// Options configure a Server. Every zero field has a default.
type Options struct {
	// Accounts that exist at the start. Default: one with the Default constants
	// and one number.
	Accounts []Account
	// Clock of limits, windows, expiries and timestamps.
	Clock func() time.Time
	// Logger gets one debug line per odd event; default: none. Never a token,
	// secret, body or phone number.
	Logger *slog.Logger
	// Versions of the Graph API. Default: v20.0 to v26.0 as known in 2026-11.
	Versions []Version
	// Gateway also serves a 360dialog-like API. Default: none.
	Gateway *Gateway
	// Limits of every number.
	Limits Limits
	// Via says how an error of this code is told, where that differs from the table.
	Via map[int]Via
	// HTTPStatus of a code, where that differs from the table.
	HTTPStatus map[int]int
	// WindowsOpen takes free text at any time. Default: the 24-hour window is kept.
	WindowsOpen bool
	// AllowUSMarketing takes marketing templates to +1 numbers, which Meta
	// does not deliver since 2025-04-01. (All of +1 counts here: chosen.)
	AllowUSMarketing bool
	// Conversations puts "conversation" into sent and delivered statuses, as
	// Meta did before v24.0.
	Conversations bool
	// LinkStatus, if set, is asked what fetching a media link gave: an HTTP
	// status; what is not 2xx fails with 131053. Nothing is ever fetched.
	LinkStatus func(link string) int
	// Script of statuses for each message. Default DefaultScript().
	Script *Script
	// KeepMessages is how many messages are kept whole. Default 100,000.
	KeepMessages int
	// KeepTimes is how many send times per number MaxInWindow can look at
	// (per pair a hundredth of it). Default 1,000,000.
	KeepTimes int
	// MaxBody is the size limit of JSON bodies. Default 1 MiB.
	MaxBody int64
	// MediaTTL is how long uploaded media live. Default 30 days.
	MediaTTL time.Duration
	// MediaURLTTL is how long a media URL works. Default 5 min.
	MediaURLTTL time.Duration
	// Webhooks tune the webhook player.
	Webhooks WebhookOptions
}

// Version of the Graph API. The zero Until is "not announced".
type Version struct {
	Name  string // "v23.0"
	Until time.Time
}

// Gateway is a 360dialog-like front: POST /messages, POST /media, GET and
// DELETE /{media id}, with the number found by its APIKey.
type Gateway struct {
	Header string // default "D360-API-KEY"
	Path   string // before every route, "" or "/v1"
}

// Limits as Meta documents them; chosen where it says so.
type Limits struct {
	// PairEvery and PairBurst: one message per 6 s to one user, 45 at once
	// borrowed from the future. PairBurst < 0: no pair limit.
	PairEvery time.Duration
	PairBurst int
	// MarketingPerUser marketing templates to one user in 24 h over all
	// numbers, then 131049. Default 0: no limit (Meta's is not published).
	MarketingPerUser int
}

// WebhookOptions tune the webhook player.
type WebhookOptions struct {
	// Client posts. Default: one of its own that follows no redirects.
	Client *http.Client
	// Workers post at the same time at most. Default 16.
	Workers int
	// Timeout of one post. Default 10 s (chosen).
	Timeout time.Duration
	// Backoff before the second try, doubled for each further one up to
	// MaxBackoff, until GiveUp has passed since the first: Meta retries up to 7
	// days with backoff; its steps are not published. Defaults 200 ms, 1 h,
	// 7 days; Speed divides all three.
	Backoff, MaxBackoff, GiveUp time.Duration
	Speed                       float64
	// Tries at most per post, 0 for no such limit.
	Tries int
	// MaxPending messages may wait for statuses; those of further ones are lost
	// and counted as overflowed. Default 500,000.
	MaxPending int
	// Batch puts several changes into one post.
	Batch Batch

	own bool // Client is ours to close
}

// BatchShape is where a batch has its many.
type BatchShape string

// Batch shapes.
const (
	BatchStatuses BatchShape = ""        // many statuses or messages in one change, where number and kind allow
	BatchChanges  BatchShape = "changes" // many changes in one entry
	BatchEntries  BatchShape = "entries" // many entries
	BatchMixed    BatchShape = "mixed"   // entries of changes of statuses, all of it
)

// Batch collects changes until Size or MaxBytes is reached or Wait has passed.
type Batch struct {
	Size     int           // default 1: no batches
	Wait     time.Duration // default 20 ms
	MaxBytes int           // default and most 3 MB, as Meta
	Shape    BatchShape
}

const maxBatchBytes = 3 << 20

// versions as of 2026-11-21: v20 died on 2026-09-24, v23, v24 and v25 have
// dates, v26 is the newest. v21 and v22 have none in our facts: none is set.
func versions() []Version {
	on := func(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }
	return []Version{
		{"v20.0", on(2026, 9, 24)},
		{"v21.0", time.Time{}},
		{"v22.0", time.Time{}},
		{"v23.0", on(2027, 10, 8)},
		{"v24.0", on(2028, 2, 18)},
		{"v25.0", on(2028, 7, 29)},
		{"v26.0", time.Time{}},
	}
}

func (o Options) withDefaults() Options {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Script == nil {
		def := DefaultScript()
		o.Script = &def
	}
	if len(o.Accounts) == 0 {
		o.Accounts = []Account{{}}
	}
	if len(o.Versions) == 0 {
		o.Versions = versions()
	}
	if o.Gateway != nil {
		g := *o.Gateway
		g.Header = cmp.Or(g.Header, "D360-API-KEY")
		o.Gateway = &g
	}
	o.Limits.PairEvery = cmp.Or(o.Limits.PairEvery, 6*time.Second)
	o.Limits.PairBurst = cmp.Or(o.Limits.PairBurst, 45)
	o.KeepMessages = cmp.Or(o.KeepMessages, 100_000)
	o.KeepTimes = cmp.Or(o.KeepTimes, 1_000_000)
	o.MaxBody = cmp.Or(o.MaxBody, 1<<20)
	o.MediaTTL = cmp.Or(o.MediaTTL, 30*24*time.Hour)
	o.MediaURLTTL = cmp.Or(o.MediaURLTTL, 5*time.Minute)
	o.Webhooks = o.Webhooks.withDefaults()
	return o
}

func (w WebhookOptions) withDefaults() WebhookOptions {
	w.Workers = cmp.Or(w.Workers, 16)
	w.Timeout = cmp.Or(w.Timeout, 10*time.Second)
	w.Speed = cmp.Or(w.Speed, 1)
	fast := func(d time.Duration) time.Duration { return time.Duration(float64(d) / w.Speed) }
	w.Backoff = fast(cmp.Or(w.Backoff, 200*time.Millisecond))
	w.MaxBackoff = fast(cmp.Or(w.MaxBackoff, time.Hour))
	w.GiveUp = fast(cmp.Or(w.GiveUp, 7*24*time.Hour))
	w.MaxPending = cmp.Or(w.MaxPending, 500_000)
	w.Batch.Size = cmp.Or(w.Batch.Size, 1)
	w.Batch.Wait = cmp.Or(w.Batch.Wait, 20*time.Millisecond)
	w.Batch.MaxBytes = min(cmp.Or(w.Batch.MaxBytes, maxBatchBytes), maxBatchBytes)
	if w.Client == nil {
		w.own = true
		w.Client = &http.Client{
			Timeout:       w.Timeout,
			Transport:     &http.Transport{MaxIdleConnsPerHost: w.Workers, IdleConnTimeout: 30 * time.Second},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	return w
}
