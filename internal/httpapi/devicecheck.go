package httpapi

import (
	"cmp"
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

// deviceIn checks and translates what an installation says of itself. Whether its address is one is judged by the kind of
// provider that serves it, or in general where this binary has none.
func deviceIn(tenantID, userID, id string, req *api.DeviceRequest, kind provider.PushKind) (peal.Device, faults) {
	var f faults
	f.check("id", accept.CheckUserID(userID))
	f.check("installation_id", accept.CheckUserID(id))
	d := peal.Device{
		TenantID: tenantID, UserID: userID, ID: id, Kind: peal.DeviceKind(req.Kind), Environment: req.Environment, AppID: req.AppID,
		Platform: req.Platform, Locale: req.Locale, TimeZone: req.TimeZone, AppVersion: req.AppVersion,
		Permission: cmp.Or(peal.Permission(req.Permission), peal.Granted),
	}
	d.Platform = cmp.Or(d.Platform, platformOf(d.Kind))
	f.check("app_id", checkText(d.AppID))
	f.check("locale", checkLocale(d.Locale))
	f.check("time_zone", checkZone(d.TimeZone))
	if !utf8.ValidString(d.AppVersion) || strings.ContainsFunc(d.AppVersion, unicode.IsControl) {
		f.bad("app_version", "invalid", "it has control characters; leave them out")
	}
	if !addressed(&d, req, &f) {
		return d, f
	}
	wrong := checkDevice
	if kind != nil {
		wrong = kind.CheckDevice
	}
	for _, w := range wrong(&d) {
		if !slices.ContainsFunc(f, func(told api.FieldError) bool { return told.Path == w.Path }) {
			f.bad(w.Path, w.Code, "%s", w.Message)
		}
	}
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

// addressed takes the address over, in one form whatever the app's, and tells whether there is one to look at.
func addressed(d *peal.Device, req *api.DeviceRequest, f *faults) bool {
	if d.Kind != peal.DeviceAPNs && req.Environment != "" {
		f.bad("environment", "unknown", "only a device of kind apns has one; leave it out")
	}
	sub := req.Subscription
	if !d.Subscription() {
		if sub != nil {
			f.bad("subscription", "unknown", "a device of kind %s has a token; leave the subscription out", d.Kind)
		}
		d.Address = req.Token
		if d.Kind == peal.DeviceAPNs {
			d.Address, d.Environment = strings.ToLower(req.Token), cmp.Or(req.Environment, peal.Production)
		}
		return true
	}
	if req.Token != "" {
		f.bad("token", "unknown", "a device of kind %s has a subscription; leave the token out", d.Kind)
	}
	if sub == nil {
		f.bad("subscription", "required", "give endpoint and keys, as pushManager.subscribe has them")
		return false
	}
	d.Address, d.P256dh, d.Auth = sub.Endpoint, uniform(sub.Keys.P256dh), uniform(sub.Keys.Auth)
	return true
}

// uniform is base64url without padding, whatever base64 a text is. What is none stays, to be refused.
func uniform(s string) string {
	u := strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(s, "="))
	if b, err := base64.RawURLEncoding.DecodeString(u); err == nil {
		return base64.RawURLEncoding.EncodeToString(b)
	}
	return s
}

// checkDevice says what is wrong with an address in general.
func checkDevice(d *peal.Device) []peal.Field {
	var all []peal.Field
	bad := func(path, code, mend string) { all = append(all, peal.Field{Path: path, Code: code, Message: mend}) }
	if d.Kind == peal.DeviceAPNs && d.AppID == "" {
		bad("app_id", "required", "give the app's bundle id: APNs wants it as the topic")
	}
	switch _, err := hex.DecodeString(d.Address); {
	case d.Subscription():
		if mend := checkEndpoint(d.Address); mend != "" {
			bad("subscription.endpoint", "invalid", mend)
		}
		point, err := base64.RawURLEncoding.DecodeString(d.P256dh)
		if err == nil {
			_, err = ecdh.P256().NewPublicKey(point)
		}
		if err != nil || len(point) != p256dhSize {
			bad("subscription.keys.p256dh", "invalid", "give base64url of 65 bytes, an uncompressed point of the curve P-256")
		}
		if secret, err := base64.RawURLEncoding.DecodeString(d.Auth); err != nil || len(secret) != authSize {
			bad("subscription.keys.auth", "invalid", "give base64url of 16 bytes")
		}
	case d.Address == "":
		bad("token", "required", "give what the push service calls this device")
	case d.Kind == peal.DeviceAPNs && (err != nil || len(d.Address) > maxAPNsToken):
		bad("token", "invalid", "give the device token's bytes in hexadecimal, at most 200 digits, without blanks or brackets")
	default:
		if mend := checkText(d.Address); mend != "" {
			bad("token", "invalid", mend)
		}
	}
	return all
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
