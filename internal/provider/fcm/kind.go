package fcm

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"peal/internal/peal"
	"peal/internal/provider"
	"peal/internal/provider/wire"
)

// serviceAccount is the name of the one credential.
const serviceAccount = "service_account"

// maxAddress bounds a device's token. Google promises no length; those of today have less than 200 characters.
const maxAddress = 2048

// Kind is Firebase Cloud Messaging. The zero value is ready to use.
type Kind struct{}

var _ provider.PushKind = Kind{}

// Name is "fcm".
func (Kind) Name() string { return "fcm" }

// Channel is push.
func (Kind) Channel() string { return peal.ChannelPush }

// Credentials is the service account's key.
func (Kind) Credentials() []provider.Credential {
	return []provider.Credential{{
		Name: serviceAccount, Required: true, MinLen: 1,
		Help: "The JSON file of a service account's key, from the Firebase console: Project settings, Service accounts",
	}}
}

// Defaults are Google's quota of a project, 600,000 a minute, and of one Android device: 240 a minute and 5,000 an hour,
// neither of which 120 at once and 80 a minute can reach.
func (Kind) Defaults() provider.Defaults {
	return provider.Defaults{
		BaseURL:        "https://fcm.googleapis.com",
		Limit:          peal.Limit{Rate: 10_000, Period: time.Second, Burst: 1000},
		Concurrency:    512, // 5,000 a second, where an answer takes 100 ms
		RecipientLimit: peal.Limit{Rate: 80, Period: time.Minute, Burst: 120},
		OnUnknown:      peal.Resend,
		MayDouble:      true,
	}
}

// Devices are those with a registration token and those with a Firebase installation id.
func (Kind) Devices() []peal.DeviceKind {
	return []peal.DeviceKind{peal.DeviceFCMToken, peal.DeviceFCMFID}
}

// CheckDevice looks at the address. Whether it is one only Google knows.
func (Kind) CheckDevice(d *peal.Device) []peal.Field {
	field := func(code, mend string) []peal.Field { return []peal.Field{{Path: "token", Code: code, Message: mend}} }
	switch {
	case d.Kind != peal.DeviceFCMToken && d.Kind != peal.DeviceFCMFID:
		return []peal.Field{{Path: "kind", Code: "invalid", Message: "fcm serves fcm_token and fcm_fid"}}
	case d.Address == "" && d.Kind == peal.DeviceFCMFID:
		return field("required", "give the Firebase installation id, as FirebaseInstallations.getId() tells it")
	case d.Address == "":
		return field("required", "give the registration token, as FirebaseMessaging.getToken() tells it")
	case len(d.Address) > maxAddress:
		return field("too_long", "give the token as it is; this one has more than 2048 characters")
	case strings.ContainsFunc(d.Address, notToken):
		return field("invalid", "give the token as it is, without spaces and line breaks")
	}
	return nil
}

// notToken tells the characters that cannot stand in a token.
func notToken(r rune) bool { return r <= ' ' || r >= 0x7f }

// Open makes a client of one project. It fails with a *peal.Error of kind Invalid when the settings cannot work.
func (Kind) Open(in *peal.Integration, env provider.Env) (provider.Client, error) {
	base, err := wire.BaseURL(in.BaseURL, "https://fcm.googleapis.com", "http", "https")
	if err != nil {
		return nil, err
	}
	a, err := parseAccount(in.Credentials[serviceAccount], base.Scheme == "http")
	if err != nil {
		return nil, err
	}
	return newClient(in, base, a, env)
}

// ParseWebhook understands nothing: FCM sends no webhooks.
func (Kind) ParseWebhook(http.Header, []byte) ([]provider.Fact, error) {
	return nil, errors.New("fcm: there are no webhooks")
}

// CheckWebhook lets nothing in.
func (Kind) CheckWebhook(*peal.Integration, http.Header, []byte) bool { return false }

// Lookup knows nothing: what became of a message only the device can tell.
func (c *client) Lookup(context.Context, string) (peal.Evidence, error) {
	return peal.Evidence{}, &provider.Error{Class: peal.ClassPermanent, Code: codeNoLookup, Err: errors.New("FCM does not tell what became of a message")}
}
