package webpush

import (
	"errors"
	"net/http"
	"net/mail"
	"net/url"
	"strings"

	"peal/internal/peal"
	"peal/internal/provider"
	"peal/internal/provider/wire"
)

// Names of the credentials, and of what Public publishes.
const (
	privateKey = "private_key"
	subject    = "subject"
	publicName = "vapid_public_key"
)

// Kind is Web Push, to browsers and UnifiedPush. The zero value is ready to use.
type Kind struct{}

var (
	_ provider.PushKind  = Kind{}
	_ provider.Maker     = Kind{}
	_ provider.Publisher = Kind{}
)

// Name is "webpush".
func (Kind) Name() string { return "webpush" }

// Channel is push.
func (Kind) Channel() string { return peal.ChannelPush }

// Devices are browsers and UnifiedPush endpoints.
func (Kind) Devices() []peal.DeviceKind {
	return []peal.DeviceKind{peal.DeviceWebPush, peal.DeviceUnifiedPush}
}

// Credentials are the VAPID key, and whom a push service can turn to.
func (Kind) Credentials() []provider.Credential {
	return []provider.Credential{
		{Name: privateKey, Help: "The VAPID private key: base64url of 32 bytes, or PEM (P-256). Made when absent. Subscriptions are bound to it: keep it for good"},
		{Name: subject, Required: true, MinLen: 8, Help: "Whom a push service can turn to: mailto:ops@example.com or an https URL"},
	}
}

// Defaults have no base URL, since each device brings its own, and no limit, since each push service has its own. Sending
// twice does no harm: the second takes the place of the first.
func (Kind) Defaults() provider.Defaults {
	return provider.Defaults{Concurrency: 256, OnUnknown: peal.Resend, MayDouble: true}
}

// Open makes a client. It fails with a *peal.Error of kind Invalid when the credentials cannot work.
func (Kind) Open(in *peal.Integration, env provider.Env) (provider.Client, error) {
	if in.BaseURL != "" {
		return nil, wire.Invalid("settings.base_url", "leave it out: each device has a URL of its own")
	}
	key, err := parseKey(in.Credentials[privateKey])
	if err != nil {
		return nil, wire.Invalid("credentials."+privateKey, err.Error())
	}
	if err := checkSubject(in.Credentials[subject]); err != nil {
		return nil, wire.Invalid("credentials."+subject, err.Error())
	}
	transport, own, err := wire.Transport(in, env)
	if err != nil {
		return nil, err
	}
	return newClient(in, key, transport, own, env.Dial), nil
}

// checkSubject wants what push services want; some refuse tokens without it, or with an address of no form.
func checkSubject(s string) error {
	if address, ok := strings.CutPrefix(s, "mailto:"); ok {
		if parsed, err := mail.ParseAddress(address); err == nil && parsed.Address == address {
			return nil
		}
	} else if u, err := url.Parse(s); err == nil && u.Scheme == "https" && u.Hostname() != "" && u.User == nil {
		return nil
	}
	return errors.New("say whom a push service can turn to: mailto: and an address, or an https URL")
}

// Public is the public key, which browsers subscribe with.
func (Kind) Public(in *peal.Integration) map[string]string {
	key, err := parseKey(in.Credentials[privateKey])
	if err != nil {
		return nil
	}
	return map[string]string{publicName: encode(publicBytes(key))}
}

// errNoWebhooks says that push services do not call back.
var errNoWebhooks = errors.New("webpush: push services send no webhooks")

// ParseWebhook refuses everything: push services send none.
func (Kind) ParseWebhook(http.Header, []byte) ([]provider.Fact, error) { return nil, errNoWebhooks }

// CheckWebhook refuses everything.
func (Kind) CheckWebhook(*peal.Integration, http.Header, []byte) bool { return false }
