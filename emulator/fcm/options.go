package fcm

import (
	"cmp"
	"log/slog"
	"strings"
	"time"
)

// Options configure a Server. Every zero field has a default.
type Options struct {
	// URL is where the emulator is reached, such as "http://127.0.0.1:8001". It
	// stands in the service accounts that NewServiceAccount makes. SetURL sets
	// it later, when the port is known.
	URL string
	// Clock is the clock of access tokens, assertions, quotas and what phones
	// show. The delays of faults and Latency run on real time.
	Clock func() time.Time
	// Show is called for each message that reaches a phone, from the goroutine
	// of the send, before the sender has its answer. It must not block long.
	Show func(Shown)
	// Logger gets one debug line per odd event; default: none. Never a token,
	// key or body.
	Logger *slog.Logger
	// Limits are the vendor's quotas.
	Limits Limits
	// AnyDevice registers a well-formed token that nobody has registered, as an
	// Android device of the project that sends to it: for load runs.
	AnyDevice bool
	// Latency comes before the answer of every send, TokenLatency before that of
	// the token endpoint.
	Latency, TokenLatency time.Duration
	// SlowFor is how long a send to "magic-slow" takes. Default 5 s.
	SlowFor time.Duration
	// TokenLife is how long an access token lives. Default 1 h.
	TokenLife time.Duration
	// KeepShown is how many of the messages that phones got are kept, of all
	// phones together. Default 10,000.
	KeepShown int
	// KeepTimes is how many send times per project MaxInWindow can look at.
	// Default 1,000,000.
	KeepTimes int
	// MaxBody is the size limit of a request's body. Default 256 KiB.
	MaxBody int64
	// LinkKey and ActionsKey are the data keys by which the app on the phones
	// finds the link and the buttons ([{"id":"","title":"","link":""}]), for FCM
	// has neither on Android. Defaults "peal_link" and "peal_actions".
	LinkKey, ActionsKey string
}

// Limits are the vendor's quotas. Zero is the vendor's number, negative is none.
type Limits struct {
	ProjectPerMinute int           // default 600,000; filled up a minute after the first
	DevicePerMinute  int           // default 240, Android only
	DevicePerHour    int           // default 5,000, Android only
	CollapsibleBurst int           // messages with a collapse key, per device: default 20,
	CollapsibleEvery time.Duration // and then one per 3 minutes
	CollapseKeys     int           // different ones that wait for one device: default 4
	PayloadBytes     int           // default 4096
	TopicBytes       int           // default 2048
}

func (l Limits) withDefaults() Limits {
	l.ProjectPerMinute = cmp.Or(l.ProjectPerMinute, 600_000)
	l.DevicePerMinute = cmp.Or(l.DevicePerMinute, 240)
	l.DevicePerHour = cmp.Or(l.DevicePerHour, 5000)
	l.CollapsibleBurst = cmp.Or(l.CollapsibleBurst, 20)
	l.CollapsibleEvery = cmp.Or(l.CollapsibleEvery, 3*time.Minute)
	l.CollapseKeys = cmp.Or(l.CollapseKeys, 4)
	l.PayloadBytes = cmp.Or(l.PayloadBytes, 4096)
	l.TopicBytes = cmp.Or(l.TopicBytes, 2048)
	return l
}

// NoLimits switches the rates off; the sizes stay.
func NoLimits() Limits {
	return Limits{ProjectPerMinute: -1, DevicePerMinute: -1, DevicePerHour: -1, CollapsibleBurst: -1}
}

func (o Options) withDefaults() Options {
	o.URL = strings.TrimSuffix(o.URL, "/")
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Limits = o.Limits.withDefaults()
	o.SlowFor = cmp.Or(o.SlowFor, 5*time.Second)
	o.TokenLife = cmp.Or(o.TokenLife, time.Hour)
	o.KeepShown = cmp.Or(o.KeepShown, 10_000)
	o.KeepTimes = cmp.Or(o.KeepTimes, 1_000_000)
	o.MaxBody = cmp.Or(o.MaxBody, 256<<10)
	o.LinkKey = cmp.Or(o.LinkKey, "peal_link")
	o.ActionsKey = cmp.Or(o.ActionsKey, "peal_actions")
	return o
}
