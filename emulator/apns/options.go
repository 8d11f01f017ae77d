package apns

import (
	"cmp"
	"log/slog"
	"time"
)

// Environment is the one of Apple's two worlds that a server stands for. A
// device's token is known in one of them only.
type Environment string

// The two environments.
const (
	Production Environment = "production"
	Sandbox    Environment = "sandbox"
)

// Options configure a Server. Every zero field has a default.
type Options struct {
	// Environment the server stands for. Default Production. Who needs both
	// makes two servers.
	Environment Environment
	// Keys that may sign provider tokens. More with AddKey and NewKey.
	Keys []Key
	// Apps are known bundles. A bundle that only devices name belongs to any team.
	Apps []App
	// Devices that exist at the start. More with Register.
	Devices []Device
	// AcceptUnknown makes a device of every well formed token that is not
	// known, with the bundle of the push's topic: for load runs.
	AcceptUnknown bool
	// Hosts that the certificate names beside localhost, 127.0.0.1 and ::1.
	Hosts []string
	// Clock is the clock of tokens, expirations and logs; waits run on real time.
	Clock func() time.Time
	// Show is called for each notification that a device shows, silent ones
	// too, from several goroutines, before the push is answered. It must be quick.
	Show func(Shown)
	// Logger gets one debug line per odd connection; default: none. Never a
	// device's token, a JWT or a payload.
	Logger *slog.Logger
	// Latency is how long every answer to a push takes after it was taken.
	Latency time.Duration
	// Limits are the vendor's numbers.
	Limits Limits
	// Data names where the app finds what is not in "aps".
	Data DataKeys
	// KeepPushes is how many pushes are kept whole. Default 10,000.
	KeepPushes int
	// KeepShown is how many notifications each device keeps of what it showed.
	// Default 100.
	KeepShown int
}

// Limits are the vendor's numbers; zero fields have the vendor's.
type Limits struct {
	// TokenUpdate is how long a team must stay with a provider token before it
	// uses a newer one. Default 20 min; negative: no limit.
	TokenUpdate time.Duration
	// TokenAge is how old a provider token may be. Default 1 h.
	TokenAge time.Duration
	// TokenAhead is how far in the future a token's iat may lie. Default 5 min (chosen).
	TokenAhead time.Duration
	// FirstStreams is the number of concurrent streams before the first valid
	// provider token came over a connection, Streams the one after it. Default 1
	// and 1000.
	FirstStreams, Streams uint32
	// Payload and VoIPPayload are sizes in bytes. Default 4096 and 5120.
	Payload, VoIPPayload int
	// Storage is how long a push waits at most for a device that is off.
	// Default 30 days.
	Storage time.Duration
	// PerDevice pushes within PerDeviceWindow are taken for one device, further
	// ones get 429 TooManyRequests. Default: no limit, and 1 min. The vendor
	// prints neither.
	PerDevice       int
	PerDeviceWindow time.Duration
}

// DataKeys name the keys of the payload beside "aps" that the app reads; the
// first that is there counts. A dot goes into an object: "fcm_options.image".
// Image and actions need the app's service extension, and so mutable-content 1.
type DataKeys struct {
	Image   []string // default image, peal.image, peal_image, fcm_options.image
	Link    []string // default peal.link, peal_link, link
	Actions []string // a list of {id,title,link}; default peal.actions, peal_actions, actions
}

// App is an app as Apple and its users' devices know it.
type App struct {
	Bundle string `json:"bundle"`
	// Team that may push to it; empty: any.
	Team string `json:"team,omitempty"`
	// Strings are the texts of loc-keys, with %@ for arguments.
	Strings map[string]string `json:"strings,omitempty"`
	// Categories are the action buttons that the app has registered.
	Categories map[string][]Action `json:"categories,omitempty"`
}

func (o Options) withDefaults() Options {
	o.Environment = cmp.Or(o.Environment, Production)
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.KeepPushes = cmp.Or(o.KeepPushes, 10_000)
	o.KeepShown = cmp.Or(o.KeepShown, 100)
	l := &o.Limits
	l.TokenUpdate = cmp.Or(l.TokenUpdate, 20*time.Minute)
	l.TokenAge = cmp.Or(l.TokenAge, time.Hour)
	l.TokenAhead = cmp.Or(l.TokenAhead, 5*time.Minute)
	l.FirstStreams = cmp.Or(l.FirstStreams, 1)
	l.Streams = cmp.Or(l.Streams, 1000)
	l.Payload = cmp.Or(l.Payload, 4096)
	l.VoIPPayload = cmp.Or(l.VoIPPayload, 5120)
	l.Storage = cmp.Or(l.Storage, 30*24*time.Hour)
	l.PerDeviceWindow = cmp.Or(l.PerDeviceWindow, time.Minute)
	k := &o.Data
	if k.Image == nil {
		k.Image = []string{"image", "peal.image", "peal_image", "fcm_options.image"}
	}
	if k.Link == nil {
		k.Link = []string{"peal.link", "peal_link", "link"}
	}
	if k.Actions == nil {
		k.Actions = []string{"peal.actions", "peal_actions", "actions"}
	}
	return o
}
