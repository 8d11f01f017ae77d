package apns

import (
	"net/http"
	"net/url"
	"time"

	"peal/internal/peal"
	"peal/internal/provider"
	"peal/internal/provider/wire"
)

// Names of the credentials.
const (
	teamID = "team_id"
	keyID  = "key_id"
	keyP8  = "key"
)

// Apple's two worlds. A device's token is known in one of them.
const (
	productionHost = "api.push.apple.com"
	sandboxHost    = "api.sandbox.push.apple.com"
)

// Kind is Apple's push service. The zero value is ready to use.
type Kind struct{}

var (
	_ provider.PushKind = Kind{}
	_ provider.Kind     = Kind{}
)

// Name is "apns".
func (Kind) Name() string { return "apns" }

// Channel is push.
func (Kind) Channel() string { return peal.ChannelPush }

// Devices are those with an APNs token.
func (Kind) Devices() []peal.DeviceKind { return []peal.DeviceKind{peal.DeviceAPNs} }

// Credentials are the key that signs provider tokens, its id, and the team that it belongs to.
func (Kind) Credentials() []provider.Credential {
	return []provider.Credential{
		{Name: teamID, Required: true, MinLen: 10, Help: "The team's id: 10 characters, from the membership page of the developer account"},
		{Name: keyID, Required: true, MinLen: 10, Help: "The key's id: 10 characters, in the name of its file"},
		{Name: keyP8, Required: true, MinLen: 100, Help: "The key's file (.p8), enabled for the Apple Push Notifications service"},
	}
}

// Defaults are Apple's address, and a rate that is ours: Apple prints none.
func (Kind) Defaults() provider.Defaults {
	return provider.Defaults{
		BaseURL:     "https://" + productionHost,
		Limit:       peal.Limit{Rate: 10_000, Period: time.Second, Burst: 1000},
		Concurrency: 512, // 5,000 a second, where an answer takes 100 ms
		OnUnknown:   peal.Resend,
		MayDouble:   true,
	}
}

// ParseWebhook refuses everything: Apple calls nobody.
func (Kind) ParseWebhook(http.Header, []byte) ([]provider.Fact, error) {
	return nil, peal.Errorf(peal.Invalid, "apns: there are no webhooks")
}

// CheckWebhook lets nothing in.
func (Kind) CheckWebhook(*peal.Integration, http.Header, []byte) bool { return false }

// Open makes a client of one key. It fails with a *peal.Error of kind Invalid when the settings cannot work.
func (Kind) Open(in *peal.Integration, env provider.Env) (provider.Client, error) {
	if env.Dial == nil || env.Tokens == nil {
		return nil, peal.Errorf(peal.Internal, "apns: no dialer, or no shared tokens")
	}
	base, err := wire.BaseURL(in.BaseURL, "https://"+productionHost, "https")
	if err != nil {
		return nil, err
	}
	for _, name := range []string{teamID, keyID} {
		if !isID(in.Credentials[name]) {
			return nil, wire.Invalid("credentials."+name, "give the id: 10 letters and digits")
		}
	}
	key, err := parseKey(in.Credentials[keyP8])
	if err != nil {
		return nil, wire.Invalid("credentials."+keyP8, "give the whole file .p8 that Apple made: a P-256 key in PEM, with its first and last line")
	}
	roots, err := wire.Roots(in)
	if err != nil {
		return nil, err
	}
	s, err := newSigner(in.Credentials[teamID], in.Credentials[keyID], key)
	if err != nil {
		return nil, err
	}
	return newClient(in, base, s, roots, env), nil
}

// isID tells the ids of Apple's teams and keys.
func isID(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return len(s) == 10
}

// forEnvironment is where devices of an environment are reached. At Apple each has a host of its own; any other
// base_url is an emulator or a proxy, which stands for both.
func forEnvironment(base *url.URL, environment string) *url.URL {
	if host := base.Hostname(); host != productionHost && host != sandboxHost {
		return base
	}
	u := *base
	u.Host = productionHost
	if environment == peal.Sandbox {
		u.Host = sandboxHost
	}
	if port := base.Port(); port != "" {
		u.Host += ":" + port
	}
	return &u
}
