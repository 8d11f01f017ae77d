package httpapi

import (
	"crypto/ecdh"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"peal/api"
	"peal/internal/peal"
	"peal/internal/pipeline/accept"
	"peal/internal/provider"
)

const (
	maxAPNsToken = 200 // hexadecimal digits: Apple says that tokens may grow
	p256dhSize   = 65
	authSize     = 16
)

// deviceIn checks and translates what an installation says of itself.
func deviceIn(tenantID, userID, id string, req *api.DeviceRequest) (peal.Device, faults) {
	var f faults
	f.check("id", accept.CheckUserID(userID))
	f.check("installation_id", accept.CheckUserID(id))
	d := peal.Device{
		TenantID: tenantID, UserID: userID, ID: id, Kind: peal.DeviceKind(req.Kind), AppID: req.AppID, Platform: req.Platform,
		Locale: req.Locale, TimeZone: req.TimeZone, AppVersion: req.AppVersion, Permission: peal.Permission(req.Permission),
	}
	if d.Permission == "" {
		d.Permission = peal.Granted
	}
	if d.Platform == "" {
		d.Platform = platformOf(d.Kind)
	}
	f.check("app_id", checkText(d.AppID))
	f.check("locale", checkLocale(d.Locale))
	f.check("time_zone", checkZone(d.TimeZone))
	if !utf8.ValidString(d.AppVersion) || strings.ContainsFunc(d.AppVersion, unicode.IsControl) {
		f.bad("app_version", "invalid", "it has control characters; leave them out")
	}
	if d.Subscription() {
		subscribed(&d, req, &f)
	} else {
		tokened(&d, req, &f)
	}
	environment(&d, req, &f)
	return d, f
}

// platformOf is what a device runs on where it does not say.
func platformOf(k peal.DeviceKind) string {
	switch k {
	case peal.DeviceAPNs:
		return "ios"
	case peal.DeviceWebPush:
		return "web"
	case peal.DeviceFCMToken, peal.DeviceFCMFID, peal.DeviceUnifiedPush:
	}
	return "android"
}

func environment(d *peal.Device, req *api.DeviceRequest, f *faults) {
	switch {
	case d.Kind != peal.DeviceAPNs && req.Environment != "":
		f.bad("environment", "unknown", "only a device of kind apns has one; leave it out")
	case d.Kind == peal.DeviceAPNs && req.Environment == "":
		d.Environment = peal.Production
	default:
		d.Environment = req.Environment
	}
	if d.Kind == peal.DeviceAPNs && d.AppID == "" {
		f.bad("app_id", "required", "give the app's bundle id: APNs wants it as the topic")
	}
}

// tokened is a device whose address is a token.
func tokened(d *peal.Device, req *api.DeviceRequest, f *faults) {
	if req.Subscription != nil {
		f.bad("subscription", "unknown", "a device of kind %s has a token; leave the subscription out", d.Kind)
	}
	d.Address = req.Token
	switch {
	case req.Token == "":
		f.bad("token", "required", "give what the push service calls this device")
	case d.Kind == peal.DeviceAPNs:
		d.Address = strings.ToLower(req.Token)
		if _, err := hex.DecodeString(req.Token); err != nil || len(req.Token) > maxAPNsToken {
			f.bad("token", "invalid", "give the device token's bytes in hexadecimal, at most %d digits, without blanks or brackets", maxAPNsToken)
		}
	default:
		f.check("token", checkText(req.Token))
	}
}

// subscribed is a device whose address is a Web Push subscription.
func subscribed(d *peal.Device, req *api.DeviceRequest, f *faults) {
	if req.Token != "" {
		f.bad("token", "unknown", "a device of kind %s has a subscription; leave the token out", d.Kind)
	}
	sub := req.Subscription
	if sub == nil {
		f.bad("subscription", "required", "give endpoint and keys, as pushManager.subscribe has them")
		return
	}
	d.Address = sub.Endpoint
	f.check("subscription.endpoint", checkEndpoint(sub.Endpoint))
	key, ok := decoded(sub.Keys.P256dh, p256dhSize)
	if ok {
		_, err := ecdh.P256().NewPublicKey(key)
		ok = err == nil
	}
	if !ok {
		f.bad("subscription.keys.p256dh", "invalid", "give base64url of %d bytes, an uncompressed point of the curve P-256", p256dhSize)
	}
	secret, ok := decoded(sub.Keys.Auth, authSize)
	if !ok {
		f.bad("subscription.keys.auth", "invalid", "give base64url of %d bytes", authSize)
	}
	d.P256dh, d.Auth = base64.RawURLEncoding.EncodeToString(key), base64.RawURLEncoding.EncodeToString(secret)
}

// decoded reads base64url of a number of bytes; with padding, or in the other alphabet, it is understood, too.
func decoded(s string, size int) ([]byte, bool) {
	s = strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(s, "="))
	b, err := base64.RawURLEncoding.DecodeString(s)
	return b, err == nil && len(b) == size
}

// checkEndpoint says what is wrong with the form of an endpoint. Where it leads is looked at when it is dialed.
func checkEndpoint(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || checkText(s) != "" {
		return "give the https URL that the push service made"
	}
	if u.User != nil || u.Fragment != "" {
		return "it has a user or a fragment; give it as the push service made it"
	}
	return ""
}

// pushKind is the kind of provider that serves a kind of device; nil when this binary has none.
func (s *Server) pushKind(k peal.DeviceKind) provider.PushKind {
	for _, kind := range s.cfg.Kinds {
		if push, ok := kind.(provider.PushKind); ok && serves(kind, k) {
			return push
		}
	}
	return nil
}

func serves(kind provider.Kind, k peal.DeviceKind) bool {
	push, ok := kind.(provider.PushKind)
	return ok && slices.Contains(push.Devices(), k)
}
